"""vtgate's buffer: its conservation laws, and how long a shard is held for the others.

Sources: go/vt/vtgate/buffer/shard_buffer.go and variables.go, go/vt/discovery/keyspace_events.go (v0.24.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.base.particulars import without_particulars
from harness.checks.results import Finding, failed, passed, per_vtgate, unknown
from harness.facts.buffer import buffered_shards, by_reason, settings
from harness.facts.processes import restarted
from harness.facts.service import longest_stall
from harness.facts.storm import SECOND_NS, Reparent, Storm, quiet_ns, storms
from harness.facts.words import counted, listed, seconds
from harness.history import History, Series
from harness.model import CheckKind, CheckResult, Node, Verdict

DISTINCT_S = 0.5  # a storm must outlast a shard's own reparent by this much before the two can be told apart


@dataclass(frozen=True, slots=True)
class Conservation:
    """Once idle, every request that was buffered has left, and every start was stopped.

    variables.go: "The sum of the two counters Drained and Evicted should be identical to the Buffered
    counter value." Starts = sum of Stops over their reasons. Absolute values are compared at the end of
    the run, per shard; `BufferFailoverDurationSumMs` is left alone, it is reset at every start
    (startBufferingLocked), whatever its help text says. A drain is counted only when it is over, so a
    shard whose counters still moved in the quiet phase is UNKNOWN.
    """

    name: str = "buffering/conservation"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _conservation(history, node))


def _conservation(history: History, node: Node) -> Finding:
    series = history.series.get(node.name)
    quiet = quiet_ns(history)
    if series is None or not series.answered_ns:
        return unknown(f"{node.name} was not sampled.")
    if quiet is None or series.answered_ns[-1] < quiet:
        return unknown(f"{node.name} was not sampled after the run became quiet.")
    if restarted(history, node.name):
        return unknown(f"{node.name} ended or restarted, so its counters began anew.")
    keyspace = history.plan.cluster.keyspace
    shards = buffered_shards(series, keyspace)
    finding = Finding(figures={"shards": len(shards)})
    broken: list[str] = []
    for shard in shards:
        for line, known in _broken_laws(series, keyspace, shard):
            if not known:
                finding.add(Verdict.UNKNOWN, line)
            elif _moving(series, keyspace, shard, quiet):
                finding.add(Verdict.UNKNOWN, f"{line}, but the shard was not idle yet")
            else:
                broken.append(shard)
                finding.add(Verdict.FAIL, line)
                finding.symptoms.append(without_particulars(line.removeprefix(f"{shard}: ")))
    if broken:
        finding.summary = f"The buffer's books do not balance on {listed(dict.fromkeys(broken))}: {finding.details[0]}."
    elif finding.details:
        finding.summary = f"The buffer's books cannot be closed: {finding.details[0]}."
    elif shards:
        finding.summary = f"Buffered = drained + evicted and starts = stops on {counted(len(shards), 'shard')}."
    else:
        finding.summary = "The buffer was never touched."
    return finding


def _broken_laws(series: Series, keyspace: str, shard: str) -> Iterator[tuple[str, bool]]:
    """Each law that does not hold in words; False = it cannot be told."""
    buffered = series.number(f"BufferRequestsBuffered:{keyspace}.{shard}")
    drained = series.number(f"BufferRequestsDrained:{keyspace}.{shard}")
    evicted = _sum(series, "BufferRequestsEvicted", keyspace, shard)
    if buffered is not None:
        if drained is None or evicted is None:
            yield f"{shard}: buffered {buffered:g}, but drained or evicted is not exported", False
        elif buffered != drained + evicted:
            yield f"{shard}: buffered {buffered:g}, drained {drained:g}, evicted {evicted:g}", True
    starts = series.number(f"BufferStarts:{keyspace}.{shard}")
    stops = _sum(series, "BufferStops", keyspace, shard)
    if starts is not None:
        if stops is None:
            yield f"{shard}: {starts:g} starts, but stops are not exported", False
        elif starts != stops:
            yield f"{shard}: {starts:g} starts, {stops:g} stops", True


def _sum(series: Series, name: str, keyspace: str, shard: str) -> float | None:
    """The sum over the reasons that exist; None when there is none (an absent key is not 0)."""
    prefix = f"{keyspace}.{shard}."
    numbers = [series.number(f"{name}:{label}") for label in series.labels(name) if label.startswith(prefix)]
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _moving(series: Series, keyspace: str, shard: str, since_ns: int) -> bool:
    names = ("BufferStarts", "BufferStops", "BufferRequestsBuffered", "BufferRequestsDrained", "BufferRequestsEvicted")
    stem = f"{keyspace}.{shard}"
    return any(
        series.rises(f"{name}:{label}", since_ns)
        for name in names
        for label in series.labels(name)
        if label == stem or label.startswith(f"{stem}.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """How long one shard was buffered in a storm, beside how long its own reparent took."""

    shard: str
    lasted_s: float
    own_s: float
    rest_s: float  # from its own call to the end of the storm
    evicted: float

    @property
    def factor(self) -> float:
        return self.lasted_s / max(self.own_s, 1e-3)

    @property
    def held(self) -> bool:
        """Its buffering ended nearer to the storm's end than to its own reparent's."""
        return self.rest_s - self.own_s >= DISTINCT_S and self.lasted_s > (self.own_s + self.rest_s) / 2


@dataclass(frozen=True, slots=True)
class KeyspaceConsistency:
    """Was a shard held until the *whole keyspace* was consistent, rather than until its own primary served?

    vtgate ends buffering on a keyspace event, and `ensureConsistentLocked` (keyspace_events.go) sends none
    before every shard of the keyspace serves: in a storm the quick shards wait for the slow ones (measured
    on 21.0.1 and 24.0.x alike). That is the second half of #17629, and a limit of the design rather than a
    lost update. It is reported with the factor, and fails where the extra time cost requests their place
    in the buffer although their own reparent was within the window. Shards whose buffering ran into the
    maximum duration belong to `buffering/stops`.
    """

    name: str = "buffering/keyspace-consistency"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _consistency(history, node))


def _consistency(history: History, node: Node) -> Finding:
    found = storms(history)
    shared = [storm for storm in found if len(set(storm.shards)) > 1]
    if not shared:
        return passed("No two reparents overlapped, so no shard could be held for another.")
    buffer = settings(history, node.name)
    if not buffer.enabled:
        return passed(f"Buffering is off on {node.name}.")
    if restarted(history, node.name):
        return unknown(f"{node.name} ended or restarted, so its counters began anew.")
    holds = [hold for storm in shared for hold in _holds(history, node.name, storm, _until(history, found, storm))]
    if not holds and any(
        _timed_out(history.series.get(node.name), reparent, storm, _until(history, found, storm))
        for storm in shared
        for reparent in storm.reparents
    ):
        return passed("Whatever was buffered ran to its maximum duration: that is judged by buffering/stops.")
    if not holds:
        return unknown(f"Neither counters nor clients of {node.name} tell how long a shard was held.")
    held = sorted((hold for hold in holds if hold.held), key=lambda hold: (-hold.factor, hold.shard))
    median = float(np.median([hold.factor for hold in held])) if held else 0.0
    figures: dict[str, str | int | float] = {
        "held_shards": len(held),
        "measured_shards": len(holds),
        "median_factor": round(median, 2),
        "longest_hold_s": round(max(hold.lasted_s for hold in holds), 3),
        "storm_s": round(max(storm.duration_s for storm in shared), 3),
    }
    details = [
        f"{hold.shard}: held for {seconds(hold.lasted_s)}, its own reparent took {seconds(hold.own_s)} "
        f"(factor {hold.factor:.1f}); {hold.evicted:g} evicted"
        for hold in held
    ]
    if not held:
        return passed(f"Each of {counted(len(holds), 'shard')} was released with its own reparent.", details, figures)
    said = (
        f"{len(held)} of {counted(len(holds), 'shard')} were held until the whole keyspace was consistent, "
        f"at the median {median:.1f} times as long as their own reparent took (the second half of #17629)"
    )
    robbed = [hold for hold in held if hold.evicted and hold.own_s <= buffer.window_s]
    if robbed:
        evicted = sum(hold.evicted for hold in robbed)
        return failed(
            f"{said}; this evicted {counted(evicted, 'request')} on {listed(h.shard for h in robbed)}.",
            details,
            figures,
        )
    return passed(f"{said}; it stayed within the window of {seconds(buffer.window_s)}.", details, figures)


def _until(history: History, found: tuple[Storm, ...], storm: Storm) -> int:
    """Up to when a storm's traces are looked for: the begin of the next one."""
    later = [other.begin_ns for other in found if other.begin_ns > storm.end_ns]
    return min(later, default=history.end_ns)


