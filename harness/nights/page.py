"""soak.html: what is new, offline, in light and dark, wide and narrow; every finding with commands that repeat it."""

from __future__ import annotations

import itertools
import posixpath
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from harness.base.files import write_text
from harness.nights import words
from harness.nights.night import Series
from harness.nights.report import Report, series_name
from harness.nights.standings import Standing, Standings
from harness.nights.trends import ITSELF, Trend
from harness.reports.pages import json_in_script, template
from harness.statistics.changes import LEAST_RUNS

Values = dict[str, Any]
MOST_TOLD = 100  # of one standing; all are in soak-report.json
MOST_SERIES = 100  # those that changed tonight first, see _rank
MOST_POINTS = 250  # of a series: of more, medians of so many runs each
MOST_WHY = 50
OPEN = (
    Standing.UNCOMPARED,
    Standing.NEW,
    Standing.RETURNED,
    Standing.RESOLVED,
)  # the others are folded: they are no news
INK, LINE = ["#57606a", "#9198a1"], ["#0969da", "#58a6ff"]
WORSE, BETTER = ["#cf222e", "#ff7b72"], ["#1a7f37", "#3fb950"]


def render(found: Report, out: Path) -> Path:
    """Write the page whole or not at all; the same report gives the same bytes."""
    shown = charts(found)
    whole = template("harness.nights", "soak.html").render(
        found=found,
        words=words,
        groups=list(_groups(found.findings, words.TITLES)),
        known=list(_groups(found.known, words.KNOWN_TITLES)),
        open=OPEN,
        most=MOST_TOLD,
        most_why=MOST_WHY,
        link=lambda folder: link(found, folder),
        charted=bool(shown),
        least_runs=LEAST_RUNS,
        data=json_in_script({"charts": shown, "turned": len(_turned(found))}),
        plotly=Markup(get_plotlyjs()),
    )
    write_text(out, whole)
    return out


def _groups(items: Sequence[Standings], titles: dict[Standing, str]) -> Iterator[tuple[Standing, str, list[Standings]]]:
    for standing, title in titles.items():
        some = [each for each in items if each.standing is standing]
        if some and standing is not Standing.GONE:
            yield standing, title, some


def link(found: Report, folder: str) -> str:
    """From the page to a run's report."""
    return posixpath.relpath(folder, found.tonight.path) + "/report.html"


# ---------------------------------------------------------------- charts


def charts(found: Report) -> list[Values]:
    """Plain values of plotly figures: those of the series that changed tonight first."""
    return [_chart(trend, found) for trend in _charted(found)]


def _turned(found: Report) -> list[Trend]:
    return [trend for trend in found.trends if any(turn.tonight for turn in trend.turns)][:MOST_SERIES]


def _charted(found: Report) -> list[Trend]:
    """What fewer runs have than a change takes is no series to look at."""
    first = _turned(found)
    others = [trend for trend in found.trends if trend not in first and len(trend.points) >= LEAST_RUNS]
    others.sort(key=lambda trend: _rank(trend, tonight=len(found.nights) - 1))
    return [*first, *others[: MOST_SERIES - len(first)]]


def _rank(trend: Trend, tonight: int) -> tuple[bool, bool, bool, int, Series]:
    """Those of tonight before the others, those that ever changed, those of Vitess, those of the most runs."""
    absent, itself = trend.nights[-1] != tonight, trend.series.experiment == ITSELF
    return absent, not trend.turns, itself, -len(trend.points), trend.series


def _chart(trend: Trend, found: Report) -> Values:
    """Runs in their order: between two nights there is a day in which nothing ran, and no figure."""
    step = max(1, -(-len(trend.points) // MOST_POINTS))
    bins = [trend.points[at : at + step] for at in range(0, len(trend.points), step)]
    x = [at + (len(some) - 1) / 2 for at, some in zip(range(0, len(trend.points), step), bins, strict=True)]
    unit = trend.measure.unit
    marks: Values = {
        "type": "scatter",
        "mode": "markers",
        "name": "a run" if step == 1 else f"median of {step} runs",
        "x": x,
        "y": [round(statistics.median(point.value for point in some), 6) for some in bins],
        "text": [f"{words.stamp(some[0].begin)} {some[0].place}" for some in bins],
        "hovertemplate": "%{text}: %{y}<extra></extra>",
        "marker": {"size": 6},
        "colour": INK,
    }
    return {
        "title": f"{trend.measure.title} of {series_name(trend.series)}{f' ({unit})' if unit else ''}",
        "traces": [marks, *_levels(trend)],
        "shapes": [*_borders(trend), *_turns(trend)],
        "ticks": _ticks(trend, found),
    }


def _levels(trend: Trend) -> Iterator[Values]:
    """The median of each stretch."""
    edges = [0, *(turn.index for turn in trend.turns), len(trend.points)]
    x, y = [], []
    for begin, end in itertools.pairwise(edges):
        middle = statistics.median(point.value for point in trend.points[begin:end])
        x += [begin - 0.5, end - 0.5]
        y += [round(middle, 6)] * 2
    yield {"type": "scatter", "mode": "lines", "name": "median", "x": x, "y": y, "hoverinfo": "skip", "colour": LINE}


def _borders(trend: Trend) -> Iterator[Values]:
    for at in _first_of_night(trend)[1:]:
        yield _line(at, INK, "dot", 1)


def _turns(trend: Trend) -> Iterator[Values]:
    for turn in trend.turns:
        yield _line(turn.index, WORSE if turn.worse else BETTER, "solid", 2)


def _line(at: int, colour: Sequence[str], dash: str, width: int) -> Values:
    x = at - 0.5
    return {
        "type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "colour": colour,
        "line": {"dash": dash, "width": width},
    }  # fmt: skip


def _first_of_night(trend: Trend) -> list[int]:
    nights = trend.nights
    return [at for at in range(len(nights)) if at == 0 or nights[at] != nights[at - 1]]


def _ticks(trend: Trend, found: Report) -> Values:
    at = _first_of_night(trend)
    return {"tickvals": at, "ticktext": [found.nights[trend.nights[index]].begin[:10] for index in at]}
