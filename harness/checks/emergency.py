"""What becomes of a shard whose primary is gone, or is replaced without being asked.

Buffering promises nothing for a primary that dies: what was on its way to it fails. Promised is that
EmergencyReparentShard finds a new primary, that clients are served by it at once, that nobody else feels anything,
and that there is one primary in the end.
"""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.base.particulars import first_clause
from harness.checks.assumptions import COUNTERS, JUDGES_EMERGENCIES
from harness.checks.results import Finding, failed, offset, passed, per_vtgate, result, unknown
from harness.facts.affected import class_of_each, erroneous
from harness.facts.buffer import by_reason, settings
from harness.facts.service import shard_service
from harness.facts.storm import EMERGENCY_REPARENT, SECOND_NS, Reparent, reparents, reparents_of_shards, trouble
from harness.facts.words import counted, listed, seconds
from harness.history import History, Series
from harness.model import CheckKind, CheckResult, Node, Outcome, Role, Verdict


@dataclass(frozen=True, slots=True)
class EmergencyReparents:
    """Every EmergencyReparentShard that was called gave its shard a new primary.

    Figures: vtctld's own account of them, `EmergencyReparentCounts` of both results and
    `ReparentShardOperationTimings` (go/vt/vtctl/reparentutil, v0.24.3).
    """

    name: str = JUDGES_EMERGENCIES
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _emergencies(history)),)


def _emergencies(history: History) -> Finding:
    found = [reparent for reparent in reparents(history) if reparent.fault == EMERGENCY_REPARENT]
    if not found:
        return passed("No emergency reparent was called.")
    bad = [reparent for reparent in found if reparent.error or not reparent.end_ns]
    took = [reparent.duration_s for reparent in found]
    figures: dict[str, str | int | float] = {
        "called": len(found),
        "failed": len(bad),
        "slowest_s": round(max(took), 3),
        **{f"vtctld_{what}": number for what, number in _counted(history, found[0].begin_ns).items()},
    }
    lines = [_call_line(reparent) for reparent in found]
    if bad:
        why = bad[0].error or "it never returned"
        said = f"EmergencyReparentShard of {bad[0].shard} failed after {seconds(bad[0].duration_s)}: {why[:300]}"
        more = f" ({len(bad)} of {len(found)} failed)" if len(found) > 1 else ""
        return failed(f"{said}{more}.", lines, figures, [_gist(reparent) for reparent in bad])
    return passed(
        f"{counted(len(found), 'emergency reparent')}; the slowest took {seconds(max(took))}.", lines, figures
    )


def _gist(reparent: Reparent) -> str:
    return first_clause(reparent.error) if reparent.error else "it never returned"


def _call_line(reparent: Reparent) -> str:
    became = reparent.error[:300] if reparent.error else f"{reparent.was_primary} → {reparent.promoted}"
    return f"{reparent.shard}: {seconds(reparent.duration_s)}, {became}"


def _counted(history: History, since_ns: int) -> dict[str, float]:
    """Result → how many vtctld counted; `timed_s`: how long it says that all reparents since then took."""
    counter = COUNTERS[EMERGENCY_REPARENT]
    sums: dict[str, float] = defaultdict(float)
    for series in (history.series.get(node.name) for node in history.nodes if node.role is Role.VTCTLD):
        if series is None:
            continue
        for label in series.labels(counter):
            sums[label.rpartition(".")[2]] += series.growth(f"{counter}:{label}", since_ns) or 0.0
        timed_ns = series.growth("ReparentShardOperationTimings:time_ns", since_ns) or 0.0
        sums["timed_s"] += round(timed_ns / SECOND_NS, 3)
    return sums


@dataclass(frozen=True, slots=True)
class EmergencyService:
    """A shard is served again as soon as its reparent has returned: at the latest within vtgate's buffer window."""

    name: str = "emergency/service"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _service(history, node))


def _service(history: History, node: Node) -> Finding:
    window = trouble(history)
    hit = reparents_of_shards(history)
    if not hit or window is None:
        return passed("No primary was replaced.")
    limit_s = settings(history, node.name).window_s
    finding = Finding()
    for shard, own in hit.items():
        _judge_shard(finding, history, node.name, shard, own, limit_s, window[0])
    worst = max(float(number) for key, number in finding.figures.items() if key.startswith("without_service_s"))
    finding.summary = f"{finding.details[0]}." if finding.details else f"At worst {seconds(worst)} without service."
    return finding


