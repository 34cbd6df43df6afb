"""The charts of the HTML page as plotly figures in plain values.

Colours are names that begin with @; the page's script puts in those of the light or dark theme. All
charts share one time axis, in seconds since the first fault, so zooming one zooms all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.history import History
from harness.model import FaultSpan
from harness.reports.bins import MAX_BINS, STATE_WORDS, Binned, Grid
from harness.reports.counters import total_at
from harness.reports.digest import Digest
from harness.reports.fault_stretches import begun, end_ns, stretches_by_shard
from harness.reports.pressure import Curve, busy_share, cpu_pressure, loop_lag_ms, memory_available
from harness.reports.words import clean, duration

Figure = dict[str, Any]
MARGIN = {"l": 74, "r": 14, "t": 22, "b": 34}
_VTGATE_COLOURS = 4
_READABLE = 0.05  # of a chart's width, that a phase's name needs


def vtgate_colour(index: int) -> str:
    return f"@v{index % _VTGATE_COLOURS}"


def numbers(values: Any, digits: int = 3) -> list[float | None]:
    """Plain numbers; None for NaN, which plotly leaves out."""
    return [None if np.isnan(value) else round(float(value), digits) for value in values]


def phases(history: History, digest: Digest) -> list[tuple[str, float]]:
    """(name, second at which it began)."""
    return [(clean(name), digest.seconds(span[0])) for name, span in history.phases.items()]


def base_layout(
    history: History, digest: Digest, height: int, *, shown_s: Sequence[float] | None = None, **more: Any
) -> Figure:
    """Shared by all charts: the time axis (`shown_s`: from, to; else the whole run) and a line at the begin of every
    phase. A phase that is over before its name could be read has no name."""
    marks = phases(history, digest)
    begin_s, end_s = shown_s or (digest.seconds(digest.from_ns), digest.seconds(digest.until_ns))
    ends = [*(at for _, at in marks[1:]), *([float("inf")] if marks else [])]
    lines = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "layer": "above"}
        | {"line": {"color": "@phase", "width": 1, "dash": "dot"}}
        for _, at in marks
    ]
    labels = [
        {"x": at, "y": 1, "xref": "x", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False}
        | {"text": escaped(name), "font": {"size": 10, "color": "@muted"}}
        for (name, at), end in zip(marks, ends, strict=True)
        if end - at > _READABLE * (end_s - begin_s)
    ]
    return {
        "height": height,
        "margin": MARGIN,
        "xaxis": {"range": [begin_s, end_s], "ticksuffix": " s"},
        "shapes": lines,
        "annotations": labels,
        "showlegend": False,
    } | more


def heat_map(history: History, digest: Digest, cells: Binned, vtgate: str) -> Figure:
    """Shard × time: what the clients met; a line marks when a fault lay on the shard's way."""
    rows = [row for row, lane in enumerate(history.lanes) if lane.vtgate == vtgate]
    shards = [history.lanes[row].shard for row in rows]
    heat = {
        "type": "heatmap",
        "x0": digest.seconds(cells.grid.from_ns) + cells.grid.width_ns / 2e9,
        "dx": cells.grid.width_ns / 1e9,
        "z": cells.state[rows].tolist(),
        "zmin": -0.5,
        "zmax": 5.5,
        "colorscale": "@states",
        "showscale": False,
        "ygap": 1 if len(rows) <= 64 else 0,
        "hovertemplate": "%{text}<br>%{x:.2f} s<extra></extra>",
    }
    layout = base_layout(history, digest, row_height(len(rows)), yaxis=rows_axis(shards))
    return {"data": [heat, _span_lines(history, digest, shards, vtgate)], "layout": layout, "rows": shards} | {
        "words": list(STATE_WORDS.values())
    }


