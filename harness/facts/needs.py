"""What one run asked of vtgate's buffer: how long, how many, how often, and why its figures may not be trusted.

Counters of go/vt/vtgate/buffer/variables.go (v0.19 to v0.24): `BufferLastFailoverDurationMs` and
`BufferLastRequestsInFlightMax` are of the buffering that ended last, set with `BufferStops`; the second is set to 0
again when the next one starts.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.base.goduration import duration_s
from harness.facts.buffer import buffered_shards, settings
from harness.facts.host_limits import fitness, host_limits, instrument_limits
from harness.facts.interruptions import was_interrupted
from harness.facts.processes import restarted
from harness.facts.storm import SECOND_NS, reparents, reparents_of_shards, seconds_between, storms
from harness.history import History, Series
from harness.model import ConnectionMode

TIMED_OUT = "MaxDurationExceeded"
FULL = "BufferFull"
TOO_RECENT = ("LastFailoverTooRecent", "LastReparentTooRecent")
_DRAINED = re.compile(r"Draining finished for shard: ([^/\s]+)/(\S+) Took: (\S+) for: (\d+) requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One shard's requests were held by one vtgate. The stamps are as wide as it was sampled: `to_ns` is the sample
    that showed the end, `from_ns` the begin if it ended with the sample before."""

    vtgate: str
    shard: str
    from_ns: int
    to_ns: int
    lasted_s: float
    most: int  # requests that waited at once
    reason: str  # of BufferStops

    @property
    def timed_out(self) -> bool:
        return self.reason == TIMED_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """After buffering: `requests` were sent on, so many at a time as --buffer-drain-concurrency says."""

    requests: int
    took_s: float
    concurrency: int

    @property
    def each_s(self) -> float:
        """How long one request took its place."""
        return self.took_s * min(self.concurrency, self.requests) / self.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class StormNeed:
    """Reparents that ran together: how many, how long until the last one returned."""

    shards: int
    lasted_s: float
    own_s: tuple[float, ...]  # of each that succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """One run. Times in seconds; several vtgates count together, `at_once` is the fullest of them."""

    run_id: str
    rate: float  # operations a second of a shard through one vtgate, as recorded
    connections: int  # that the load had for a shard, at most; 0 = no limit
    storms: tuple[StormNeed, ...] = ()
    failed: int = 0  # reparents that failed, or never returned
    held: tuple[Held, ...] = ()
    at_once: int = 0  # requests in one vtgate's buffer at once, all shards together
    refused: int = 0  # requests that found the buffer full, or were put out of it for another
    drains: tuple[Drain, ...] = ()
    gaps_s: tuple[float, ...] = ()  # from the end of a shard's failover to its next reparent
    late_s: tuple[float, ...] = ()  # from the end of buffering to an error that would have begun it anew
    doubts: tuple[str, ...] = ()  # why its times say nothing about Vitess

    @property
    def at_once_shards(self) -> int:
        """Of the largest storm."""
        return max((storm.shards for storm in self.storms), default=0)


def needs(history: History) -> Needs:
    """What a run asked of its vtgates' buffers."""
    buffering = [node.name for node in history.vtgates if settings(history, node.name).enabled]
    held = tuple(found for vtgate in buffering for found in holds(history, vtgate))
    load = history.plan.load
    bounded = load is not None and load.mode is not ConnectionMode.PER_OPERATION
    done = [reparent for reparent in reparents(history) if reparent.returned_ok]
    return Needs(
        run_id=history.plan.run_id,
        rate=_rate(history),
        connections=load.connections_per_shard if load is not None and bounded else 0,
        storms=tuple(_storms(history)),
        failed=len(reparents(history)) - len(done),
        held=held,
        at_once=max((_at_once(h for h in held if h.vtgate == vtgate) for vtgate in buffering), default=0),
        refused=sum(_refused(history, vtgate) for vtgate in buffering),
        drains=tuple(found for vtgate in buffering for found in _drains(history, vtgate)),
        gaps_s=tuple(_gaps(history, held)),
        late_s=tuple(late for each in held for late in _late(history, each)),
        doubts=tuple(doubts(history)),
    )


def doubts(history: History) -> Iterator[str]:
    """Why what took long in this run may have had nothing to do with Vitess, and what it lacks."""
    if was_interrupted(history):
        yield "it was interrupted"
    if any(event.kind == "harness-error" for event in history.events):
        yield "the harness failed in it"
    for event in history.events:
        if event.kind == "spoiled":
            yield str(event.details.get("why", "it was spoiled from outside"))
    for who, limits in (("the host was starved", host_limits()), ("the harness fell behind", instrument_limits())):
        found = fitness(history, limits)
        if found is None:
            yield "it never came to its baseline"
            return
        if found.broken:
            yield f"{who}: {found.broken[0].partition(': as long as that')[0]}"


def without_core_s(history: History) -> float | None:
    """The longest time from the first fault on in which somebody waited for a core; None when nobody measured."""
    found = fitness(history, host_limits())
    return found.figures.get("storm_host_cpu_some_us_saturated") if found is not None else None


