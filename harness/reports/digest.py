"""What the closing summary and the HTML page say about vtgates, shards and streams, gathered once.

These are sums and extremes of what was recorded, not judgements: the verdict is in `RunVerdict`. Stalls
and reparent times come from `harness.facts`, so that a report shows what the checks judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.facts.cycles import StreamCopy, stream_copies
from harness.facts.service import longest_stall
from harness.facts.storm import SECOND_NS, Reparent, aftermath, first_fault_ns, reparents_of_shards
from harness.history import History, Ops
from harness.model import Lane, Outcome
from harness.reports.counters import BufferFacts, buffer_facts
from harness.reports.kinds import ErrorKind, error_kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """The longest time in which a lane had something to do and no operation of it succeeded.

    `open`: it had not ended when the record did (the run was killed, or the lane's clients hung).
    """

    from_ns: int = 0
    span_ns: int = 0
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """One shard through one vtgate. Latencies count from the intended start (open loop), answered
    operations only; `longest_ns` is the longest wait of any operation, whatever came of it."""

    vtgate: str
    shard: str
    outcomes: Mapping[Outcome, int]
    p50_ns: float | None
    p99_ns: float | None
    longest_ns: int
    stall: Stall
    reparent: Reparent | None  # the longest of this shard

    @property
    def ops(self) -> int:
        return sum(self.outcomes.values())

    @property
    def bad(self) -> int:
        return self.ops - self.outcomes[Outcome.OK]

    @property
    def reparent_ns(self) -> int | None:
        """How long this shard's own reparent took; None if there was none or it never returned."""
        took_ns = self.reparent.end_ns - self.reparent.begin_ns if self.reparent and self.reparent.end_ns else 0
        return took_ns or None

    @property
    def factor(self) -> float | None:
        """The stall in units of the shard's own reparent."""
        return self.stall.span_ns / self.reparent_ns if self.reparent_ns else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VtgateFacts:
    """One vtgate: its lanes together, and what its own counters say."""

    name: str
    version: str
    outcomes: Mapping[Outcome, int]
    p50_ns: float | None
    p99_ns: float | None
    worst: LaneFacts | None
    buffer: BufferFacts

    @property
    def ops(self) -> int:
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Everything a report tells besides the verdict."""

    lanes: tuple[LaneFacts, ...]
    vtgates: tuple[VtgateFacts, ...]
    kinds: tuple[ErrorKind, ...]
    streams: tuple[StreamCopy, ...]
    outcomes: Mapping[Outcome, int]
    from_ns: int  # first operation, stream, fault or phase
    until_ns: int
    zero_ns: int  # what moments are told relative to, here as in the checks
    zero_words: str
    buffered: bool  # whether the buffers are worth telling

    def seconds(self, at_ns: float) -> float:
        """A moment as the reader sees it, rounded to what a screen can show."""
        return round(float(at_ns - self.zero_ns) / 1e9, 3)

    @property
    def worst_lanes(self) -> tuple[LaneFacts, ...]:
        """The longest stall first."""
        return tuple(sorted(self.lanes, key=lambda lane: (-lane.stall.span_ns, lane.vtgate, lane.shard)))

    @property
    def ops(self) -> int:
        return sum(self.outcomes.values())

    @property
    def reparented(self) -> bool:
        """Whether any shard with clients was reparented: without it there is nothing to compare a stall with."""
        return any(lane.reparent for lane in self.lanes)


def digest(history: History) -> Digest:
    spans = reparents_of_shards(history)
    trouble = aftermath(history)
    since_ns = trouble[0] if trouble else 0
    ends_ns = cut_ns(history)
    lanes = tuple(
        _lane(lane, history.ops_of([lane]), since_ns, ends_ns, spans.get(lane.shard, ())) for lane in history.lanes
    )
    streams = stream_copies(history)
    vtgates = tuple(_vtgate(history, name, lanes) for name in vtgate_names(history))
    from_ns, until_ns = window(history, streams)
    zero_ns, zero_words = _zero(history, streams, from_ns)
    return Digest(
        lanes=lanes,
        vtgates=vtgates,
        kinds=error_kinds(history),
        streams=streams,
        outcomes=outcomes_of(history.ops),
        from_ns=from_ns,
        until_ns=until_ns,
        zero_ns=zero_ns,
        zero_words=zero_words,
        buffered=history.plan.items is None or any(_has_buffered(vtgate.buffer) for vtgate in vtgates),
    )


def _has_buffered(buffer: BufferFacts) -> bool:
    """A run that copies tables is about buffers only where one did something; its counters are there all the same."""
    parts = (buffer.evicted, buffer.skipped, buffer.stops)
    return bool(buffer.buffered) or any(number for part in parts for number in part.values())


def _zero(history: History, streams: Sequence[StreamCopy], from_ns: int) -> tuple[int, str]:
    """What moments are told relative to, and its name: what the checks take, too."""
    begun = [stream.begin_ns for stream in streams if stream.begin_ns]
    if begun:
        return min(begun), "the streams' begin"
    trouble = aftermath(history)
    if trouble is None:
        return from_ns, "the load"
    if first_fault_ns(history):
        return trouble[0], "the first fault"
    return trouble[0], "the copy" if history.plan.items else "the control's storm"


def vtgate_names(history: History) -> tuple[str, ...]:
    """From the nodes, or, where nodes.json is missing, from the lanes."""
    named = [node.name for node in history.vtgates] + [lane.vtgate for lane in history.lanes]
    return tuple(dict.fromkeys(named))


def window(history: History, streams: Sequence[StreamCopy] = ()) -> tuple[int, int]:
    """From just before anything happened to clients, streams or shards until the last stamp."""
    starts = [span.intent_ns for span in history.faults]
    starts += [from_ns for from_ns, _ in history.phases.values()]
    if len(history.ops):
        starts.append(int(history.ops["intended_ns"][0]))
    starts += [stream.begin_ns for stream in streams if stream.begin_ns]
    ends = [span.active_ns for span in history.faults] + [span.healed_ns for span in history.faults]
    ends += [stream.last_ns for stream in streams]
    from_ns = min(starts, default=history.start_ns)
    return from_ns, max(history.end_ns, from_ns, *ends) if ends else max(history.end_ns, from_ns)


def outcomes_of(ops: Ops) -> dict[Outcome, int]:
    counts = np.bincount(ops["outcome"], minlength=len(Outcome))
    return {outcome: int(counts[outcome]) for outcome in Outcome}


def stall_of(ops: Ops, lane: Lane, since_ns: int, cut_ns: int) -> Stall:
    """The longest stall of a lane since the trouble began, as the checks count it.

    Operations in flight when a run is killed (at `cut_ns`, 0 if it was not) are not on record, so a lane
    that had fallen silent by then counts as waiting: 10 mean gaps of silence come by chance once in 22,000.
    """
    span_ns, from_ns = longest_stall(ops, since_ns)
    silent_ns = cut_ns - int(ops["done_ns"].max()) if len(ops) else 0
    if silent_ns * lane.rate > 10 * SECOND_NS:
        good = ops["done_ns"][ops["outcome"] == Outcome.OK]
        last_ns = max(int(good.max()) if len(good) else 0, since_ns)
        if cut_ns - last_ns > span_ns:
            return Stall(from_ns=last_ns, span_ns=cut_ns - last_ns, open=True)
    return Stall(from_ns=from_ns, span_ns=span_ns)


def cut_ns(history: History) -> int:
    """When a killed run's record ends: what the load workers' own samples reached; 0 for a run that came to
    its end, which reads the tables after the load."""
    if history.rows:
        return 0
    stamps = [int(series.at_ns[-1]) for name, series in history.series.items() if _of_load(name) and len(series.at_ns)]
    return max(stamps, default=0)


def _of_load(source: str) -> bool:
    return source.startswith("load-")


def _lane(lane: Lane, ops: Ops, since_ns: int, cut_ns: int, spans: tuple[Reparent, ...]) -> LaneFacts:
    p50, p99 = _percentiles(ops)
    return LaneFacts(
        vtgate=lane.vtgate,
        shard=lane.shard,
        outcomes=outcomes_of(ops),
        p50_ns=p50,
        p99_ns=p99,
        longest_ns=int((ops["done_ns"] - ops["intended_ns"]).max()) if len(ops) else 0,
        stall=stall_of(ops, lane, since_ns, cut_ns),
        reparent=max(spans, key=lambda span: (span.duration_s, -span.number), default=None),
    )


def _percentiles(ops: Ops) -> tuple[float | None, float | None]:
    good = ops[ops["outcome"] == Outcome.OK]
    if not len(good):
        return None, None
    p50, p99 = np.percentile(good["done_ns"] - good["intended_ns"], [50, 99])
    return float(p50), float(p99)


def _vtgate(history: History, name: str, lanes: tuple[LaneFacts, ...]) -> VtgateFacts:
    mine = [lane for lane in lanes if lane.vtgate == name]
    p50, p99 = _percentiles(history.ops_of(history.lanes_of(name)))
    version = next((node.version for node in history.nodes if node.name == name), "?")
    return VtgateFacts(
        name=name,
        version=version,
        outcomes={outcome: sum(lane.outcomes[outcome] for lane in mine) for outcome in Outcome},
        p50_ns=p50,
        p99_ns=p99,
        worst=max(mine, key=lambda lane: lane.stall.span_ns, default=None),
        buffer=buffer_facts(history.series.get(name)),
    )
