"""sweep.html: the curve, offline, in light and dark; every run is a mark that says which it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from harness.base.files import write_text
from harness.facts.words import seconds
from harness.reports.pages import json_in_script, template
from harness.sweep.sweep import Sweep, SweptRun

Values = dict[str, Any]
KINDS = (  # class, name, colour in light, colour in dark
    ("quiet", "nobody noticed", "#1a7f37", "#3fb950"),
    ("noticed", "noticed", "#cf222e", "#ff7b72"),
    ("starved", "noticed, on a slow host", "#9a6700", "#d29922"),
)


def render(found: Sweep, out: Path) -> Path:
    """Write the page whole or not at all; the same sweep gives the same bytes."""
    page = template("harness.sweep", "sweep.html", {"seconds": seconds}).render(
        found=found, asked=found.asked, data=json_in_script(figure(found)), plotly=Markup(get_plotlyjs())
    )
    write_text(out, page)
    return out


def kind(found: Sweep, run: SweptRun) -> str:
    """Of a run that could be noticed."""
    if run.notice is None or not run.notice.beyond(found.asked.stall_s):
        return "quiet"
    return "starved" if run.doubts else "noticed"


def figure(found: Sweep) -> Values:
    """Plain values of a plotly figure. Colours are pairs [light, dark]; the page's script takes one of each."""
    points = [point for point in found.points if point.stall_s is not None]
    medians = [point.stall_s for point in points if point.stall_s is not None]
    x = [point.value for point in points]
    curve: Values = {
        "type": "scatter",
        "name": "median stall, with its interval of 95 %",
        "x": x,
        "y": [median.value for median in medians],
        "mode": "markers",
        "colour": ["#57606a", "#9198a1"],
        "marker": {"size": 11, "symbol": "diamond-open"},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [median.high - median.value for median in medians],
            "arrayminus": [median.value - median.low for median in medians],
        },
    }
    fit: Values = {
        "type": "scatter",
        "name": "never falling through the medians" if found.asked.axis.rising else "never rising through the medians",
        "x": x,
        "y": [point.fitted_s for point in points],
        "mode": "lines",
        "colour": ["#0969da", "#58a6ff"],
    }
    return {"traces": [fit, curve, *_marks(found)], "layout": _layout(found)}


def _marks(found: Sweep) -> list[Values]:
    """A mark for every run."""
    felt = [run for run in found.runs if run.notice is not None]
    traces = []
    for name, title, light, dark in KINDS:
        runs = [run for run in felt if kind(found, run) == name]
        if runs:
            traces.append(
                {
                    "type": "scatter",
                    "name": title,
                    "x": [run.value for run in runs],
                    "y": [run.notice.stall_s for run in runs if run.notice],
                    "text": [_hover(run) for run in runs],
                    "hoverinfo": "text",
                    "mode": "markers",
                    "colour": [light, dark],
                    "marker": {"size": 7, "symbol": "circle-open" if name == "starved" else "circle"},
                }
            )
    return traces


def _hover(run: SweptRun) -> str:
    felt = run.notice
    if felt is None:
        return run.folder
    return f"{run.folder}: stall {seconds(felt.stall_s)}, {felt.errors} errors, {felt.not_issued} not issued"


def _layout(found: Sweep) -> Values:
    axis = found.asked.axis
    limit = found.asked.stall_s
    dotted = {"dash": "dot", "width": 1}
    wide = axis.low > 0 and axis.high / axis.low >= 8
    return {
        "xaxis": {
            "title": {"text": f"{axis.name}{f' ({axis.unit})' if axis.unit else ''}"},
            "type": "log" if wide else "linear",
            "tickvals": [point.value for point in found.points],
            "ticktext": [axis.text(point.value) for point in found.points],
        },
        "yaxis": {"title": {"text": "longest stall of a shard's clients (s)"}, "rangemode": "tozero"},
        "shapes": [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": limit, "y1": limit, "line": dotted}],
        "margin": {"l": 60, "r": 16, "t": 16, "b": 56},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        "height": 460,
    }
