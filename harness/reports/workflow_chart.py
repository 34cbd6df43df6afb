"""The streams of a VReplication workflow in the page: rows copied over time, and the states that `_vt` had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.facts import workflows
from harness.history import History, Series
from harness.reports.charts import Figure, base_layout, escaped, rows_axis, vtgate_colour
from harness.reports.digest import Digest
from harness.reports.stream_charts import fault_shades
from harness.reports.words import clean, shorten

MAX_STREAMS = 64
MAX_STEPS = 2_000  # state changes of all streams together
ERRORS = 20
MESSAGE = 300
COLOURS = {"Copying": "@buffered", "Running": "@ok", "Lagging": "@cut", "Stopped": "@fault", "Error": "@fail"}
_OTHER = "@v3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One stream with the samples of its target shard."""

    stream: workflows.Stream
    series: Series
    loops: int
    catchups: int


def watched(history: History) -> tuple[Watched, ...]:
    """The workflow's streams; () in a run without one."""
    of_shard = {(keyspace, shard): series for keyspace, shard, series in workflows.sources(history)}
    return tuple(
        Watched(
            stream=stream,
            series=of_shard[stream.keyspace, stream.shard],
            loops=workflows.loops(history, stream),
            catchups=workflows.catchups(history, stream),
        )
        for stream in workflows.streams(history)
    )


def workflow_view(history: History, found: Digest, streams: tuple[Watched, ...]) -> dict[str, Any]:
    """The values of `templates/workflow.html`."""
    told = workflows.errors(history)
    states = dict.fromkeys(str(state) for one in streams for state in one.series.steps(f"state:{one.stream.number}")[1])
    return {
        "streams": streams,
        "states": [clean(state) for state in states],
        "errors": [_error(found, entry) for entry in told[:ERRORS]],
        "more_errors": max(len(told) - ERRORS, 0),
        "left_out": max(len(streams) - MAX_STREAMS, 0),
    }


def _error(found: Digest, entry: workflows.Entry) -> tuple[float, str, int, str]:
    name = f"{entry.keyspace}/{entry.shard} #{entry.stream}"
    return found.seconds(entry.at_ns), name, entry.count, clean(shorten(entry.message, MESSAGE))


def workflow_chart(history: History, digest: Digest, streams: tuple[Watched, ...]) -> Figure:
    """Above: the state of every stream. Below: its rows copied, as `_vt.vreplication` counts them."""
    shown = streams[:MAX_STREAMS]
    lanes_px, curves_px = 26 + 18 * max(len(shown), 2), 190
    share = curves_px / (lanes_px + curves_px)
    layout = base_layout(history, digest, 56 + lanes_px + curves_px, hovermode="closest", barmode="overlay")
    layout["yaxis"] = rows_axis([one.stream.name for one in shown]) | {"domain": [round(share + 0.05, 3), 1]}
    title = {"text": "rows copied", "font": {"size": 10}}
    layout["yaxis2"] = {
        "domain": [0, round(share - 0.05, 3)],
        "title": title,
        "fixedrange": True,
        "rangemode": "tozero",
    }
    layout["xaxis"] |= {"anchor": "y2"}
    layout["shapes"] = [*layout["shapes"], *fault_shades(history, digest)]
    layout["margin"] = layout["margin"] | {"l": 96}
    data = [_states(digest, shown)]
    data += [_rows(digest, one, vtgate_colour(index)) for index, one in enumerate(shown)]
    return {"data": [trace for trace in data if trace["x"]], "layout": layout}


def _states(digest: Digest, shown: tuple[Watched, ...]) -> Figure:
    bars: list[tuple[int, int, int, str]] = []  # row, from, to, state
    for row, one in enumerate(shown):
        times, states = one.series.steps(f"state:{one.stream.number}")
        ends = [*times[1:], int(one.series.at_ns[-1])]
        bars += [(row, begin, end, str(state)) for begin, end, state in zip(times, ends, states, strict=True)]
    bars = bars[:MAX_STEPS]
    return {
        "type": "bar",
        "orientation": "h",
        "width": 0.7,
        "base": [digest.seconds(begin) for _, begin, _, _ in bars],
        "x": [round((end - begin) / 1e9, 3) for _, begin, end, _ in bars],
        "y": [row for row, _, _, _ in bars],
        "yaxis": "y",
        "marker": {"color": [COLOURS.get(state, _OTHER) for _, _, _, state in bars]},
        "hovertext": [
            escaped(
                f"{shown[row].stream.name}: {state} from {digest.seconds(begin):+.2f} s to {digest.seconds(end):+.2f} s"
            )
            for row, begin, end, state in bars
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _rows(digest: Digest, one: Watched, colour: str) -> Figure:
    times, values = one.series.steps(f"rows_copied:{one.stream.number}")
    numbers = [float(value) if isinstance(value, int | float) else None for value in values]
    end = [digest.seconds(int(one.series.at_ns[-1]))] if times else []
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*(digest.seconds(at) for at in times), *end],
        "y": [*numbers, *numbers[-1:]],
        "yaxis": "y2",
        "line": {"color": colour, "width": 1.5, "shape": "hv"},
        "hovertemplate": f"%{{y:,}} rows copied by {escaped(one.stream.name)}<extra></extra>",
    }
