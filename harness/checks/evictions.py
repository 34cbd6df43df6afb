"""Requests that lost their place in the buffer, or never got one, and why.

Reasons: evictedReason and skippedReason in go/vt/vtgate/buffer/variables.go (v0.24.3).

An eviction has cost its client: WindowExceeded a whole window of waiting before a retry that finds the same
primary gone, BufferFull and ContextDone an error. A skip costs nothing by itself: waitForFailoverEnd
returns without an error and vtgate tries the query again (tabletgateway.go withRetry); it counts as a
broken promise only where clients of that shard saw errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.base.particulars import without_particulars
from harness.checks.results import Finding, passed, per_vtgate, unknown
from harness.facts import promotions
from harness.facts.affected import erroneous
from harness.facts.buffer import BufferSettings, by_reason, settings
from harness.facts.processes import restarted
from harness.facts.promotions import WORDS
from harness.facts.storm import Reparent, reparents_of_shards, storms, trouble
from harness.facts.words import counted, listed, seconds
from harness.history import History, Series
from harness.model import CheckKind, CheckResult, Node, Verdict


@dataclass(frozen=True, slots=True)
class BufferEvictions:
    """No request was evicted, and none was refused a place that its client then missed."""

    name: str = "buffering/evictions"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _evictions(history, node))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shard:
    """What explains the evictions of one shard."""

    name: str
    buffer: BufferSettings
    own_s: float
    storm_s: float
    gap_s: float  # between the last two reparents of the shard; 0 = there was one
    hit_max_duration: bool
    held_by: str  # a defect that let it buffer when nothing was left to wait for; "" = none
    operation_timeout_s: float
    errors: int


def _evictions(history: History, node: Node) -> Finding:
    buffer = settings(history, node.name)
    if not buffer.enabled:
        return passed(f"Buffering is off on {node.name}.")
    series = history.series.get(node.name)
    if series is None or not series.answered_ns:
        return unknown(f"{node.name} was not sampled.")
    if restarted(history, node.name):
        return unknown(f"{node.name} ended or restarted, so its counters began anew.")
    window = trouble(history)
    since_ns = window[0] if window else history.start_ns
    keyspace = history.plan.cluster.keyspace
    finding = Finding(figures={"evicted": 0, "skipped": 0})
    causes: list[str] = []
    for name in _shards(series, keyspace):
        evicted = by_reason(series, "BufferRequestsEvicted", keyspace, name, since_ns)
        skipped = by_reason(series, "BufferRequestsSkipped", keyspace, name, since_ns)
        if not evicted and not skipped:
            continue
        shard = _facts(history, series, node.name, name, since_ns)
        _count(finding.figures, "evicted", evicted)
        _count(finding.figures, "skipped", skipped)
        for reason, number in evicted.items():
            cause = _why_evicted(shard, reason)
            causes.append(cause)
            finding.add(Verdict.FAIL, f"{name}: {number:g} evicted ({reason}): {cause}")
        for reason, number in skipped.items():
            cause = _why_skipped(shard, reason)
            missed = reason != "Shutdown" and shard.errors > 0
            if missed:
                causes.append(cause)
            said = f"its clients saw {counted(shard.errors, 'error')}" if missed else "its clients saw no error"
            finding.add(
                Verdict.FAIL if missed else Verdict.PASS, f"{name}: {number:g} skipped ({reason}), {said}: {cause}"
            )
    finding.symptoms = [without_particulars(cause) for cause in causes]
    finding.summary = _summary(node, finding, causes)
    return finding


def _count(figures: dict[str, str | int | float], what: str, reasons: Mapping[str, float]) -> None:
    for reason, number in reasons.items():
        for name in (what, f"{what}_{reason}"):
            before = figures.get(name, 0)
            figures[name] = int(number) + (before if isinstance(before, int) else 0)


def _summary(node: Node, finding: Finding, causes: list[str]) -> str:
    evicted, skipped = finding.figures["evicted"], finding.figures["skipped"]
    if not finding.details:
        return "No request was evicted from the buffer or refused a place in it."
    said = f"{evicted:,} requests evicted and {skipped:,} skipped by {node.name}"
    if finding.verdict is Verdict.PASS:
        return f"{said}, none of them to the harm of a client."
    return f"{said}: {listed(dict.fromkeys(causes), 2)}."


def _shards(series: Series, keyspace: str) -> list[str]:
    prefix = f"{keyspace}."
    labels = [
        label.removeprefix(prefix)
        for name in ("BufferRequestsEvicted", "BufferRequestsSkipped")
        for label in series.labels(name)
        if label.startswith(prefix)
    ]
    return sorted({label.rpartition(".")[0] for label in labels})


def _facts(history: History, series: Series, vtgate: str, shard: str, since_ns: int) -> _Shard:
    own: tuple[Reparent, ...] = reparents_of_shards(history).get(shard, ())
    keyspace = history.plan.cluster.keyspace
    ops = history.ops_of(history.lanes_of(vtgate, shard))
    load = history.plan.load
    return _Shard(
        name=shard,
        buffer=settings(history, vtgate),
        own_s=max((reparent.duration_s for reparent in own), default=0.0),
        storm_s=max((storm.duration_s for storm in storms(history)), default=0.0),
        gap_s=(own[-1].begin_ns - max(own[-2].end_ns, own[-2].begin_ns)) / 1e9 if len(own) > 1 else 0.0,
        hit_max_duration=bool(series.growth(f"BufferStops:{keyspace}.{shard}.MaxDurationExceeded", since_ns)),
        held_by=_held_by(history, vtgate, shard),
        operation_timeout_s=load.operation_timeout_s if load else 0.0,
        errors=len(erroneous(ops[ops["done_ns"] >= since_ns])),
    )


def _held_by(history: History, vtgate: str, shard: str) -> str:
    late = promotions.late(history, vtgate)
    causes = promotions.causes_of(history, vtgate, late)
    return next((WORDS[promotions.cause_of(ended, causes)] for ended in late if ended.shard == shard), "")


def _why_evicted(shard: _Shard, reason: str) -> str:
    buffer = shard.buffer
    if reason == "BufferFull":
        return f"more requests at once than buffer-size {buffer.size}"
    if reason == "ContextDone":
        return f"the client gave up first (operation timeout {seconds(shard.operation_timeout_s)})"
    if reason != "WindowExceeded":
        return "a reason that this version of vtchaos does not know"
    if shard.own_s > buffer.window_s:
        return f"the window of {seconds(buffer.window_s)} is shorter than the reparent (#9433)"
    if shard.held_by:
        return f"buffering did not end after the reparents (#17629): {shard.held_by}"
    if shard.hit_max_duration:
        return "buffering did not end after the reparent (see buffering/stops)"
    if shard.storm_s > buffer.window_s:
        return (
            f"the storm outlasted the window of {seconds(buffer.window_s)} and the shard was held to its end "
            "(keyspace-wide consistency)"
        )
    return "no reparent and no storm was as long as the window: unexplained"


def _why_skipped(shard: _Shard, reason: str) -> str:
    minimum = seconds(shard.buffer.min_time_between_failovers_s)
    if reason == "BufferFull":
        return f"other shards held all of buffer-size {shard.buffer.size}"
    if reason == "Disabled":
        return "buffering is not enabled for this shard"
    if reason in ("LastFailoverTooRecent", "LastReparentTooRecent"):
        # shard_buffer.go waitForFailoverEnd: a design limit, not a bug
        if shard.gap_s and shard.gap_s < shard.buffer.min_time_between_failovers_s:
            return f"a second reparent within buffer-min-time-between-failovers {minimum} is not buffered, by design"
        return f"an error seen after the failover had ended is not buffered for {minimum}, by design"
    if reason == "Shutdown":
        return "vtgate was shutting down"
    return "a reason that this version of vtchaos does not know"
