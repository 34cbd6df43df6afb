"""Which check results are known bugs that showed where they were expected.

Whether a bug counts as reproduced is decided where the verdict is (`harness.checks.known_bugs`): such a
result passes, and its figure `known_bug` names the issue.
"""

from __future__ import annotations

from harness.model import CheckResult, Verdict


def excused_nothing(result: CheckResult) -> bool:
    """A condition that did not hold, in a run in which no promise failed: no finding, no plain pass."""
    return result.verdict is Verdict.PASS and "excuses" in result.figures


def told(result: CheckResult) -> bool:
    """Worth a line of its own."""
    return result.verdict is not Verdict.PASS or bool(reproduced_issue(result)) or excused_nothing(result)


def reproduced_issue(result: CheckResult) -> str:
    """The issue that this result reproduced; empty for a plain result."""
    return str(result.figures.get("known_bug", "")) if result.verdict is Verdict.PASS else ""
