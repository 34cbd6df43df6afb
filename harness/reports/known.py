"""Which failed check results are known bugs that showed where they were expected.

Whether a bug counts as reproduced is decided in `RunVerdict.reproduced`; here is only found which rows
of the report that decision explains.
"""

from __future__ import annotations

from harness.facts.versions import affected
from harness.history import History
from harness.model import CheckResult, KnownBug, RunVerdict, Verdict


def reproduced_issue(result: CheckResult, verdict: RunVerdict, history: History) -> str:
    """The issue that explains this failure; empty if it is a finding of its own."""
    if result.verdict is not Verdict.FAIL:
        return ""
    for bug in history.plan.known_bugs:
        if (
            bug.issue in verdict.reproduced
            and result.check in (bug.check, *bug.also)
            and _affects(bug, result, history)
        ):
            return bug.issue
    return ""


def _affects(bug: KnownBug, result: CheckResult, history: History) -> bool:
    """A result about one node is explained only if that node's own version has the bug."""
    node = next((node for node in history.nodes if node.name == result.subject), None)
    if node is None or node.role is not bug.component:
        return True
    return affected(bug, node.version) is not False
