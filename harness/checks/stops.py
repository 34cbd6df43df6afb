"""Why buffering ended, against each shard's own reparent.

Reasons: stopReason in go/vt/vtgate/buffer/variables.go (v0.24.3). NewPrimarySeen is the good end.
MaxDurationExceeded after the reparent had returned is the symptom of #17629: the promotion was there to be
seen, and this vtgate did not act on it. At least two causes are known (a dropped health update in 21.0.2 and
before; on 24.0.3 a vtgate that stood still in mid-storm), so this check names the symptom and the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.checks.results import Finding, offset, passed, per_vtgate, unknown
from harness.facts.buffer import by_reason, settings
from harness.facts.processes import restarted
from harness.facts.storm import REPARENTS, Reparent, reparents_of_shards, trouble
from harness.facts.words import counted, listed, seconds
from harness.history import History, Series
from harness.model import CheckKind, CheckResult, Node, Verdict

NEW_PRIMARY = "NewPrimarySeen"
MAX_DURATION = "MaxDurationExceeded"
TRAFFIC_SWITCHED = frozenset({"MoveTablesSwitchedTraffic", "ReshardingComplete"})
KEEP_PRIMARIES = frozenset({*REPARENTS, "ReadOnlyPrimary"})  # beside which only a reparent makes a new primary


@dataclass(frozen=True, slots=True)
class BufferStops:
    """Every end of buffering is one that this run explains."""

    name: str = "buffering/stops"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _stops(history, node))


def _stops(history: History, node: Node) -> Finding:
    if not settings(history, node.name).enabled:
        return passed(f"Buffering is off on {node.name}.")
    series = history.series.get(node.name)
    if series is None or not series.answered_ns:
        return unknown(f"{node.name} was not sampled.")
    if restarted(history, node.name):
        return unknown(f"{node.name} ended or restarted, so its counters began anew.")
    window = trouble(history)
    since_ns = window[0] if window else history.start_ns
    keyspace = history.plan.cluster.keyspace
    own = reparents_of_shards(history)
    finding = Finding()
    totals: dict[str, float] = {}
    stuck: list[str] = []
    for shard in _shards(series, keyspace):
        for reason, number in by_reason(series, "BufferStops", keyspace, shard, since_ns).items():
            totals[reason] = totals.get(reason, 0) + number
            verdict, line = _judged(history, series, shard, reason, own.get(shard, ()), since_ns)
            if verdict is Verdict.FAIL and reason == MAX_DURATION:
                stuck.append(shard)
            if verdict is Verdict.FAIL:
                finding.symptoms.append(reason)
            if line:
                finding.add(verdict, line)
    finding.figures.update({f"stops_{reason}": number for reason, number in sorted(totals.items())})
    finding.figures["promotions_counted"] = _promotions(series, since_ns)
    finding.figures["reparents"] = sum(len(found) for found in own.values())
    if stuck or MAX_DURATION in totals:
        finding.details.insert(0, _evidence(series, finding.figures, since_ns))
    finding.summary = _summary(node, totals, stuck, finding)
    return finding


def _shards(series: Series, keyspace: str) -> list[str]:
    prefix = f"{keyspace}."
    labels = (label for label in series.labels("BufferStops") if label.startswith(prefix))
    return sorted({label.removeprefix(prefix).rpartition(".")[0] for label in labels})


def _judged(
    history: History, series: Series, shard: str, reason: str, own: tuple[Reparent, ...], since_ns: int
) -> tuple[Verdict, str]:
    """The verdict on the stops of one shard for one reason, and the line that says why ("" = as expected)."""
    key = f"BufferStops:{history.plan.cluster.keyspace}.{shard}.{reason}"
    rises = series.rises(key, since_ns)
    if reason == NEW_PRIMARY:
        early = [rise for rise in rises if not any(reparent.begin_ns <= rise[1] for reparent in own)]
        if early and all(span.fault in KEEP_PRIMARIES for span in history.faults):
            when = offset(early[0][1], since_ns)
            return Verdict.FAIL, f"{shard}: a new primary was seen ({when}) before its own reparent began (like #16438)"
        return Verdict.PASS, ""
    if reason == MAX_DURATION:
        judged = [_max_duration(history, shard, own, rise[0], rise[1], since_ns) for rise in rises]
        return max(judged, default=(Verdict.PASS, ""))
    if reason in TRAFFIC_SWITCHED and all(_switching(history, rise[1]) for rise in rises):
        return Verdict.PASS, ""
    if reason == "Shutdown":
        return Verdict.PASS, f"{shard}: buffering ended with vtgate's shutdown"
    return Verdict.FAIL, f"{shard}: buffering ended with {reason}, which nothing in this run explains"


def _switching(history: History, at_ns: int) -> bool:
    """Whether a traffic switch of ours had begun."""
    return any(span.begin_ns and span.begin_ns <= at_ns for span in history.spans("SwitchedTraffic"))


def _max_duration(
    history: History, shard: str, own: tuple[Reparent, ...], not_before_ns: int, seen_ns: int, since_ns: int
) -> tuple[Verdict, str]:
    """Buffering hit its bound between two samples: was there still something to wait for?"""
    when = f"{shard}: buffering hit its maximum duration at {offset(seen_ns, since_ns)}"
    begun = [reparent for reparent in own if reparent.begin_ns <= seen_ns]
    if not begun:
        return Verdict.FAIL, f"{when}, although no reparent of the shard had begun"
    last = begun[-1]
    if last.error:
        return Verdict.PASS, f"{when}; its reparent failed: {last.error[:120]}"
    if not last.end_ns or last.end_ns >= not_before_ns:
        took = seconds(last.duration_s) if last.end_ns else "without end"
        return Verdict.PASS, f"{when}, while its own reparent was still running (took {took}, #9433)"
    pending = _pending(history, shard, not_before_ns)
    if pending:
        also = f"; still being reparented then: {listed(pending)} (keyspace-wide consistency)"
    else:
        also = ", and every other reparent was over too (the symptom of #17629)"
    return Verdict.FAIL, f"{when}, {seconds((not_before_ns - last.end_ns) / 1e9)} after its reparent had returned{also}"


def _pending(history: History, shard: str, at_ns: int) -> list[str]:
    """Other shards whose reparent was running at a moment."""
    found: list[str] = []
    for other, own in reparents_of_shards(history).items():
        running = any(r.begin_ns <= at_ns and (r.end_ns == 0 or r.end_ns > at_ns) for r in own)
        if running and other != shard:
            found.append(other)
    return found


def _promotions(series: Series, since_ns: int) -> float:
    labels = series.labels("HealthcheckPrimaryPromoted")
    return sum(series.growth(f"HealthcheckPrimaryPromoted:{label}", since_ns) or 0.0 for label in labels)


def _evidence(series: Series, figures: Mapping[str, str | int | float], since_ns: int) -> str:
    """What separates the causes: promotions that vtgate's health check saw, updates its channel dropped.

    HealthCheckChannelFullErrors exists from 22.0 on; 21.0.x drops silently (go/vt/discovery/healthcheck.go).
    """
    full = series.growth("HealthCheckChannelFullErrors", since_ns)
    dropped = "not exported by this release" if full is None else f"{full:g}"
    return (
        f"vtgate counted {figures['promotions_counted']:g} promotions of {figures['reparents']:g} reparents; "
        f"HealthCheckChannelFullErrors: {dropped}"
    )


def _summary(node: Node, totals: Mapping[str, float], stuck: list[str], finding: Finding) -> str:
    reasons = ", ".join(f"{number:g} {reason}" for reason, number in sorted(totals.items())) or "none"
    if stuck:
        return (
            f"{node.name} buffered {counted(len(stuck), 'shard')} to the maximum duration after the reparent had "
            f"returned: {listed(stuck)}; ends of buffering: {reasons}."
        )
    if finding.verdict is Verdict.FAIL:
        line = next(detail for detail in finding.details if not detail.startswith("vtgate counted"))
        return f"Buffering on {node.name} ended in a way that the run does not explain: {line}."
    return f"Ends of buffering: {reasons}."
