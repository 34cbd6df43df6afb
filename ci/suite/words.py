"""How outcomes are called, on the terminal and in the files."""

from __future__ import annotations

from collections.abc import Mapping

from ci.suite.values import Attempt, BugSeen, Outcome, Result, Told
from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.checks.known_bugs import is_defect
from harness.facts.words import counted

STYLES: Mapping[Outcome, str] = {
    Outcome.PASSED: "green",
    Outcome.FINDING: "bold red",
    Outcome.ABSENT: "red",
    Outcome.HARNESS: "magenta",
    Outcome.UNKNOWN: "yellow",
    Outcome.BROKEN_OFF: "yellow",
    Outcome.NOT_BEGUN: "yellow",
    Outcome.REFUSED: "cyan",
}
MARKS: Mapping[Outcome, str] = {
    Outcome.PASSED: "✅",
    Outcome.FINDING: "❌",
    Outcome.ABSENT: "🔎",
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
TAKEN_OVER = "taken over from an earlier call"
MOST_WHY = 2  # reasons in a line


def result(told: Told) -> str:
    """In one or two words; one that showed a known defect did not simply pass."""
    return KNOWN if shows_known(told) else told.outcome.value


def mark(told: Told) -> str:
    return KNOWN_MARK if shows_known(told) else MARKS[told.outcome]


def shows_known(told: Told) -> bool:
    return told.outcome is Outcome.PASSED and any(bug.shown and is_defect(bug.issue) for bug in told.bugs)


def line(number: int, of: int, told: Told) -> str:
    """One line of progress, of the last attempt: those before it had theirs."""
    last = told.attempts[-1] if told.attempts else None
    which = f", attempt {last.number} of {len(told.attempts)}" if last and len(told.attempts) > 1 else ""
    over = f" ({TAKEN_OVER})" if last and last.taken_over else ""
    took = f" {span(last.took_s)}" if last else ""
    said = [_said(last)] if last and last.outcome is not Outcome.REFUSED else []
    came_to = " ".join([*said, *([_left(told)] if told.left else [])])
    return f"[{number}/{of}] {result(told).upper()} {told.experiment}{over}{took}{which}: {came_to}"


def once_more(made: Attempt) -> str:
    """Between two attempts."""
    over = f" ({TAKEN_OVER})" if made.taken_over else ""
    return f"attempt {made.number}{over}: {made.outcome}: {_said(made)} Once more, with the same seed."


def _said(made: Attempt) -> str:
    """What came of it, in at most two sentences; all of them are in the files."""
    said = "; ".join(reason.rstrip(".") for reason in made.why[:MOST_WHY]) or made.headline.rstrip(".")
    more = f"; and {len(made.why) - MOST_WHY} more" if len(made.why) > MOST_WHY else ""
    return f"{said or 'no reason is on record'}{more}."


def _left(told: Told) -> str:
    return f"Not run again: {told.left}." if told.attempts and told.outcome is not Outcome.REFUSED else f"{told.left}."


def budget(result: Result) -> str:
    """Figures under the answer."""
    made, over = result.runs(taken_over=False), result.runs(taken_over=True)
    new = f"{counted(made, 'run')} in {span(result.took_s)}, of {span(result.budget_s)} that they may take"
    old = f"{counted(over, 'run')} {TAKEN_OVER}" if over else ""
    told = f"{old}, none made now" if over and not made else "; ".join(filter(None, (new, old)))
    return f"{told}; seed {result.asked.seed}."


def span(value_s: float) -> str:
    """45 s, 2.5 min, 30 min."""
    return f"{value_s:.0f} s" if value_s < 120 else f"{value_s / 60:.3g} min"


def bug_word(bug: BugSeen) -> str:
    if bug.unwanted:
        return "shows, and was to be gone"
    if bug.shown:
        return "showed, as expected"
    return "did not show, and must" if bug.certain else "did not show, and need not"
