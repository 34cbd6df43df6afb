"""Many runs as one answer: what counts in a rate, how figures spread, and which exit code it comes to."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import click
import pytest
from rich.console import Console

from harness.base import jsonio
from harness.base.errors import RunDirError, UsageError
from harness.base.rundir import RunDir
from harness.base.taken_up import LOCK, owned
from harness.checks.judge import judge
from harness.cli import run as run_command
from harness.history import load
from harness.many import children
from harness.many.records import FIGURES, RunRecord, Said, record
from harness.model import CheckKind, RunVerdict, Verdict
from harness.repeats import command as repeat_command
from harness.repeats import text as repeats_text
from harness.repeats.command import Asked, Repeated
from harness.repeats.summary import Batch, Summary, summary
from harness.statistics.stopping import Side
from tests.fakes import calm

BATCH = Batch(experiment="reparent/storm", words=("reparent/storm",), seed=7)
CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 3}


def made(verdict: Verdict, *said: Said, stall_s: float = 1.0, **more: object) -> RunRecord:
    """A run through one vtgate, of release 24.0.3."""
    return dataclasses.replace(
        RunRecord(
            run_id="r",
            folder="001",
            experiment="reparent/storm",
            seed=1,
            verdict=verdict,
            exit_code=CODES[verdict],
            headline="so it went",
            results=said,
            vtgates={"vtgate-1": "24.0.3"},
            values={"vtgate-1": {"stall_s": (stall_s / 2, stall_s), "errors": (0.0,)}, "": {"reparent_s": (0.5,)}},
        ),
        **more,  # type: ignore[arg-type]
    )


def said(verdict: Verdict, check: str = "clients/stall", kind: CheckKind = CheckKind.PROMISE, issue: str = "") -> Said:
    subject = "vtgate-1" if kind is CheckKind.PROMISE else ""
    return Said(check=check, kind=kind, verdict=verdict, subject=subject, issue=issue)


def assumption(verdict: Verdict) -> Said:
    return said(verdict, "assumptions/rate", CheckKind.ASSUMPTION)


def summed(*runs: RunRecord, interrupted: bool = False, **more: float) -> Summary:
    return summary(dataclasses.replace(BATCH, **more), runs, asked=len(runs), interrupted=interrupted)  # type: ignore[arg-type]


PASSED = made(Verdict.PASS, said(Verdict.PASS))
FOUND = made(Verdict.FAIL, said(Verdict.FAIL), stall_s=9.0)
UNSURE = made(Verdict.UNKNOWN, assumption(Verdict.UNKNOWN), said(Verdict.UNKNOWN), stall_s=99.0)


# ---------------------------------------------------------------- one answer


def test_a_run_that_proves_nothing_counts_in_no_rate_and_is_said() -> None:
    found = summed(PASSED, PASSED, FOUND, UNSURE)
    assert (found.findings, found.passed, found.unknown) == (1, 2, 1)
    assert (found.rate.shown, found.rate.counted) == (1, 3)
    assert found.why_unknown == {"assumptions/rate": 1}
    assert "1 of 3 runs showed a finding" in found.answer
    assert "1 run proved nothing and does not count" in found.answer


def test_nothing_found_says_how_much_there_can_be_at_most() -> None:
    found = summed(*[PASSED] * 59)
    assert found.rate.at_most == pytest.approx(0.0495, abs=1e-3)
    assert "Nothing showed in 59 runs: the rate is below 5.0%" in found.answer
    assert found.exit_code == 0


def test_nothing_judged_is_no_answer() -> None:
    found = summed(UNSURE)
    assert found.answer.startswith("No run could be judged.")
    assert (found.exit_code, found.rate.share) == (3, None)
    assert summed().exit_code == 3


def test_a_known_bug_shows_and_is_no_finding() -> None:
    hit = made(Verdict.PASS, said(Verdict.PASS, issue="vitess#17629"), reproduced=("vitess#17629",))
    found = summed(hit, PASSED)
    assert (found.reproduced, found.findings, found.exit_code) == (1, 0, 0)
    assert "1 of 2 runs showed a known bug" in found.answer
    assert [(rate.issue, rate.rate.shown, rate.rate.counted) for rate in found.rates] == [("vitess#17629", 1, 2)]


@pytest.mark.parametrize(
    ("runs", "interrupted", "code"),
    [
        ([PASSED, UNSURE, FOUND], True, 1),
        ([PASSED, UNSURE], False, 3),
        ([PASSED, UNSURE], True, 130),
        ([PASSED, UNSURE, dataclasses.replace(UNSURE, exit_code=4)], True, 4),
        ([PASSED], False, 0),
        ([dataclasses.replace(UNSURE, exit_code=-9)], False, 4),
    ],
)
def test_the_exit_code_is_the_worst_of_the_runs(runs: list[RunRecord], interrupted: bool, code: int) -> None:
    assert summed(*runs, interrupted=interrupted).exit_code == code


def test_whether_the_answer_is_clear() -> None:
    assert summed(PASSED).clear.side is Side.UNCLEAR
    assert summed(FOUND, FOUND, FOUND).clear.side is Side.ABOVE
    assert "clearly above 10%" in summed(FOUND, FOUND, FOUND).answer
    assert summed(*[PASSED] * 60).clear.side is Side.BELOW


# ---------------------------------------------------------------- each check


def test_a_check_counts_where_its_assumptions_hold() -> None:
    """A vtgate that passed under a broken assumption proved nothing; a lost write did."""
    lost = said(Verdict.FAIL, "durability/writes", CheckKind.SAFETY)
    found = summed(
        made(Verdict.FAIL, assumption(Verdict.UNKNOWN), said(Verdict.PASS), lost),
        made(Verdict.PASS, assumption(Verdict.PASS), said(Verdict.PASS)),
    )
    rates = {rate.check: rate for rate in found.rates}
    assert (rates["durability/writes"].rate.shown, rates["durability/writes"].rate.counted) == (1, 1)
    assert (rates["clients/stall"].rate.counted, rates["clients/stall"].unknown) == (1, 1)
    assert rates["clients/stall"].vtgate == "24.0.3"


def test_figures_spread_over_the_runs_that_count() -> None:
    found = summed(PASSED, FOUND, made(Verdict.PASS, stall_s=2.0), UNSURE)
    worst = next(each for each in found.figures if each.figure == "worst_stall_s")
    assert (worst.vtgate, worst.spread.n, worst.spread.median, worst.spread.most) == ("24.0.3", 3, 2.0, 9.0)
    assert {each.vtgate for each in found.figures if each.figure == "reparent_s"} == {""}


@pytest.mark.parametrize("width", [80, 100])
def test_no_number_is_cut_off(width: int, tmp_path: Path) -> None:
    of_one = {"vtgate-1": "24.0.3 (vtgate-1)"}
    values = {"vtgate-1": {"stall_s": (10.25, 11.75), "p99_ms": (1234.5,), "availability": (99.987,)}}
    runs = [
        made(v, said(v, "buffering/keyspace-consistency"), vtgates=of_one, values=values)
        for v in (Verdict.PASS, Verdict.FAIL)
    ]
    out = io.StringIO()
    repeats_text.show(summed(*runs), Console(file=out, width=width, color_system=None), folder=tmp_path)
    text = out.getvalue()
    assert "…" not in text
    assert text.count("99.987 %") == 5
    assert all(word in text for word in ("median", "not judged", "1,234 ms to 1,234 ms"))


# ---------------------------------------------------------------- of a run


def test_the_record_of_a_run() -> None:
    history = calm(vtgates=("24.0.3", "21.0.2"), checks=("clients/errors",)).build()
    found = record(history, judge(history), "001")
    assert found.vtgates == {"vtgate-1": "24.0.3", "vtgate-2": "21.0.2"}
    figures = {figure.name: found.figure(figure, "21.0.2") for figure in FIGURES}
    assert figures["errors"] == figures["not_issued"] == 0
    assert figures["availability"] == 100
    assert figures["reparent_s"] is None
    assert found.figure(next(f for f in FIGURES if f.name == "reparent_s"), "") == pytest.approx(0.4)
    assert found.setting["vtgate"] == "24.0.3, 21.0.2"
    assert ("clients/errors", "vtgate-2") in {(each.check, each.subject) for each in found.results}


def test_two_vtgates_of_one_release_are_told_apart() -> None:
    history = calm(vtgates=("24.0.3", "24.0.3")).build()
    assert list(record(history, judge(history), "").vtgates.values()) == ["24.0.3 (vtgate-1)", "24.0.3 (vtgate-2)"]


# ---------------------------------------------------------------- folders


def test_a_summary_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    found = summed(PASSED, FOUND, UNSURE)
    repeat_command.save(found, tmp_path)
    assert jsonio.load(tmp_path / "summary.json", Summary) == found
    before = (tmp_path / "summary.json").read_bytes()
    repeat_command.save(summed(PASSED, FOUND, UNSURE), tmp_path)
    assert (tmp_path / "summary.json").read_bytes() == before
    text = (tmp_path / "summary.txt").read_text()
    assert "clients/stall" in text
    assert "worst stall 9.00 s" in text
    assert (tmp_path / "junit.xml").is_file()


def test_seeds_are_those_of_the_number() -> None:
    seeds = [children.seed_of(7, number) for number in range(1, 50)]
    assert len(set(seeds)) == 49
    assert seeds[4] == children.seed_of(7, 5) != children.seed_of(8, 5)


def test_the_words_of_a_single_run() -> None:
    ours = ["--count", "3", "--until-clear", "--seed", "1", "--out", "x", "--plain"]
    theirs = ["--shards", "2", "--set", "a=1", "--set", "b=2", "--no-vtorc"]
    context = run_command.make_context("run", ["reparent/storm", *ours, *theirs])
    assert isinstance(context, click.Context)
    words = children.words_of(context, repeat_command.OURS)
    assert sorted(words) == sorted(["reparent/storm", *theirs])


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    jsonio.save(tmp_path / "batch.json", BATCH)
    repeat_command.require_ours(tmp_path, dataclasses.replace(BATCH, limit=0.5))
    with pytest.raises(UsageError, match="has runs of `vtchaos run reparent/storm` with seed 7, not of"):
        repeat_command.require_ours(tmp_path, dataclasses.replace(BATCH, seed=8))
    (tmp_path / "batch.json").write_text("{}")
    with pytest.raises(RunDirError, match="does not fit this version"):
        repeat_command.batch_of(tmp_path)
    assert repeat_command.batch_of(tmp_path / "none") is None


def test_runs_that_are_in_a_folder_already_are_taken_over(tmp_path: Path) -> None:
    calm().write(tmp_path / "001")
    (tmp_path / "001.log").touch()
    (tmp_path / LOCK).touch()
    repeat_command.require_ours(tmp_path, dataclasses.replace(BATCH, experiment="reparent/all-at-once"))
    with pytest.raises(RunDirError, match="is no run of reparent/storm"):
        repeat_command.require_ours(tmp_path, BATCH)


@pytest.mark.parametrize(("out", "why"), [("", "another vtchaos is at work in"), ("/dev/null/x", "cannot be made")])
def test_a_folder_that_cannot_be_ours_is_refused(tmp_path: Path, out: str, why: str) -> None:
    once = Asked(count=1, until_clear=False)
    with owned(tmp_path), pytest.raises(RunDirError, match=why):
        repeat_command.repeated("x/y", ("x/y",), once, seed=1, limit=0.1, folder=Path(out or tmp_path))


def passed(folder: Path, code: int = 0) -> None:
    run = calm(checks=("clients/errors",)).write(folder)
    verdict = RunVerdict(run_id="r", experiment="x", verdict=Verdict.PASS, exit_code=code, headline="", results=())
    jsonio.save(run.verdict, verdict)


class Played(Repeated):
    """Runs whose verdicts are written instead of made: `codes` are those that each run's process would end with."""

    def __init__(self, folder: Path, asked: Asked, codes: dict[int, int]) -> None:
        super().__init__(folder, BATCH, asked, Console(file=sys.stdout))
        self.ran: list[int] = []
        self.judges = False  # runs that the harness failed in, too
        self._codes = codes
        self._stopping.ran = self._play  # type: ignore[method-assign,assignment]

    def _play(self, command: list[str], turn: str, within_s: float) -> int:
        number = int(turn.split()[0])
        self.ran.append(number)
        code = self._codes.get(number, 0)
        folder = Path(command[command.index("--out") + 1])
        if code in (0, 130):
            passed(folder, code)
        if code == 4 and self.judges:
            builder = calm(checks=("clients/errors",))
            builder.event("harness-error", "ClusterError: mysqld did not start", 6.0)
            run = builder.write(folder)
            jsonio.save(run.verdict, judge(load(run)))
        if number == 3 and code == 130:
            self._stopping.asked = True
        return code