def _span_lines(history: History, digest: Digest, shards: Sequence[str], vtgate: str) -> Figure:
    xs: list[float | None] = []
    ys: list[int | None] = []
    for shard, stretches in stretches_by_shard(history, vtgate).items():
        for from_ns, to_ns in stretches if shard in shards else ():
            xs += [digest.seconds(from_ns), digest.seconds(to_ns), None]
            ys += [*[shards.index(shard)] * 2, None]
    line = {"color": "@ink", "width": 2}
    return {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": line, "hoverinfo": "skip"}


def gantt(history: History, digest: Digest) -> Figure:
    """A bar a fault; below it, for each vtgate, the longest stall that this shard's clients saw."""
    rows = _gantt_rows(history, digest)
    place = {name: index for index, name in enumerate(rows)}
    data = [_bars(history, digest, place)]
    for index, vtgate in enumerate(digest.vtgates):
        xs: list[float | None] = []
        ys: list[float | None] = []
        for lane in digest.lanes:
            if lane.vtgate == vtgate.name and lane.shard in place and lane.stall.span_ns:
                offset = 0.36 + 0.12 * (index - 1)
                begin, end = lane.stall.from_ns, lane.stall.from_ns + lane.stall.span_ns
                xs += [digest.seconds(begin), digest.seconds(end), None]
                ys += [place[lane.shard] + offset] * 2 + [None]
        line = {"color": vtgate_colour(index), "width": 2}
        data.append({"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": line, "hoverinfo": "skip"})
    layout = base_layout(history, digest, row_height(len(rows), 17), yaxis=rows_axis(rows), hovermode="closest")
    return {"data": data, "layout": layout}


def _gantt_rows(history: History, digest: Digest) -> list[str]:
    """The shards with a fault or a lane, then every other target."""
    shards = [shard for shard in history.plan.cluster.shard_names if any(shard in s.targets for s in history.faults)]
    others = [target for span in history.faults for target in span.targets]
    return list(dict.fromkeys([*shards, *others])) or list(dict.fromkeys(lane.shard for lane in digest.lanes))


def _bars(history: History, digest: Digest, place: Mapping[str, int]) -> Figure:
    bars = [(span, target) for span in begun(history) for target in span.targets if target in place]
    ends = [end_ns(history, span) for span, _ in bars]
    return {
        "type": "bar",
        "orientation": "h",
        "width": 0.42,
        "base": [digest.seconds(span.begin_ns) for span, _ in bars],
        "x": [round((end - span.begin_ns) / 1e9, 3) for (span, _), end in zip(bars, ends, strict=True)],
        "y": [place[target] - 0.12 for _, target in bars],
        "marker": {"color": [_bar_colour(span) for span, _ in bars]},
        "hovertext": [_bar_words(history, span) for span, _ in bars],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _bar_colour(span: FaultSpan) -> str:
    return "@fail" if span.error else "@fault"


def _bar_words(history: History, span: FaultSpan) -> str:
    took = duration(end_ns(history, span) - span.begin_ns)
    ended = span.healed_ns or span.active_ns or span.error
    facts = [f"{span.fault} {', '.join(span.targets)}", f"took {took}" if ended else f"not returned after {took}"]
    facts += [f"{key}: {value}" for key, value in sorted(span.details.items()) if not key.endswith("_ns")]
    facts += [f"failed: {span.error}"] if span.error else []
    return "<br>".join(escaped(fact) for fact in facts)


def buffer_chart(history: History, digest: Digest, grid: Grid) -> Figure | None:
    """Buffered, drained and evicted requests of every vtgate since the first sample; None if never seen."""
    at_ns = grid.begins_ns()
    x = [digest.seconds(at) for at in at_ns]
    data: list[Figure] = []
    layout = base_layout(history, digest, 40 + 150 * max(len(digest.vtgates), 1))
    for index, vtgate in enumerate(digest.vtgates):
        series = history.series.get(vtgate.name)
        axis = "y" if index == 0 else f"y{index + 1}"
        for var, colour in (("Buffered", "@buffered"), ("Drained", "@ok"), ("Evicted", "@fail")):
            values = total_at(series, f"BufferRequests{var}", at_ns) if series is not None else None
            if values is not None:
                data.append(_line(x, values, colour, f"{var.lower()} by {vtgate.name}", axis, shape="hv"))
        layout["yaxis" if index == 0 else f"yaxis{index + 1}"] = _share(index, len(digest.vtgates), vtgate.name)
    return {"data": data, "layout": _at_bottom(layout, len(digest.vtgates))} if data else None


def host_chart(history: History, digest: Digest) -> Figure | None:
    """CPU, the harness's own pauses, memory; None if nothing was probed."""
    curves: list[tuple[Curve | None, float, str, str, str]] = [
        (busy_share(history), 100, "@v0", "% CPU in use", "y"),
        (cpu_pressure(history), 100, "@v1", "% of the time something waited for a CPU", "y"),
        (memory_available(history), 2**-30, "@v2", "GiB available", "y3"),
    ]
    for index, (name, lag) in enumerate(loop_lag_ms(history).items()):
        curves.append((lag, 1, vtgate_colour(index), f"ms pause of {name}", "y2"))
    data = [_curve(digest, *curve) for curve in curves if curve[0] is not None]
    axes = {"yaxis": _share(0, 3, "CPU %"), "yaxis2": _share(1, 3, "pause ms"), "yaxis3": _share(2, 3, "free GiB")}
    for axis in axes.values():
        axis["rangemode"] = "tozero"
    return {"data": data, "layout": _at_bottom(base_layout(history, digest, 400) | axes, 3)} if data else None


def host_legend(history: History) -> tuple[tuple[str, tuple[tuple[int, str], ...]], ...]:
    """Which colour is what, panel by panel, from above: the same colour means something else in each."""
    pauses = tuple((index % _VTGATE_COLOURS, name) for index, name in enumerate(loop_lag_ms(history)))
    cpu = ((0, "in use", busy_share(history)), (1, "share of the time something waited for one", cpu_pressure(history)))
    panels = (
        ("CPU", tuple((colour, what) for colour, what, curve in cpu if curve is not None)),
        ("longest pause of a part of the harness", pauses),
        ("memory", ((2, "available"),) if memory_available(history) is not None else ()),
    )
    return tuple((name, lines) for name, lines in panels if lines)


def _curve(digest: Digest, curve: Curve | None, times: float, colour: str, name: str, axis: str) -> Figure:
    assert curve is not None
    thin = curve.thinned(MAX_BINS)
    return _line([digest.seconds(at) for at in thin.at_ns], thin.values * times, colour, name, axis)


def _at_bottom(layout: Figure, parts: int) -> Figure:
    """The time axis belongs below the last of several charts."""
    anchor = "y" if parts == 1 else f"y{parts}"
    return layout | {"xaxis": layout["xaxis"] | {"anchor": anchor}}


def _line(x: list[float], values: Any, colour: str, name: str, axis: str, shape: str = "linear") -> Figure:
    line = {"color": colour, "width": 1.5, "shape": shape}
    hover = "%{y:.4~g} " + escaped(name) + "<extra></extra>"
    return {"type": "scatter", "mode": "lines", "x": x, "y": numbers(values), "line": line, "yaxis": axis} | {
        "name": name,
        "hovertemplate": hover,
    }


def rows_axis(names: Sequence[str]) -> Figure:
    """A row a name, the first on top. Positions are numbers: as categories, `-08` or `10-18` could be
    taken for a number or a date."""
    step = max(1, len(names) // 64)
    places = list(range(0, len(names), step))
    text = [escaped(names[place]) for place in places]
    ticks = {"tickmode": "array", "tickvals": places, "ticktext": text, "tickfont": {"size": 10}}
    return ticks | {"range": [len(names) - 0.4, -0.6], "fixedrange": True, "zeroline": False, "showgrid": False}


def row_height(rows: int, each: int = 14) -> int:
    return MARGIN["t"] + MARGIN["b"] + max(rows * max(4, each if rows <= 64 else 6), 40)


def _share(index: int, parts: int, title: str) -> Figure:
    """One of several charts on top of each other."""
    top = 1 - index / parts
    bottom = 1 - (index + 1) / parts + (0.06 if index + 1 < parts else 0)
    return {"domain": [round(bottom, 4), round(top, 4)], "title": {"text": escaped(title)}, "fixedrange": True}


def escaped(text: str) -> str:
    """Plotly reads a few HTML tags in texts."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
