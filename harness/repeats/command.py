"""`vtchaos run --count N`: the same run again and again, each in a process of its own, and one answer of all.

Runs that are in the folder already are not made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from junitparser import JUnitXml
from rich.console import Console
from rich.text import Text

from harness import history
from harness.base import jsonio
from harness.base.errors import RunDirError, UsageError
from harness.base.exit_codes import EXIT_HARNESS, EXIT_USAGE
from harness.base.rundir import RunDir
from harness.base.taken_up import LOCK, fitting, owned
from harness.many.children import Stopping, is_whole, seed_of
from harness.many.records import RunRecord, broken, record
from harness.model import Plan, RunVerdict, Verdict
from harness.repeats import text as repeats_text
from harness.repeats.summary import Batch, Summary, summary
from harness.statistics.stopping import Side, runs_until_clear

F = TypeVar("F", bound=Callable[..., Any])

OURS = (
    "count",
    "until_clear",
    "limit",
    "out",
    "seed",
    "plain",
)  # options in which a batch may differ from its beginning
FAILURES_IN_A_ROW = 3  # so many runs that the harness itself failed in, and the rest would fail as well
DEFAULT_LIMIT = 0.1


def repeat_options(command: F) -> F:
    for option in reversed(
        (
            click.option("--count", type=click.IntRange(1), metavar="N", help="Make N runs and one answer of all."),
            click.option(
                "--until-clear",
                is_flag=True,
                help="With --count: end as soon as the rate of runs that show something is clearly below or above "
                "--rate-limit (an interval that holds at every look).",
            ),
            click.option(
                "--rate-limit",
                "limit",
                type=click.FloatRange(0, 1, min_open=True, max_open=True),
                metavar="P",
                help=f"With --count: the rate that is of interest.  [default: {DEFAULT_LIMIT:g}]",
            ),
        )
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How many runs, and when fewer are enough."""

    count: int
    until_clear: bool
    plain: bool = False  # no live view


class Repeated:
    """A folder of runs: `batch.json`, one run directory each (001, 002, …), and what all of them say."""

    def __init__(self, folder: Path, batch: Batch, asked: Asked, console: Console) -> None:
        self._folder = folder
        self._batch = batch
        self._asked = asked
        self._console = console
        self._stopping = Stopping(console)
        self._runs: list[RunRecord] = []
        self._there = last_there(folder)

    def run(self) -> int:
        """All runs that are not there yet. Returns the exit code."""
        found = self._told(interrupted=False)
        with self._stopping.installed():
            for number in range(1, self._asked.count + 1):
                if self._enough(found) or self._stopping.asked:
                    break
                made = self._one(number)
                if made is None:
                    return EXIT_USAGE
                self._runs.append(made)
                found = self._told(interrupted=False)  # saved before it is told: the terminal may be gone
                text = repeats_text.run_line(number, self._asked.count, made)
                self._console.print(Text(text, style=repeats_text.style_of(made)), soft_wrap=True)
        interrupted = self._stopping.asked and len(self._runs) < self._asked.count
        found = self._told(interrupted=interrupted, ended=not interrupted)
        repeats_text.show(found, self._console, folder=self._folder)
        return found.exit_code

    def _enough(self, found: Summary) -> bool:
        if self._asked.until_clear and found.clear.side is not Side.UNCLEAR:
            return True
        last = self._runs[-FAILURES_IN_A_ROW:]
        if len(last) == FAILURES_IN_A_ROW and all(run.exit_code == EXIT_HARNESS for run in last):
            self._console.print(f"ended: {FAILURES_IN_A_ROW} runs in a row failed in the harness itself", style="red")
            return True
        return False

    def _one(self, number: int) -> RunRecord | None:
        """The run of this number, made now unless it is there. None: it was refused."""
        folder = self._folder / f"{number:03d}"
        seed = seed_of(self._batch.seed, number)
        if not is_whole(folder):
            words = (*self._batch.words, *(("--plain",) if self._asked.plain else ()))
            turn = f"{number} of {self._asked.count}"
            code = self._stopping.made(words, seed=seed, folder=folder, turn=turn)
            if code == EXIT_USAGE:
                return None
            if not (folder / "verdict.json").is_file():
                return broken(folder.name, self._batch.experiment, seed, code, "it came to no verdict")
        return recorded(RunDir(folder), self._folder)

    def _told(self, *, interrupted: bool, ended: bool = False) -> Summary:
        """Saved when it has all that is there: one that is killed before must not leave less than there was."""
        found = summary(self._batch, self._runs, asked=self._asked.count, interrupted=interrupted)
        if self._runs and (ended or len(self._runs) >= self._there):
            save(found, self._folder)
        return found


