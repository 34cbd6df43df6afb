"""What one run says of one release: the bug showed, nothing showed, something else did, or it proves nothing. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci.lanes.lane import Arm, Lane
from harness.model import PREMISES, CheckKind, CheckResult, ClusterSpec, Role, RunVerdict, Verdict

CAUSE = "cause_"  # figures of a result that count its causes


class Said(enum.StrEnum):
    """SHOWN: red in the named check, and in no other that the bug does not explain. SILENT: the named check passed, and
    all the others. STRAY: red, but not (or not only) so. UNKNOWN: does not count. STARVED: neither; red as SHOWN is,
    but a premise did not hold, so that something else may have made it so."""

    SHOWN = "shown"
    SILENT = "silent"
    STRAY = "stray"
    UNKNOWN = "unknown"
    STARVED = "starved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Of one run, about one release."""

    release: str
    said: Said
    why: str = ""  # it is a STRAY or UNKNOWN
    causes: tuple[str, ...] = ()  # that the named check told


def votes(lane: Lane, arm: Arm, verdict: RunVerdict, cluster: ClusterSpec) -> tuple[Vote, ...]:
    """One for each release that the arm judges; the vtgates of a run are judged each on its own."""
    return tuple(_vote(lane, release, _about(lane, release, verdict, cluster)) for release in arm.releases)


def _about(lane: Lane, release: str, verdict: RunVerdict, cluster: ClusterSpec) -> tuple[CheckResult, ...]:
    """The results that concern it: all, unless the bug is vtgate's, and there are several."""
    if lane.component is not Role.VTGATE:
        return verdict.results if release == cluster.vitess else ()
    subjects = {
        f"vtgate-{index + 1}" for index in range(len(cluster.vtgates)) if cluster.vtgate_version(index) == release
    }
    if not subjects:
        return ()
    return tuple(result for result in verdict.results if result.subject.rpartition("@")[2] in ("", *subjects))


def _vote(lane: Lane, release: str, results: Sequence[CheckResult]) -> Vote:
    named = [result for result in results if result.check == lane.check]
    named = [result for result in named if result.subject] or named  # what is said of everybody names nobody
    if not named:
        return Vote(release=release, said=Said.UNKNOWN, why=f"{lane.check} did not judge it")
    said, why = _said(lane, named, results)
    return Vote(release=release, said=said, why=why, causes=tuple(_causes(named)))


def _said(lane: Lane, named: Sequence[CheckResult], results: Sequence[CheckResult]) -> tuple[Said, str]:
    shown = [result for result in named if _reproduces(lane, result)]
    others = [result for result in results if not _repeats(lane, result)]
    red = [result for result in others if result.verdict is Verdict.FAIL]
    if red:
        return Said.STRAY, "; ".join(dict.fromkeys(result.check for result in red))
    unsure = [result for result in others if result.verdict is Verdict.UNKNOWN]
    if unsure and not any(result.kind is CheckKind.SAFETY for result in shown):
        starved = _red_all_the_same(lane, unsure)
        why = "; ".join(dict.fromkeys(result.check for result in _premises_first(unsure)))
        return (Said.STARVED if starved else Said.UNKNOWN), why
    return (Said.SHOWN if shown else Said.SILENT), ""


def _red_all_the_same(lane: Lane, unsure: Sequence[CheckResult]) -> bool:
    """In the named check, and in no other that the bug does not explain; only the premises take it away."""
    promises = [result for result in unsure if result.kind not in PREMISES]
    red = {result.check for result in promises if result.figures.get("without_assumptions")}
    also = {check for bug in lane.known for check in bug.also}
    return lane.check in red and {result.check for result in promises} <= {lane.check, *also}


def _reproduces(lane: Lane, result: CheckResult) -> bool:
    return result.verdict is Verdict.PASS and result.figures.get("known_bug") == lane.issue


def _repeats(lane: Lane, result: CheckResult) -> bool:
    """A result that only says that this bug did not show (harness/checks/known_bugs.py): the vote says it."""
    return result.check.startswith("known-bug/") and result.figures.get("known_bug") == lane.issue


def _premises_first(unsure: Sequence[CheckResult]) -> Sequence[CheckResult]:
    premises = [result for result in unsure if result.kind in PREMISES]
    return premises or unsure


def _causes(named: Sequence[CheckResult]) -> Iterator[str]:
    for result in named:
        yield from (figure.removeprefix(CAUSE) for figure in result.figures if figure.startswith(CAUSE))
