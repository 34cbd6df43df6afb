"""The report of a soak on the terminal, and as summary.txt."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from harness.facts.words import counted
from harness.nights.report import Report
from harness.nights.standings import Standing, Standings
from harness.nights.words import (
    EXIT_WORDS,
    KNOWN_TITLES,
    ROW_NAMES,
    TITLES,
    again,
    named,
    needed_words,
    row_words,
    spoken,
    summary_line,
    told,
    turn_basis,
    turn_words,
)
from harness.reports.text_parts import copyable, hanging, line, table, title
from harness.reports.words import clean

WIDTH = 100
MOST_TOLD = 20  # of one standing; all are in soak-report.json
MOST_WHY = 10
WHOLE = (
    Standing.UNCOMPARED,
    Standing.NEW,
    Standing.RETURNED,
    Standing.RESOLVED,
)  # with command lines; the others in one line each
_STYLES = {
    Standing.UNCOMPARED: "red",
    Standing.NEW: "red",
    Standing.RETURNED: "red",
    Standing.RESOLVED: "green",
    Standing.ONGOING: "yellow",
}


def show(found: Report, console: Console, *, folder: Path) -> None:
    console.print(Rule(Text(clean(f"soak {found.tonight.path}"), style="bold"), characters="─", style="dim"))
    line(console, found.alarm, style="bold red")
    line(console, found.answer, style="bold")
    for sentence in found.also:
        line(console, sentence)
    line(console, summary_line(found), style="dim")
    for what in found.left_out[:MOST_WHY]:
        line(console, f"left out: {what}", style="yellow")
    _items(console, found.findings, TITLES)
    _turns(console, found)
    _items(console, found.known, KNOWN_TITLES, "Known bugs: ")
    _why(console, "Proved nothing", found.why_unknown)
    _why(console, "The harness failed", found.why_broken)
    _needs(console, found)
    _nights(console, found)
    title(console, "In the end")
    copyable(console, "exit code", f"{found.exit_code} ({EXIT_WORDS[found.exit_code]})")
    copyable(console, "page", str(folder / "soak.html"))
    copyable(console, "figures", str(folder / "soak-report.json"))


def plain(found: Report, folder: Path) -> str:
    """What `show` prints, without colour."""
    text = io.StringIO()
    show(found, Console(file=text, width=WIDTH, color_system=None), folder=folder)
    return "\n".join([*(each.rstrip() for each in text.getvalue().splitlines()), ""])


def _items(console: Console, items: Sequence[Standings], titles: Mapping[Standing, str], of: str = "") -> None:
    for standing, words in titles.items():
        some = [each for each in items if each.standing is standing]
        if not some:
            continue
        title(console, f"{of}{words} ({len(some)})")
        for each in some[:MOST_TOLD] if standing is not Standing.GONE else ():
            _item(console, each)
        if len(some) > MOST_TOLD and standing is not Standing.GONE:
            line(console, f"and {len(some) - MOST_TOLD} more", style="dim")


def _item(console: Console, each: Standings) -> None:
    words = ": ".join(word for word in (named(each), each.item.symptom or each.item.issue) if word)
    console.print(hanging("●", Text(clean(words), style="bold"), _STYLES.get(each.standing, "dim")))
    line(console, f"  {told(each)}")
    line(console, f"  {spoken(each)}", style="dim")
    if each.standing in WHOLE and each.standing is not Standing.RESOLVED and not each.item.issue:
        for command in again(each):
            console.print(Text(f"  {clean(command)}", style="cyan"), soft_wrap=True)


def _turns(console: Console, found: Report) -> None:
    if found.turned:
        title(console, f"Figures that changed tonight ({len(found.turned)})")
    for turn in found.turned[:MOST_TOLD]:
        mark = hanging(
            "▲" if turn.worse else "▼", Text(clean(turn_words(turn)), style="bold"), "red" if turn.worse else "green"
        )
        console.print(mark)
        line(console, f"  {turn_basis(turn)}")
    earlier = len(found.turns) - len(found.turned)
    if earlier:
        line(console, f"{counted(earlier, 'earlier change')} of a figure: in the page.", style="dim")


def _why(console: Console, words: str, why: Mapping[str, int]) -> None:
    if why:
        title(console, f"{words} ({sum(why.values())})")
    for reason, runs in list(why.items())[:MOST_WHY]:
        line(console, f"{counted(runs, 'run')}: {reason}", style="yellow")
    if len(why) > MOST_WHY:
        line(console, f"and {len(why) - MOST_WHY} more reasons", style="dim")


def _needs(console: Console, found: Report) -> None:
    if not found.needed:
        return
    title(console, "What the soak itself needed")
    rows = table("resource", ">first", ">last", ">most or least", "trend (95 %)", wrapped=("resource",))
    for each in found.needed:
        cells = needed_words(each)
        rows.add_row(each.need.title, *cells[:3], Text(cells[3], style="red" if each.grows else ""))
    console.print(rows)


def _nights(console: Console, found: Report) -> None:
    title(console, "Nights")
    rows = table(*ROW_NAMES, wrapped=ROW_NAMES)
    for row in found.nights:
        rows.add_row(*(Text(clean(cell)) for cell in row_words(row)))
    console.print(rows)
