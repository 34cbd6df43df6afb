"""`vtchaos bisect`: runs of releases between a bad and a good one, until it is known where the change is.

What is run next follows from what was seen alone, so that a folder is taken up by walking the same way again: runs that
are there are not made again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from clusters import software
from clusters.software import vitess_release
from experiments import EXPERIMENTS
from harness import history, planning
from harness.base import jsonio
from harness.base.errors import UsageError
from harness.base.exit_codes import EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN, EXIT_USAGE
from harness.base.rng import new_seed
from harness.base.rundir import RUNS, RunDir
from harness.base.taken_up import new_name, owned, taken_up
from harness.contracts import Experiment
from harness.many.children import Stopping, is_whole, seed_of, words_of
from harness.narrowing import bisect_text
from harness.narrowing.bisecting import (
    BESIDE_EACH_OTHER,
    Asked,
    Bisection,
    BisectRun,
    Candidate,
    bisection,
    next_places,
    release_key,
    row_of,
)
from harness.narrowing.sought import ANY_HOST, Vote, bare, sought_of, vote
from harness.options import SEED, cluster_options, load_options, place_options

BISECT = "bisect.json"
OURS = (
    *(
        "good",
        "bad",
        "component",
        "check",
        "issue",
        "any_host",
        "trials",
        "confidence",
        "rarest",
        "beside",
        "also",
        "installed",
    ),
    *("seed", "out", "most_runs"),
)
PROGRAMS = {"vtgate": ("vtgate",), "vitess": ("vtgate", "vttablet", "vtctld")}  # that runs need of a release
NOTHING_IN_A_ROW = 5  # so many runs that proved nothing, and the rest would prove nothing as well


@click.command("bisect")
@click.argument("experiment")
@click.option("--good", required=True, metavar="RELEASE|DIR", help="A release, or a folder of binaries, without it.")
@click.option("--bad", required=True, metavar="RELEASE|DIR", help="One that has it; it may be the later one.")
@click.option(
    "--component",
    type=click.Choice(list(PROGRAMS)),
    default="vtgate",
    show_default=True,
    help="What is of the release: the vtgate alone, or everything (an old vttablet wants --mysql 8.0).",
)
@click.option("--check", default="", metavar="CHECK", help="What must be red; default: its known bug, or any.")
@click.option("--issue", default="", metavar="ISSUE", help="Which known bug of the experiment, where it has several.")
@click.option("--any-host", is_flag=True, help=ANY_HOST)
@click.option(
    "--trials", type=click.IntRange(1), default=3, show_default=True, help="Least runs of the releases that decide."
)
@click.option("--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True)
@click.option(
    "--rarest",
    type=click.FloatRange(0.01, 1),
    default=0.2,
    show_default=True,
    help="A bad end that shows it in fewer runs than this is given up.",
)
@click.option(
    "--side-by-side/--alone",
    "beside",
    default=None,
    help=f"Up to {BESIDE_EACH_OTHER} vtgates in one run, which see the same events, each with its own clients (so that "
    "there are more of them). [default: side by side, where it is about vtgate and the experiment has one]",
)
@click.option("--also", multiple=True, metavar="DIR", help="A folder of binaries in between.")
@click.option("--installed", is_flag=True, help="Only releases that need not be built first.")
@place_options
@cluster_options
@load_options
@click.option("--plain", is_flag=True, help="Plain lines instead of the live view.")
@click.option("--seed", type=SEED, help="Every run's seed is drawn from it; releases are compared with the same.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the bisection; one that is there is taken up.")
@click.option("--most-runs", type=click.IntRange(1), default=60, show_default=True, help="It ends after so many runs.")
def bisect_command(*, experiment: str, seed: int | None, out: Path | None, most_runs: int, **given: Any) -> None:
    """Find the release that fixed something, or broke it: `vtchaos bisect EXPERIMENT --good 22.0.0 --bad 21.0.2`.

    Runs both ends, then releases between them, until the place of the change is known with the confidence that was
    asked for. What counts is what runs show, not what the experiment says of its known bugs. Writes bisect.json.
    Ctrl-C ends after the running run; the same command with --out FOLDER takes it up again. Exit code: 0 with an
    answer, 3 without one, 4 where no run came to a result.
    """
    words = words_of(click.get_current_context(), OURS)
    folder = (out or RUNS / new_name("bisect", experiment)).absolute()
    before = _before(folder)
    if seed is None:
        seed = before.asked.seed if before is not None else new_seed()
    asked = _asked(planning.choose(experiment, EXPERIMENTS), words, seed, given)
    _require_same(folder, before, asked)
    with owned(folder):
        before = _before(folder)  # another may have begun meanwhile
        _require_same(folder, before, asked)
        sys.exit(Bisecting(folder, asked, Console(), before, most_runs=most_runs).run())


def _before(folder: Path) -> Bisection | None:
    return taken_up(folder, BISECT, Bisection, what="bisection")


def _asked(experiment: Experiment, words: tuple[str, ...], seed: int, given: dict[str, Any]) -> Asked:
    component = given["component"]
    if f"--{component}" in words:
        raise UsageError(f"--{component} is what is bisected; leave it out")
    ends = (_candidate(given["bad"]), _candidate(given["good"]))
    row = row_of(*ends, [*_releases(component, installed=given["installed"]), *map(_candidate, given["also"])])
    return Asked(
        experiment=experiment.name,
        words=words,
        component=component,
        sought=sought_of(experiment.known_bugs, given["check"], given["issue"], any_host=given["any_host"]),
        row=row,
        seed=seed,
        confidence=given["confidence"],
        trials=given["trials"],
        rarest=given["rarest"],
        beside=_beside(given["beside"], experiment, component),
    )


def _candidate(word: str) -> Candidate:
    """Raises UsageError for what is no release, PlanError and SoftwareError for a folder without a vtgate."""
    if "/" not in word:
        version = word.removeprefix("v")
        release_key(version)
        return Candidate(version=version, word=version)
    sources = software.Sources.of_environment()
    found = asyncio.run(software.vitess(word, ("vtgate",), sources=sources))
    return Candidate(version=found.version, word=word)


def _releases(component: str, *, installed: bool) -> list[Candidate]:
    """Those that can be had."""
    store = software.Sources.of_environment().store
    programs = set(PROGRAMS[component])
    return [
        Candidate(version=version, word=version)
        for version in software.RELEASES
        if not installed or programs <= vitess_release.installed(store, version).keys()
    ]


def _beside(wanted: bool | None, experiment: Experiment, component: str) -> int:
    can = component == "vtgate" and len(experiment.cluster.vtgates) == 1
    if wanted and not can:
        raise UsageError("--side-by-side: only vtgates stand side by side, and only in an experiment that has one")
    return BESIDE_EACH_OTHER if can and wanted is not False else 1


def _require_same(folder: Path, before: Bisection | None, asked: Asked) -> None:
    """Ends, confidence and trials may change; what is run and looked for may not. Raises UsageError."""
    if before is None:
        return
    there = before.asked
    if (there.words, there.component, there.sought, there.seed) != (
        asked.words,
        asked.component,
        asked.sought,
        asked.seed,
    ):
        raise UsageError(
            f"{folder} has a bisection of `vtchaos run {' '.join(there.words)}` for {there.sought.name} with seed "
            f"{there.seed}; give another --out"
        )


class Bisecting:
    """A folder of runs (`21.0.2+22.0.0/001`, …), and what they say so far.

    `before`: what its file says. It stays until there is more than it knows: who is killed while he walks over runs
    that are there must not leave less of an answer than there was.
    """

    def __init__(
        self, folder: Path, asked: Asked, console: Console, before: Bisection | None, *, most_runs: int
    ) -> None:
        self._folder = folder
        self._asked = asked
        self._console = console
        self._before = before
        self._is_saved = before is not None
        self._most_runs = most_runs
        self._stopping = Stopping(console)
        self._runs: list[BisectRun] = []
        self._nothing = 0  # runs made now, the last ones, that proved nothing
        self._judged = False  # a run came to a verdict

    def run(self) -> int:
        """Returns the exit code."""
        bisect_text.begin(self._asked, self._console, folder=self._folder)
        with self._stopping.installed():
            is_whole_walk = self._walked()
        if self._runs and self._runs[-1].exit_code == EXIT_USAGE:
            return EXIT_USAGE
        stays = self._before if self._is_saved and not is_whole_walk else None
        found = stays or self._save()
        bisect_text.show(found, self._console, file=self._folder / BISECT)
        return self._exit_code(found)

    def _walked(self) -> bool:
        """Whether all runs were made, or there; False: it was ended before."""
        while places := next_places(self._asked, self._runs):
            inside, number = self._next(places)
            if self._stopping.asked and self._is_saved:
                return False
            if not is_whole(self._folder / inside):
                if self._stopping.asked or self._ended():
                    return False
                if not self._is_saved:
                    self._save()
                self._is_saved = False
            self._runs.append(self._one(places, inside, number))
            bisect_text.run_line(bisection(self._asked, self._runs), self._runs[-1], self._console)
            if self._runs[-1].exit_code == EXIT_USAGE:
                return False
        return True

    def _exit_code(self, found: Bisection) -> int:
        is_interrupted = self._stopping.asked
        if found.last_bad and not (is_interrupted and found is self._before):
            return EXIT_PASS
        if is_interrupted:
            return EXIT_INTERRUPTED
        return EXIT_UNKNOWN if self._judged or not self._runs else EXIT_HARNESS

    def _ended(self) -> bool:
        why = ""
        if self._nothing == NOTHING_IN_A_ROW:
            why = f"{NOTHING_IN_A_ROW} runs in a row proved nothing"
        elif len(self._runs) >= self._most_runs:
            why = f"{self._most_runs} runs were made (--most-runs)"
        if why:
            self._console.print(Text(f"ended: {why}", style="yellow"))
        return bool(why)

    def _next(self, places: Sequence[int]) -> tuple[str, int]:
        """Folder and number of the next run of these releases."""
        name = "+".join(self._asked.row[place].version for place in places)
        number = 1 + sum(run.folder.startswith(f"{name}/") for run in self._runs)
        return f"{name}/{number:03d}", number

    def _one(self, places: Sequence[int], inside: str, number: int) -> BisectRun:
        """The run, made now unless it is there."""
        folder = self._folder / inside
        seed = seed_of(self._asked.seed, number)
        is_new = not is_whole(folder)
        turn = f"{folder.parent.name}, run {number}"
        code = self._stopping.made(self._asked.words_of(places), seed=seed, folder=folder, turn=turn)
        votes = self._votes(folder, places, code)
        nothing = all(vote.shown is None for vote in votes.values())
        self._nothing = self._nothing + is_new if nothing else 0
        self._judged |= is_whole(folder)
        return BisectRun(folder=inside, seed=seed, exit_code=code, votes=votes)

    def _votes(self, folder: Path, places: Sequence[int], code: int) -> dict[str, Vote]:
        versions = [self._asked.row[place].version for place in places]
        if not is_whole(folder):
            why = f"it ended with exit code {code}"
            return {version: Vote(shown=None, why=why) for version in versions}
        seen = history.load(RunDir.open(folder))
        verdict = bare(seen)
        if len(versions) == 1:
            return {versions[0]: vote(verdict, self._asked.sought)}
        vtgates = [node.name for node in seen.vtgates]  # in the order in which the command line names them
        return {
            version: vote(verdict, self._asked.sought, vtgate)
            for version, vtgate in zip(versions, vtgates, strict=True)
        }

    def _save(self) -> Bisection:
        found = bisection(self._asked, self._runs)
        jsonio.save(self._folder / BISECT, found)
        self._is_saved = True
        return found