def test_runs_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    first = Played(tmp_path, Asked(count=2, until_clear=False), {})
    assert first.run() == 0
    again = Played(tmp_path, Asked(count=3, until_clear=False), {})
    assert (again.run(), again.ran) == (0, [3])
    assert len(jsonio.load(tmp_path / "summary.json", Summary).runs) == 3


def test_an_answer_stays_until_there_is_more_than_it_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        passed(tmp_path / f"00{number}")
    jsonio.save(tmp_path / "summary.json", summed(PASSED, PASSED))
    answer = (tmp_path / "summary.json").read_bytes()

    real = repeat_command.recorded

    def recorded(run: RunDir, inside: Path) -> RunRecord:
        assert (tmp_path / "summary.json").read_bytes() == answer, "nothing is saved before the last that is there"
        stopped._stopping.asked = True  # Ctrl-C
        return real(run, inside)

    monkeypatch.setattr(repeat_command, "recorded", recorded)
    stopped = Played(tmp_path, Asked(count=3, until_clear=False), {})
    assert (stopped.run(), stopped.ran) == (130, [])
    assert (tmp_path / "summary.json").read_bytes() == answer
    monkeypatch.undo()
    whole = Played(tmp_path, Asked(count=3, until_clear=False), {})
    assert (whole.run(), whole.ran) == (0, [3])
    assert len(jsonio.load(tmp_path / "summary.json", Summary).runs) == 3