def last_there(folder: Path) -> int:
    """The number of the last run that is in a folder; 0: none."""
    there = (path for path in folder.glob("[0-9]*") if path.name.isdigit() and is_whole(path))
    return max((int(path.name) for path in there), default=0)


def repeated(experiment: str, words: tuple[str, ...], asked: Asked, *, seed: int, limit: float, folder: Path) -> int:
    """Make the runs, or those that are missing. Raises UsageError for a folder of something else."""
    batch = Batch(experiment=experiment, words=words, seed=seed, limit=limit)
    folder = folder.absolute()
    console = Console()
    require_ours(folder, batch)
    with owned(folder):
        require_ours(folder, batch)  # another may have begun meanwhile
        jsonio.save(folder / BATCH, batch)  # with the limit of this time
        _tell_begin(folder, batch, asked, console)
        return Repeated(folder, batch, asked, console).run()


def _tell_begin(folder: Path, batch: Batch, asked: Asked, console: Console) -> None:
    console.print(f"{asked.count} runs into {folder}, seed {batch.seed}", highlight=False, soft_wrap=True)
    if asked.until_clear:
        many = runs_until_clear(batch.limit)
        text = f"until clear against a rate of {batch.limit:.0%}: if nothing shows, that takes {many} runs that count"
        console.print(text, highlight=False)


BATCH = "batch.json"
SUMMARY = "summary.json"


def batch_of(folder: Path | None) -> Batch | None:
    """What a folder repeats, if it is one of those. Raises RunDirError when that cannot be read."""
    if folder is None or not (folder / BATCH).is_file():
        return None
    return fitting(folder / BATCH, Batch)


def require_ours(folder: Path, batch: Batch) -> None:
    """The folder's runs are of the same kind, or it has none; runs of this experiment that are in it already are taken
    over. Raises UsageError, RunDirError."""
    there = batch_of(folder)
    if there is None:
        _require_runs(folder, batch.experiment)
    elif (there.words, there.seed) != (batch.words, batch.seed):
        raise UsageError(
            f"{folder} has runs of `vtchaos run {' '.join(there.words)}` with seed {there.seed}, not of "
            f"`vtchaos run {' '.join(batch.words)}` with seed {batch.seed}; give another --out"
        )


def _require_runs(folder: Path, experiment: str) -> None:
    there = folder.iterdir() if folder.is_dir() else ()
    strange = [path.name for path in there if path.name != LOCK and not _is_a_run(path, experiment)]
    if strange:
        raise RunDirError(
            f"{folder} is not empty, and {strange[0]} in it is no run of {experiment}; give another --out"
        )


def _is_a_run(path: Path, experiment: str) -> bool:
    plan = jsonio.load_if_whole(path / "plan.json", Plan) if path.is_dir() else None
    return path.stem.isdigit() and (path.suffix == ".log" or (plan is not None and plan.experiment == experiment))


def recorded(run: RunDir, inside: Path) -> RunRecord:
    """What is kept of a run that was judged. A verdict does not say that the harness failed; the record does, and where
    nothing was found that is what the run comes to."""
    verdict = jsonio.load(run.verdict, RunVerdict)
    found = record(history.load(run), verdict, str(run.path.relative_to(inside)))
    return replace(found, exit_code=EXIT_HARNESS) if found.failure and found.verdict is not Verdict.FAIL else found


def save(found: Summary, folder: Path) -> None:
    """summary.json, summary.txt and junit.xml: whole after every run."""
    jsonio.save(folder / SUMMARY, found)
    (folder / "summary.txt").write_text(repeats_text.plain(found, folder), encoding="utf-8")
    suites = JUnitXml("vtchaos")
    for run in found.runs:
        of_run = folder / run.folder / "junit.xml"
        for suite in JUnitXml.fromfile(str(of_run)) if of_run.is_file() else ():
            suite.name = f"{suite.name} {run.folder}"
            suites.add_testsuite(suite)
    suites.update_statistics()
    suites.write(str(folder / "junit.xml"), pretty=True)
