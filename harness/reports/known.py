"""Which check results are known bugs that showed where they were expected.

Whether a bug counts as reproduced is decided where the verdict is (`harness.checks.known_bugs`): such a
result passes, and its figure `known_bug` names the issue.
"""

from __future__ import annotations

from harness.model import CheckResult, Verdict


def reproduced_issue(result: CheckResult) -> str:
    """The issue that this result reproduced; empty for a plain result."""
    return str(result.figures.get("known_bug", "")) if result.verdict is Verdict.PASS else ""
