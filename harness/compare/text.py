"""A comparison for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from harness.compare.comparison import Comparison, Group, Row
from harness.facts.words import counted
from harness.repeats.text import amount
from harness.reports.text_parts import line, table, title
from harness.reports.words import clean

_TITLES = {
    "rate": "How often (95 % confidence)",
    "figure": "Figures, one a run: medians",
    "lanes": "Within these two runs: their shards. Another two runs may differ otherwise",
    "error": "Errors a run, by class: medians",
    "cause": "Affected operations a run, by cause: medians",
}


def show(found: Comparison, console: Console) -> None:
    line(console, found.answer, style="bold")
    line(console, f"A  {_group(found.a)}")
    line(console, f"B  {_group(found.b)}")
    for warning in found.warnings:
        line(console, f"Warning: {warning}", style="yellow")
    if found.unlike:
        title(console, "What they are")
        rows = table("", "A", "B")
        for key, (a, b) in found.unlike.items():
            rows.add_row(*(Text(clean(words)) for words in (key, a, b)))
        console.print(rows)
    for kind, words in _TITLES.items():
        _rows(console, words, [row for row in found.rows if row.kind == kind])


def _group(group: Group) -> str:
    less = f", {group.counted} of them to be compared" if group.counted < group.runs else ""
    return f"{group.name}: {counted(group.runs, 'run')}{less}; vtgate {', '.join(group.vtgates) or '?'}"


def _rows(console: Console, words: str, rows: Sequence[Row]) -> None:
    told = [
        row for row in rows if row.difference is not None and (row.kind != "rate" or row.name == "any" or _shown(row))
    ]
    if not told:
        return
    title(console, words)
    shown = table("", "vtgate", ">A", ">B", ">B - A", ">95 % interval", "")
    for row in told:
        shown.add_row(Text(clean(row.title)), Text(clean(row.vtgate)), *_cells(row), _judged(row))
    console.print(shown)


def _shown(row: Row) -> bool:
    return any(rate.shown for rate in row.rates or ())


def _cells(row: Row) -> tuple[str, str, str, str]:
    assert row.difference is not None
    found = row.difference
    if row.rates is not None:
        a, b = (f"{rate.shown} of {rate.counted}" for rate in row.rates)
        return a, b, f"{100 * found.change:+.0f} %", f"{100 * found.low:+.0f} to {100 * found.high:+.0f} %"
    interval = "-" if math.isinf(found.low) else f"{_signed(found.low, '')} to {_signed(found.high, row.unit)}"
    return amount(found.a, row.unit), amount(found.b, row.unit), _signed(found.change, row.unit), interval


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value > 0 else ''}{amount(value, unit)}"


def _judged(row: Row) -> str:
    if not row.clear:
        return ""
    if row.kind == "lanes":
        return "differs"
    return "worse" if row.is_worse else "better"
