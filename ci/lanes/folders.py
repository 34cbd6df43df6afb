"""The folder of a lane: its runs, who made each of them, and what they say.

LANE/lane.json           seed and id of the folder
LANE/both|red|green/001  a run directory; 001.made.json beside it: commit and duration
LANE/result.json         every run's votes, and their sums
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ci.lanes import results
from ci.lanes.lane import Arm, Lane
from ci.lanes.results import Batch, Run
from ci.lanes.votes import votes
from harness.base import jsonio
from harness.base.rng import new_seed
from harness.base.taken_up import fitting, make, new_name
from harness.many.children import is_whole
from harness.model import Plan, RunVerdict

BOTH = "both"
OURS = {"--plain": False, "--seed": True, "--out": True}  # words of a run that are no lane's; whether a value follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """`lane.json`. Runs of the same number have the same seed in both arms: they draw the same."""

    folder: str  # unique: batches of the record are known by it
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`NNN.made.json`: what the run itself does not know."""

    commit: str
    took_s: float
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`result.json`."""

    lane: str
    issue: str
    check: str
    runs: tuple[Run, ...]
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One command line of a lane, repeated in a folder; with both arms' votes where they share it."""

    lane: Lane
    name: str  # of its folder
    arms: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.lane.name} {self.name}"

    @property
    def arm(self) -> Arm:
        return self.lane.arms[self.arms[0]]

    @property
    def words(self) -> tuple[str, ...]:
        return (self.lane.experiment_of(self.arm), *self.arm.words)


def lines(lane: Lane) -> tuple[Line, ...]:
    """One where vtgates of both arms stand side by side, otherwise two."""
    red, green = lane.red, lane.green
    if (lane.experiment_of(red), red.words) == (lane.experiment_of(green), green.words):
        return (Line(lane=lane, name=BOTH, arms=(results.RED, results.GREEN)),)
    return tuple(Line(lane=lane, name=arm, arms=(arm,)) for arm in lane.arms)


def kept(folder: Path) -> Kept:
    """Of a lane's folder, made with the first run."""
    path = folder / "lane.json"
    if path.is_file():
        return fitting(path, Kept)
    found = Kept(folder=new_name(), seed=new_seed())
    make(folder)
    jsonio.save(path, found)
    return found


def made_of(run: Path) -> Path:
    return run.with_name(f"{run.name}.made.json")


def is_of(line: Line, run: Path) -> bool:
    """It came to a verdict, and was made with the command line that the table has now: no word less, and no more."""
    plan = jsonio.load_if_whole(run / "plan.json", Plan) if is_whole(run) else None
    if plan is None:
        return False
    _, command, *words = plan.command_line  # vtchaos run EXPERIMENT …
    return command == "run" and tuple(_without_ours(words)) == line.words


def _without_ours(words: Iterable[str]) -> Iterator[str]:
    """What a lane's run is asked for, without where it goes and what it draws."""
    left = iter(words)
    for word in left:
        if word not in OURS:
            yield word
        elif OURS[word]:
            next(left, "")


def runs(lane: Lane, folder: Path) -> Iterator[Run]:
    """All that say something."""
    for line in lines(lane):
        for run in sorted((folder / line.name).glob("[0-9][0-9][0-9]")):
            if is_of(line, run):
                yield from _votes(line, run, folder)


def _votes(line: Line, run: Path, folder: Path) -> Iterator[Run]:
    plan = jsonio.load(run / "plan.json", Plan)
    verdict = jsonio.load(run / "verdict.json", RunVerdict)
    made = jsonio.load_if_whole(made_of(run), Made) or Made(commit="", took_s=0.0, exit_code=verdict.exit_code)
    for name in line.arms:
        yield Run(
            folder=str(run.relative_to(folder)),
            run_id=plan.run_id,
            arm=name,
            date=f"{plan.run_id[:4]}-{plan.run_id[4:6]}-{plan.run_id[6:8]}",
            commit=made.commit,
            took_s=made.took_s,
            exit_code=made.exit_code,
            votes=votes(line.lane, line.lane.arms[name], verdict, plan.cluster),
        )


def result(lane: Lane, folder: Path) -> Result:
    """What the folder says, saved in it."""
    found = tuple(runs(lane, folder))
    of_folder = results.batches(lane, found, folder=kept(folder).folder, machine=_machine(found, folder))
    made = Result(lane=lane.name, issue=lane.issue, check=lane.check, runs=found, batches=of_folder)
    jsonio.save(folder / "result.json", made)
    return made


def _machine(found: tuple[Run, ...], folder: Path) -> str:
    """Where the last run was made."""
    if not found:
        return ""
    host = jsonio.load(folder / found[-1].folder / "host.json", dict)
    return f"{host['cores']} cores, {float(host['memory_bytes']) / 2**30:.0f} GiB, {host['cpu']}"
