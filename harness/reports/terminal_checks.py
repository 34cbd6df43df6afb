"""The checks of a run in the closing summary: the worst first, the passed ones in a line."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from harness.history import History
from harness.model import CheckResult, RunVerdict, Verdict
from harness.reports.cut_short import folded_names, split
from harness.reports.known import reproduced_issue
from harness.reports.text_parts import hanging, line, title
from harness.reports.words import clean

DETAILS = 8


def show_checks(console: Console, history: History, verdict: RunVerdict) -> None:
    title(console, "Checks")
    if not verdict.results:
        line(console, "None was run.", style="yellow")
    shown, folded = split(history, verdict.results)
    for result in sorted(shown, key=lambda result: -result.verdict):
        if result.verdict is not Verdict.PASS or reproduced_issue(result):
            _problem(console, result)
    if folded:
        told = (
            f"{len(folded)} more could not be judged, as the run was cut short: {clean(folded_names(folded))} (UNKNOWN)"
        )
        console.print(hanging("?", told, "bold yellow"))
    passed = [result for result in verdict.results if result.verdict is Verdict.PASS and not reproduced_issue(result)]
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
        Verdict.PASS: ("✓", f"REPRODUCED {issue}", "bold cyan"),
    }[result.verdict]
    console.print(hanging(mark, f"{_name(result)}: {clean(result.summary)} ({word}, {result.kind})", style))
    for detail in result.details[:DETAILS]:
        console.print(hanging("   -", clean(detail), "dim"))
    if len(result.details) > DETAILS:
        console.print(
            Padding(
                Text(f"… and {len(result.details) - DETAILS} more in the report", "dim"), (0, 0, 0, 4), expand=False
            )
        )


def _name(result: CheckResult) -> str:
    return clean(f"{result.check} [{result.subject}]" if result.subject else result.check)
