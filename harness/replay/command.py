"""`vtchaos replay`: what an earlier run issued, once more, from its plan.json and its ledger.

Not its command line is repeated but what came of it: cluster, flags, versions, seed, parameters, and of random faults
those that were injected, at their moments. What a fault does may differ all the same: which tablet is primary then.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from clusters import BACKENDS
from experiments import EXPERIMENTS, random
from harness import history, kept, one_run, placement, plan_words, refusals
from harness.base import jsonio
from harness.base.errors import PlanError, RunDirError, UsageError
from harness.base.exit_codes import EXIT_INTERRUPTED, EXIT_USAGE
from harness.base.rundir import RUNS, RunDir
from harness.base.taken_up import fitting, owned, taken_up
from harness.canaries import sabotage
from harness.checks import CHECKS
from harness.checks.judge import judge
from harness.contracts import Experiment
from harness.history import History
from harness.many.children import TURN, Stopping, is_whole
from harness.many.records import RunRecord, broken, record
from harness.model import Drawn, Plan
from harness.repeats import command as repeat_command
from harness.repeats import text as repeats_text
from harness.repeats.summary import Batch, summary
from harness.replay import text as replay_text
from harness.replay.replaying import Compared, again, on_cluster, shown
from harness.replay.schedule import compared, issued, recorded

PLAN = "plan.json"
COMPARED = "replay.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is to be issued again. `seen`: the run that issued it first; None of a plan alone."""

    plan: Plan
    seen: History | None = None
    then: RunRecord | None = None  # judged by the checks of this version; None: it cannot be


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--cluster", "cluster_name", default="", metavar="NAME", help="On a kept cluster like that of the run.")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; default: runs/<run id>.")
@click.option("--times", type=click.IntRange(1), metavar="N", help="N times; OUT then is a folder of run directories.")
@click.option("--plain", is_flag=True, help="Plain lines instead of the live view.")
@click.option("--json", "as_json", is_flag=True, help="The plan that would be run, to be changed; starts nothing.")
def replay(source: Path, cluster_name: str, out: Path | None, times: int | None, plain: bool, as_json: bool) -> None:
    """Issue again what a run issued: SOURCE is its run directory, or a plan.json (as --json prints it, or changed).

    Everything as recorded: versions, flags, seed, parameters, and the very faults that were drawn, at their moments.
    Then says fault by fault what was issued then and now, and whether the same was found. The exit code is the new
    run's; with --times the worst of all, and how often the same was found, with an interval.
    """
    found = source_of(source)
    words = ("vtchaos", *(_absolute(word, source) for word in sys.argv[1:]))
    made = asyncio.run(planned(found.plan, cluster_name=cluster_name, command_line=words))
    if as_json:
        click.echo(jsonio.dumps(found.plan).decode(), nl=False)
        return
    if times is not None:
        folder = (out or RUNS / f"{made.run_id}-x{times}").absolute()
        sys.exit(Replays(folder, found, made, times=times, plain=plain).run())
    folder = (out or RUNS / made.run_id).absolute()
    turn = os.environ.get(TURN, "")
    if not turn:
        plan_words.show(made, Console())
    code = replayed(made, folder, plain=plain, turn=turn)
    if found.seen is not None:
        tell(found, folder, Console())
    sys.exit(code)


def _absolute(word: str, source: Path) -> str:
    """The command line is on record, and its SOURCE must be found from elsewhere."""
    return str(source.absolute()) if Path(word) == source else word


# ---------------------------------------------------------------- what is issued again


def source_of(path: Path) -> Source:
    """A run directory, or a plan in a file or in a folder of replays. Raises RunDirError."""
    run = RunDir.open(path) if path.is_dir() else None
    if run is not None and run.clock.is_file():
        seen = history.load(run)
        plan = seen.plan if seen.plan.schedule else replace(seen.plan, schedule=_schedule(seen))
        return Source(plan=plan, seen=seen, then=_judged(seen, path.name))
    try:
        return Source(plan=fitting(run.plan if run is not None else path, Plan))
    except FileNotFoundError:
        raise RunDirError(f"{path} is neither a run directory nor a plan.json") from None


def _schedule(seen: History) -> tuple[Drawn, ...]:
    """Of random faults; other timelines issue the same by themselves."""
    return recorded(seen) if takes_schedule(EXPERIMENTS.get(seen.plan.experiment)) else ()


def takes_schedule(experiment: Experiment | None) -> bool:
    return experiment is not None and experiment.timeline is random.drawn


def _judged(seen: History, name: str) -> RunRecord | None:
    try:
        return record(seen, judge(seen), name)
    except RunDirError:  # it asks for checks that are no more; what it issued can still be compared
        return None


async def planned(plan: Plan, *, cluster_name: str = "", command_line: Sequence[str] = ()) -> Plan:
    """The plan of the new run, looked at as `vtchaos run` does. Raises PlanError."""
    made = again(
        plan,
        EXPERIMENTS,
        checks=CHECKS,
        takes_schedule=takes_schedule(EXPERIMENTS.get(plan.experiment)),
        command_line=command_line,
        harness_version=importlib.metadata.version("vitess-chaos"),
        own=not cluster_name,
    )
    if cluster_name:
        return _sabotaged(await _on_kept(made, cluster_name))
    placement.require_known(made.backend, BACKENDS)
    reasons = await BACKENDS[made.backend].refusals(made.cluster, made.place)
    if reasons:
        raise PlanError("; ".join(reasons))
    return _sabotaged(made)


