"""`vtchaos shrink`: a finding's run made smaller, plan by plan, while it still shows what it showed.

Every plan is in a file, and every trial is `vtchaos replay` of it. What is tried next follows from what was seen alone,
so that a folder is taken up by walking the same way again: runs that are there are not made again.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import orjson
from rich.console import Console

from experiments import EXPERIMENTS
from harness import history
from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.errors import PlanError, UsageError
from harness.base.exit_codes import EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.base.files import write_text
from harness.base.goduration import budget_s
from harness.base.rundir import RUNS, RunDir
from harness.base.taken_up import make, new_name, taken_up
from harness.checks.judge import judge
from harness.history import History
from harness.many.children import Stopping, is_whole, planned
from harness.model import Plan, VtgateSpec
from harness.narrowing import shrink_text, shrinking
from harness.narrowing.plan_options import run_words
from harness.narrowing.shrinking import Asked, Decision, Shrink, Trial, Tried, decide, key, shows_of, shrunk
from harness.narrowing.sought import ANY_HOST, bare, vote
from harness.replay import command as replay_command
from harness.statistics.rates import Rate, rate

SHRINK, PLAN, README, SMALLEST = "shrink.json", "plan.json", "README.md", "smallest"


@click.command("shrink")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--check", default="", metavar="CHECK", help="The red check; default: the gravest of the run.")
@click.option("--any-host", is_flag=True, help=ANY_HOST)
@click.option(
    "--rate",
    "least_rate",
    type=click.FloatRange(0.05, 0.95),
    default=0.5,
    show_default=True,
    help="A smaller plan must show it in this share of its runs at least.",
)
@click.option("--trials", type=click.IntRange(1), default=5, show_default=True, help="Least runs of a plan to take it.")
@click.option("--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True)
@click.option("--budget", default="1h", show_default=True, metavar="DURATION", help="It ends after so long.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the shrinking; one that is there is taken up.")
def shrink_command(
    *,
    run_dir: Path,
    check: str,
    any_host: bool,
    least_rate: float,
    trials: int,
    confidence: float,
    budget: str,
    out: Path | None,
) -> None:
    """Reduce a finding to the smallest experiment that still shows it: `vtchaos shrink RUN_DIR`.

    Fewer shards, tablets, vtgates, faults, clients and rows, shorter phases: each smaller plan is run until it is clear
    whether it shows the same red check often enough. A known bug is shrunk as a finding is. Writes shrink.json,
    smallest/plan.json and smallest/README.md with the command line for others. Ctrl-C ends after the running run; the
    same command with --out FOLDER takes it up again. Exit code: 0 with an answer, 3 where the run's own plan does not
    show it often enough.
    """
    source = replay_command.source_of(run_dir)
    if source.seen is None:
        raise UsageError(f"{run_dir} is a plan; what it showed is in a run directory")
    sought, node = shows_of(source.plan, bare(source.seen), judge(source.seen), check, any_host=any_host)
    asked = Asked(source=source.plan.run_id, sought=sought, rate=least_rate, confidence=confidence, trials=trials)
    folder = (out or RUNS / new_name("shrink", source.plan.experiment)).absolute()
    _require_same(folder, asked)
    make(folder)
    keep = _vtgate(source.seen, node)
    sys.exit(Shrinking(folder, asked, source.plan, keep, budget_s=budget_s(budget)).run())


def _vtgate(seen: History, node: str) -> VtgateSpec | None:
    names = [each.name for each in seen.vtgates]
    return seen.plan.cluster.vtgates[names.index(node)] if node in names else None


def _require_same(folder: Path, asked: Asked) -> None:
    """The rate, the trials and the confidence may change. Raises UsageError, RunDirError."""
    before = taken_up(folder, SHRINK, Shrink, what="shrinking")
    if before is None:
        return
    there = before.asked
    if (there.source, there.sought) != (asked.source, asked.sought):
        raise UsageError(f"{folder} shrinks {there.source} for {there.sought.name}; give another --out")


class _Over(Exception):
    """Ctrl-C, or the budget: the search ends with what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A plan that shows it often enough."""

    plan: Plan
    folder: Path


class Shrinking:
    """A folder of plans (`tried/shards-8-1-4f2a11c0/plan.json`), each with its runs (`001`, …)."""

    def __init__(self, folder: Path, asked: Asked, plan: Plan, keep: VtgateSpec | None, *, budget_s: float) -> None:
        self._folder = folder
        self._asked = asked
        self._plan = plan
        self._keep = keep
        self._console = Console()
        self._stopping = Stopping(self._console)
        self._ends_ns = now_ns() + round(budget_s * 1e9)
        self._tried: list[Tried] = []
        self._taken: list[_Taken] = []
        self._judged = False  # a run came to a verdict
        self._last_s: list[float] = []  # what the runs of the last plan that was taken took, for the time that is left

    def run(self) -> int:
        """Returns the exit code."""
        shrink_text.begin(self._asked, self._plan, self._console, folder=self._folder)
        self._save()
        with self._stopping.installed():
            shows = self._searched()
            confirmed = self._confirmed() if shows else None
        found = self._save(confirmed)
        if shows and confirmed is not None:
            self._write_smallest(found, confirmed[0])
        shrink_text.show(found, self._console, folder=self._folder)
        if self._stopping.asked:
            return EXIT_INTERRUPTED
        if confirmed is not None:
            return EXIT_PASS
        return EXIT_UNKNOWN if self._judged or not self._tried else EXIT_HARNESS

    # ------------------------------------------------------------ the search

    def _searched(self) -> bool:
        """Whether the run's own plan shows it often enough; what is smaller is in `_taken`."""
        try:
            if not self._ask(self._plan, "the run's own plan"):
                return False
            shrunk(self._plan, self._ask, self._keep)
        except _Over:
            pass
        return bool(self._taken)

    def _ask(self, plan: Plan, what: str) -> bool:
        folder = self._folder / "tried" / f"{_slug(what)}-{key(plan)}"
        refusal = _refusal(plan)
        if refusal:
            self._tell(Tried(what=what, folder="", decision=Decision.LEFT, shown=0, counted=0, why=refusal))
            return False
        folder.mkdir(parents=True, exist_ok=True)
        jsonio.save(folder / PLAN, plan)
        trials: list[Trial] = []
        while (decision := self._decided(trials)) is Decision.OPEN:
            self._require_time()
            trials.append(self._trial(folder, f"{len(trials) + 1:03d}", what))
        if decision is Decision.TAKEN:
            self._taken.append(_Taken(plan=plan, folder=folder))
            self._last_s = [trial.took_s for trial in trials]
        self._tell(_tried(what, self._inside(folder), decision, trials))
        return decision is Decision.TAKEN

    def _decided(self, trials: Sequence[Trial]) -> Decision:
        shown, silent = sum(t.shown is True for t in trials), sum(t.shown is False for t in trials)
        return decide(self._asked, shown, silent, sum(t.shown is None and t.is_new for t in trials))

    def _require_time(self) -> None:
        """Time enough must be left to show at the end that the smallest plan does what it is said to do."""
        confirming_s = self._asked.trials * statistics.median(self._last_s) if self._last_s else 0.0
        if self._stopping.asked or now_ns() + confirming_s * 1e9 > self._ends_ns:
            raise _Over

    def _trial(self, folder: Path, name: str, what: str) -> Trial:
        """One run of a plan, made now unless it is there."""
        run = folder / name
        begin_ns = now_ns()
        is_new, turn = not is_whole(run), f"{what}, run {int(name.rpartition('-')[2])}"
        code = self._stopping.replayed(folder / PLAN, "--plain", folder=run, turn=turn)
        took_s = (now_ns() - begin_ns) / 1e9
        if not is_whole(run):
            if self._stopping.asked:
                raise _Over
            return Trial(shown=None, why=f"it ended with exit code {code}", took_s=took_s)
        self._judged = True
        seen = history.load(RunDir.open(run))
        said = vote(bare(seen), self._asked.sought)
        lasted_s = (seen.end_ns - seen.start_ns) / 1e9
        trial = Trial(shown=said.shown, why=said.why, took_s=max(took_s, lasted_s), is_new=is_new)
        shrink_text.run_line(trial, self._inside(run), self._console)
        return trial

    # ------------------------------------------------------------ the end

    def _confirmed(self) -> tuple[_Taken, Rate] | None:
        """The smallest plan whose fresh runs show it too: what was chosen for its runs looks better than it is."""
        for taken in reversed(self._taken):
            trials: list[Trial] = []
            while (decision := self._decided(trials)) is Decision.OPEN and not self._stopping.asked:
                trials.append(self._trial_or_none(taken.folder, len(trials) + 1))
            shown, counted = sum(t.shown is True for t in trials), sum(t.shown is not None for t in trials)
            if decision is not Decision.LEFT:
                self._last_s = [trial.took_s for trial in trials] or self._last_s
                return taken, rate(shown, counted)
            self._tell(_tried("the smallest again", self._inside(taken.folder), decision, trials))
        self._taken.clear()
        return None

    def _trial_or_none(self, folder: Path, number: int) -> Trial:
        try:
            return self._trial(folder, f"again-{number:03d}", "the smallest again")
        except _Over:
            return Trial(shown=None, why="ended", took_s=0.0)

    def _write_smallest(self, found: Shrink, taken: _Taken) -> None:
        folder = self._folder / SMALLEST
        folder.mkdir(exist_ok=True)
        jsonio.save(folder / PLAN, taken.plan)
        words = _words(taken.plan)
        write_text(folder / README, shrink_text.readme(found, self._plan, taken.plan, words))

    def _tell(self, tried: Tried) -> None:
        self._tried.append(tried)
        self._save()
        shrink_text.tried_line(tried, self._console)

    def _save(self, confirmed: tuple[_Taken, Rate] | None = None) -> Shrink:
        taken = confirmed[0] if confirmed else self._taken[-1] if self._taken else None
        less = tuple(shrinking.smaller(self._plan, taken.plan)) if taken else ()
        rate_then = confirmed[1] if confirmed and confirmed[1].counted else None
        shows = True if taken else False if self._tried else None
        found = Shrink(
            asked=self._asked,
            tried=tuple(self._tried),
            smallest=self._inside(taken.folder) if taken else "",
            smaller=less,
            rate=rate_then,
            run_s=round(statistics.median(self._last_s), 1) if self._last_s else None,
            answer=shrinking.answer(self._asked, less, rate_then, shows=shows),
        )
        jsonio.save(self._folder / SHRINK, found)
        return found

    def _inside(self, path: Path) -> str:
        return str(path.relative_to(self._folder))


def _tried(what: str, folder: str, decision: Decision, trials: Sequence[Trial]) -> Tried:
    counting = [trial for trial in trials if trial.shown is not None]
    why = "" if counting else next((trial.why for trial in trials), "")
    shown = sum(trial.shown is True for trial in counting)
    return Tried(what=what, folder=folder, decision=decision, shown=shown, counted=len(counting), why=why)


def _slug(what: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", what.lower()).strip("-")


def _refusal(plan: Plan) -> str:
    """Why there can be no such run; "" = there can."""
    try:
        asyncio.run(replay_command.planned(plan))
    except PlanError as error:
        return str(error)
    return ""


def _words(plan: Plan) -> tuple[str, ...] | None:
    """The words of `vtchaos run` that make this very plan; None: there are none."""
    words = run_words(plan, EXPERIMENTS[plan.experiment])
    done = planned(*words, "--json")
    made = None if done.returncode else jsonio.structure(orjson.loads(done.stdout), Plan)
    return words if made is not None and key(made) == key(plan) else None
