"""Making the runs of lanes, each in a process of its own, and telling what they come to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from ci.lanes import answers, folders, results, words
from ci.lanes.folders import Line, Made
from ci.lanes.results import Batch, Run
from ci.lanes.table import Lane
from experiments import EXPERIMENTS
from harness.base import jsonio
from harness.child_runs import EXIT_USAGE, Stopping, is_whole, seed_of, set_aside

BESIDES_S = 600.0  # of a run, beside its experiment's own limit: standing up, judging, reporting
GIVEN_UP_AFTER = 3


class Lanes:
    """Runs of lanes, one of each command line after the other: when the time is up, all have about as many."""

    def __init__(self, lanes: Sequence[Lane], out: Path, budget_s: float, console: Console) -> None:
        self._lanes = lanes
        self._out = out.absolute()
        self._console = console
        self._stopping = Stopping(console)
        self._ends_s = time.monotonic() + budget_s
        self._record = results.recorded()
        self._codes: list[int] = []
        self._left_out: set[str] = set()

    def run(self, runs: int) -> int:
        """Exit code."""
        missing = [
            (line, number)
            for number in range(1, runs + 1)
            for lane in self._lanes
            for line in folders.lines(lane)
            if not folders.is_of(line, self._folder(line, number))
        ]
        with self._stopping.installed():
            for line, number in missing:
                if self._stopping.asked:
                    break
                if self._begun(line) and self._made(line, number, runs) == EXIT_USAGE:
                    return EXIT_USAGE
        return self._told()

    def _begun(self, line: Line) -> bool:
        """Whether there is time for it. What was never measured is begun as long as there is any."""
        found = folders.result(line.lane, self._out / line.lane.name)
        of_line = [run for run in found.runs if run.arm == line.arms[0]]
        took_s = results.took_s(line.lane, line.arms[0], (*self._record, *found.batches)) or 0.0
        fits = time.monotonic() + took_s < self._ends_s
        if not fits or answers.given_up(of_line, GIVEN_UP_AFTER):
            self._left_out.add(f"{line.lane.name} {line.name}")
            return False
        return True

    def _made(self, line: Line, number: int, runs: int) -> int:
        folder = self._folder(line, number)
        seed = seed_of(folders.kept(self._out / line.lane.name).seed, number)
        limit_s = EXPERIMENTS[line.words[0]].timeout_s + BESIDES_S
        commit, begun = folders.commit(), time.monotonic()
        if is_whole(folder):
            set_aside(folder)  # of another command line: the table has changed
        turn = f"{line.lane.name} {line.name} {number} of {runs}"
        code = self._stopping.made((*line.words, "--plain"), seed=seed, folder=folder, turn=turn, within_s=limit_s)
        self._codes.append(code)
        if is_whole(folder):
            took_s = round(time.monotonic() - begun, 1)
            jsonio.save(folders.made_of(folder), Made(commit=commit, took_s=took_s, exit_code=code))
        for run in self._of(line, number):
            text = words.run_line(line.lane, run)
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        return code

    def _of(self, line: Line, number: int) -> Iterator[Run]:
        found = folders.result(line.lane, self._out / line.lane.name)
        return (run for run in found.runs if run.folder == f"{line.name}/{number:03d}")

    def _folder(self, line: Line, number: int) -> Path:
        return self._out / line.lane.name / line.name / f"{number:03d}"

    def _told(self) -> int:
        known = tuple(measured(self._lanes, self._out))
        for lane in self._lanes:
            text = words.lane_line(lane, known, answers.wrong(lane, known), answers.unsure(lane, known))
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        if self._left_out:
            text = f"no time for all runs of {', '.join(sorted(self._left_out))}"
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        return answers.exit_code(self._lanes, known, self._codes, interrupted=self._stopping.asked)


def measured(lanes: Sequence[Lane], out: Path) -> Iterator[Batch]:
    """What the folders say, judged by the table as it is now."""
    for lane in lanes:
        if (out / lane.name / "lane.json").is_file():
            yield from folders.result(lane, out / lane.name).batches
