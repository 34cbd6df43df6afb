"""What a run that was cut short could not judge: one line instead of sixteen.

When somebody presses Ctrl-C, most checks are UNKNOWN for no other reason, and a reader has to look for the one
that says more. Nothing is judged anew here, and verdict.json and junit.xml have every result as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.facts.storm import quiet_ns
from harness.history import History
from harness.model import CheckKind, CheckResult, Verdict

COMPLETE = "assumptions/complete"  # the check that says how and where the run was cut


def cut_short(history: History) -> bool:
    """Interrupted, ended by an error of the harness, or killed before it became quiet."""
    return quiet_ns(history) is None or any(event.kind in ("interrupt", "harness-error") for event in history.events)


def split(history: History, results: Sequence[CheckResult]) -> tuple[list[CheckResult], list[CheckResult]]:
    """The results worth a line of their own, and those that are UNKNOWN as is to be expected of such a run. What
    the host did, and what would be a finding, is told in full."""
    if not cut_short(history):
        return list(results), []
    folded = [result for result in results if _expected(result)]
    return [result for result in results if result not in folded], folded


def _expected(result: CheckResult) -> bool:
    return (
        result.verdict is Verdict.UNKNOWN
        and result.check != COMPLETE
        and result.kind is not CheckKind.CONDITION
        and "without_assumptions" not in result.figures
    )


def folded_names(folded: Sequence[CheckResult]) -> str:
    return ", ".join(dict.fromkeys(result.check for result in folded))