def _holds(history: History, vtgate: str, storm: Storm, until_ns: int) -> Iterator[Hold]:
    series = history.series.get(vtgate)
    for reparent in storm.reparents:
        if not reparent.end_ns:
            continue
        stem = f"{reparent.keyspace}.{reparent.shard}"
        if _timed_out(series, reparent, storm, until_ns):
            continue
        lasted_s = _lasted_s(history, series, vtgate, reparent, storm, until_ns)
        evicted = (
            series.growth(f"BufferRequestsEvicted:{stem}.WindowExceeded", storm.begin_ns, until_ns) if series else 0
        )
        if lasted_s is not None:
            yield Hold(
                shard=reparent.shard,
                lasted_s=lasted_s,
                own_s=reparent.duration_s,
                rest_s=(storm.end_ns - reparent.begin_ns) / SECOND_NS,
                evicted=evicted or 0.0,
            )


def _timed_out(series: Series | None, reparent: Reparent, storm: Storm, until_ns: int) -> bool:
    key = f"BufferStops:{reparent.keyspace}.{reparent.shard}.MaxDurationExceeded"
    return series is not None and bool(series.growth(key, storm.begin_ns, until_ns))


def _lasted_s(
    history: History, series: Series | None, vtgate: str, reparent: Reparent, storm: Storm, until_ns: int
) -> float | None:
    """How long the shard was buffered: vtgate's own gauge (of its last buffering, so it counts only when a
    buffering of this shard ended in this storm), otherwise what its clients felt."""
    stem = f"{reparent.keyspace}.{reparent.shard}"
    if series is not None and series.labels("BufferLastFailoverDurationMs"):
        if not by_reason(series, "BufferStops", reparent.keyspace, reparent.shard, storm.begin_ns):
            return None
        lasted_ms = series.number(f"BufferLastFailoverDurationMs:{stem}", until_ns)
        return None if lasted_ms is None else lasted_ms / 1e3
    ops = history.ops_of(history.lanes_of(vtgate, reparent.shard))
    if not len(ops):
        return None
    return longest_stall(ops[ops["intended_ns"] < until_ns], storm.begin_ns)[0] / SECOND_NS
