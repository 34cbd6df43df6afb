"""The timeline of copy cycles: a lane for each shard of each stream, a bar a cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.history import History
from harness.model import FaultSpan
from harness.reports.charts import Figure, base_layout, escaped
from harness.reports.digest import Digest
from harness.reports.fault_stretches import end_ns
from harness.reports.stream_lanes import COLOURS, Drawn, bar_label, bar_words, shown_range
from harness.reports.stream_words import attempt_error

MAX_MARKERS = 1_000
FAULTS_NAMED = 8
_ROW, _SMALL_ROW, _MANY_ROWS = 22, 10, 60


def cycle_chart(history: History, digest: Digest, shown: Drawn) -> Figure:
    """A heading for each stream with its attempts, and below it a lane for each shard with a bar a cycle."""
    place, names = _places(shown)
    row = _ROW if len(names) <= _MANY_ROWS else _SMALL_ROW
    span_s = shown_range(digest)[1] - shown_range(digest)[0]
    faults = _fault_names(history, digest)
    above = 1 if faults else 0  # a row for their names
    data = [_bars(digest, shown, place, span_s), *_attempts(digest, shown, place)]
    height = 56 + row * max(len(names) + above, 3)
    layout = base_layout(history, digest, height, shown_s=shown_range(digest), hovermode="closest")
    layout["yaxis"] = _rows_axis(names, above)
    layout["uniformtext"] = {"minsize": 8, "mode": "hide"}
    layout["shapes"] = [*layout["shapes"], *fault_shades(history, digest)]
    layout["annotations"] = [*layout["annotations"], *_headings(shown, place), *faults]
    return {"data": data, "layout": layout}


def _places(shown: Drawn) -> tuple[Mapping[tuple[int, str], int], list[str]]:
    """Row of every (stream, shard), and of every (stream, "") = its heading; the names of the rows."""
    place: dict[tuple[int, str], int] = {}
    names: list[str] = []
    for lane in shown.lanes:
        number = lane.copy.lane.number
        if (number, "") not in place:
            place[number, ""] = len(names)
            names.append("")
        place[number, lane.shard] = len(names)
        names.append(lane.shard)
    return place, names


def _bars(digest: Digest, shown: Drawn, place: Mapping[tuple[int, str], int], span_s: float) -> Figure:
    bars = [(lane, bar) for lane in shown.lanes for bar in lane.bars]
    return {
        "type": "bar",
        "orientation": "h",
        "width": 0.8,
        "base": [digest.seconds(bar.from_ns) for _, bar in bars],
        "x": [round(max((bar.to_ns - bar.from_ns) / 1e9, span_s / 400), 4) for _, bar in bars],
        "y": [place[lane.copy.lane.number, lane.shard] for lane, _ in bars],
        "text": [bar_label(lane, bar) for lane, bar in bars],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "textfont": {"color": "@page", "size": 10},
        "cliponaxis": True,
        "marker": {"color": [COLOURS[bar.how] for _, bar in bars], "line": {"width": 0}},
        "hovertext": [bar_words(digest, lane, bar) for lane, bar in bars],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _attempts(digest: Digest, shown: Drawn, place: Mapping[tuple[int, str], int]) -> list[Figure]:
    """A thin line from an attempt's call to its end, a cross where an error ended it, a tick for COPY_COMPLETED."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    failed: list[tuple[int, float, str]] = []
    completed: list[tuple[int, float, str]] = []
    for copy in shown.streams:
        heading = place[copy.lane.number, ""]
        for attempt in copy.attempts:
            name = f"{copy.lane.name}, attempt {attempt.attempt.number}"
            end = attempt.attempt.end_ns or copy.last_ns
            xs += [digest.seconds(attempt.attempt.begin_ns), digest.seconds(end), None]
            ys += [heading + 0.3, heading + 0.3, None]
            if attempt.failed:
                failed.append((end, heading + 0.3, f"{name} ended: {attempt_error(attempt)}"))
            if attempt.completed_ns:
                completed.append((attempt.completed_ns, heading + 0.3, f"{name}: COPY_COMPLETED of all shards"))
            for shard, at_ns in attempt.shards_completed_ns.items():
                if (copy.lane.number, shard) in place:
                    row = place[copy.lane.number, shard]
                    completed.append((at_ns, row, f"{name}: COPY_COMPLETED of {shard}"))
    line = {"color": "@muted", "width": 1}
    spans = xs[: 3 * MAX_MARKERS], ys[: 3 * MAX_MARKERS]
    return [
        {"type": "scatter", "mode": "lines", "x": spans[0], "y": spans[1], "line": line, "hoverinfo": "skip"},
        _markers(digest, completed, "line-ns-open", "@ink", 11),
        _markers(digest, failed, "x", "@fail", 9),
    ]


