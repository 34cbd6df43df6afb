"""Goal: the report says first what must be known first, in every form, whatever a night holds, and stays small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import JUnitXml

from harness.model import Verdict
from harness.nights import junit, markdown, page, text
from harness.nights.files import read, renewed
from harness.nights.night import Night, night
from harness.nights.report import Report, percent, report
from harness.nights.standings import Standing
from harness.nights.words import summary_line
from harness.reports.markdown import MOST_BYTES
from harness.soak.values import Ended, SoakRun
from tests.unit.nights_made import FOUND, KNOWN, counted, errors, gathered, noisy, run, soak, written
from tests.unit.soak_runs import broken, canary

RED, GREEN = errors(Verdict.FAIL), errors(Verdict.PASS)
FAILED = Ended(why="5 runs in a row failed", exit_code=4)
NASTY = "</script><img src=x onerror=alert(1)> \x1b[2J | `rm` @everyone"


def unknown(number: int) -> SoakRun:
    return run(number, verdict=Verdict.UNKNOWN)


def reported(*runs: SoakRun, before: Sequence[Night] = ()) -> Report:
    return report((*before, gathered(*runs, day=9)))


def said(found: Report) -> str:
    return " ".join((found.answer, *found.also))


# ---------------------------------------------------------------- the answer


def test_a_first_night_says_that_everything_is_new() -> None:
    found = reported(run(1, RED), run(2, GREEN))
    assert "Findings in 2 runs: 1 new. There is no earlier night to compare with" in said(found)
    assert found.exit_code == 1


def test_what_nobody_compared_is_not_called_new(tmp_path: Path) -> None:
    tonight = gathered(run(1, RED), run(2, GREEN))
    found = report([tonight], compared=False)
    assert found.answer == (
        "1 finding in 2 runs. Not compared with the nights before; `vtchaos nights runs/n1` does that."
    )  # fmt: skip
    assert [each.standing for each in found.findings] == [Standing.UNCOMPARED]
    forms = [markdown.page(found), text.plain(found, tmp_path), page.render(found, tmp_path / "soak.html").read_text()]
    junit.render(found, tmp_path / "junit.xml")
    assert not [form for form in (*forms, (tmp_path / "junit.xml").read_text()) if "everything is new" in form]
    assert all("vtchaos replay runs/n1/0001" in form for form in forms)
    assert report([gathered(run(1, GREEN))], compared=False).answer.startswith("No finding in 1 run. Not compared")


def test_a_night_without_a_judged_run_does_not_say_that_nothing_is_new(tmp_path: Path) -> None:
    found = reported(unknown(1), canary(2, caught=True))
    assert found.answer == "No run says anything about Vitess."
    assert "1 run (0 judged) and 1 canary, which took 1 min" in summary_line(found)
    assert found.exit_code == 3
    assert "code-3" in page.render(found, tmp_path / "soak.html").read_text()
    assert report([gathered(unknown(1))], compared=False).answer.startswith("No run says anything about Vitess. Not")


@pytest.mark.parametrize(
    ("runs", "ended"),
    [
        ([run(1, GREEN)], None),
        ([run(1, RED), broken(2)], None),
        ([*(run(number, GREEN) for number in range(1, 30)), broken(30)], None),
        (
            [*(run(number, GREEN) for number in range(1, 101)), *map(broken, range(101, 106))],
            Ended(why="x", exit_code=4),
        ),
        ([run(1, GREEN)], Ended(why="interrupted", exit_code=130)),
        ([canary(1, caught=False), run(2, GREEN)], None),
        ([], None),
    ],
)
def test_junit_is_red_where_the_exit_code_is(runs: list[SoakRun], ended: Ended | None, tmp_path: Path) -> None:
    found = report([night("runs/n1", soak(1, ended=ended), runs)])
    junit.render(found, tmp_path / "junit.xml")
    xml = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert bool(xml.failures or xml.errors) is (found.exit_code != 0)
    assert markdown.page(found)
    assert text.plain(found, tmp_path)


def test_a_quiet_night() -> None:
    found = reported(run(1, GREEN), canary(2, caught=True), before=[counted(1, 0, 10)])
    assert said(found) == "Nothing new in 1 run, against 1 earlier night. 1 of 1 canary caught."
    assert (found.alarm, found.exit_code) == ("", 0)


def test_what_goes_on_is_no_news_but_still_a_finding() -> None:
    found = reported(run(1, RED), run(2, GREEN), before=[counted(1, 5, 10)])
    assert found.answer.startswith("Nothing new in 2 runs, against 1 earlier night; 1 ongoing.")
    assert found.exit_code == 1


def test_an_uncaught_canary_is_said_before_anything_else(tmp_path: Path) -> None:
    found = reported(run(1, GREEN), canary(2, caught=False), canary(3, caught=True))
    assert found.alarm.startswith("1 of 2 canaries NOT CAUGHT: lost-row in runs/n9/0002 (reparent/storm).")
    assert found.exit_code == 1
    assert markdown.page(found).startswith("## ❌ 1 of 2 canaries NOT CAUGHT")
    assert text.plain(found, tmp_path).splitlines()[1].startswith("1 of 2 canaries NOT CAUGHT")
    whole = page.render(found, tmp_path / "soak.html").read_text()
    assert whole.index("NOT CAUGHT") < whole.index("<h1>")


def test_a_night_without_canaries_says_so() -> None:
    assert "No canary was set: the first would have been run 5." in said(reported(run(1, GREEN)))
    longer = reported(*(run(number, GREEN) for number in range(1, 7)))
    assert "No canary was set." in said(longer)


def test_canaries_that_came_to_nothing_are_no_proof() -> None:
    came_to_nothing = said(reported(run(1, GREEN), canary(2, caught=None), canary(3, caught=None)))
    assert "2 canaries came to nothing: nobody knows whether the checks see." in came_to_nothing


def test_a_night_that_ended_early_says_so_and_comes_to_that() -> None:
    ended = Ended(why="5 runs in a row failed in the harness itself", exit_code=4)
    found = report([night("runs/n9", soak(9, ended=ended), [run(1, GREEN)])])
    assert "The soak ended early: 5 runs in a row failed in the harness itself." in said(found)
    assert found.exit_code == 4
    over = report([night("runs/n9", soak(9, ended=Ended(why="0 s are left of the budget")), [run(1, GREEN)])])
    assert "ended" not in said(over)
    assert over.exit_code == 0


def test_unknown_runs_and_harness_errors_are_counted() -> None:
    found = reported(run(1, GREEN), run(2, GREEN), run(3, GREEN), unknown(4), broken(5))
    assert "1 run of 4 proved nothing (25 %)." in said(found)
    assert "more than a third" not in said(found)
    assert "The harness failed in 1 run of 5." in said(found)
    assert found.exit_code == 0


def test_more_than_a_third_unknown_is_said() -> None:
    assert "more than a third" in said(reported(run(1, GREEN), run(2, GREEN), unknown(3), unknown(4)))


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([run(1, GREEN)], 0),
        ([run(1, RED), broken(2), broken(3), broken(4)], 1),
        ([run(1, GREEN), unknown(2), unknown(3)], 3),
        ([run(1, GREEN), broken(2), broken(3), broken(4)], 4),
        ([], 3),
    ],
)
def test_exit_code(runs: list[SoakRun], code: int) -> None:
    assert reported(*runs).exit_code == code


def test_a_known_bug_that_stopped_showing_is_news() -> None:
    quiet = gathered(*(run(n, errors(Verdict.PASS), vtgates={"vtgate-1": "21.0.2"}) for n in range(1, 41)), day=9)
    found = report([counted(1, 8, 10, KNOWN), quiet])
    assert "vitess#17629 stopped showing in reparent/storm on 21.0.2: not in 40 runs, which is chance in" in said(found)
    assert found.exit_code == 0


def test_a_known_bug_that_shows_is_none() -> None:
    found = report([counted(1, 8, 10, KNOWN), counted(2, 6, 10, KNOWN)])
    assert "1 known bug showed where expected: vitess#17629." in said(found)
    assert found.answer.startswith("Nothing new")
    assert (found.findings, found.exit_code) == ((), 0)


def test_a_figure_that_changed_tonight_is_told_with_what_else_changed() -> None:
    nights = [
        night(f"runs/n{day}", soak(day, commit=commit), noisy(30, day, around_s=around_s, seed=day))
        for day, commit, around_s in ((1, "a" * 40, 1.0), (2, "a" * 40, 1.0), (3, "b" * 40, 2.0))
    ]
    assert report(nights[:2]).turns == ()
    found = report(nights)
    stall = next(turn for turn in found.turned if turn.series.figure == "worst_stall_s")
    assert "Worse since tonight: " in said(found)
    assert stall.worse
    assert stall.index == 60
    assert stall.after / stall.before == pytest.approx(2, rel=0.2)
    assert stall.differs == {"commit": ("a" * 12, "b" * 12)}
    assert not report([*nights, counted(4, 0, 5)]).turned


def test_a_soak_that_grows_says_so() -> None:
    def sized(number: int, own_bytes: int) -> SoakRun:
        made = run(number, GREEN)
        return replace(made, after=replace(made.after, own_rss_bytes=own_bytes))

    growing = reported(*(sized(number, 100_000_000 + number * 1_000_000) for number in range(1, 60)))
    assert "The soak itself grows: memory of the soak's process." in said(growing)
    flat = reported(*(sized(number, 100_000_000 + number % 3 * 1_000_000) for number in range(1, 60)))
    assert "grows" not in said(flat)


@pytest.mark.parametrize(
    ("share", "words"), [(0.0, "0 %"), (0.00001, "less than 0.01 %"), (0.0123, "1.2 %"), (0.2, "20 %"), (1.0, "100 %")]
)
def test_percent(share: float, words: str) -> None:
    assert percent(share) == words


# ---------------------------------------------------------------- its forms


def test_junit_tells_findings_from_failures_of_the_harness(tmp_path: Path) -> None:
    found = reported(run(1, RED), broken(2), unknown(3), canary(4, caught=False), before=[counted(1, 5, 10, KNOWN)])
    junit.render(found, tmp_path / "junit.xml")
    suites = {suite.name: suite for suite in JUnitXml.fromfile(str(tmp_path / "junit.xml"))}
    assert {name: (suite.tests, suite.failures, suite.errors, suite.skipped) for name, suite in suites.items()} == {
        "findings": (1, 1, 0, 0),
        "known bugs": (0, 0, 0, 0),
        "canaries": (1, 1, 0, 0),
        "harness": (1, 0, 1, 0),
        "unknown": (1, 0, 0, 1),
        "soak": (1, 0, 0, 0),
    }
    (case,) = suites["findings"]
    assert case.result[0].type == "new"
    assert "vtchaos replay runs/n9/0001" in case.result[0].text


def test_a_night_that_proved_nothing_is_an_error_in_junit(tmp_path: Path) -> None:
    junit.render(reported(unknown(1)), tmp_path / "junit.xml")
    xml = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (xml.failures, xml.errors) == (0, 1)


def test_every_form_names_the_commands_that_repeat_a_finding(tmp_path: Path) -> None:
    found = reported(run(1, RED), run(2, RED))
    for form in (markdown.page(found), text.plain(found, tmp_path), page.render(found, tmp_path / "p").read_text()):
        for line in ("vtchaos replay runs/n9/0001", "vtchaos replay runs/n9/0002", "vtchaos shrink runs/n9/0001"):
            assert line in form


def test_what_a_server_said_is_harmless(tmp_path: Path) -> None:
    found = reported(run(1, errors(Verdict.FAIL, about=NASTY)), replace(broken(2), record=replace(
        broken(2).record, headline=NASTY)))  # fmt: skip
    whole = page.render(found, tmp_path / "soak.html").read_text()
    assert "<img src=x" not in whole
    assert "\x1b" not in text.plain(found, tmp_path)
    assert "<img" not in markdown.page(found)
    junit.render(found, tmp_path / "junit.xml")
    assert JUnitXml.fromfile(str(tmp_path / "junit.xml")).failures == 1


def test_the_same_nights_give_the_same_bytes(tmp_path: Path) -> None:
    folder = written(tmp_path / "n1", [run(1, RED), run(2, GREEN), canary(3, caught=True)])
    forms = ("soak.html", "summary.md", "summary.txt", "soak-report.json", "junit.xml")
    renewed(folder)
    first = [(folder / form).read_bytes() for form in forms]
    renewed(folder)
    assert [(folder / form).read_bytes() for form in forms] == first


def test_ten_thousand_runs_make_a_page_that_opens(tmp_path: Path) -> None:
    """Every second run finds something in words of its own; every experiment has its own series."""

    def made(number: int) -> SoakRun:
        words = f"{chr(97 + number % 26)}{chr(97 + number // 26 % 26)} went wrong"
        one = run(
            number, errors(Verdict.FAIL if number % 2 else Verdict.PASS, symptoms=(words,)), stall_s=1 + number % 7 / 10
        )
        return replace(one, record=replace(one.record, experiment=f"faults/{number % 60}"))

    found = report([night("runs/n1", soak(1), (made(number) for number in range(1, 10_001)))])
    assert sum(len(trend.points) for trend in found.trends) > 20_000
    whole = page.render(found, tmp_path / "soak.html").read_text()
    assert len(whole.encode()) < 8_000_000
    assert whole.count('class="item new"') == page.MOST_TOLD < len(found.findings)
    assert len(markdown.page(found).encode()) <= 60_000
    assert len(text.plain(found, tmp_path).splitlines()) < 300


def test_a_long_series_is_drawn_in_medians(tmp_path: Path) -> None:
    folder = written(tmp_path / "n1", noisy(900, 1, around_s=1.0, seed=1))
    (chart,) = [each for each in page.charts(report([read(folder)])) if "stall" in each["title"]]
    assert len(chart["traces"][0]["x"]) <= page.MOST_POINTS
    assert chart["traces"][0]["name"] == "median of 4 runs"


def test_a_cut_summary_closes_its_block() -> None:
    many = [replace(FOUND, symptom=f"{number} went wrong") for number in range(40)]
    seen = counted(9, 1, 1).shown[FOUND]
    far = replace(seen, first=replace(seen.first, folder="x" * 600), last=replace(seen.last, folder="y" * 600))
    found = report([replace(counted(9, 1, 1), shown=dict.fromkeys(many, far))])
    summary = markdown.page(found)
    assert len(summary.encode()) <= MOST_BYTES
    assert summary.endswith("```\n… more is in soak.html.\n")
    assert summary.count("```") == 2


def test_other_numbers_and_other_neighbours_are_the_same_finding() -> None:
    """Monday 26 errors of one class, Tuesday 1 error of it and one of another: one goes on, one is new."""
    monday = gathered(*(run(number, errors(Verdict.FAIL)) for number in range(1, 6)))
    one = "1 error of 282 operations reached the clients of vtgate-1: not-serving, no-healthy-tablet."
    both = errors(Verdict.FAIL, about=one, symptoms=("not-serving", "no-healthy-tablet"))
    tuesday = gathered(run(1, both, day=2), *(run(number, day=2) for number in range(2, 30)), day=2)
    found = report([monday, tuesday])
    standings = {each.item.symptom: each.standing for each in found.findings}
    assert standings == {"no-healthy-tablet": Standing.ONGOING, "not-serving": Standing.NEW}
    assert {each.latest.said for each in found.findings} == {one}


def test_a_soak_that_grows_says_so_when_its_clock_was_set_back() -> None:
    def grown(number: int) -> SoakRun:
        made = run(number % 5 + 1, took_s=3000.0)
        return replace(made, after=replace(made.after, own_rss_bytes=number * 80_000_000))

    found = report([gathered(*(grown(number) for number in range(1, 11)))])
    assert "The soak itself grows: memory of the soak's process." in found.also


def test_charts_begin_with_what_ran_tonight_and_need_some_runs(tmp_path: Path) -> None:
    other = [
        replace(each, record=replace(each.record, experiment="faults/random"))
        for each in noisy(9, 1, around_s=1.0, seed=1)
    ]
    nights = [gathered(*other), gathered(*noisy(5, 2, around_s=1.0, seed=2), day=2)]
    titles = [each["title"] for each in page.charts(report(nights))]
    assert "reparent/storm" in titles[0]
    assert any("faults/random" in title for title in titles)
    few = report([gathered(*noisy(4, 1, around_s=1.0, seed=1))])
    assert page.charts(few) == []
    assert "No figure has the 5 runs" in page.render(few, tmp_path / "soak.html").read_text()
