"""Goal: the command `shrink` makes the runs that are missing and no other, and leaves a plan that others can run.
Method: runs are written by a fake that shows the finding from three shards on; everything else is the real command."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import click.testing
import pytest

from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.base.taken_up import owned
from harness.checks.judge import judge
from harness.cli import main
from harness.history import load
from harness.many.children import Stopping
from harness.model import KnownBug, Outcome, Plan, Role
from harness.narrowing import shrink_command
from harness.narrowing.shrinking import Decision, Shrink
from harness.narrowing.sought import Vote
from tests.fakes import calm
from tests.unit.test_shrinking import plan

LASTS_S = 12.0  # a recorded run
UNSURE = "tablets/known"  # of such a run it cannot be judged


@functools.cache
def recorded(shards: int, vtgates: tuple[str, ...], red: str, below: Path) -> Path:
    """A run of so many shards, made once; `red`: the vtgate of which a client sees an error."""
    builder = calm(shards=shards, vtgates=vtgates, checks=("clients/errors",), rate=4.0)
    if red:
        builder.op(6.0, vtgate=red, outcome=Outcome.FAIL, errno=1105, message="gone")
    return builder.write(below / f"recorded-{shards}-{len(vtgates)}-{red}").path


def written(made: Plan, folder: Path, *, red: str = "vtgate-1", checks: tuple[str, ...] = ("clients/errors",)) -> None:
    """The run directory of a plan."""
    below = next(parent for parent in folder.parents if parent.name == "runs")
    vtgates = tuple(made.cluster.vtgate_version(index) for index in range(len(made.cluster.vtgates)))
    shutil.copytree(recorded(made.cluster.shards, vtgates, red, below), folder)
    run = RunDir(folder)
    jsonio.save(run.plan, dataclasses.replace(made, checks=checks))
    jsonio.save(run.verdict, judge(load(run), told=False))


class Runs:
    """Stands for `vtchaos replay`."""

    def __init__(self) -> None:
        self.shows: Callable[[Plan], bool] = lambda made: made.cluster.shards >= 3
        self.red: Callable[[Plan], str] = lambda made: "vtgate-1"
        self.checks: Callable[[Plan], tuple[str, ...]] = lambda made: ("clients/errors",)
        self.made: list[Path] = []
        self.within_s: list[float] = []
        self.now_s = 1.0  # every run takes as long as it lasts

    def __call__(self, command: Sequence[str], within_s: float) -> int:
        self.now_s += LASTS_S
        self.within_s.append(within_s)
        words = list(command)
        made = jsonio.load(Path(words[words.index("replay") + 1]), Plan)
        out = Path(words[words.index("--out") + 1])
        self.made.append(out)
        written(made, out, red=self.red(made) if self.shows(made) else "", checks=self.checks(made))
        return 1


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()

    def refusal(made: Plan) -> str:
        assert made.load is not None
        return "fewer than two operations a second" if made.load.rate_per_shard < 2 else ""

    monkeypatch.setattr(Stopping, "ran", lambda _, command, turn, within_s: made(command, within_s))
    monkeypatch.setattr(shrink_command, "now_ns", lambda: round(made.now_s * 1e9))
    monkeypatch.setattr(shrink_command, "_refusal", refusal)
    monkeypatch.setattr(shrink_command, "_words", lambda made: ("reparent/storm", "--shards", "3"))
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def source(place: Path) -> Path:
    written(plan(shards=8), place / "found")
    return place / "found"


def test_the_smallest_plan_is_written_with_how_to_run_it(runs: Runs, source: Path, place: Path) -> None:
    out = place / "shrink"
    done = shrunk(source, "--out", out)
    assert done.exit_code == 0, done.output
    smallest = jsonio.load(out / "smallest" / "plan.json", Plan)
    assert (smallest.cluster.shards, smallest.cluster.tablets_per_shard) == (3, 2)
    found = jsonio.load(out / "shrink.json", Shrink)
    assert found.answer.startswith("Smaller: shards 8 → 3; rate 10/s a shard → 2/s a shard")
    assert found.rate is not None
    assert (found.rate.shown, found.rate.counted) == (5, 5)  # anew, when it was known
    refused = [tried for tried in found.tried if tried.why]
    assert refused[0].decision is Decision.LEFT
    assert "fewer than two" in refused[0].why
    page = (out / "smallest" / "README.md").read_text()
    assert "    vtchaos run reparent/storm --shards 3\n" in page
    assert "| shards | 8 | 3 |" in page
    assert "It shows in 5 of 5 runs made for this (57% to 100%, 95 % confidence)." in page
    assert "--any-host" not in page
    made = len(runs.made)
    again = shrunk(source, "--out", out)
    assert again.exit_code == 0, again.output
    assert len(runs.made) == made


def shrunk(source: Path, *words: str | Path, standing: bool = True) -> click.testing.Result:
    """`standing`: until it ends by itself."""
    arguments = ["shrink", str(source), *(str(word) for word in words)]
    return click.testing.CliRunner().invoke(main, arguments, catch_exceptions=standing)


def test_a_finding_that_is_too_rare_is_no_answer(runs: Runs, source: Path, place: Path) -> None:
    runs.shows = lambda made: False
    done = shrunk(source, "--out", place / "shrink")
    assert done.exit_code == 3, done.output
    assert "does not show it in 50% of runs" in done.stdout
    assert len(runs.made) == 2
    assert not (place / "shrink" / "smallest").exists()


def test_one_that_shows_it_no_more_when_it_is_looked_at_again_is_not_the_answer(
    runs: Runs, source: Path, place: Path
) -> None:
    runs.shows = lambda made: made.cluster.shards >= 8 or not runs.made[-1].name.startswith("again")
    done = shrunk(source, "--out", place / "shrink")
    assert done.exit_code == 0, done.output
    found = jsonio.load(place / "shrink" / "shrink.json", Shrink)
    assert jsonio.load(place / "shrink" / "smallest" / "plan.json", Plan).cluster.shards == 8
    assert found.tried[-1].what == "the smallest again"


def test_a_budget_ends_it_with_what_it_has(runs: Runs, source: Path, place: Path) -> None:
    done = shrunk(source, "--out", place / "shrink", "--budget", "1ms")
    assert done.exit_code == 3
    assert "Whether the run's own plan shows it often enough is not known: the budget ended." in done.stdout
    assert not runs.made
    whole = shrunk(source, "--out", place / "shrink")
    assert whole.exit_code == 0, whole.output


def test_a_budget_for_the_own_plan_alone_is_no_answer_and_says_how_to_go_on(
    runs: Runs, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = place / "shrink"
    monkeypatch.chdir(place)
    done = shrunk(Path("found"), "--out", out, "--budget", "61s")
    assert done.exit_code == 3, done.output
    assert "Nothing smaller was tried: the budget ended." in done.stdout
    assert f"go on     vtchaos shrink {source} --out {out}" in done.stdout
    assert {path.name for path in runs.made} == {"001", "002", "003", "004", "005"}, "it was not chosen for its runs"
    assert not (out / "smallest").exists()
    assert jsonio.load(out / "shrink.json", Shrink).ended == "the budget ended"
    whole = shrunk(source, "--out", out)
    assert whole.exit_code == 0, whole.output
    assert "go on" not in whole.stdout


@pytest.mark.parametrize("budget_s", [130, 200, 300])
def test_the_runs_at_the_end_are_in_the_budget_too(runs: Runs, source: Path, place: Path, budget_s: int) -> None:
    begin_s = runs.now_s
    runs.shows = lambda made: True
    done = shrunk(source, "--out", place / "shrink", "--budget", f"{budget_s}s")
    assert runs.now_s - begin_s <= budget_s
    assert max(runs.within_s) <= budget_s
    found = jsonio.load(place / "shrink" / "shrink.json", Shrink)
    assert found.ended == "the budget ended"
    assert found.answer.endswith("the budget ended.")
    assert done.exit_code == (0 if found.smaller else 3)


def test_a_finished_answer_stays_until_there_is_more_than_it_knows(
    runs: Runs, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = place / "shrink"
    shrunk(source, "--out", out)
    answer, made = (out / "shrink.json").read_bytes(), len(runs.made)
    late = shrunk(source, "--out", out, "--budget", "1ms")
    assert late.exit_code == 0, late.output
    assert (out / "shrink.json").read_bytes() == answer
    with monkeypatch.context() as patched:
        patched.setattr(shrink_command, "vote", killed)
        with pytest.raises(Killed):
            shrunk(source, "--out", out, standing=False)
    assert (out / "shrink.json").read_bytes() == answer
    shutil.rmtree(next((out / "tried").glob("the-run-s-own-plan-*")) / "002")
    late = shrunk(source, "--out", out, "--budget", "1ms")
    assert late.exit_code == 0, late.output
    assert "Smaller: shards 8 → 3" in late.stdout
    assert (out / "shrink.json").read_bytes() == answer
    assert len(runs.made) == made


class Killed(BaseException):
    """SIGKILL: nothing of ours runs any more."""


def killed(*_: object) -> None:
    raise Killed


def test_an_answer_that_its_own_runs_speak_against_does_not_stay(
    runs: Runs, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = place / "shrink"
    shrunk(source, "--out", out)
    monkeypatch.setattr(shrink_command, "vote", lambda *_: Vote(shown=False, why=""))  # of a later version
    late = shrunk(source, "--out", out, "--budget", "1ms")
    assert late.exit_code == 3, late.output
    assert "does not show it in 50%" in jsonio.load(out / "shrink.json", Shrink).answer


def test_a_smaller_run_counts_only_where_it_proves_something_itself(runs: Runs, place: Path) -> None:
    """A known bug that shows in a run of which something else could not be judged is no reproduction."""
    bug = KnownBug(issue="vitess#1", check="clients/errors", component=Role.VTGATE, says="gone")
    written(dataclasses.replace(plan(shards=8), known_bugs=(bug,)), place / "found")
    runs.shows = lambda made: True
    runs.checks = lambda made: ("clients/errors", *((UNSURE,) if made.cluster.shards < 8 else ()))
    out = place / "shrink"
    done = shrunk(place / "found", "--out", out)
    assert done.exit_code == 0, done.output
    found = jsonio.load(out / "shrink.json", Shrink)
    left = next(tried for tried in found.tried if tried.what == "shards 8 → 1")
    assert (left.decision, left.counted) == (Decision.LEFT, 0)
    assert left.why.startswith("the run proves nothing: Nobody saw what vtgate-1")
    assert jsonio.load(out / "smallest" / "plan.json", Plan).cluster.shards == 8
    made = len(runs.made)
    assert shrunk(place / "found", "--out", out, "--budget", "1ms").exit_code == 0, "left as it was, without a new run"
    assert len(runs.made) == made


def test_only_the_vtgate_that_showed_it_counts(runs: Runs, place: Path) -> None:
    written(plan(shards=8, vtgates=("24.0.3", "21.0.2")), place / "found", red="vtgate-2")
    runs.shows = lambda made: True
    done = shrunk(place / "found", "--out", place / "other")
    assert done.exit_code == 3, done.output
    assert "does not show it in 50% of runs" in done.stdout, "what is red is the other one's"
    runs.red = lambda made: f"vtgate-{len(made.cluster.vtgates)}"  # alone it is the first one
    done = shrunk(place / "found", "--out", place / "same")
    assert done.exit_code == 0, done.output
    smallest = jsonio.load(place / "same" / "smallest" / "plan.json", Plan)
    assert [smallest.cluster.vtgate_version(index) for index in range(len(smallest.cluster.vtgates))] == ["21.0.2"]


def test_a_slow_host_that_was_counted_is_told_to_whoever_is_to_see_it(runs: Runs, source: Path, place: Path) -> None:
    done = shrunk(source, "--any-host", "--out", place / "shrink")
    assert done.exit_code == 0, done.output
    assert "Runs on a slow host count here (`--any-host`)." in (place / "shrink" / "smallest" / "README.md").read_text()


def test_a_run_that_proves_nothing_is_not_shrunk(
    runs: Runs, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrink_command, "unproven", lambda *_, any_host: "" if any_host else "it proves nothing")
    done = shrunk(source, "--out", place / "shrink")
    assert (done.exit_code, done.stderr) == (3, "vtchaos: it proves nothing\n")
    assert not runs.made


def test_ctrl_c_ends_it_with_what_it_has(
    runs: Runs, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_to_stop(stopping: Stopping, command: Sequence[str], turn: str, within_s: float) -> int:
        stopping.asked = len(runs.made) >= 7
        return runs(command, within_s)

    with monkeypatch.context() as patched:
        patched.setattr(Stopping, "ran", asked_to_stop)
        done = shrunk(source, "--out", place / "shrink")
    assert done.exit_code == 130, done.output
    assert len(runs.made) == 8
    found = jsonio.load(place / "shrink" / "shrink.json", Shrink)
    assert found.smallest.startswith("tried/the-run-s-own-plan-")
    assert found.answer == "Nothing smaller was found yet: it was interrupted."
    assert shrunk(source, "--out", place / "shrink").exit_code == 0


def test_what_cannot_be_shrunk_is_refused(runs: Runs, source: Path, place: Path) -> None:
    assert "durability/acknowledged is not red" in shrunk(source, "--check", "durability/acknowledged").stderr
    out = place / "shrink"
    shrunk(source, "--out", out)
    written(plan(shards=4), place / "other")
    other = shrunk(place / "other", "--out", out)
    assert other.exit_code == 2
    assert "shrinks" in other.stderr
    alone = shrunk(out / "smallest" / "plan.json")
    assert alone.exit_code == 2
    assert "what it showed is in a run directory" in alone.stderr
    assert "/dev/null/x cannot be made" in shrunk(source, "--out", "/dev/null/x").stderr
    with owned(out):
        second = shrunk(source, "--out", out)
    assert (second.exit_code, "another vtchaos is at work" in second.stderr) == (2, True)
