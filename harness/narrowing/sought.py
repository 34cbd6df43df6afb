"""What a run must show to count as "it is there": one red check, by name or as a known bug has it.

A run is judged without its plan's known bugs: those say where a bug is expected, and turn the same red into a
reproduction on one release and into a finding on another. Who looks for the border between the two must not be told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.base.errors import UsageError
from harness.checks import CHECKS
from harness.checks.judge import judge
from harness.facts.words import listed
from harness.history import History
from harness.model import PREMISES, CheckKind, CheckResult, KnownBug, RunVerdict, Verdict

ANY_HOST = (
    "Count runs on a slow host too: for what no slow host can cause. Otherwise they count neither as red nor as green."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """The red check; "" = any promise or safety check. `says`, `never`: as in KnownBug.

    A slow host excuses a promise that failed, and nothing that passed: if the one did not count and the other did, a
    bad release would seem to be good. So a run on a slow host counts for neither, or (`any_host`) for both.
    """

    check: str = ""
    says: str = ""
    never: tuple[str, ...] = ()
    issue: str = ""  # the known bug that it is
    any_host: bool = False

    @property
    def name(self) -> str:
        """For people."""
        what = f"{self.check} red" if self.check else "any red check"
        what += f" with {self.says!r}" if self.says else ""
        return f"{what} ({self.issue})" if self.issue else what


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one run says of one vtgate, or of the cluster. `shown` is None where it proves nothing."""

    shown: bool | None
    why: str


def sought_of(bugs: Sequence[KnownBug], check: str = "", issue: str = "", *, any_host: bool = False) -> Sought:
    """What the user means: a check that is red for whatever reason, a known bug, or the only one that there is. Raises
    UsageError where that is not clear."""
    if check and not issue:
        return Sought(check=check, any_host=any_host)
    meant = [bug for bug in bugs if issue in ("", bug.issue) and check in ("", bug.check)]
    if issue and not meant:
        there = listed(dict.fromkeys(bug.issue for bug in bugs)) or "none"
        raise UsageError(f"--issue {issue}: the experiment has no such known bug; it has {there}")
    issues = dict.fromkeys(bug.issue for bug in meant)
    if len(issues) > 1:
        raise UsageError(f"which of the experiment's known bugs is meant? Give --issue or --check: {listed(issues)}")
    if not meant:
        return Sought(any_host=any_host)
    bug = meant[0]
    return Sought(check=bug.check, says=bug.says, never=bug.never, issue=bug.issue, any_host=any_host)


def bare(history: History) -> RunVerdict:
    """The verdict of a run of which nobody expects anything; its results alone."""
    return judge(dataclasses.replace(history, plan=dataclasses.replace(history.plan, known_bugs=())), told=False)


def vote(verdict: RunVerdict, sought: Sought, vtgate: str = "") -> Vote:
    """Of a bare verdict. `vtgate`: only what concerns this one, of several; "" = whatever it concerns."""
    asked = [result for result in verdict.results if _is_asked(result, sought)]
    ours = [result for result in asked if vtgate in ("", _of(result))]
    broken = list(_broken(verdict, sought, vtgate))
    red = [result for result in ours if _is_red(result, sought, broken)]
    if red:
        return Vote(shown=True, why=red[0].summary)
    if any(_is_red(result, sought, broken) for result in asked if not _of(result)):
        return Vote(shown=None, why="what is red is the whole cluster's, and may be another vtgate's")
    if not ours:
        return Vote(shown=None, why=f"{sought.check or 'nothing'} was not judged")
    doubts = [*broken, *(result for result in ours if result.verdict is Verdict.UNKNOWN)]
    if doubts:
        return Vote(shown=None, why=doubts[0].summary)
    other = [result for result in ours if result.verdict is Verdict.FAIL]
    return Vote(shown=False, why=f"red for another reason: {other[0].summary}" if other else "")


def is_red(verdict: RunVerdict, result: CheckResult, sought: Sought) -> bool:
    """One result of a bare verdict, of whichever vtgate."""
    return result.kind not in PREMISES and _is_red(result, sought, list(_broken(verdict, sought, _of(result))))


def slow_host(verdict: RunVerdict) -> bool:
    """Of a bare verdict: a condition did not hold, whether it excuses something or not."""
    return any(result.kind is CheckKind.CONDITION and not _holds(result) for result in verdict.results)


def comes_to(history: History, *, any_host: bool) -> RunVerdict:
    """What the run itself comes to, known bugs and all; with `any_host` as on a host that was not slow. Its results
    alone."""
    plan = history.plan
    if any_host:
        names = tuple(name for name in plan.checks if CHECKS[name].kind is not CheckKind.CONDITION)
        plan = dataclasses.replace(plan, checks=names)
    return judge(dataclasses.replace(history, plan=plan), told=False)


def _is_asked(result: CheckResult, sought: Sought) -> bool:
    return result.check == sought.check if sought.check else result.kind not in PREMISES


def _of(result: CheckResult) -> str:
    """The vtgate that a result is about, also that of a stream (items-1@vtgate-1)."""
    return result.subject.rpartition("@")[2]


def _is_red(result: CheckResult, sought: Sought, broken: Sequence[CheckResult]) -> bool:
    """Failed, or would have but for what does not matter here."""
    excused = result.figures.get("without_assumptions") == Verdict.FAIL.name and not broken
    said = any(sought.says in text for text in (result.summary, *result.details))
    failed = result.verdict is Verdict.FAIL or excused
    return failed and said and not any(result.figures.get(name) for name in sought.never)


def _broken(verdict: RunVerdict, sought: Sought, vtgate: str) -> Iterator[CheckResult]:
    """Premises without which a check that passed proves nothing, nor a promise that failed."""
    for result in verdict.results:
        if vtgate and _of(result) not in ("", vtgate):
            continue
        if result.kind is CheckKind.ASSUMPTION and not _holds(result):
            yield result
        if result.kind is CheckKind.CONDITION and not _holds(result) and not sought.any_host:
            yield result


def _holds(premise: CheckResult) -> bool:
    return premise.verdict is Verdict.PASS and "excuses" not in premise.figures
