"""`vtchaos shrink`: a finding's run made smaller, plan by plan, while it still shows what it showed.

Every plan is in a file, and every trial is `vtchaos replay` of it. What is tried next follows from what was seen alone,
so that a folder is taken up by walking the same way again: runs that are there are not made again.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from harness.base.taken_up import new_name, owned, taken_up
from harness.history import History
from harness.many.children import Stopping, is_whole, planned, words_of
from harness.model import Plan, RunVerdict, Verdict
from harness.narrowing import shrink_text, shrinking
from harness.narrowing.plan_options import run_words
from harness.narrowing.shrinking import (
    OWN,
    Asked,
    Decision,
    Found,
    Shrink,
    Trial,
    Tried,
    decide,
    key,
    shows_of,
    shrunk,
    unproven,
)
from harness.narrowing.sought import ANY_HOST, Vote, bare, comes_to, slow_host, vote
from harness.replay import command as replay_command
from harness.statistics.rates import rate

SHRINK, PLAN, README, SMALLEST = "shrink.json", "plan.json", "README.md", "smallest"
OURS = ("run_dir", "budget", "out")  # not among the words that are taken up again


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
    same command with --out FOLDER takes it up again. Exit code: 0 with an answer; 3 where the run's own plan does not
    show it often enough, the run proves nothing, or the budget ended before anything smaller was found.
    """
    source = replay_command.source_of(run_dir)
    if source.seen is None:
        raise UsageError(f"{run_dir} is a plan; what it showed is in a run directory")
    verdict = bare(source.seen)
    why = unproven(verdict, check, any_host=any_host)
    if why:
        click.echo(f"vtchaos: {why}", err=True)
        sys.exit(EXIT_UNKNOWN)
    sought, node = shows_of(source.plan, verdict, comes_to(source.seen, any_host=False), check, any_host=any_host)
    asked = Asked(source=source.plan.run_id, sought=sought, rate=least_rate, confidence=confidence, trials=trials)
    folder = (out or RUNS / new_name("shrink", source.plan.experiment)).absolute()
    _before(folder, asked)
    words = words_of(click.get_current_context(), OURS)
    again = shlex.join(("vtchaos", "shrink", str(run_dir.absolute()), *words, "--out", str(folder)))
    with owned(folder):
        before = _before(folder, asked)  # another may have begun meanwhile
        found = Found.of(source.plan, source.seen, node)
        sys.exit(Shrinking(folder, asked, found, before, again, budget_s=budget_s(budget)).run())


def _before(folder: Path, asked: Asked) -> Shrink | None:
    """What there is. The rate, the trials and the confidence may change. Raises UsageError, RunDirError."""
    before = taken_up(folder, SHRINK, Shrink, what="shrinking")
    if before is not None and (before.asked.source, before.asked.sought) != (asked.source, asked.sought):
        there = before.asked
        raise UsageError(f"{folder} shrinks {there.source} for {there.sought.name}; give another --out")
    return before


class _Over(Exception):
    """Ctrl-C, or the budget, in words: the search ends with what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A plan that shows it often enough."""

    plan: Plan
    folder: Path
    trials: Sequence[Trial]


