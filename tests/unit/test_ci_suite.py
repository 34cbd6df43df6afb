"""Goal: `ci/regression` answers one question about one Vitess, and never calls infrastructure a finding, a finding
infrastructure, or what was not run passed. Method: values, and runs that a fake of `vtchaos run` writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from ci.suite import __main__ as program
from ci.suite import command, deciding, junit, making, summary
from ci.suite.deciding import answer, chosen, exit_code, pace
from ci.suite.table import LEFT_OUT, SUITE, Part
from ci.suite.values import Asked, Attempt, BugSeen, Outcome, Result, Strictness, Told
from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.checks.judge import judge
from harness.history import load
from harness.many.children import Stopping
from harness.model import KnownBug, Role, Suite
from harness.reports.junit import render as render_junit
from tests.fakes import HistoryBuilder, calm
from tests.unit.test_checks_judge import buffer_off

PASSED, FINDING, UNKNOWN, HARNESS = Outcome.PASSED, Outcome.FINDING, Outcome.UNKNOWN, Outcome.HARNESS
NOT_BEGUN, REFUSED, BROKEN_OFF = Outcome.NOT_BEGUN, Outcome.REFUSED, Outcome.BROKEN_OFF


def told(*outcomes: Outcome) -> list[Told]:
    return [
        Told(experiment=f"e/{number}", why="", outcome=outcome, attempts=attempts(outcome))
        for number, outcome in enumerate(outcomes)
    ]


def attempts(*outcomes: Outcome) -> tuple[Attempt, ...]:
    return tuple(Attempt(number=number, outcome=outcome) for number, outcome in enumerate(outcomes, start=1))


# ---------------------------------------------------------------- the table


def test_the_table_names_experiments_each_once_and_says_why() -> None:
    names = [part.experiment for part in SUITE]
    assert len(set(names)) == len(names)
    assert set(names) <= set(EXPERIMENTS)
    assert all(part.why and part.takes_s > 0 for part in SUITE)


def test_every_experiment_of_the_suite_ci_is_in_the_table_or_has_a_reason_not_to_be() -> None:
    tagged = {name for name, experiment in EXPERIMENTS.items() if Suite.CI in experiment.suites}
    assert tagged <= {part.experiment for part in SUITE} | set(LEFT_OUT)
    assert not set(LEFT_OUT) & {part.experiment for part in SUITE}


def test_the_suite_fits_into_half_an_hour_with_room_for_second_attempts() -> None:
    assert sum(part.takes_s for part in SUITE) <= 20 * 60


def test_some_of_the_suite() -> None:
    assert [part.experiment for part in chosen(SUITE, ["storm-8"])] == ["reparent/storm-8"]
    vstreams = {part.experiment for part in chosen(SUITE, ["vstream/*"])}
    assert "vstream/copy-cycles" in vstreams
    assert all(name.startswith("vstream/") for name in vstreams)
    assert chosen(SUITE, ["nothing"]) == ()
    assert chosen(SUITE, []) == SUITE


# ---------------------------------------------------------------- decisions


@pytest.mark.parametrize(
    ("outcomes", "interrupted", "code"),
    [
        ((PASSED, PASSED), False, 0),
        ((PASSED, REFUSED), False, 0),
        ((PASSED, UNKNOWN), False, 3),
        ((PASSED, NOT_BEGUN), False, 3),
        ((PASSED, BROKEN_OFF), False, 3),
        ((PASSED, UNKNOWN, HARNESS), False, 4),
        ((PASSED, UNKNOWN, HARNESS, FINDING), False, 1),
        ((REFUSED, NOT_BEGUN), False, 4),  # nothing ran
        ((), False, 4),
        ((PASSED, NOT_BEGUN), True, 130),
        ((PASSED, PASSED), True, 0),  # Ctrl-C in the last run, which came to its end
        ((PASSED, UNKNOWN), True, 3),
        ((NOT_BEGUN,), True, 130),
        ((FINDING, NOT_BEGUN), True, 1),
        ((HARNESS, NOT_BEGUN), True, 4),
    ],
)
def test_the_exit_code(outcomes: tuple[Outcome, ...], interrupted: bool, code: int) -> None:
    assert exit_code(told(*outcomes), interrupted=interrupted) == code


def test_only_what_says_nothing_about_vitess_is_run_again_and_once() -> None:
    assert deciding.again(attempts(UNKNOWN))
    assert deciding.again(attempts(HARNESS))
    assert not deciding.again(attempts(FINDING))
    assert not deciding.again(attempts(PASSED))
    assert not deciding.again(attempts(UNKNOWN, UNKNOWN))


def test_how_slow_this_machine_is() -> None:
    assert pace([]) == 1.0
    assert pace([(30, 60), (30, 30)]) == 1.5
    assert pace([(30, 10)]) == 1.0  # a quick one says nothing about the next


def test_a_harness_that_fails_again_and_again_is_not_asked_on() -> None:
    assert deciding.failing(told(PASSED, HARNESS, HARNESS, HARNESS))
    assert not deciding.failing(told(HARNESS, HARNESS))
    assert not deciding.failing(told(HARNESS, HARNESS, PASSED))


def test_which_known_bugs_are_findings_all_the_same() -> None:
    assert deciding.unwanted("vitess#9433", Strictness(every=True))
    assert deciding.unwanted("vitess#9433", Strictness(fixed=("vitess#9433",)))
    assert not deciding.unwanted("vitess#9433", Strictness())
    assert not deciding.unwanted("so it is, by design", Strictness(every=True))


def test_the_answer_says_what_was_not_answered() -> None:
    rows = told(PASSED, FINDING, HARNESS, NOT_BEGUN)
    said = answer("Vitess 24.0.3", rows, exit_code(rows))
    assert said.startswith("Vitess 24.0.3 does not protect its clients in 1 experiment: e/1.")
    assert "The harness failed in e/2." in said
    assert "Not run: e/3." in said
    rows = told(PASSED, HARNESS)
    assert answer("Vitess 24.0.3", rows, 4).startswith("Infrastructure, which says nothing about Vitess 24.0.3")
    rows = told(PASSED)
    assert answer("Vitess 24.0.3", rows, 0, of=1) == "Vitess 24.0.3 protects its clients: 1 of 1 experiment passed."
    assert answer("Vitess 24.0.3", rows, 0, of=9).endswith("Only 1 of the suite's 9 experiments were asked for.")
    rows = told(PASSED, NOT_BEGUN)
    assert answer("Vitess 24.0.3", rows, 3).startswith("No finding, and no whole answer about Vitess 24.0.3: 1 of 2")


def test_every_vtgate_of_an_experiment_is_of_the_release_in_question() -> None:
    part = Part(experiment="topology/cut-from-vtgate", takes_s=1, why="")
    assert Asked(vtgate="21.0.2").words(part, 2) == ("topology/cut-from-vtgate", "--vtgate", "21.0.2,21.0.2")
    assert Asked(vtgate="21.0.2, 24.0.3").words(part, 1)[-1] == "21.0.2,24.0.3"
    assert Asked(vitess="/bin", backend="docker").words(part, 2)[1:] == ("--backend", "docker", "--vitess", "/bin")
    assert Asked().command == "ci/regression --seed 1"


# ---------------------------------------------------------------- runs


Writes = Callable[[], HistoryBuilder]
BUG = KnownBug(issue="vitess#1", check="clients/errors", component=Role.VTGATE)
CHECKS = ("clients/errors", "assumptions/rate")


def good() -> HistoryBuilder:
    return calm(checks=CHECKS)


def red() -> HistoryBuilder:
    builder = buffer_off()
    builder.plan = dataclasses.replace(builder.plan, checks=CHECKS)
    return builder


def known() -> HistoryBuilder:
    builder = red()
    builder.plan = dataclasses.replace(builder.plan, known_bugs=(BUG,))
    return builder


def unproved() -> HistoryBuilder:
    builder = good()
    builder.incomplete = ["rows of -80"]
    builder.unread = {"-80"}
    builder.plan = dataclasses.replace(builder.plan, checks=(*CHECKS, "durability/acknowledged"))
    return builder


def failed() -> HistoryBuilder:
    builder = good()
    builder.event("harness-error", "vtgate-1 did not start", 3.0)
    return builder


class Runs:
    """Stands for `vtchaos run`: writes the runs of an experiment in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plans: dict[str, list[Writes | int]] = {}
        self.made: list[str] = []
        monkeypatch.setattr(Stopping, "ran", lambda _, words, turn, within_s: self(words))
        monkeypatch.setattr(
            making, "refusal", lambda words: "" if 2 not in self.plans.get(words[0], []) else "so it is"
        )
        monkeypatch.setattr(command, "refusal", lambda words: "")

    def __call__(self, command: Sequence[str]) -> int:
        experiment, folder = command[4], Path(command[command.index("--out") + 1])
        self.made.append(experiment)
        turns = self.plans.setdefault(experiment, [good])
        turn = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(turn, int):
            return turn
        run = turn().write(folder)
        seen = load(run)
        verdict = judge(seen)
        jsonio.save(run.verdict, verdict)
        render_junit(seen, verdict, folder / "junit.xml")
        return 4 if any(event.kind == "harness-error" for event in seen.events) else verdict.exit_code


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


