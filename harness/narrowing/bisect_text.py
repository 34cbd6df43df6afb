"""A bisection in the terminal: every run, the table of releases, the answer, what is in doubt."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.facts.words import counted
from harness.narrowing.bisecting import Asked, Bisection, BisectRun, Tally
from harness.narrowing.sought import Vote
from harness.reports.text_parts import copyable, hanging, table, title

MARKS = {True: ("!", "red", "shows it"), False: ("✓", "green", "does not"), None: ("?", "yellow", "proves nothing")}
CHANGE = "one release in this row is the first on the other side, and a good release never shows it"


def begin(asked: Asked, console: Console, *, folder: Path) -> None:
    """What is looked for, and among what."""
    row = " ".join(each.version for each in asked.row)
    console.print(f"bisection into {folder}, seed {asked.seed}", highlight=False, soft_wrap=True)
    console.print(f"looked for: {asked.sought.name}; {asked.component} from bad to good: {row}", highlight=False)
    console.print(f"assumed: {CHANGE}; confidence {asked.confidence:.0%}", highlight=False, style="dim")


def run_line(found: Bisection, run: BisectRun, console: Console) -> None:
    """What a run said of each of its releases, and where that leaves us."""
    for version, vote in run.votes.items():
        mark, style, word = MARKS[vote.shown]
        console.print(Text(f"{mark} {version} {word} ({run.folder}){_why(vote)}", style=style), soft_wrap=True)
    console.print(Text(f"  {_where(found)}", style="dim"), soft_wrap=True)


def _why(vote: Vote) -> str:
    return f": {vote.why}" if vote.why else ""


def _where(found: Bisection) -> str:
    if not any(tally.rate.counted for tally in found.tallies):
        return "no run counts yet"
    return "  ".join(f"{tally.version} {_chance(tally)}" for tally in found.tallies)


def _chance(tally: Tally) -> str:
    if tally.rate.shown:
        return "bad"
    if tally.bad < 0.001:
        return "good"
    return f"bad with {tally.bad:.1%}" if tally.bad >= 0.5 else f"good with {1 - tally.bad:.1%}"


def show(found: Bisection, console: Console, *, file: Path) -> None:
    """Everything."""
    console.rule(found.asked.experiment, characters="─")
    console.print(Text(found.asked.sought.name, style="dim"))
    console.print(Text(found.answer, style="bold"))
    title(console, f"Releases of {found.asked.component}, {counted(len(found.runs), 'run')}")
    rows = table("release", ">runs", ">show it", ">proved nothing", "95 % interval", "bad?")
    for tally in found.tallies:
        rows.add_row(*_row(found, tally))
    console.print(rows)
    if found.asked.beside > 1:
        console.print(Text("The vtgates stood side by side, each with clients of its own.", style="dim"))
    if found.doubts:
        title(console, "What is in doubt")
        for doubt in found.doubts:
            console.print(hanging("·", doubt, "yellow"))
    console.print()
    copyable(console, "figures", str(file))


def _row(found: Bisection, tally: Tally) -> tuple[Text | str, ...]:
    style = "red" if tally.bad > found.asked.confidence else "green" if tally.bad < 0.05 else "yellow"
    bounds = f"{tally.rate.low:.0%} to {tally.rate.high:.0%}" if tally.rate.counted else "–"
    here = {found.last_bad: " ← last bad", found.first_good: " ← first good"}.get(tally.version, "")
    return (
        tally.version,
        str(tally.rate.counted),
        str(tally.rate.shown),
        str(tally.uncounted or "–"),
        bounds,
        Text(f"{_chance(tally)}{here}", style=style),
    )
