"""How much the streams delivered: rows of every cycle, and all rows that were received over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.history import History
from harness.items import seeded_rows
from harness.reports.charts import Figure, base_layout, escaped
from harness.reports.digest import Digest
from harness.reports.stream_charts import fault_shades
from harness.reports.stream_curves import row_curves
from harness.reports.stream_lanes import Bar, Drawn, LaneBars, bar_words, lane_colours, shown_range
from harness.reports.words import count

PANELS = 4  # streams that have a panel of bars each
ABREAST = 8  # shards whose bars are drawn side by side; of more streams or shards, a cycle is a dot
_PANEL_PX, _CURVES_PX = 130, 190
MAX_POINTS = 24_000  # of all curves of rows together


def row_chart(history: History, digest: Digest, shown: Drawn) -> Figure:
    """Above: rows of every cycle at its time, a panel for each of few streams, one for all of many. Below: all rows
    that were received, by shard."""
    streams = shown.streams
    panels, bars = len(streams) if len(streams) <= PANELS else 1, drawn_as_bars(shown)
    height = 60 + _CURVES_PX + panels * _PANEL_PX
    layout = base_layout(history, digest, height, shown_s=shown_range(digest), hovermode="closest", barmode="overlay")
    layout["xaxis"] |= {"anchor": f"y{panels + 1}"}
    layout |= _axes(panels)
    layout["shapes"] = [*layout["shapes"], *fault_shades(history, digest)]
    colours = lane_colours(digest, shown)
    data = []
    for lane in shown.lanes:
        axis = streams.index(lane.copy) + 1 if panels > 1 else 1
        colour = colours[lane.copy.lane.number, lane.shard]
        trace = (_cycle_bars if bars else _cycle_dots)(digest, lane, colour)
        data.append(trace | {"yaxis": "y" if axis == 1 else f"y{axis}"})
    if panels > 1:
        layout["annotations"] = [
            *layout["annotations"],
            *(_panel_name(copy.lane.name, index) for index, copy in enumerate(streams)),
        ]
    below = (*_curves(history, digest, shown, colours), *_seeded(history, digest, shown))
    data += [trace | {"yaxis": f"y{panels + 1}"} for trace in below]
    return {"data": [trace for trace in data if trace["x"]], "layout": layout}


def drawn_as_bars(shown: Drawn) -> bool:
    return len(shown.streams) <= PANELS and all(len(copy.lane.shards) <= ABREAST for copy in shown.streams)


def _axes(panels: int) -> Figure:
    whole = _CURVES_PX + panels * _PANEL_PX
    gap, each = 26 / whole, _PANEL_PX / whole
    domains = [[1 - (index + 1) * each + gap, 1 - index * each] for index in range(panels)]
    names = ["rows a cycle"] * panels + ["rows received"]
    return {
        "yaxis" if index == 0 else f"yaxis{index + 1}": {
            "domain": [round(bound, 4) for bound in domain],
            "title": {"text": name, "font": {"size": 10}},
            "fixedrange": True,
            "rangemode": "tozero",
            "nticks": 4,
        }
        for index, (domain, name) in enumerate(zip([*domains, [0, 1 - panels * each]], names, strict=True))
    }


def _panel_name(name: str, index: int) -> Figure:
    axis = "y" if index == 0 else f"y{index + 1}"
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": f"{axis} domain", "yanchor": "bottom"}
    return place | {"showarrow": False, "text": escaped(name), "font": {"size": 10, "color": "@muted"}}


def _mean_rows(bar: Bar) -> float:
    return round(bar.rows / len(bar.cycles), 1)


def _cycle_bars(digest: Digest, lane: LaneBars, colour: str) -> Figure:
    """Shards are copied at the same time: each has a part of its own of the time that its cycle took."""
    shards = lane.copy.lane.shards
    which, least_s = shards.index(lane.shard), (shown_range(digest)[1] - shown_range(digest)[0]) / 250
    widths = [max((bar.to_ns - bar.from_ns) / 1e9 / len(shards), least_s) for bar in lane.bars]
    begins = [digest.seconds(bar.from_ns) for bar in lane.bars]
    return {
        "type": "bar",
        "x": [round(begin + width * (which + 0.5), 4) for begin, width in zip(begins, widths, strict=True)],
        "width": [round(width, 4) for width in widths],
        "y": [_mean_rows(bar) for bar in lane.bars],
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertext": [bar_words(digest, lane, bar) for bar in lane.bars],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _cycle_dots(digest: Digest, lane: LaneBars, colour: str) -> Figure:
    """Bars of many lanes would hide each other."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [digest.seconds((bar.from_ns + bar.to_ns) / 2) for bar in lane.bars],
        "y": [_mean_rows(bar) for bar in lane.bars],
        "marker": {"color": colour, "size": 5, "opacity": 0.6},
        "hovertext": [bar_words(digest, lane, bar) for bar in lane.bars],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _curves(history: History, digest: Digest, shown: Drawn, colours: Mapping[tuple[int, str], str]) -> Iterable[Figure]:
    records = {record.lane.number: record for record in history.streams}
    points = min(400, max(40, MAX_POINTS // max(len(shown.lanes), 1)))
    wanted = {(lane.copy.lane.number, lane.shard) for lane in shown.lanes}
    for copy in shown.streams:
        for shard, (at_ns, rows) in row_curves(records[copy.lane.number], points).items():
            if (copy.lane.number, shard) not in wanted:
                continue
            yield {
                "type": "scatter",
                "mode": "lines",
                "x": [digest.seconds(at) for at in at_ns],
                "y": rows.tolist(),
                "line": {"color": colours[copy.lane.number, shard], "width": 1.5, "shape": "hv"},
                "hovertemplate": f"%{{y:,}} rows of {escaped(shard)}, {escaped(copy.lane.name)}<extra></extra>",
            }


def _seeded(history: History, digest: Digest, shown: Drawn) -> list[Figure]:
    """How many rows a shard was filled with before the load, where that is the same for all lanes that are drawn."""
    items = history.plan.items
    if items is None or not shown.lanes:
        return []
    tables = {len(copy.lane.tables) - 1 for copy in shown.streams}
    each = seeded_rows(items.rows, history.plan.cluster.shard_names)
    rows = {each[lane.shard] for lane in shown.lanes if lane.shard in each}
    if len(tables) != 1 or not rows or max(rows) - min(rows) > 1:
        return []
    total = max(rows) * tables.pop()
    line = {"color": "@muted", "width": 1, "dash": "dash"}
    text = f"{count(total)} rows were in each shard before the load<extra></extra>"
    return [
        {"type": "scatter", "mode": "lines", "x": shown_range(digest), "y": [total, total], "line": line}
        | {"hovertemplate": text}
    ]