ONE = ("--only", "storm-2")


def suite(out: Path, *words: str) -> tuple[int, Result]:
    code = command.main([*(words or ONE), "--out", str(out)])
    return code, jsonio.load(out / "result.json", Result)


def cases(out: Path) -> list[TestCase]:
    return [case for each in JUnitXml.fromfile(str(out / "junit.xml")) for case in each]


def test_a_suite_of_cases_takes_as_long_as_its_run(tmp_path: Path) -> None:
    made = dataclasses.replace(attempts(HARNESS)[0], took_s=12.5)
    part = Told(experiment="e/x", why="", outcome=HARNESS, attempts=(made,))
    found = Result(asked=Asked(), answer="so", exit_code=4, budget_s=60, took_s=12.5, parts=(part,))
    (of_run,) = JUnitXml.fromfile(str(junit.render(found, tmp_path, Strictness())))
    assert (of_run.time, of_run.errors) == (12.5, 1)


def marks(out: Path) -> set[type]:
    return {type(result) for case in cases(out) for result in case.result}


def test_a_good_suite_passes_and_leaves_everything_that_ci_wants(runs: Runs, tmp_path: Path) -> None:
    code, found = suite(tmp_path / "s", "--only", "storm", "--vitess", "24.0.3")
    assert code == found.exit_code == 0
    assert len(runs.made) == len(found.parts) == 3
    assert marks(tmp_path / "s") == set()
    page = (tmp_path / "s" / "index.html").read_text()
    assert 'href="runs/reparent-storm-2/1/report.html"' in page
    text = (tmp_path / "s" / "summary.md").read_text()
    assert text.startswith("## PASS: Vitess 24.0.3 protects its clients: 3 of 3 experiments passed. Only 3 of")


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
    code, found = suite(tmp_path / "some", "--only", "storm-2", "--only", "topology/killed")
    assert (code, found.parts[0].outcome, found.parts[0].left) == (0, REFUSED, "so it is")
    assert "Not possible here: reparent/storm-2." in found.answer
    code, _ = suite(tmp_path / "none")
    assert code == 4


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