def holds(history: History, vtgate: str) -> tuple[Held, ...]:
    """Every buffering that came to its end, by shard; none of a vtgate that began anew, whose counters are lost."""
    series = history.series.get(vtgate)
    if series is None or restarted(history, vtgate):
        return ()
    keyspace = history.plan.cluster.keyspace
    found = [
        held
        for shard in buffered_shards(series, keyspace)
        for held in _of_shard(series, vtgate, keyspace, shard, history.start_ns)
    ]
    return tuple(sorted(found, key=lambda held: (held.to_ns, held.shard)))


def _of_shard(series: Series, vtgate: str, keyspace: str, shard: str, since_ns: int) -> Iterator[Held]:
    stem = f"{keyspace}.{shard}"
    for label in series.labels("BufferStops"):
        if not label.startswith(f"{stem}."):
            continue
        for before_ns, to_ns, _ in series.rises(f"BufferStops:{label}", since_ns):
            took_ms = series.number(f"BufferLastFailoverDurationMs:{stem}", to_ns)
            if took_ms is not None:
                yield Held(
                    vtgate=vtgate,
                    shard=shard,
                    from_ns=before_ns - round(took_ms * 1_000_000),
                    to_ns=to_ns,
                    lasted_s=took_ms / 1000,
                    most=int(series.number(f"BufferLastRequestsInFlightMax:{stem}", to_ns) or 0),
                    reason=label.removeprefix(f"{stem}."),
                )


def _at_once(held: Iterable[Held]) -> int:
    """The most that the shards that were held together had in the buffer, each counted with its own most."""
    edges = [edge for each in held for edge in ((each.from_ns, 1, each.most), (each.to_ns, 0, -each.most))]
    most = now = 0
    for _, _, step in sorted(edges):
        now += step
        most = max(most, now)
    return most


def _storms(history: History) -> Iterator[StormNeed]:
    """Those that came to an end."""
    for storm in storms(history):
        own = tuple(reparent.duration_s for reparent in storm.reparents if reparent.returned_ok)
        if own and all(reparent.end_ns for reparent in storm.reparents):
            yield StormNeed(shards=len(set(storm.shards)), lasted_s=storm.duration_s, own_s=own)


def _rate(history: History) -> float:
    """Of the busiest lane, from its first to its last operation."""
    rates = [0.0]
    for lane in history.lanes:
        at_ns = history.ops_of((lane,))["intended_ns"]
        if len(at_ns) > 1 and at_ns[-1] > at_ns[0]:
            rates.append(float((len(at_ns) - 1) / ((at_ns[-1] - at_ns[0]) / np.int64(SECOND_NS))))
    return max(rates)


def _refused(history: History, vtgate: str) -> int:
    series = history.series.get(vtgate)
    if series is None:
        return 0
    labels = [
        f"{name}:{label}"
        for name in ("BufferRequestsSkipped", "BufferRequestsEvicted")
        for label in series.labels(name)
        if label.endswith(f".{FULL}")
    ]
    return int(sum(series.growth(label, history.start_ns) or 0 for label in labels))


def _drains(history: History, vtgate: str) -> Iterator[Drain]:
    """From vtgate's log; a drain of nothing says nothing."""
    concurrency = settings(history, vtgate).drain_concurrency
    for line in history.logs:
        found = _DRAINED.search(line.text) if line.node == vtgate else None
        if found and found[1] == history.plan.cluster.keyspace and int(found[4]):
            yield Drain(requests=int(found[4]), took_s=duration_s(found[3]), concurrency=concurrency)


def _gaps(history: History, held: Iterable[Held]) -> Iterator[float]:
    """Between two reparents of one shard. Buffering may go on after the first one has returned."""
    ends: dict[str, list[int]] = {}
    for each in held:
        ends.setdefault(each.shard, []).append(each.to_ns)
    for shard, own in reparents_of_shards(history).items():
        for first, second in itertools.pairwise(own):
            until = [first.end_ns, *(end for end in ends.get(shard, ()) if first.begin_ns < end < second.begin_ns)]
            if first.end_ns and max(until) < second.begin_ns:
                yield seconds_between(max(until), second.begin_ns)


def _late(history: History, held: Held) -> Iterator[float]:
    """Errors after a buffering and before the shard's next reparent that vtgate took for the same failover's."""
    nexts = [own.begin_ns for own in reparents_of_shards(history).get(held.shard, ()) if own.begin_ns > held.to_ns]
    until_ns = min(nexts, default=history.end_ns)
    series = history.series[held.vtgate]
    for reason in TOO_RECENT:
        key = f"BufferRequestsSkipped:{history.plan.cluster.keyspace}.{held.shard}.{reason}"
        for _, at_ns, _ in series.rises(key, held.from_ns):
            if at_ns <= until_ns:
                yield max(0.0, seconds_between(held.to_ns, at_ns))