class Shrinking:
    """A folder of plans (`tried/shards-8-1-4f2a11c0/plan.json`), each with its runs (`001`, …).

    `before`: what its file says. It stays until there is more than it knows: who is ended while he walks over runs that
    are there must not leave less of an answer than there was.
    """

    def __init__(
        self, folder: Path, asked: Asked, found: Found, before: Shrink | None, again: str, *, budget_s: float
    ) -> None:
        self._folder = folder
        self._asked = asked
        self._found = found
        self._before = before
        self._again = again
        self._console = Console()
        self._stopping = Stopping(self._console)
        self._ends_ns = now_ns() + round(budget_s * 1e9)
        self._tried: list[Tried] = []
        self._taken: list[_Taken] = []
        self._is_saved = before is not None
        self._judged = False  # a run came to a verdict
        self._ended = ""  # before everything was tried: why
        self._run_s = found.lasted_s  # what a run takes: the last plan that was taken

    def run(self) -> int:
        """Returns the exit code."""
        shrink_text.begin(self._asked, self._found.plan, self._console, folder=self._folder)
        with self._stopping.installed():
            shows = self._searched()
            confirmed = self._confirmed() if shows else None
        found = self._kept() or self._save(self._ended, confirmed)
        is_answer = bool(found.smaller) or (bool(found.smallest) and not found.ended)
        if is_answer and confirmed is not None and found is not self._before:
            self._write_smallest(found, confirmed)
        shrink_text.show(found, self._console, folder=self._folder, again=self._again)
        if self._stopping.asked:
            return EXIT_INTERRUPTED
        if is_answer:
            return EXIT_PASS
        return EXIT_UNKNOWN if self._judged or not self._tried else EXIT_HARNESS

    def _kept(self) -> Shrink | None:
        """What was known before, where nothing is known beyond it, nor against it: of the same runs another version may
        say something else."""
        before = self._before
        if before is None or not self._is_saved:
            return None
        both = zip(self._tried, before.tried, strict=False)
        if any((now.folder, now.decision) != (then.folder, then.decision) for now, then in both):
            return None
        return before if self._ended or (before.asked == self._asked and not before.ended) else None

    # ------------------------------------------------------------ the search

    def _searched(self) -> bool:
        """Whether the run's own plan shows it often enough; what is smaller is in `_taken`."""
        try:
            if not self._ask(self._found.plan, OWN):
                return False
            shrunk(self._found.plan, self._ask, self._found.keep)
        except _Over as over:
            self._ended = str(over)
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
            name = f"{len(trials) + 1:03d}"
            over = self._why_over(folder / name, more=self._asked.trials if self._taken else 0)
            if over:
                decision = self._without_more(trials, over)
                break
            trials.append(self._trial(folder, name, what))
        if decision is Decision.TAKEN:
            self._taken.append(_Taken(plan=plan, folder=folder, trials=trials))
            self._run_s = statistics.median(trial.took_s for trial in trials)
        self._tell(_tried(what, self._inside(folder), decision, trials))
        return decision is Decision.TAKEN

    def _decided(self, trials: Sequence[Trial], *, old: bool = False) -> Decision:
        """`old`: runs that proved nothing and were there already are reason enough to leave a plan."""
        shown, silent = sum(t.shown is True for t in trials), sum(t.shown is False for t in trials)
        return decide(self._asked, shown, silent, sum(t.shown is None and (old or t.is_new) for t in trials))

    def _without_more(self, trials: Sequence[Trial], over: str) -> Decision:
        """What runs that are there come to, where no more can be made: what it came to before. Raises _Over."""
        decision = self._decided(trials, old=True)
        if decision is Decision.OPEN:
            raise _Over(over)
        return decision

    def _why_over(self, run: Path, *, more: int) -> str:
        """Why this run is not begun; "" = it is. It must end in time, and so must `more` after it: those that show at
        the end that the smallest plan does what it is said to do. One that is there costs nothing."""
        if self._stopping.asked and (self._is_saved or not is_whole(run)):
            return "it was interrupted"
        is_late = (1 + more) * self._run_s > self._left_s()
        return "the budget ended" if is_late and not is_whole(run) else ""

    def _left_s(self) -> float:
        return (self._ends_ns - now_ns()) / 1e9

    def _trial(self, folder: Path, name: str, what: str) -> Trial:
        """One run of a plan, made now unless it is there. Raises _Over when it was broken off."""
        run = folder / name
        begin_ns = now_ns()
        is_new, turn = not is_whole(run), f"{what}, run {int(name.rpartition('-')[2])}"
        if is_new:
            self._begins(turn)
        code = self._stopping.replayed(
            folder / PLAN, "--plain", folder=run, turn=turn, within_s=max(1.0, self._left_s())
        )
        took_s = (now_ns() - begin_ns) / 1e9
        if not is_whole(run):
            if self._stopping.asked or self._left_s() <= 0:
                raise _Over("it was interrupted" if self._stopping.asked else "the budget ended")
            return Trial(shown=None, why=f"it ended with exit code {code}", took_s=took_s)
        self._judged = True
        trial = self._said(history.load(RunDir.open(run)), took_s, is_new=is_new)
        shrink_text.run_line(trial, self._inside(run), self._console)
        return trial

    def _begins(self, turn: str) -> None:
        """What there is is on disk before a run is made: one may be killed in it."""
        if not self._is_saved:
            self._save("it has not ended")
        self._is_saved = False
        shrink_text.turn_line(turn, self._console)

    def _said(self, seen: History, took_s: float, *, is_new: bool) -> Trial:
        """A run that shows it counts where whoever makes it alone is told so: it is a finding, or a known bug."""
        verdict = bare(seen)
        said = vote(verdict, self._asked.sought, self._found.node(seen))
        if said.shown:
            alone = comes_to(seen, any_host=self._asked.sought.any_host)
            if alone.verdict is Verdict.UNKNOWN:
                said = Vote(shown=None, why=f"the run proves nothing: {_unknown(alone)}")
        lasted_s = (seen.end_ns - seen.start_ns) / 1e9
        took_s = max(took_s, lasted_s)
        return Trial(shown=said.shown, why=said.why, took_s=took_s, is_new=is_new, slow=slow_host(verdict))

    # ------------------------------------------------------------ the end

    def _confirmed(self) -> _Taken | None:
        """The smallest plan whose fresh runs show it too: what was chosen for its runs looks better than it is. The
        run's own plan was not chosen."""
        for taken in reversed(self._taken[1:]):
            trials: list[Trial] = []
            try:
                decision = self._again_decided(taken, trials)
            except _Over as over:
                self._ended = self._ended or str(over)
                return replace(taken, trials=trials)
            if decision is not Decision.LEFT:
                self._run_s = statistics.median(trial.took_s for trial in trials)
                return replace(taken, trials=trials)
            self._tell(_tried("the smallest again", self._inside(taken.folder), decision, trials))
            self._taken.remove(taken)
        return self._taken[0]

    def _again_decided(self, taken: _Taken, trials: list[Trial]) -> Decision:
        """Adds to `trials` until it is clear. Raises _Over."""
        while (decision := self._decided(trials)) is Decision.OPEN:
            name = f"again-{len(trials) + 1:03d}"
            over = self._why_over(taken.folder / name, more=0)
            if over:
                return self._without_more(trials, over)
            trials.append(self._trial(taken.folder, name, "the smallest again"))
        return decision

    def _write_smallest(self, found: Shrink, taken: _Taken) -> None:
        folder = self._folder / SMALLEST
        folder.mkdir(exist_ok=True)
        jsonio.save(folder / PLAN, taken.plan)
        words = _words(taken.plan)
        write_text(folder / README, shrink_text.readme(found, self._found.plan, taken.plan, words))

    def _tell(self, tried: Tried) -> None:
        self._tried.append(tried)
        shrink_text.tried_line(tried, self._console)

    def _save(self, ended: str, confirmed: _Taken | None = None) -> Shrink:
        taken = confirmed or (self._taken[-1] if self._taken else None)
        less = tuple(shrinking.smaller(self._found.plan, taken.plan)) if taken else ()
        counting = [trial for trial in confirmed.trials if trial.shown is not None] if confirmed else []
        shows = True if taken else False if self._tried else None
        found = Shrink(
            asked=self._asked,
            tried=tuple(self._tried),
            smallest=self._inside(taken.folder) if taken else "",
            smaller=less,
            rate=rate(sum(trial.shown is True for trial in counting), len(counting)) if counting else None,
            run_s=round(self._run_s, 1) if taken else None,
            answer=shrinking.answer(self._asked, less, self._tried, shows=shows, ended=ended),
            slow=sum(trial.slow for trial in counting),
            ended=ended,
        )
        jsonio.save(self._folder / SHRINK, found)
        self._is_saved = True
        return found

    def _inside(self, path: Path) -> str:
        return str(path.relative_to(self._folder))


def _unknown(verdict: RunVerdict) -> str:
    return next(result.summary for result in verdict.results if result.verdict is Verdict.UNKNOWN)


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
