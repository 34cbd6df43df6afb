"""Buffering that went on although there was nothing to wait for, or something that had to do with another shard.

vtgate ends buffering by a promotion or by the end of a traffic switch. Where neither is to come, it waits until
--buffer-max-failover-duration is over, or until a health message happens to make the keyspace look consistent
(go/vt/discovery/keyspace_events.go, waitForReparent; buffer/shard_buffer.go, v0.24.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from harness.attribution.evidence import of_line
from harness.attribution.fault_signatures import GAVE_UP, SWITCH
from harness.attribution.reach import GET_OVER_NS, evidence_of, lanes_of, spans_of
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts.buffering import SETTLED_NS, Buffering, bufferings, pendings
from harness.facts.pools import full_pools
from harness.facts.spans import without
from harness.facts.storm import REPARENTS
from harness.facts.tablet_states import unserved
from harness.facts.words import counted
from harness.history import History
from harness.model import FaultSpan

Stretch = tuple[int, int]
ERRORS = GAVE_UP | frozenset({"reparent-in-progress"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToWaitFor:
    """The primary that had failed serves again as itself. vtgate takes only a later term for the end of what looked
    like a reparent, so that a primary which is being demoted does not end the buffering (keyspace_events.go, v0.24.3):
    no such term will ever come."""

    name: str = "buffered-without-a-reparent"
    title: str = "buffered on, though the same primary served again"
    blame: Blame = Blame.DESIGN
    rank: int = Rank.DEFECT - 1
    advice: str = "a shorter --buffer-max-failover-duration bounds it; a reparent of the shard ends it"

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in _own(history):
            over_ns = max((to_ns for _, to_ns in _reasons(history, stretch)), default=0) + GET_OVER_NS
            if over_ns + SETTLED_NS < stretch.to_ns and _by_a_fault(history, stretch):
                yield Claim(
                    vtgate=stretch.vtgate,
                    shard=stretch.shard,
                    from_ns=max(over_ns, stretch.from_ns),
                    to_ns=stretch.to_ns,
                    evidence=(*_lines(stretch), *spans_of_lane(history, stretch)[-1:]),
                    errors=ERRORS,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTheSwitch:
    """MoveTables had switched, and the shard was buffered on (vitess#15707 was one way to this)."""

    name: str = "buffered-past-the-switch"
    title: str = "buffered on, though the traffic had been switched"
    blame: Blame = Blame.VITESS
    rank: int = Rank.DEFECT - 1
    advice: str = "a longer time between two switches than --health-check-interval; see vitess#15707"

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in bufferings(history):
            for span in spans_of(history, (SWITCH,)):
                over_ns = (span.active_ns or history.end_ns) + SETTLED_NS
                if span.begin_ns - SETTLED_NS < stretch.from_ns < over_ns < stretch.to_ns:
                    yield Claim(
                        vtgate=stretch.vtgate,
                        shard=stretch.shard,
                        from_ns=over_ns,
                        to_ns=stretch.to_ns,
                        evidence=(*_lines(stretch), evidence_of(history, span)),
                        errors=ERRORS,
                    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldByAnotherShard:
    """A shard that a fault keeps from serving keeps every buffered shard of the keyspace waiting."""

    name: str = "held-by-another-shard"
    title: str = "waited until a shard served again that a fault had hit"
    blame: Blame = Blame.DESIGN
    rank: int = Rank.KEYSPACE
    advice: str = "every buffered shard waits until all shards of the keyspace serve"

    def claims(self, history: History) -> Iterator[Claim]:
        found = tuple(_own(history))
        for stretch in found:
            own = _reasons(history, stretch)
            for other in found:
                if other.vtgate == stretch.vtgate and other.shard != stretch.shard:
                    yield from _held(history, stretch, other, own)


def _held(history: History, stretch: Buffering, other: Buffering, own: Iterable[Stretch]) -> Iterator[Claim]:
    faults = spans_of_lane(history, other)
    both = max(stretch.from_ns, other.from_ns), min(stretch.to_ns, other.to_ns)
    if not faults or both[0] >= both[1]:
        return
    for from_ns, to_ns in without(both, own):
        yield Claim(
            vtgate=stretch.vtgate,
            shard=stretch.shard,
            from_ns=from_ns,
            to_ns=to_ns,
            evidence=(faults[-1], *_lines(other), *_lines(stretch)),
            errors=ERRORS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What had queued up in front of a lane's connections is served when they are free again.

    That takes no longer than it took to queue up, where a lane can serve twice what arrives."""

    name: str = "backlog"
    title: str = "waited for those that had been buffered before it"
    blame: Blame = Blame.DESIGN
    rank: int = Rank.FAULT - 4
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in bufferings(history):
            if stretch.ended:
                yield Claim(
                    vtgate=stretch.vtgate,
                    shard=stretch.shard,
                    from_ns=stretch.to_ns,
                    to_ns=max(stretch.to_ns, stretch.drained_ns) + max(GET_OVER_NS, stretch.to_ns - stretch.from_ns),
                    evidence=_lines(stretch),
                    errors=GAVE_UP,
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHeld:
    """Clients of all shards share one pool of connections, and those of one shard, which waits, have them all."""

    name: str = "pool-held"
    title: str = "waited for a connection of the pool, which clients of another shard held"
    blame: Blame = Blame.RUN
    rank: int = Rank.NOTHING_ELSE
    advice: str = "a pool a shard, or a shorter time limit for a statement: one shard's wait is every shard's otherwise"

    def claims(self, history: History) -> Iterator[Claim]:
        for pool in full_pools(history):
            seen = Evidence(
                source="ops",
                subject=pool.holder,
                at_ns=pool.from_ns,
                text=f"all {pool.connections} connections to {pool.vtgate} were taken, {pool.share:.0%} of the time by "
                f"operations of {pool.holder}",
            )
            for shard in pool.shards:
                if shard != pool.holder:
                    yield Claim(
                        vtgate=pool.vtgate,
                        shard=shard,
                        from_ns=pool.from_ns,
                        to_ns=pool.to_ns + GET_OVER_NS,
                        evidence=(seen,),
                        errors=GAVE_UP,
                    )


# ---------------------------------------------------------------- shared


def _own(history: History) -> Iterator[Buffering]:
    keyspace = history.plan.cluster.keyspace
    yield from (stretch for stretch in bufferings(history) if stretch.keyspace == keyspace)


def _by_a_fault(history: History, stretch: Buffering) -> bool:
    """Buffering that a fault began, and neither a promotion nor a switch of traffic was to end."""
    promoted = any(
        each.reparent.shard == stretch.shard
        and each.reparent.returned_ok
        and stretch.from_ns < each.to_ns < stretch.to_ns
        for each in pendings(history)[stretch.vtgate]
    )
    switching = any(spans_of(history, (SWITCH,)))
    return bool(spans_of_lane(history, stretch)) and not promoted and not switching


def _reasons(history: History, stretch: Buffering) -> list[Stretch]:
    """When there was something to wait for: a reparent of the keyspace, a fault on the shard's way, no primary."""
    keyspace = history.plan.cluster.keyspace
    found = [(each.from_ns, each.to_ns) for each in pendings(history)[stretch.vtgate]]
    found += [(span.begin_ns, _healed_ns(history, span)) for span in _faults_of(history, stretch.vtgate, stretch.shard)]
    found += [
        (gap.from_ns, gap.to_ns)
        for gap in unserved(history)
        if (gap.keyspace, gap.shard) == (keyspace, stretch.shard) and gap.before
    ]
    return [(from_ns, to_ns) for from_ns, to_ns in found if from_ns < stretch.to_ns and stretch.from_ns < to_ns]


def spans_of_lane(history: History, stretch: Buffering) -> tuple[Evidence, ...]:
    """The faults, not reparents, during which buffering of a shard began, or that had just been taken back."""
    return tuple(
        evidence_of(history, span)
        for span in _faults_of(history, stretch.vtgate, stretch.shard)
        if span.begin_ns <= stretch.from_ns <= _healed_ns(history, span) + SETTLED_NS
    )


@lru_cache(maxsize=512)
def _faults_of(history: History, vtgate: str, shard: str) -> tuple[FaultSpan, ...]:
    return tuple(
        span
        for span in history.faults
        if span.begin_ns and span.fault not in REPARENTS and span.fault != SWITCH
        if {(vtgate, ""), ("", shard), (vtgate, shard)} & lanes_of(history, span)
    )


def _healed_ns(history: History, span: FaultSpan) -> int:
    return span.healed_ns or (span.active_ns if not span.undo else 0) or history.end_ns


def _lines(stretch: Buffering) -> tuple[Evidence, ...]:
    """What vtgate said of it; of one that was read from counters, that it was counted."""
    lines = tuple(of_line(line) for line in (stretch.ended, stretch.began) if line)
    if lines:
        return lines
    text = f"BufferStarts of {stretch.shard} rose; {counted(stretch.requests, 'request')} waited at its end"
    return (
        Evidence(source=f"samples-{stretch.vtgate}.jsonl", subject=stretch.vtgate, at_ns=stretch.from_ns, text=text),
    )


WAITING: tuple[Signature, ...] = (NothingToWaitFor(), PastTheSwitch(), HeldByAnotherShard(), Backlog(), PoolHeld())
