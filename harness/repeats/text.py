"""The answer of several runs for people: on the terminal, and as summary.txt."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from harness.facts.outages import Spread
from harness.facts.words import counted
from harness.many.records import FIGURES, RunRecord
from harness.model import Verdict
from harness.repeats.summary import CheckRate, FigureSpread, Summary
from harness.reports.text_parts import copyable, line, table, title
from harness.reports.words import EXIT_MEANING, clean
from harness.statistics.rates import Rate

WIDTH = 100
NAMES = ("check", "figure", "vtgate")  # columns that wrap on a narrow screen; no number may be cut off
_STYLES = {"finding": "red", "known bug": "cyan", "unknown": "yellow", "passed": "green"}


def run_line(number: int, of: int, run: RunRecord) -> str:
    """`  3 of 20  passed    001  seed 1234  worst stall 1.21 s, 0 errors`."""
    figures = {figure.name: figure for figure in FIGURES}
    parts = [word_of(run).ljust(9), f"{Path(run.folder).name}  seed {run.seed:<10}"]
    for vtgate in run.vtgates.values() or ("",):
        stall, errors = run.figure(figures["worst_stall_s"], vtgate), run.figure(figures["errors"], vtgate)
        if stall is not None and errors is not None:
            through = f"{vtgate}: " if len(run.vtgates) > 1 else ""
            parts.append(f"{through}worst stall {amount(stall, 's')}, {counted(errors, 'error')}")
    return f"{number:>3} of {of}  " + "  ".join(parts)


def word_of(run: RunRecord) -> str:
    if run.verdict is Verdict.FAIL:
        return "finding"
    return "unknown" if not run.counts else "known bug" if run.reproduced else "passed"


def style_of(run: RunRecord) -> str:
    return _STYLES[word_of(run)]


def amount(value: float, unit: str) -> str:
    """A figure with as many digits as it deserves."""
    if unit == "%":
        return f"{value:.3f} %"
    digits = 0 if not unit or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    if not unit:
        digits = 0 if value == int(value) else 1
    return f"{value:,.{digits}f}{' ' if unit else ''}{unit}"


def rate_words(rate: Rate) -> str:
    """`20% (8% to 42%)`; `0% (at most 14%)`; "not measured"."""
    if rate.share is None:
        return "not measured"
    if rate.at_most is not None:
        return f"0% (at most {rate.at_most:.0%})"
    return f"{rate.share:.0%} ({rate.low:.0%} to {rate.high:.0%})"


def spread_words(spread: Spread, unit: str) -> tuple[str, str, str]:
    """Median, the middle half, and the extremes."""
    return (
        amount(spread.median, unit),
        f"{amount(spread.lower, unit)} to {amount(spread.upper, unit)}",
        f"{amount(spread.least, unit)} to {amount(spread.most, unit)}",
    )


def show(found: Summary, console: Console, *, folder: Path) -> None:
    console.print(
        Rule(Text(clean(f"{found.batch.experiment} x {len(found.runs)}"), style="bold"), characters="─", style="dim")
    )
    line(console, found.answer, style="bold")
    counts = (
        ("finding", found.findings),
        ("known bug", found.reproduced),
        ("passed", found.passed),
        ("unknown", found.unknown),
    )
    line(console, ", ".join(f"{number} {word}" for word, number in counts if number) + f"; {found.asked} asked for.")
    for why, number in found.why_unknown.items():
        line(console, f"{counted(number, 'run')} proved nothing: {clean(why)}", style="yellow")
    _checks(console, found.rates)
    if found.unknown and any(each.rate.counted for each in found.rates):
        line(console, "A check counts in a run that proves nothing too, where its own assumptions hold.", style="dim")
    _figures(console, found.figures)
    title(console, "In the end")
    meaning = EXIT_MEANING.get(found.exit_code, "")
    copyable(console, "exit code", f"{found.exit_code}{f' ({meaning})' if meaning else ''}: the worst of the runs'")
    whose = "of every run" if found.batch.same_seed else "each run's is drawn from it"
    copyable(console, "seed", f"{found.batch.seed}; {whose}")
    copyable(console, "runs", str(folder))


def _checks(console: Console, rates: Sequence[CheckRate]) -> None:
    told = [each for each in rates if each.rate.shown or each.unknown]
    title(console, "How often each check was red (95 % confidence)")
    rows = table("check", "vtgate", ">red", ">of", ">not judged", "rate", wrapped=NAMES)
    for each in told:
        issue = f", {each.issue}" if each.issue else ""
        numbers = [str(each.rate.shown), str(each.rate.counted), str(each.unknown or "")]
        rows.add_row(*_names(each.check, each.vtgate), *numbers, Text(clean(f"{rate_words(each.rate)}{issue}")))
    if told:
        console.print(rows)
    others = len(rates) - len(told)
    if others:
        line(console, f"{counted(others, 'check')}{' more' if told else ''}, by vtgate: never red, always judged.")


def _figures(console: Console, figures: Sequence[FigureSpread]) -> None:
    if not figures:
        return
    title(console, "Figures, one a run (runs that count)")
    rows = table("figure", "vtgate", ">runs", ">median", ">half of them", ">all of them", wrapped=NAMES)
    for each in figures:
        rows.add_row(*_names(each.title, each.vtgate), str(each.spread.n), *spread_words(each.spread, each.unit))
    console.print(rows)


def plain(found: Summary, folder: Path) -> str:
    """What `show` prints, without colour; then a line a run."""
    text = io.StringIO()
    show(found, Console(file=text, width=WIDTH, color_system=None), folder=folder)
    lines = [each.rstrip() for each in text.getvalue().splitlines()]
    runs = [run_line(number, len(found.runs), run) for number, run in enumerate(found.runs, start=1)]
    return "\n".join([*lines, "", *runs, ""])


def _names(*names: str) -> tuple[Text, ...]:
    """Of others, so neither markup nor escape sequences."""
    return tuple(Text(clean(name)) for name in names)
