"""Making the runs of lanes, each in a process of its own, and telling what they come to."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from rich.console import Console

from ci.lanes import answers, folders, results, words
from ci.lanes.folders import Line, Made
from ci.lanes.lane import Lane
from ci.lanes.results import Batch, Run
from experiments import EXPERIMENTS
from harness.base import checkout, jsonio
from harness.base.exit_codes import EXIT_USAGE
from harness.base.taken_up import make
from harness.many.children import Stopping, is_whole, run_command, seed_of, set_aside

BESIDES_S = 600.0  # of a run, beside its experiment's own limit: standing up, judging, reporting
GIVEN_UP_AFTER = 3  # runs of a command line in a row that the harness failed in: the next one would, too
MORE = 1.5  # so many times the runs that were asked for are made, when some prove nothing


class Lanes:
    """Runs of lanes, one of each command line after the other: when the time is up, all have about as many."""

    def __init__(self, lanes: Sequence[Lane], out: Path, budget_s: float, console: Console, *, jobs: int = 1) -> None:
        """`jobs`: so many runs at once, never two of one command line; then each has a log beside it."""
        self._lanes = lanes
        self._out = out.absolute()
        self._console = console
        self._jobs = jobs
        self._stopping = Stopping(console)
        self._ends_s = time.monotonic() + budget_s
        self._record = results.recorded()
        self._codes: dict[str, list[int]] = {}  # of a command line's runs that were made now
        self._left_out: set[str] = set()

    def run(self, runs: int) -> int:
        """So many runs of each that count, or half as many again of any kind. Exit code."""
        lines = deque(line for lane in self._lanes for line in folders.lines(lane))
        with self._stopping.installed(), ThreadPoolExecutor(self._jobs) as threads:
            try:
                self._made_all(lines, runs, threads)
            except BaseException:
                self._stopping.end()  # or we would wait for what runs
                raise
        told = self._told()
        return EXIT_USAGE if any(EXIT_USAGE in codes for codes in self._codes.values()) else told

    def _made_all(self, waiting: deque[Line], runs: int, threads: ThreadPoolExecutor) -> None:
        """A thread does nothing but wait for the process of its run."""
        going: dict[Future[int], tuple[Line, int]] = {}
        while going or (waiting and not self._stopping.asked):
            while waiting and len(going) < self._jobs and not self._stopping.asked:
                line = waiting.popleft()
                number = self._due(line, runs)
                if number:
                    going[threads.submit(self._made, line, number)] = line, number
            for each in wait(going, return_when=FIRST_COMPLETED).done:
                line, number = going.pop(each)
                self._codes[line.key].append(each.result())
                self._say(line, number)
                if each.result() != EXIT_USAGE:
                    waiting.append(line)

    def _due(self, line: Line, runs: int) -> int:
        """The number of the run that is to be made next; 0: there are enough, or there is no time."""
        found = folders.result(line.lane, self._out / line.lane.name)
        at_most = math.ceil(MORE * runs)
        due = [number for number in range(1, at_most + 1) if not folders.is_of(line, self._folder(line, number))]
        tried = self._codes.setdefault(line.key, [])
        if not due or len(tried) >= at_most or answers.counted(line, found.batches) >= runs:
            return 0
        if answers.given_up(tried, GIVEN_UP_AFTER) or not self._fits(line, found.batches):
            self._left_out.add(line.key)
            return 0
        return due[0]

    def _fits(self, line: Line, measured: Sequence[Batch]) -> bool:
        """Whether there is time for it. What was never measured is begun as long as there is any."""
        took_s = results.took_s(line.lane, line.arms[0], (*self._record, *measured)) or 0.0
        return time.monotonic() + took_s < self._ends_s

    def _made(self, line: Line, number: int) -> int:
        """Exit code."""
        folder = self._folder(line, number)
        seed = seed_of(folders.kept(self._out / line.lane.name).seed, number)
        limit_s = EXPERIMENTS[line.words[0]].timeout_s + BESIDES_S
        commit, begun = checkout.commit(), time.monotonic()
        set_aside(folder)  # broken off, or of another command line: the table has changed
        argv = run_command((*line.words, "--plain"), seed=seed, folder=folder)
        code = self._stopping.ran(argv, f"{line.key} {number}", limit_s, log=self._log(folder))
        if is_whole(folder):
            took_s = round(time.monotonic() - begun, 1)
            jsonio.save(folders.made_of(folder), Made(commit=commit, took_s=took_s, exit_code=code))
        return code

    def _log(self, run: Path) -> Path | None:
        """Where a run says what it does; None: where we do, nobody else speaks there."""
        if self._jobs == 1:
            return None
        make(run.parent)
        return run.with_name(f"{run.name}.log")

    def _say(self, line: Line, number: int) -> None:
        """What a run came to, a line for each arm."""
        found = list(self._of(line, number))
        for run in found:
            self._print(words.run_line(line.lane, run))
        if not found:
            self._print(words.no_run_line(line.key, number, self._codes[line.key][-1]))

    def _of(self, line: Line, number: int) -> Iterator[Run]:
        found = folders.result(line.lane, self._out / line.lane.name)
        return (run for run in found.runs if run.folder == f"{line.name}/{number:03d}")

    def _folder(self, line: Line, number: int) -> Path:
        return self._out / line.lane.name / line.name / f"{number:03d}"

    def _told(self) -> int:
        known = tuple(measured(self._lanes, self._out))
        for lane in self._lanes:
            text = words.lane_line(lane, known, answers.wrong(lane, known), answers.unsure(lane, known))
            self._print(text)
        if self._left_out:
            text = f"no time for all runs of {', '.join(sorted(self._left_out))}"
            self._print(text)
        codes = [code for of_line in self._codes.values() for code in of_line]
        return answers.exit_code(self._lanes, known, codes, interrupted=self._stopping.asked)

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def measured(lanes: Sequence[Lane], out: Path) -> Iterator[Batch]:
    """What the folders say, judged by the table as it is now."""
    for lane in lanes:
        if (out / lane.name / "lane.json").is_file():
            yield from folders.result(lane, out / lane.name).batches