def _judge_shard(
    finding: Finding,
    history: History,
    vtgate: str,
    shard: str,
    own: tuple[Reparent, ...],
    limit_s: float,
    since_ns: int,
) -> None:
    good = [reparent for reparent in own if reparent.returned_ok]
    seen = shard_service(history, vtgate, shard, since_ns)
    ops = history.ops_of(history.lanes_of(vtgate, shard))
    bad = erroneous(ops[ops["done_ns"] >= since_ns])
    finding.figures[f"without_service_s {shard}"] = round(seen.stall_s, 3)
    finding.figures[f"errors {shard}"] = len(bad)
    finding.figures[f"not_issued {shard}"] = seen.not_issued
    series = history.series.get(vtgate, Series([]))
    for what in ("BufferStops", "BufferRequestsEvicted"):
        for reason, number in by_reason(series, what, own[0].keyspace, shard, since_ns).items():
            finding.figures[f"{what} {reason} {shard}"] = number
    if len(bad):
        classes, numbers = np.unique(class_of_each(history, bad), return_counts=True)
        kinds = listed(f"{number} {name}" for name, number in zip(classes.tolist(), numbers.tolist(), strict=True))
        finding.figures[f"error_kinds {shard}"] = kinds
    if not good:
        finding.add(Verdict.FAIL, f"{shard}: no reparent succeeded, so nobody can serve it")
        finding.symptoms.append("no reparent succeeded")
        return
    served = ops["done_ns"][(ops["outcome"] == Outcome.OK) & (ops["done_ns"] >= good[-1].end_ns)]
    if not len(served):
        finding.add(Verdict.FAIL, f"{shard}: no operation succeeded after {good[-1].promoted} was promoted")
        finding.symptoms.append("no operation succeeded afterwards")
        return
    late_s = (int(served.min()) - good[-1].end_ns) / SECOND_NS
    finding.figures[f"served_after_s {shard}"] = round(late_s, 3)
    if late_s > limit_s:
        finding.symptoms.append("the first operation succeeded late")
        finding.add(
            Verdict.FAIL, f"{shard}: the first operation succeeded {seconds(late_s)} after its reparent had returned"
        )


@dataclass(frozen=True, slots=True)
class OthersUnaffected:
    """Clients of the shards whose primaries stayed saw no error."""

    name: str = "emergency/bystanders"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _others(history, node))


def _others(history: History, node: Node) -> Finding:
    window = trouble(history)
    hit = set(reparents_of_shards(history))
    lanes = tuple(lane for lane in history.lanes_of(node.name) if lane.shard not in hit)
    if not lanes or window is None:
        return passed("There were no other shards.")
    ops = history.ops_of(lanes)
    ops = ops[ops["done_ns"] >= window[0]]
    bad = erroneous(ops)
    figures = {"operations": len(ops), "errors": len(bad)}
    if not len(ops):
        return unknown(f"No operation on the other shards ended after the fault on {node.name}.", figures=figures)
    if not len(bad):
        return passed(f"{counted(len(ops), 'operation')} on the other shards, no error.", figures=figures)
    kinds = dict.fromkeys(class_of_each(history, bad).tolist())
    first = " ".join(history.message(bad[0]).split())[:240]
    return failed(
        f"{counted(len(bad), 'error')} of {counted(len(ops), 'operation')} on shards that had no fault: "
        f"{listed(kinds, 3)}.",
        [f"first: {first}"],
        figures,
        kinds,
    )


@dataclass(frozen=True, slots=True)
class OnePrimary:
    """In the end each shard has one tablet that says it is primary and serves; `two_for_s` is how long there were two.

    Two for a while are no broken promise: an old primary that was cut off or stood still learns of its end from the
    topology. What it may do to clients meanwhile is what the safety checks look for.
    """

    name: str = "emergency/one-primary"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _one_primary(history)),)


def _one_primary(history: History) -> Finding:
    window = trouble(history)
    since_ns = window[0] if window else history.start_ns
    finding = Finding(figures={"two_for_s": 0.0})
    keyspace = history.plan.cluster.keyspace
    shards = dict.fromkeys(n.shard for n in history.nodes if n.role is Role.VTTABLET and n.keyspace == keyspace)
    for shard in shards:
        tablets = {n.name: history.series[n.name] for n in _vttablets(history, shard) if n.name in history.series}
        claims = list(_claims(tablets, since_ns))
        if not claims:
            finding.add(Verdict.UNKNOWN, f"{shard}: its vttablets were not sampled")
            continue
        two_s = sum((then[0] - now[0]) / SECOND_NS for now, then in itertools.pairwise(claims) if len(now[1]) > 1)
        finding.figures["two_for_s"] = round(max(float(finding.figures["two_for_s"]), two_s), 2)
        if len(claims[-1][1]) != 1:
            who = listed(claims[-1][1]) if claims[-1][1] else "nobody"
            finding.add(Verdict.FAIL, f"{shard}: at the end {who} said to be its serving primary")
        elif two_s:
            twice = next(at for at in claims if len(at[1]) > 1)
            finding.details.append(
                f"{shard}: {listed(twice[1])} from {offset(twice[0], since_ns)} for {seconds(two_s)}"
            )
    finding.summary = f"{finding.details[0]}." if finding.details else "Each shard had one primary all the time."
    return finding


def _vttablets(history: History, shard: str) -> list[Node]:
    where = history.plan.cluster.keyspace, shard
    return [n for n in history.nodes if n.role is Role.VTTABLET and (n.keyspace, n.shard) == where]


def _claims(tablets: dict[str, Series], since_ns: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """At every sample of any of them, those that say they are primary and serve."""
    stamps = sorted({int(at) for series in tablets.values() for at in series.at_ns if at >= since_ns})
    for at_ns in stamps:
        yield at_ns, tuple(name for name, series in tablets.items() if _claims_at(series, at_ns))


def _claims_at(series: Series, at_ns: int) -> bool:
    index = bisect.bisect_right(series.at_ns, at_ns) - 1
    if index < 0 or series.samples[index].error:
        return False
    is_primary = str(series.at("TabletType", at_ns)).lower() == "primary"
    return is_primary and series.at("TabletStateName", at_ns) == "SERVING"
