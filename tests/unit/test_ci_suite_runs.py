"""Goal: `ci/regression` answers one question about one Vitess, and never calls infrastructure a finding, a finding
infrastructure, or what was not run passed. Method: runs that a fake of `vtchaos run` writes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from ci.suite import __main__ as program
from ci.suite import command, junit, summary
from ci.suite.values import Asked, Attempt, BugSeen, Build, Result, Strictness, Told
from experiments import EXPERIMENTS
from harness.base.taken_up import owned
from tests.unit.suite_runs import (
    ABSENT,
    BUG,
    FINDING,
    HARNESS,
    NOT_BEGUN,
    ONE,
    PASSED,
    REFUSED,
    UNKNOWN,
    Runs,
    Writes,
    absent,
    attempts,
    cases,
    failed,
    good,
    known,
    marks,
    red,
    suite,
    unproved,
)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


def test_a_suite_of_cases_takes_as_long_as_its_run(tmp_path: Path) -> None:
    made = dataclasses.replace(attempts(HARNESS)[0], took_s=12.5)
    part = Told(experiment="e/x", why="", outcome=HARNESS, attempts=(made,))
    found = Result(asked=Asked(), answer="so", exit_code=4, budget_s=60, took_s=12.5, parts=(part,))
    (of_run,) = JUnitXml.fromfile(str(junit.render(found, tmp_path, Strictness())))
    assert (of_run.time, of_run.errors) == (12.5, 1)


def test_a_good_suite_passes_and_leaves_everything_that_ci_wants(runs: Runs, tmp_path: Path) -> None:
    code, found = suite(tmp_path / "s", "--only", "storm", "--vitess", "24.0.3")
    assert code == found.exit_code == 0
    assert len(runs.made) == len(found.parts) == 3
    assert marks(tmp_path / "s") == set()
    page = (tmp_path / "s" / "index.html").read_text()
    assert 'href="runs/reparent-storm-2/1/report.html"' in page
    text = (tmp_path / "s" / "summary.md").read_text()
    assert text.startswith("## PASS: Vitess 24.0.3 passed what was asked: 3 of 3 experiments passed. Only 3 of")


def test_a_finding_is_a_failure_and_is_not_run_again(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [red, good]
    code, found = suite(tmp_path / "s")
    assert (code, found.parts[0].outcome, len(runs.made)) == (1, FINDING, 1)
    assert marks(tmp_path / "s") == {Failure}
    text = (tmp_path / "s" / "summary.md").read_text()
    assert "### Findings" in text
    assert "vtchaos run reparent/storm-2 --vitess" in text


def test_a_failure_of_the_harness_is_an_error_and_no_finding(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [failed]
    code, found = suite(tmp_path / "s")
    assert (code, found.parts[0].outcome, len(runs.made)) == (4, HARNESS, 2)
    assert found.parts[0].attempts[0].why == ("vtgate-1 did not start",)
    assert Failure not in marks(tmp_path / "s")
    errors = [result for case in cases(tmp_path / "s") for result in case.result if isinstance(result, Error)]
    assert len(errors) == 1  # of the second attempt; the first one is skipped, with its reason
    assert "infrastructure, not Vitess" in errors[0].message


def test_a_second_attempt_decides_and_both_are_told(runs: Runs, tmp_path: Path) -> None:
    for first in (unproved, failed, -9):
        out = tmp_path / str(first)
        runs.plans["reparent/storm-2"] = [first, good]
        code, found = suite(out)
        assert (code, [made.outcome for made in found.parts[0].attempts][-1]) == (0, PASSED)
        assert len(found.parts[0].attempts) == 2
        assert marks(out) == {Skipped}
        assert "attempt 1 of 2" in (out / "summary.md").read_text()


def test_what_proves_nothing_twice_is_unknown_and_skipped(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [unproved]
    code, found = suite(tmp_path / "s")
    assert (code, found.parts[0].outcome, len(runs.made)) == (3, UNKNOWN, 2)
    assert marks(tmp_path / "s") == {Skipped}


def test_a_run_that_came_to_nothing_is_the_harness_and_never_green(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [-9]
    code, found = suite(tmp_path / "s")
    assert (code, found.parts[0].outcome) == (4, HARNESS)
    assert Error in marks(tmp_path / "s")


def test_a_known_bug_passes_and_is_named_unless_it_was_to_be_gone(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.plans["reparent/storm-2"] = [known]
    code, found = suite(tmp_path / "s")
    assert code == 0
    bug = BugSeen(issue="vitess#1", where="vtgate-1 24.0.3", certain=True, shown=True)
    assert found.parts[0].bugs == (bug,)
    assert "1 known bug where expected: vitess#1" in found.answer
    strict, found = suite(tmp_path / "strict", *ONE, "--strict")
    assert (strict, found.parts[0].outcome) == (1, FINDING)
    assert marks(tmp_path / "strict") == {Failure}
    monkeypatch.setattr(
        command,
        "EXPERIMENTS",
        {"e": dataclasses.replace(EXPERIMENTS["reparent/storm-2"], known_bugs=(BUG,)), **EXPERIMENTS},
    )
    assert suite(tmp_path / "fixed", *ONE, "--fixed", "vitess#1")[0] == 1


def test_what_does_not_fit_is_not_begun_and_not_passed(runs: Runs, tmp_path: Path) -> None:
    code, found = suite(tmp_path / "s", "--only", "storm-2", "--only", "topology/killed", "--budget", "40s")
    assert code == 3
    assert [part.outcome for part in found.parts] == [PASSED, NOT_BEGUN]
    assert "Not run: topology/killed." in found.answer
    assert runs.made == ["reparent/storm-2"]
    assert marks(tmp_path / "s") == {Skipped}


def test_a_suite_is_taken_up_where_it_was(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "s"
    words = ("--only", "storm-2", "--only", "topology/killed")
    suite(out, *words, "--budget", "40s")
    code, _ = suite(out, *words)
    assert (code, runs.made) == (0, ["reparent/storm-2", "topology/killed"])
    assert command.main([*ONE, "--vitess", "21.0.2", "--out", str(out)]) == 2  # another Vitess


def test_what_is_not_possible_here_is_told_and_nothing_ran_is_never_green(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [2]
    runs.refused["reparent/storm-2"] = "so it is"
    code, found = suite(tmp_path / "some", "--only", "storm-2", "--only", "topology/killed")
    assert (code, found.parts[0].outcome, found.parts[0].left) == (0, REFUSED, "so it is")
    assert "Not possible here: reparent/storm-2." in found.answer
    code, _ = suite(tmp_path / "none")
    assert code == 3


def test_usage_is_refused_before_anything_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    for words, said in (
        (["--only", "nothing"], "no experiment of the suite is named nothing"),
        (["--budget", "soon"], "--budget takes a duration such as 8h or 90m, not 'soon'"),
        (["--fixed", "vitess#0"], "no known bug has this name"),
        (["--backend", "cloud"], "--backend takes local"),
        (["--image", "x"], "--image goes with"),
        (["--out", str(tmp_path / "full")], "holds no suite"),
    ):
        assert command.main(words) == 2
        assert said in capsys.readouterr().err


def test_a_mistake_of_the_suite_itself_is_no_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> int:
        raise KeyError("reparent/storm-3")

    monkeypatch.setattr(command, "main", broken)
    assert program.guarded() == 4
    assert "KeyError: 'reparent/storm-3'" in capsys.readouterr().err


def test_what_servers_say_does_nothing_in_a_summary() -> None:
    made = Attempt(number=1, outcome=FINDING, why=("<img src=x> @everyone | [a](http://b)",), command="vtchaos run x")
    part = Told(experiment="e/x", why="", outcome=FINDING, attempts=(made,))
    text = summary.page(Result(asked=Asked(), answer="so", exit_code=1, budget_s=60, took_s=1, parts=(part,)))
    assert "<img" not in text
    assert "@everyone" not in text


def test_a_summary_fits_where_it_is_shown() -> None:
    made = Attempt(number=1, outcome=FINDING, why=("so " * 180,) * 9)
    parts = tuple(Told(experiment=f"e/{n}", why="", outcome=FINDING, attempts=(made,)) for n in range(1000))
    text = summary.page(Result(asked=Asked(), answer="so", exit_code=1, budget_s=60, took_s=1, parts=parts))
    assert len(text.encode()) < 2**20
    assert text.endswith("more is in index.html.\n")


# ---------------------------------------------------------------- a known bug that stayed away


def test_a_known_bug_that_stayed_away_is_a_finding_of_its_own(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [absent]
    code, found = suite(tmp_path / "s")
    assert (code, found.parts[0].outcome, len(runs.made)) == (1, ABSENT, 1)
    assert marks(tmp_path / "s") == {Failure}
    text = (tmp_path / "s" / "summary.md").read_text()
    assert text.startswith("## FINDING: A known bug of Vitess 24.0.3 was not where it was expected, in 1 experiment")
    assert "### Known bugs that did not show" in text
    assert "### Findings" not in text
    assert "protect" not in found.answer


# ---------------------------------------------------------------- what cannot be begun, or read


def test_what_could_not_be_begun_and_was_not_refused_is_infrastructure(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [2]
    code, found = suite(tmp_path / "s")
    assert (code, found.parts[0].outcome, len(runs.made)) == (4, HARNESS, 2)
    assert marks(tmp_path / "s") == {Skipped, Error}


def test_a_run_whose_process_failed_after_its_verdict_is_infrastructure(runs: Runs, tmp_path: Path) -> None:
    runs.codes["reparent/storm-2"] = 1  # as Python ends after an exception
    code, found = suite(tmp_path / "s")
    assert [made.outcome for made in found.parts[0].attempts] == [HARNESS, PASSED]
    assert found.parts[0].attempts[0].why == ("it ended with exit code 1, its verdict with 0",)
    assert code == 0
    assert [made.outcome for made in suite(tmp_path / "s")[1].parts[0].attempts] == [HARNESS, PASSED]


def test_a_finding_is_a_failure_also_without_its_runs_own_file(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [red]
    suite(tmp_path / "s")
    of_run = tmp_path / "s" / "runs" / "reparent-storm-2" / "1" / "junit.xml"
    of_run.write_bytes(of_run.read_bytes()[:700])
    assert (suite(tmp_path / "s")[0], marks(tmp_path / "s")) == (1, {Failure})
    of_run.unlink()
    assert (suite(tmp_path / "s")[0], marks(tmp_path / "s")) == (1, {Failure})


def test_a_damaged_record_is_that_experiments_and_the_suite_goes_on(runs: Runs, tmp_path: Path) -> None:
    words = ("--only", "storm-2", "--only", "topology/killed")
    suite(tmp_path / "s", *words)
    events = tmp_path / "s" / "runs" / "reparent-storm-2" / "1" / "events.jsonl"
    events.write_bytes(b"{]\n" + events.read_bytes())
    code, found = suite(tmp_path / "s", *words)
    first, second = found.parts[0].attempts
    assert (code, first.outcome, second.outcome) == (0, HARNESS, PASSED)
    assert "its record cannot be read" in first.why[0]
    assert runs.made == ["reparent/storm-2", "topology/killed", "reparent/storm-2"]


def test_a_finding_stays_one_although_its_record_is_damaged(runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [red]
    suite(tmp_path / "s")
    (tmp_path / "s" / "runs" / "reparent-storm-2" / "1" / "events.jsonl").write_text("{]\n{}\n")
    code, _ = suite(tmp_path / "s")
    assert (code, len(runs.made)) == (1, 1)


def test_a_suite_without_time_proved_nothing_and_says_how_it_goes_on(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = suite(tmp_path / "s", *ONE, "--budget", "1s")
    assert (code, found.parts[0].outcome, runs.made) == (3, NOT_BEGUN, [])
    assert f"The same command with --out {tmp_path / 's'} goes on." in capsys.readouterr().out


def test_a_seed_that_no_file_can_hold_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("99999999999999999999999", "-1", "x"):
        with pytest.raises(SystemExit) as ended:
            command.main([*ONE, "--seed", seed])
        assert ended.value.code == 2
        assert "a whole number from 0 to" in capsys.readouterr().err


def test_a_file_of_cases_has_no_blank_lines(runs: Runs, tmp_path: Path) -> None:
    suite(tmp_path / "s")
    suite(tmp_path / "s")
    lines = (tmp_path / "s" / "junit.xml").read_text().splitlines()
    assert lines
    assert all(line.strip() for line in lines)
    assert not any("\t" in line for line in lines)


# ---------------------------------------------------------------- a folder that is taken up


def test_runs_of_another_build_are_not_this_ones(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite(tmp_path / "s")
    runs.build = Build(commit="abc", programs={"vtgate of 24.0.3": "2"})
    assert command.main([*ONE, "--out", str(tmp_path / "s")]) == 2
    said = capsys.readouterr().err
    assert "has runs of another build (vtgate of 24.0.3 is another file now); give another --out" in said
    assert len(runs.made) == 1


def test_without_out_every_call_has_a_folder_of_its_own(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [command.main(ONE) for _ in range(2)] == [0, 0]
    assert len(runs.made) == len(list((tmp_path / "runs").iterdir())) == 2


def test_what_is_taken_over_is_told_everywhere(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite(tmp_path / "s")
    capsys.readouterr()
    code, found = suite(tmp_path / "s")
    assert (code, len(runs.made), found.took_s) == (0, 1, 0)
    said = "taken over from an earlier call"
    assert f"1 run {said}, none made now" in capsys.readouterr().out
    for name in ("summary.md", "index.html"):
        assert said in (tmp_path / "s" / name).read_text()
    assert '<property name="taken_over" value="true" />' in (tmp_path / "s" / "junit.xml").read_text()
    assert found.parts[0].attempts[0].taken_over


def test_a_run_that_outlived_its_suite_is_taken_over(runs: Runs, tmp_path: Path) -> None:
    _, before = suite(tmp_path / "s")
    (tmp_path / "s" / "runs" / "reparent-storm-2" / "1.json").unlink()
    code, found = suite(tmp_path / "s")
    (was,), (made,) = before.parts[0].attempts, found.parts[0].attempts
    assert (code, len(runs.made), made.taken_over, made.command) == (0, 1, True, was.command)
    assert made.took_s > 0


@pytest.mark.parametrize("nothing", [unproved, failed, -9])
def test_what_proved_nothing_is_made_anew_by_the_next_call(nothing: Writes | int, runs: Runs, tmp_path: Path) -> None:
    runs.plans["reparent/storm-2"] = [nothing]
    assert suite(tmp_path / "s")[0] in (3, 4)
    runs.plans["reparent/storm-2"] = [good]
    code, found = suite(tmp_path / "s")
    assert (code, len(runs.made)) == (0, 3)
    assert [(made.number, made.taken_over) for made in found.parts[0].attempts] == [(1, True), (2, True), (3, False)]
    assert suite(tmp_path / "s")[0] == 0
    assert len(runs.made) == 3


def test_a_second_attempt_is_announced(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.plans["reparent/storm-2"] = [failed, good]
    suite(tmp_path / "s")
    said = capsys.readouterr().out
    assert "attempt 1: harness failed: vtgate-1 did not start. Once more, with the same seed." in said


def test_two_at_once_in_a_folder_are_refused(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with owned(tmp_path / "s"):
        assert command.main([*ONE, "--out", str(tmp_path / "s")]) == 2
    assert "another vtchaos is at work in" in capsys.readouterr().err
    assert runs.made == []
