"""Short ways to ask one check about one history."""

from __future__ import annotations

from harness.checks import CHECKS
from harness.model import CheckResult, Verdict
from tests.fakes import HistoryBuilder

PASS, UNKNOWN, FAIL = Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL


def results(name: str, builder: HistoryBuilder) -> tuple[CheckResult, ...]:
    return CHECKS[name].check(builder.build())


def only(name: str, builder: HistoryBuilder) -> CheckResult:
    """The single result of a check on a run with one vtgate."""
    (found,) = results(name, builder)
    return found


def verdict(name: str, builder: HistoryBuilder) -> Verdict:
    return max(result.verdict for result in results(name, builder))