def _markers(digest: Digest, marks: Sequence[tuple[int, float, str]], symbol: str, colour: str, size: int) -> Figure:
    kept = marks[:: -(-len(marks) // MAX_MARKERS) or 1]
    line = {"color": colour, "width": 2 if symbol.startswith("line") else 0}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [digest.seconds(at_ns) for at_ns, _, _ in kept],
        "y": [row for _, row, _ in kept],
        "marker": {"symbol": symbol, "color": colour, "size": size, "line": line},
        "hovertext": [_wrapped(text) for _, _, text in kept],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _wrapped(text: str, width: int = 70) -> str:
    """Plotly does not break lines itself, and a server's message is long."""
    words, lines = " ".join(text.split())[:400].split(" "), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(escaped(line) for line in lines)


def _headings(shown: Drawn, place: Mapping[tuple[int, str], int]) -> list[Figure]:
    return [
        {"x": 0, "xref": "paper", "xanchor": "left", "y": place[copy.lane.number, ""] - 0.1, "yref": "y"}
        | {"yanchor": "middle", "showarrow": False, "text": escaped(copy.lane.name)}
        | {"font": {"size": 10 if len(place) <= _MANY_ROWS else 8, "color": "@muted"}}
        for copy in shown.streams
    ]


def _rows_axis(names: Sequence[str], above: int) -> Figure:
    step = max(1, len(names) // 200)
    places = [place for place in range(0, len(names), step) if names[place]]
    return {
        "tickmode": "array",
        "tickvals": places,
        "ticktext": [escaped(names[place]) for place in places],
        "tickfont": {"size": 10 if len(names) <= _MANY_ROWS else 8},
        "range": [len(names) - 0.4, -0.8 - above],
        "fixedrange": True,
        "zeroline": False,
        "showgrid": False,
    }


# ---------------------------------------------------------------- faults


def merged_faults(history: History) -> list[tuple[int, int, str]]:
    """Faults that overlap as one span each with its words: 32 reparents are one shade, not a black bar."""
    spans = sorted((span for span in history.faults if span.begin_ns), key=lambda span: span.begin_ns)
    groups: list[tuple[int, int, list[FaultSpan]]] = []
    for span in spans:
        end = end_ns(history, span)
        if groups and span.begin_ns <= groups[-1][1]:
            begin, last, found = groups[-1]
            groups[-1] = (begin, max(last, end), [*found, span])
        else:
            groups.append((span.begin_ns, end, [span]))
    return [(begin, end, _names_of(found)) for begin, end, found in groups]


def _names_of(spans: Sequence[FaultSpan]) -> str:
    if len(spans) == 1:
        return f"{spans[0].fault} {', '.join(spans[0].targets)}"
    names: dict[str, int] = {}
    for span in spans:
        names[span.fault] = names.get(span.fault, 0) + 1
    return ", ".join(f"{number} × {name}" for name, number in names.items())


def fault_shades(history: History, digest: Digest) -> list[Figure]:
    return [
        {"type": "rect", "xref": "x", "yref": "paper", "x0": digest.seconds(begin), "x1": digest.seconds(end)}
        | {"y0": 0, "y1": 1, "layer": "below", "fillcolor": "@fault", "opacity": 0.22, "line": {"width": 0}}
        for begin, end, _ in merged_faults(history)[:MAX_MARKERS]
    ]


def _fault_names(history: History, digest: Digest) -> list[Figure]:
    """In a row above the first lane. Not where there are so many that none could be read."""
    found = merged_faults(history)
    return [
        {"x": digest.seconds(begin), "y": -1.2, "xref": "x", "yref": "y", "xanchor": "left", "yanchor": "middle"}
        | {"showarrow": False, "text": escaped(words), "font": {"size": 10, "color": "@muted"}}
        for begin, _, words in (found if len(found) <= FAULTS_NAMED else [])
    ]