def _sabotaged(made: Plan) -> Plan:
    """As the earlier run was. Raises PlanError where that breaks nothing now."""
    return sabotage.planned(made, made.sabotage, EXPERIMENTS[made.experiment])


async def _on_kept(made: Plan, name: str) -> Plan:
    running, found = await kept.known(name)
    if not found.ours:
        refusals.refuse_on_theirs(name, made.experiment, made.items, made.place)
    place = replace(found.place, load_pods=made.place.load_pods)
    return replace(on_cluster(made, name, running), backend=found.backend, place=place)


def replayed(plan: Plan, folder: Path, *, plain: bool, turn: str = "") -> int:
    """The run of a plan (as `planned` made it) in a new folder. Exit code."""
    return one_run.made(plan, EXPERIMENTS[plan.experiment], RunDir.create(folder), plain=plain, turn=turn)


def tell(source: Source, folder: Path, console: Console) -> None:
    """What was issued then and now, and what showed; saved beside the run."""
    assert source.seen is not None
    seen = history.load(RunDir.open(folder))
    now = _judged(seen, folder.name)
    found = Compared(
        source=source.plan.run_id,
        pairs=compared(issued(source.seen), issued(seen)),
        then=shown(source.then) if source.then is not None else (),
        now=shown(now) if now is not None else (),
        then_counts=source.then is not None and source.then.counts,
        now_counts=now is not None and now.counts,
        then_errors=0 if source.then is None else source.then.error_count,
        now_errors=0 if now is None else now.error_count,
    )
    jsonio.save(folder / COMPARED, found)
    replay_text.show(found, console, judged=source.then is not None)


# ---------------------------------------------------------------- several times


class Replays:
    """A folder with a plan and its runs (001, 002, …), a process each; those that are there are not made again."""

    def __init__(self, folder: Path, source: Source, plan: Plan, *, times: int, plain: bool) -> None:
        self._folder = folder
        self._source = source
        self._plan = plan
        self._times = times
        self._plain = plain
        self._console = Console()
        self._stopping = Stopping(self._console)
        self._runs: list[RunRecord] = []

    def run(self) -> int:
        """Exit code: the worst of the runs'."""
        self._require_ours()
        with owned(self._folder):
            self._require_ours()  # another may have begun meanwhile
            jsonio.save(self._folder / PLAN, self._source.plan)
            self._console.print(f"{self._times} times into {self._folder}", highlight=False, soft_wrap=True)
            with self._stopping.installed():
                self._made()
            return self._told()

    def _made(self) -> None:
        for number in range(1, self._times + 1):
            made = None if self._stopping.asked else self._one(number)
            if made is None:
                break
            self._runs.append(made)
            text = repeats_text.run_line(number, self._times, made)
            self._console.print(Text(text, style=repeats_text.style_of(made)), soft_wrap=True)

    def _require_ours(self) -> None:
        """Raises UsageError for a folder of something else."""
        if RunDir(self._folder).clock.is_file():
            raise UsageError(f"{self._folder} is a run directory, and holds no replays; give another --out")
        there = taken_up(self._folder, PLAN, Plan, what="replays")
        if there is not None and there != self._source.plan:
            raise UsageError(f"{self._folder} has replays of another plan; give another --out")

    def _one(self, number: int) -> RunRecord | None:
        """The run of this number, made now unless it is there. None: it was refused."""
        folder = self._folder / f"{number:03d}"
        if not is_whole(folder):
            turn = f"{number} of {self._times}"
            code = self._stopping.replayed(self._folder / PLAN, *self._words(), folder=folder, turn=turn)
            if code == EXIT_USAGE:
                return None
            if not (folder / "verdict.json").is_file():
                return broken(folder.name, self._plan.experiment, self._plan.seed, code, "it came to no verdict")
        return repeat_command.recorded(RunDir(folder), self._folder)

    def _words(self) -> tuple[str, ...]:
        on = ("--cluster", self._plan.cluster_name) if self._plan.cluster_name else ()
        return (*on, *(("--plain",) if self._plain else ()))

    def _told(self) -> int:
        if not self._runs:
            return EXIT_INTERRUPTED if self._stopping.asked else EXIT_USAGE
        batch = Batch(experiment=self._plan.experiment, words=("replay",), seed=self._plan.seed, same_seed=True)
        stopped = self._stopping.asked and len(self._runs) < self._times
        found = summary(batch, self._runs, asked=self._times, interrupted=stopped)
        if not stopped or len(self._runs) >= repeat_command.last_there(self._folder):
            repeat_command.save(found, self._folder)  # otherwise what is there says more
        repeats_text.show(found, self._console, folder=self._folder)
        replay_text.show_times(self._source.then, self._runs, self._console)
        return found.exit_code
