"""A sweep in the terminal: the curve of stalls with its intervals, the answer, what follows, and what is in doubt."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.facts.words import seconds
from harness.reports.text_parts import copyable, hanging, table, title
from harness.sweep.sweep import Point, Sweep, SweptRun

BAR = 28  # columns


def run_line(found: Sweep, run: SweptRun) -> Text:
    """One line when a run has ended."""
    asked = found.asked
    where = f"{asked.axis.name} {asked.axis.text(run.value)} ({run.folder})"
    if run.notice is None:
        return Text(f"? {where}: {run.why}", style="yellow")
    felt = run.notice
    counts = ((felt.errors, "errors"), (felt.not_issued, "not issued"))
    lost = "".join(f", {number} {what}" for number, what in counts if number)
    said = f"stall {seconds(felt.stall_s)}{lost}"
    if not felt.beyond(asked.stall_s):
        return Text(f"✓ {where}: nobody noticed; {said}", style="green")
    slow = f" (on a slow host: {run.doubts[0]})" if run.doubts else ""
    return Text(f"! {where}: noticed; {said}{slow}", style="red")


def show(found: Sweep, console: Console, *, folder: Path) -> None:
    """Everything."""
    asked = found.asked
    console.rule(f"{asked.experiment} over {asked.axis.name}", characters="─")
    console.print(Text(found.answer, style="bold"))
    console.print(Text(found.advice))
    title(console, f"Longest stall of a shard's clients, by {asked.axis.name}")
    rows = table(f">{asked.axis.name}", ">runs", ">noticed", "95 % interval", ">stall", "95 % interval", "curve")
    longest = max((p.stall_s.high for p in found.points if p.stall_s), default=0.0)
    for point in found.points:
        rows.add_row(*_row(found, point, max(longest, asked.stall_s)))
    console.print(rows)
    legend = f"█ median  ░ to the interval's end  ┊ {seconds(asked.stall_s)}, from which a stall is noticed"
    starved = "  * some of them on a host that was too slow" if any(point.starved for point in found.points) else ""
    console.print(Text(legend + starved, style="dim"))
    if found.doubts:
        title(console, "What is in doubt")
        for doubt in found.doubts:
            console.print(hanging("·", doubt, "yellow"))
    console.print()
    copyable(console, "page", str(folder / "sweep.html"))
    copyable(console, "figures", str(folder / "sweep.json"))


def _row(found: Sweep, point: Point, longest_s: float) -> tuple[Text | str, ...]:
    style = "red" if point.is_noticed else "yellow" if point.noticed else "green"
    stall = point.stall_s
    starved = "*" if point.starved else ""
    return (
        found.asked.axis.text(point.value),
        str(point.runs),
        Text(f"{point.noticed}{starved}", style=style),
        f"{point.share.low:.0%} to {point.share.high:.0%}",
        seconds(stall.value) if stall else "–",
        f"{seconds(stall.low)} to {seconds(stall.high)}" if stall and stall.n > 1 else "–",
        Text(_bar(point, longest_s, found.asked.stall_s), style=style),
    )


def _bar(point: Point, longest_s: float, limit_s: float) -> str:
    if point.stall_s is None or longest_s <= 0:
        return ""
    ends = [round(BAR * value / longest_s) for value in (point.stall_s.value, point.stall_s.high, limit_s)]
    bar = list(("█" * ends[0] + "░" * (ends[1] - ends[0])).ljust(BAR + 1))
    if bar[ends[2]] == " ":
        bar[ends[2]] = "┊"
    return "".join(bar).rstrip()
