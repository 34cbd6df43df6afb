"""What earlier calls left in a suite's folder, for the call that takes it up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ci.suite.judging import judged
from ci.suite.table import Part
from ci.suite.values import RED, Attempt, Outcome, Strictness
from harness.base import jsonio
from harness.base.taken_up import make
from harness.many.children import is_whole, set_aside
from harness.model import RunVerdict


def inside(part: Part, number: int) -> str:
    """An attempt's folder, inside the suite's."""
    return str(_place(part) / str(number))


def _place(part: Part) -> Path:
    return Path("runs") / part.experiment.replace("/", "-")


def save(folder: Path, made: Attempt) -> None:
    """Beside its run: a failure of the harness may have left no trace in the run's own record."""
    path = _said(folder, made.folder)
    make(path.parent)  # the run may have been killed before it made anything
    jsonio.save(path, made)


def _said(folder: Path, inside: str) -> Path:
    return folder / f"{inside}.json"


class Calls:
    """All calls before this one. What they said of the harness stays said; everything else is judged again, for
    --strict and --fixed may be others now."""

    def __init__(self, folder: Path, strictness: Strictness) -> None:
        self._folder = folder
        self._strictness = strictness

    def attempts(self, part: Part, command: str) -> list[Attempt]:
        """Those at this experiment that came to their end; one that was broken off is set aside. `command`: that makes
        one. Raises RunDirError where one still goes on."""
        found = [self._attempt(part, number, command) for number in self._numbers(part)]
        return [attempt for attempt in found if attempt is not None]

    def _numbers(self, part: Part) -> Iterator[int]:
        place = self._folder / _place(part)
        names = {path.name.removesuffix(".json") for path in place.iterdir()} if place.is_dir() else set()
        yield from sorted(int(name) for name in names if name.isdecimal())

    def _attempt(self, part: Part, number: int, command: str) -> Attempt | None:
        folder = inside(part, number)
        run = self._folder / folder
        before = jsonio.load_if_whole(_said(self._folder, folder), Attempt)
        if before is not None and before.outcome is Outcome.HARNESS:
            return replace(before, taken_over=True)
        if not is_whole(run):
            set_aside(run)
            return None
        unknown = Attempt(number=number, outcome=Outcome.BROKEN_OFF, folder=folder, command=command)
        return self._judged(run, before or unknown)

    def _judged(self, run: Path, before: Attempt) -> Attempt:
        """Again, from its record; a finding stays one, although that cannot be read any more."""
        code = jsonio.load(run / "verdict.json", RunVerdict).exit_code
        made = replace(before, taken_over=True)
        found = judged(made, run, code, self._strictness)
        return made if made.outcome in RED and found.outcome is Outcome.HARNESS else found
