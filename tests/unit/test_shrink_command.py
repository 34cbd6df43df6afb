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
from harness.checks.judge import judge
from harness.cli import main
from harness.history import load
from harness.many.children import Stopping
from harness.model import Outcome, Plan
from harness.narrowing import shrink_command
from harness.narrowing.shrinking import Decision, Shrink
from tests.fakes import calm
from tests.unit.test_shrinking import plan


@functools.cache
def recorded(shards: int, shows: bool, below: Path) -> Path:
    """A run of so many shards, made once; where it shows the finding, a client sees an error."""
    builder = calm(shards=shards, checks=("clients/errors",), rate=4.0)
    if shows:
        builder.op(6.0, outcome=Outcome.FAIL, errno=1105, message="gone")
    return builder.write(below / f"recorded-{shards}-{shows}").path


def written(made: Plan, folder: Path, *, shows: bool) -> None:
    """The run directory of a plan."""
    below = next(parent for parent in folder.parents if parent.name == "runs")
    shutil.copytree(recorded(made.cluster.shards, shows, below), folder)
    run = RunDir(folder)
    jsonio.save(run.plan, dataclasses.replace(made, checks=("clients/errors",)))
    jsonio.save(run.verdict, judge(load(run)))


class Runs:
    """Stands for `vtchaos replay`."""

    def __init__(self) -> None:
        self.shows: Callable[[Plan], bool] = lambda made: made.cluster.shards >= 3
        self.made: list[Path] = []

    def __call__(self, command: Sequence[str]) -> int:
        words = list(command)
        made = jsonio.load(Path(words[words.index("replay") + 1]), Plan)
        out = Path(words[words.index("--out") + 1])
        self.made.append(out)
        written(made, out, shows=self.shows(made))
        return 1


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()

    def refusal(made: Plan) -> str:
        assert made.load is not None
        return "fewer than two operations a second" if made.load.rate_per_shard < 2 else ""

    monkeypatch.setattr(Stopping, "ran", lambda _, command, turn: made(command))
    monkeypatch.setattr(shrink_command, "_refusal", refusal)
    monkeypatch.setattr(shrink_command, "_words", lambda made: ("reparent/storm", "--shards", "3"))
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def source(place: Path) -> Path:
    written(plan(shards=8), place / "found", shows=True)
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
    assert "It shows in 5 of 5 runs made for this (57% to 100% with 95 % confidence)." in page
    made = len(runs.made)
    again = shrunk(source, "--out", out)
    assert again.exit_code == 0, again.output
    assert len(runs.made) == made


def shrunk(source: Path, *words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["shrink", str(source), *(str(word) for word in words)])


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
    assert "is not known yet" in done.stdout
    assert not runs.made
    whole = shrunk(source, "--out", place / "shrink")
    assert whole.exit_code == 0, whole.output


def test_ctrl_c_ends_it_with_what_it_has(
    runs: Runs, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_to_stop(stopping: Stopping, command: Sequence[str], turn: str) -> int:
        stopping.asked = len(runs.made) >= 7
        return runs(command)

    with monkeypatch.context() as patched:
        patched.setattr(Stopping, "ran", asked_to_stop)
        done = shrunk(source, "--out", place / "shrink")
    assert done.exit_code == 130, done.output
    assert len(runs.made) == 8
    found = jsonio.load(place / "shrink" / "shrink.json", Shrink)
    assert (found.smallest.startswith("tried/the-run-s-own-plan-"), found.rate) == (True, None)
    assert shrunk(source, "--out", place / "shrink").exit_code == 0


def test_what_cannot_be_shrunk_is_refused(runs: Runs, source: Path, place: Path) -> None:
    assert "durability/acknowledged is not red" in shrunk(source, "--check", "durability/acknowledged").stderr
    out = place / "shrink"
    shrunk(source, "--out", out)
    written(plan(shards=4), place / "other", shows=True)
    other = shrunk(place / "other", "--out", out)
    assert other.exit_code == 2
    assert "shrinks" in other.stderr
    alone = shrunk(out / "smallest" / "plan.json")
    assert alone.exit_code == 2
    assert "what it showed is in a run directory" in alone.stderr
