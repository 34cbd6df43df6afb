"""summary.md, and causes where there is no page: on the terminal and in JUnit."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from junitparser import JUnitXml
from rich.console import Console

from harness.history import History
from harness.model import CheckKind, CheckResult, Verdict
from harness.reports import junit, markdown, terminal
from harness.reports.told_causes import doing_sentence
from tests.unit.cause_rows import storm_causes, verdict_with_causes
from tests.unit.storm_history import storm_history, storm_verdict
from tests.unit.test_reports_html import HOSTILE


@pytest.fixture(scope="module")
def history() -> History:
    return storm_history(rate=2)


def test_page_says_what_matters(history: History) -> None:
    text = markdown.page(history, verdict_with_causes(history))
    assert text.startswith("## ❌ FINDING: reparent/all\\-at\\-once\\-32\n")
    assert doing_sentence(storm_causes()) in text
    assert "| ❌ FAIL | client\\-errors \\[vtgate\\-1\\] |" in text
    assert "| the buffer's window was shorter than the reparent | a setting | vtgate\\-1 | 48 | 48 |" in text
    assert "- the buffer's window was shorter than the reparent: Set \\-\\-buffer\\-window" in text
    assert "5 passed." in text
    assert "--seed 17629" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count(" | ") for line in tables if "vtgate\\-2 | 21" in line} == {8}


def test_nothing_of_a_run_means_anything_to_github(history: History) -> None:
    hostile = f"{HOSTILE} | @somebody [a](http://evil) www.evil `x` ![i](y) \n# title"
    result = CheckResult(
        check=hostile,
        kind=CheckKind.PROMISE,
        verdict=Verdict.FAIL,
        summary=hostile,
        subject=hostile,
        details=(hostile,),
    )
    row = dataclasses.replace(storm_causes()[0], title=hostile, advice=hostile, vtgate=hostile, shards={hostile: 2})
    verdict = dataclasses.replace(storm_verdict(history), headline=hostile, results=(result,), causes=(row,))
    text = markdown.page(dataclasses.replace(history, incomplete=(hostile,)), verdict)
    body = text[: text.index("### Do it again")]
    assert not any(line.startswith("# ") for line in body.splitlines())
    for bad in ("<script", "<img", "@somebody", "](http", "http:", "www.evil", " `x`", "!["):
        assert bad not in body
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert len(rows) == 3 + 3 + 2 + len(history.vtgates)


def test_a_command_line_cannot_end_its_fence(history: History) -> None:
    plan = dataclasses.replace(history.plan, command_line=("vtchaos", "run", "x", "```\n<b>"))
    text = markdown.page(dataclasses.replace(history, plan=plan), storm_verdict(history))
    assert "\n````sh\n" in text
    assert "\n````\n" in text


def test_page_is_bounded_and_keeps_how_to_do_it_again(history: History) -> None:
    long = "word " * 60
    results = tuple(
        CheckResult(check=f"c{n}", kind=CheckKind.PROMISE, verdict=Verdict.FAIL, summary=long * 2, details=(long,) * 9)
        for n in range(100)
    )
    text = markdown.page(history, dataclasses.replace(storm_verdict(history), results=results))
    assert len(text.encode()) <= markdown.MOST_BYTES
    assert "more is in report.html" in text
    assert "--seed 17629" in text


def test_page_of_a_run_that_never_started(history: History) -> None:
    empty = History(plan=history.plan, clock=history.clock, incomplete=("nodes.json",))
    text = markdown.page(empty, dataclasses.replace(storm_verdict(history), results=()))
    assert "**No check was run.**" in text
    assert "The record is incomplete" in text


@pytest.mark.parametrize("width", [80, 130])
def test_summary_has_a_short_table_of_causes(history: History, width: int) -> None:
    out = io.StringIO()
    terminal.show(history, verdict_with_causes(history), Console(file=out, width=width), folder=Path("runs/r1"))
    text = out.getvalue()
    copied = ("reproduce", "report", "run ")
    assert max(len(line) for line in text.splitlines() if not line.startswith(copied)) <= width
    assert "Why clients waited or failed" in text
    assert "a setting" in text
    assert "Nothing is unexplained" not in text


def test_a_failed_promise_names_the_causes_of_its_vtgate(history: History, tmp_path: Path) -> None:
    suite = next(iter(JUnitXml.fromfile(str(junit.render(history, verdict_with_causes(history), tmp_path / "j.xml")))))
    failed = next(case for case in suite if case.name == "client-errors [vtgate-1]")
    text = failed.result[0].text
    assert (
        "cause: the buffer's window was shorter than the reparent (a setting): 48 operations through vtgate-1" in text
    )
    assert "its own shard's reparent" not in text
