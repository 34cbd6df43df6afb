"""Which requests a vttablet's connection pool gives its connections to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.checks.results import Finding, failed, passed, result, unknown
from harness.facts.affected import erroneous
from harness.facts.storm import trouble
from harness.facts.words import counted
from harness.history import History, Ops
from harness.model import CheckKind, CheckResult

# go/vt/vttablet/tabletserver/connpool/dbconn.go, execOnce: it has its connection, and its deadline is over.
HANDED = "before execution started"
REFUSED = "connection pool timed out"  # go/pools/smartconnpool/pool.go, ErrTimeout: it never got one
ALLOWED = (
    2  # requests whose time is up between the moment at which they are given a connection and the next line of code
)


@dataclass(frozen=True, slots=True)
class PoolDeadlines:
    """A connection that comes back to a vttablet's pool is not given to a request whose deadline is over (#20310).

    Such a request does nothing with it but give it back, and while it does nobody else has it.
    """

    name: str = "pool/deadlines"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _deadlines(history)),)


def _deadlines(history: History) -> Finding:
    window = trouble(history)
    ops = history.ops if window is None else history.ops[history.ops["done_ns"] >= window[0]]
    bad = erroneous(ops)
    handed, refused = _saying(history, bad, HANDED), _saying(history, bad, REFUSED)
    figures = {"operations": len(ops), "handed": handed, "refused": refused, "allowed": ALLOWED}
    if handed > ALLOWED:
        return failed(
            f"{counted(handed, 'connection')} went to requests whose time was up; {counted(refused, 'request')} waited "
            "in vain.",
            figures=figures,
        )
    if history.faults and not handed + refused:
        return unknown("No request ran out of time while it waited for a connection.", figures=figures)
    return passed(f"{counted(refused, 'request')} ran out of time, and got no connection then.", figures=figures)


def _saying(history: History, bad: Ops, text: str) -> int:
    return int(np.count_nonzero([text in history.message(op) for op in bad]))
