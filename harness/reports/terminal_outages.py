"""How long clients were without service, and what that is of an objective: a part of the closing summary."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from harness.facts.outages import Availability, Outages, Spread, outages
from harness.facts.words import counted, seconds
from harness.history import History
from harness.reports.text_parts import line, table, title
from harness.reports.words import clean

_COLUMNS = (">stalls", ">median", ">worst", ">outages", ">recovered\nwithin", ">in time", "error budget")
MANY_TIMES = 10_000  # a month: what is rarer than every few minutes is worth a number


def show_outages(console: Console, history: History) -> None:
    """Nothing for a run without operations."""
    found = [each for each in outages(history) if each.availability.due]
    if not found:
        return
    objective = found[0].availability.objective
    title(console, f"Service, against {objective.percent:g} % answered within {seconds(objective.within_s)}")
    rows = table("vtgate", *_COLUMNS)
    for each in found:
        rows.add_row(Text(clean(each.vtgate)), *_cells(each), budget_words(each.availability))
    console.print(rows)
    line(
        console,
        "stalls: of at least 0.1 s; outages: those in which operations failed or were never issued; recovered: from "
        "the fault until all is served as before it, the slowest shard.",
        style="dim",
    )


def _cells(found: Outages) -> tuple[str, ...]:
    stalls, ended_badly = found.stalls, found.outages
    return (
        str(stalls.n if stalls else 0),
        seconds(stalls.median) if stalls else "–",
        seconds(stalls.most) if stalls else "–",
        str(ended_badly.n if ended_badly else 0),
        _recovered(found.recovery, found.unrecovered),
        f"{100 * found.availability.share:.3f} %",
    )


def _recovered(recovery: Spread | None, unrecovered: int) -> str:
    if unrecovered:
        return f"{unrecovered} not"
    return seconds(recovery.most) if recovery else "–"


def budget_words(found: Availability) -> str:
    """`uses 12 times the error budget of its 40 s, as if nobody was served for 6.1 s; may happen 424 times a month`."""
    missed = found.due - found.in_time
    if not missed:
        return "untouched"
    if math.isinf(found.budget_spent):
        return f"there is none; {counted(missed, 'operation')} missed it"
    spent = found.budget_spent
    share = f"{spent:,.{0 if spent >= 10 else 1}f} times the" if spent >= 1 else f"{spent:.0%} of the"
    often = f"; may happen {found.times_a_month:,.0f} times a month" if found.times_a_month < MANY_TIMES else ""
    away = f"as if nobody was served for {seconds(found.away_s)}"
    return f"uses {share} error budget of its {found.span_s:,.0f} s, {away}{often}"