def test_a_run_that_was_judged_although_the_harness_failed_is_told_as_that(tmp_path: Path) -> None:
    failing = Played(tmp_path, Asked(count=9, until_clear=False), dict.fromkeys(range(1, 10), 4))
    failing.judges = True
    assert (failing.run(), failing.ran) == (4, [1, 2, 3])
    found = jsonio.load(tmp_path / "summary.json", Summary)
    assert found.why_unknown == {"the harness failed: ClusterError: mysqld did not start": 3}


def test_a_run_that_was_broken_off_is_made_again_and_kept_aside(tmp_path: Path) -> None:
    broken = Played(tmp_path, Asked(count=5, until_clear=False), {3: 130})
    assert (broken.run(), broken.ran) == (130, [1, 2, 3])
    again = Played(tmp_path, Asked(count=3, until_clear=False), {})
    assert (again.run(), again.ran) == (0, [3])
    assert (tmp_path / "003-broken-off-1").is_dir()


def test_a_harness_that_fails_again_and_again_ends_it(tmp_path: Path) -> None:
    failing = Played(tmp_path, Asked(count=9, until_clear=False), dict.fromkeys(range(1, 10), 4))
    assert (failing.run(), failing.ran) == (4, [1, 2, 3])


def test_what_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    refused = Played(tmp_path, Asked(count=9, until_clear=False), {1: 2})
    assert (refused.run(), refused.ran) == (2, [1])


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.123, "s", "0.12 s"),
        (12.34, "s", "12.3 s"),
        (1234.0, "ms", "1,234 ms"),
        (99.9, "%", "99.900 %"),
        (2.5, "", "2.5"),
        (1e4, "", "10,000"),
    ],
)
def test_figures_as_people_read_them(value: float, unit: str, said: str) -> None:
    assert repeats_text.amount(value, unit) == said
