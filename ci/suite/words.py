"""How outcomes are called, on the terminal and in the files."""

from __future__ import annotations

from collections.abc import Mapping

from ci.suite.values import Attempt, BugSeen, Outcome, Result, Told
from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.checks.known_bugs import is_defect
from harness.facts.words import counted, listed

STYLES: Mapping[Outcome, str] = {
    Outcome.PASSED: "green",
    Outcome.FINDING: "bold red",
    Outcome.HARNESS: "magenta",
    Outcome.UNKNOWN: "yellow",
    Outcome.BROKEN_OFF: "yellow",
    Outcome.NOT_BEGUN: "yellow",
    Outcome.REFUSED: "cyan",
}
MARKS: Mapping[Outcome, str] = {
    Outcome.PASSED: "✅",
    Outcome.FINDING: "❌",
    Outcome.HARNESS: "⚠️",
    Outcome.UNKNOWN: "❔",
    Outcome.BROKEN_OFF: "✂️",
    Outcome.NOT_BEGUN: "⏳",
    Outcome.REFUSED: "➖",
}
VERDICTS: Mapping[int, str] = {
    EXIT_PASS: "PASS",
    EXIT_FINDING: "FINDING",
    EXIT_UNKNOWN: "UNKNOWN",
    EXIT_HARNESS: "INFRASTRUCTURE",
    EXIT_INTERRUPTED: "INTERRUPTED",
}


KNOWN, KNOWN_MARK = "known bug", "🔁"


def result(told: Told) -> str:
    """In one or two words; one that showed a known defect did not simply pass."""
    return KNOWN if shows_known(told) else told.outcome.value


def mark(told: Told) -> str:
    return KNOWN_MARK if shows_known(told) else MARKS[told.outcome]


def shows_known(told: Told) -> bool:
    return told.outcome is Outcome.PASSED and any(bug.shown and is_defect(bug.issue) for bug in told.bugs)


def line(number: int, of: int, told: Told) -> str:
    """One line of progress."""
    return f"[{number}/{of}] {result(told).upper()} {told.experiment} {told.took_s:.0f} s: {came_to(told)}"


def came_to(told: Told) -> str:
    """What is worth a sentence of one experiment: what showed, why nothing is known, what was not begun."""
    return " ".join([*(_attempt(told, made) for made in told.attempts), *([_left(told)] if told.left else [])])


def _attempt(told: Told, made: Attempt) -> str:
    which = f"Attempt {made.number} of {len(told.attempts)}: {made.outcome}. " if len(told.attempts) > 1 else ""
    said = listed(made.why, 3) if made.why else made.headline
    return f"{which}{said}" if made.outcome is not Outcome.REFUSED else ""


def _left(told: Told) -> str:
    return f"Not run again: {told.left}." if told.attempts and told.outcome is not Outcome.REFUSED else f"{told.left}."


def budget(result: Result) -> str:
    """Figures under the answer."""
    runs = sum(1 for part in result.parts for made in part.attempts if made.folder)
    took, of = result.took_s / 60, result.budget_s / 60
    return f"{counted(runs, 'run')} in {took:.1f} min, of {of:.0f} that they may take; seed {result.asked.seed}."


def bug_word(bug: BugSeen) -> str:
    if bug.unwanted:
        return "shows, and was to be gone"
    if bug.shown:
        return "showed, as expected"
    return "did not show, and must" if bug.certain else "did not show, and need not"
