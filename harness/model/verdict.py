"""What was judged."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.causes import CauseRow
from harness.model.seen import Scalar


class Verdict(enum.IntEnum):
    """max() composes."""

    PASS = 0
    UNKNOWN = 1
    FAIL = 2


class CheckKind(enum.StrEnum):
    """How a result weighs.

    ASSUMPTION: when it does not hold, the run proves nothing about anything that a slow host can cause.
    CONDITION: the host was slow: that may explain a promise that failed, and then the run proves nothing; it
    takes nothing from a run in which no promise failed.
    PROMISE: what Vitess promises (hides failovers …); a failed assumption or condition turns its FAIL into UNKNOWN.
    SAFETY: what no slowness may excuse (a lost acknowledged write); FAIL stays FAIL.
    """

    ASSUMPTION = "assumption"
    CONDITION = "condition"
    PROMISE = "promise"
    SAFETY = "safety"


PREMISES = (CheckKind.ASSUMPTION, CheckKind.CONDITION)  # where one does not hold, a promise that failed proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check, for one vtgate or for the whole cluster (subject "")."""

    check: str
    kind: CheckKind
    verdict: Verdict
    summary: str  # one sentence
    subject: str = ""
    details: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()  # of a red one: what is wrong, alike in every run; () = the check's name says it
    figures: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """`verdict.json`: the answer of a run."""

    run_id: str
    experiment: str
    verdict: Verdict
    exit_code: int
    headline: str
    results: tuple[CheckResult, ...]
    reproduced: tuple[str, ...] = ()  # issues of known bugs reproduced where they were expected
    causes: tuple[CauseRow, ...] = ()  # why clients waited or failed, the most operations first
