"""The HTML page: one file, escaped, bounded, right in its numbers, and there for half a run as well."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from harness.history import History
from harness.model import CheckKind, CheckResult, Outcome, Verdict
from harness.reports import html
from harness.reports.bins import MAX_BINS, MAX_CELLS, ClientState, binned, grid_for
from harness.reports.charts import host_legend
from harness.reports.digest import digest
from tests.unit.storm_history import SECOND, ns, storm_history, storm_verdict

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> & \u2028 {{ 7*7 }} [red]"


@pytest.fixture(scope="module")
def history() -> History:
    return storm_history()


class Tags(HTMLParser):
    """Every tag with its attributes, and the text of the page outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found[-1:] and self.found[-1][0] not in ("script", "style"):
            self.text += data


def page(history: History, tmp_path: Path, **changes: Any) -> str:
    verdict = dataclasses.replace(storm_verdict(storm_history(shards=2)), **changes)
    text = html.render(history, verdict, tmp_path / "report.html").read_text(encoding="utf-8")
    return text.replace(get_plotlyjs(), "")


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    return tags


def payload(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return orjson.loads(found[1])


def test_page_is_one_file_that_needs_nothing(history: History, tmp_path: Path) -> None:
    tags = parsed(page(history, tmp_path))
    assert [tag for tag, attributes in tags.found if "src" in attributes] == []
    assert {
        (link or "")[:1] for _, attributes in tags.found for name, link in attributes.items() if name == "href"
    } <= {"#"}
    assert any("default-src 'none'" in (attributes.get("content") or "") for _, attributes in tags.found)
    assert [tag for tag, _ in tags.found].count("script") == 3
    assert (tmp_path / "report.html").stat().st_size < 6_000_000


def test_page_says_what_matters(history: History, tmp_path: Path) -> None:
    text = " ".join(parsed(page(history, tmp_path)).text.split())
    assert "FINDING vtgate-1 (21.0.2) let 52 operations of 7 shards fail after 10 s" in text
    assert "vtchaos run reparent/all-at-once-32" in text
    assert "--seed 17629" in text
    assert "NewPrimarySeen 26, MaxDurationExceeded 6" in text
    assert "errno 1105 <primary is not serving> & others: 48" in text
    assert "vttablet 24.0.3" in text
    assert "incomplete" not in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    small = storm_history(shards=4)
    hostile = dataclasses.replace(
        small,
        messages={key: f"{HOSTILE} {message}" for key, message in small.messages.items()},
        faults=tuple(dataclasses.replace(span, error=HOSTILE, details={HOSTILE: HOSTILE}) for span in small.faults),
        nodes=tuple(dataclasses.replace(node, version=HOSTILE) for node in small.nodes),
        host={HOSTILE: HOSTILE},
        incomplete=(HOSTILE,),
        plan=dataclasses.replace(small.plan, notes=(HOSTILE,), command_line=("vtchaos", HOSTILE), why=HOSTILE),
    )
    result = CheckResult(
        check=HOSTILE, kind=CheckKind.PROMISE, verdict=Verdict.FAIL, summary=HOSTILE, subject=HOSTILE,
        details=(HOSTILE,), figures={HOSTILE: HOSTILE},
    )  # fmt: skip
    clean, dirty = page(small, tmp_path), page(hostile, tmp_path, headline=HOSTILE, results=(result,))
    assert "alert(1)" in parsed(dirty).text
    assert {"img"} & {tag for tag, _ in parsed(dirty).found} == set()
    scripts = [[tag for tag, _ in parsed(text).found].count("script") for text in (clean, dirty)]
    assert scripts == [3, 3]
    bars = payload(dirty)["figures"]["gantt"]["data"][0]["hovertext"]
    assert "&lt;img" in bars[0]
    assert "<img" not in bars[0]


def test_figures_are_valid_plotly(history: History, tmp_path: Path) -> None:
    figures = payload(page(history, tmp_path))["figures"]
    assert sorted(figures) == ["buffer", "gantt", "heat-0", "heat-1", "host", "stalls", "states-0", "states-1"]
    for figure in figures.values():
        go.Figure(data=_with_colours(figure["data"]), layout=_with_colours(figure["layout"]))


def _with_colours(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("@"):
        return "Viridis" if value in ("@states", "@shards") else "#123456"
    if isinstance(value, list):
        return [_with_colours(item) for item in value]
    return {key: _with_colours(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_every_line_of_the_host_chart_is_in_the_legend(history: History, tmp_path: Path) -> None:
    text = page(history, tmp_path)
    lines = payload(text)["figures"]["host"]["data"]
    legend = host_legend(history)
    assert [panel for panel, _ in legend] == ["CPU", "longest pause of a part of the harness", "memory"]
    assert sum(len(named) for _, named in legend) == len(lines)
    colours = {axis: {line["line"]["color"] for line in lines if line["yaxis"] == axis} for axis in ("y", "y2", "y3")}
    assert [{f"@v{colour}" for colour, _ in named} for _, named in legend] == list(colours.values())
    told = parsed(text).text
    assert all(what in told for _, named in legend for _, what in named)
    bare = dataclasses.replace(history, series={"harness": history.series["harness"]})
    assert [panel for panel, _ in host_legend(bare)] == ["longest pause of a part of the harness"]


def test_a_condition_that_excused_nothing_is_not_among_the_passed(history: History, tmp_path: Path) -> None:
    held = [
        CheckResult(check=f"held-{number}", kind=CheckKind.PROMISE, verdict=Verdict.PASS, summary="x")
        for number in range(9)
    ]
    starved = dataclasses.replace(held[0], check="host", kind=CheckKind.CONDITION, figures={"excuses": "nothing"})
    told = " ".join(parsed(page(history, tmp_path, results=(*held, starved))).text.split())
    assert "DID NOT HOLD host" in told
    assert "9 more, all passed" in told


def test_bytes_are_said_in_words(history: History, tmp_path: Path) -> None:
    host = {"memory_available_bytes": 20 * 2**30}
    figures = {"storm_host_memory_available_bytes_lowest": 19 * 2**30}
    result = CheckResult(
        check="assumptions/host", kind=CheckKind.CONDITION, verdict=Verdict.PASS, summary="x", figures=figures
    )
    told = parsed(page(dataclasses.replace(history, host=host), tmp_path, results=(result,))).text
    assert "memory available: 20.0 GiB" in told
    assert "storm host memory available lowest 19.0 GiB" in told
    assert "_bytes" not in told


def test_page_of_a_killed_run_shows_what_was_going_on(tmp_path: Path) -> None:
    text = page(storm_history(killed_at_s=44), tmp_path)
    data = payload(text)
    assert "the tables were not read after the run" in parsed(text).text
    assert "not returned" in parsed(text).text
    last = [row[-1] for row in data["figures"]["heat-0"]["data"][0]["z"]]
    assert set(last) == {ClientState.STALLED}


def test_page_without_anything(history: History, tmp_path: Path) -> None:
    empty = History(plan=history.plan, clock=history.clock, incomplete=("nodes.json",))
    text = page(empty, tmp_path, results=())
    assert payload(text)["figures"] == {}
    assert "No operation was recorded." in parsed(text).text
    assert "No check was run." in parsed(text).text


def test_page_without_nodes_or_series(history: History, tmp_path: Path) -> None:
    bare = dataclasses.replace(history, nodes=(), series={}, events=(), faults=(), logs=())
    assert sorted(payload(page(bare, tmp_path))["figures"]) == ["heat-0", "heat-1", "stalls"]


def test_detail_unpacks_to_what_was_binned(history: History, tmp_path: Path) -> None:
    detail = payload(page(history, tmp_path))["detail"]
    bad = np.frombuffer(base64.b64decode(detail["bad"]), dtype="<u2").reshape(len(history.lanes), detail["bins"])
    failed = np.isin(history.ops["outcome"], [Outcome.FAIL, Outcome.UNKNOWN])
    assert int(bad.sum()) == int(failed.sum()) == sum(sum(one["bad"]) for one in detail["all"])
    top = np.frombuffer(base64.b64decode(detail["max"]), dtype="<f4")
    assert np.nanmax(top) == pytest.approx(digest(history).vtgates[0].worst.longest_ns / 1e6, rel=0.01)  # type: ignore[union-attr]


@pytest.mark.parametrize("lanes, seconds", [(1, 10), (32, 60), (64, 180), (768, 180), (64, 8 * 3600)])
def test_grid_is_bounded(lanes: int, seconds: int) -> None:
    grid = grid_for(0, seconds * SECOND, lanes, rate=20)
    assert grid.bins <= MAX_BINS
    assert grid.bins * lanes <= MAX_CELLS
    assert (grid.bins - 1) * grid.width_ns < seconds * SECOND <= grid.bins * grid.width_ns


def test_bins_agree_with_counting_by_hand() -> None:
    history = storm_history(shards=3, vtgates=("24.0.3",), rate=50, seed=5)
    grid = grid_for(ns(31), history.end_ns, 3)
    cells = binned(history, grid)
    row, column = 1, int(grid.index(np.array([ns(41.9)]))[0])
    begin = grid.from_ns + column * grid.width_ns
    ops = history.ops[history.ops["lane"] == history.lanes[row].number]
    due = ops[(ops["intended_ns"] >= begin) & (ops["intended_ns"] < begin + grid.width_ns)]
    latency = np.sort(due["done_ns"] - due["intended_ns"]) / 1e6
    assert cells.max_ms[row, column] == pytest.approx(latency[-1])
    assert cells.p99_ms[row, column] == pytest.approx(latency[int(np.ceil(0.99 * len(latency))) - 1])
    assert cells.state[row, column] == ClientState.STALLED
    assert int(cells.bad.sum() + cells.not_issued.sum()) == int((history.ops["outcome"] != Outcome.OK).sum())


def test_many_operations_make_no_larger_page(tmp_path: Path) -> None:
    few, many = storm_history(shards=8, rate=100), storm_history(shards=8, rate=400)
    sizes = [len(page(history, tmp_path)) for history in (few, many)]
    assert sizes[1] < 1.5 * sizes[0]
