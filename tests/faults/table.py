"""The table at the end of a test run: for each fault and backend tested, or skipped and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

BAD = ("failed", "error")


@dataclass
class Results:
    """Of all tests of one fault on one backend."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, None] = field(default_factory=dict)  # of what was skipped, each once

    def add(self, outcome: str, why: str = "") -> None:
        self.outcomes[outcome] += 1
        if why:
            self.reasons[why] = None


def lines(faults: Iterable[str], backends: Sequence[str], said: Mapping[tuple[str, str], Results]) -> list[str]:
    """A row for each fault, a column for each backend; below it why something was skipped, each reason once."""
    notes: dict[str, int] = {}
    cells = [[fault, *(_cell(said.get((fault, backend)), notes) for backend in backends)] for fault in faults]
    rows = [["", *backends], *cells]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*table, *(f"[{number}] {why}" for why, number in notes.items())]


def _cell(results: Results | None, notes: dict[str, int]) -> str:
    if results is None:
        return "not run"
    bad = sum(results.outcomes[each] for each in BAD)
    counted = [
        f"{bad} FAILED" if bad else "",
        f"tested ({results.outcomes['passed']})" if results.outcomes["passed"] else "",
        f"{results.outcomes['skipped']} skipped{_marks(results.reasons, notes)}" if results.outcomes["skipped"] else "",
    ]
    return ", ".join(filter(None, counted)) or "not run"


def _marks(reasons: Iterable[str], notes: dict[str, int]) -> str:
    return "".join(f" [{notes.setdefault(why, len(notes) + 1)}]" for why in reasons)
