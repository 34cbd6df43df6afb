"""The checks of a run in the closing summary: the worst first, the passed ones in a line."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from harness.history import History
from harness.model import CheckResult, RunVerdict, Verdict
from harness.reports.cut_short import folded_names, split
from harness.reports.known import reproduced_issue, told
from harness.reports.text_parts import hanging, line, title
from harness.reports.words import clean

DETAILS = 8


def show_checks(console: Console, history: History, verdict: RunVerdict) -> None:
    title(console, "Checks")
    if not verdict.results:
        line(console, "None was run.", style="yellow")
    shown, folded = split(history, verdict.results)
    for result in sorted(shown, key=lambda result: -result.verdict):
        if told(result):
            _problem(console, result)
    if folded:
        names = clean(folded_names(folded))
        words = f"{len(folded)} more could not be judged, as the run was cut short: {names} (UNKNOWN)"
        console.print(hanging("?", words, "bold yellow"))
    passed = [result for result in verdict.results if not told(result)]
    if passed:
        console.print(hanging("✓", f"{len(passed)} passed: {', '.join(_joined(verdict, passed))}", "green"))


def _joined(verdict: RunVerdict, passed: list[CheckResult]) -> list[str]:
    """The names of checks; with the subjects only where another subject of the same check did not pass."""
    mixed = {result.check for result in verdict.results if result not in passed}
    return list(dict.fromkeys(_name(result) if result.check in mixed else clean(result.check) for result in passed))


def _problem(console: Console, result: CheckResult) -> None:
    issue = reproduced_issue(result)
    mark, word, style = {
        Verdict.FAIL: ("✗", "FAIL", "bold red"),
        Verdict.UNKNOWN: ("?", "UNKNOWN", "bold yellow"),
        Verdict.PASS: ("✓", f"REPRODUCED {issue}", "bold cyan") if issue else ("!", "did not hold", "yellow"),
    }[result.verdict]
    said = clean(result.summary)
    how = f"{word}, {result.kind}" if not issue or issue not in said else result.kind
    console.print(hanging(mark, f"{_name(result)}: {said} ({how})", style))
    details = [detail for detail in result.details if detail not in result.summary]
    for detail in details[:DETAILS]:
        console.print(hanging("   -", clean(detail), "dim"))
    if len(details) > DETAILS:
        console.print(
            Padding(Text(f"… and {len(details) - DETAILS} more in the report", "dim"), (0, 0, 0, 4), expand=False)
        )


def _name(result: CheckResult) -> str:
    return clean(f"{result.check} [{result.subject}]" if result.subject else result.check)
