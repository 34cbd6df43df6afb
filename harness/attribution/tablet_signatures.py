"""What a shard's own tablets show: nobody serves as primary, or somebody does who cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution.evidence import of_reparent
from harness.attribution.fault_signatures import GONE, READ_ONLY
from harness.attribution.reach import spans_of, tablets_hit, until_ns
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts import promotions
from harness.facts.spans import without
from harness.facts.storm import SECOND_NS, Reparent, reparents, reparents_of_shards, seconds_between
from harness.facts.tablet_states import ReadOnlyPrimary, Unserved, read_only_primaries, unserved
from harness.facts.words import seconds
from harness.history import History
from harness.model import Node, Role

# vtgate hears of a tablet's change through its health stream at once; a sample of the tablet is up to a second late.
HEARD_NS = SECOND_NS
JUST_ABOVE = 5  # of what is otherwise of the same rank
SEMI_SYNC_BLOCKED = "SemiSyncMonitorWritesBlocked"  # go/vt/vttablet/tabletmanager/semisyncmonitor/monitor.go, v0.22 on


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftWithoutPrimary:
    """A reparent that failed had demoted the primary, and nobody serves until somebody repeats it: nothing is undone
    when DemotePrimary fails, or there is no topology (planned_reparenter.go, performGracefulPromotion, v0.24.3)."""

    name: str = "left-without-primary"
    title: str = "a reparent had failed and left the shard without a serving primary"
    blame: Blame = Blame.VITESS
    rank: int = Rank.BUFFER + JUST_ABOVE  # no setting of the buffer helps a shard that has nobody to go to
    advice: str = "repeat the reparent, or run vtorc; see vitess#20160"

    def claims(self, history: History) -> Iterator[Claim]:
        own = reparents_of_shards(history)
        for gap in _of_main(history):
            failed = [each for each in own.get(gap.shard, ()) if _left(each, gap)]
            if failed:
                begin_ns = max(gap.from_ns, failed[-1].end_ns)
                yield _unserved_claim(gap, begin_ns, (of_reparent(failed[-1]), _of_gap(gap)))


def _left(reparent: Reparent, gap: Unserved) -> bool:
    """It failed while the shard was without a primary already."""
    failed = bool(reparent.error) and reparent.end_ns > 0
    return failed and reparent.begin_ns <= gap.from_ns + HEARD_NS and reparent.end_ns < gap.to_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPrimary:
    """Nobody serves as the shard's primary, and nothing that was done to it says why."""

    name: str = "no-primary"
    title: str = "the shard had no serving primary"
    blame: Blame = Blame.DESIGN
    rank: int = Rank.FAULT - 3
    advice: str = "Vitess promotes nobody by itself: run vtorc, or EmergencyReparentShard"

    def claims(self, history: History) -> Iterator[Claim]:
        for gap in _of_main(history):
            for from_ns, to_ns in without((gap.from_ns, gap.to_ns), _reparented(history, gap.shard)):
                yield _unserved_claim(gap, from_ns, (_of_gap(gap),), to_ns=to_ns)


def _reparented(history: History, shard: str) -> list[tuple[int, int]]:
    """A shard that is being reparented has no primary for a while: that is the reparent's."""
    own = reparents_of_shards(history).get(shard, ())
    return [(each.begin_ns, each.end_ns + HEARD_NS) for each in own if each.returned_ok]


def _of_main(history: History) -> Iterator[Unserved]:
    """Shards of the keyspace that clients ask for, once they had been served."""
    yield from (gap for gap in unserved(history) if gap.keyspace == history.plan.cluster.keyspace and gap.before)


def _unserved_claim(gap: Unserved, from_ns: int, evidence: tuple[Evidence, ...], *, to_ns: int = 0) -> Claim:
    return Claim(
        vtgate="", shard=gap.shard, from_ns=from_ns, to_ns=to_ns or gap.to_ns + HEARD_NS, evidence=evidence, errors=GONE
    )


def _of_gap(gap: Unserved) -> Evidence:
    then = f"then {gap.after} did" if gap.after else "nobody did until the end"
    took = seconds(seconds_between(gap.from_ns, gap.to_ns))
    return Evidence(
        source=f"samples-{gap.before}.jsonl",
        subject=gap.before,
        at_ns=gap.from_ns,
        text=f"{gap.before} no longer served as primary of {gap.shard}; {then}, {took} later",
    )


# ---------------------------------------------------------------- read-only


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnlyRouted:
    """vtgate routes writes to a tablet that calls itself a serving primary, and whose MySQL is read-only
    (vitess#20160, #20285)."""

    name: str = "read-only-primary"
    title: str = "the serving primary's MySQL was read-only, and vtgate routed to it"
    blame: Blame = Blame.VITESS
    rank: int = Rank.DEFECT
    advice: str = "SET GLOBAL super_read_only = 0 on the primary, or reparent the shard; see vitess#20160"

    def claims(self, history: History) -> Iterator[Claim]:
        for each in read_only_primaries(history):
            if each.keyspace == history.plan.cluster.keyspace and not _made_so(history, each):
                yield Claim(
                    vtgate="",
                    shard=each.shard,
                    from_ns=each.from_ns,
                    to_ns=each.to_ns,
                    evidence=(_of_read_only(each),),
                    errors=READ_ONLY,
                )


def _made_so(history: History, each: ReadOnlyPrimary) -> bool:
    """By the run itself, or by a reparent that is still at it: it makes the old primary read-only before it stops."""
    uids = {node.tablet_uid for node in history.nodes if node.name == each.node}
    faults = ("ReadOnlyPrimary", "Killed", "LostHost", "FullDisk", "CrashLoop", "Restarted", "HalfOpen")
    by_fault = any(
        span.begin_ns <= each.to_ns and each.from_ns <= until_ns(history, span)
        for span in spans_of(history, faults)
        if uids & {node.tablet_uid for node in tablets_hit(history, span)}
    )
    return by_fault or any(
        reparent.begin_ns <= each.to_ns and each.seen_ns <= (reparent.end_ns or history.end_ns)
        for reparent in reparents(history)
        if reparent.shard == each.shard
    )


def _of_read_only(each: ReadOnlyPrimary) -> Evidence:
    return Evidence(
        source=f"samples-{each.node}.jsonl",
        subject=each.node,
        at_ns=each.seen_ns,
        text=f"{each.node} served as primary of {each.shard} while its MySQL was read-only, "
        f"for {seconds(seconds_between(each.seen_ns, each.to_ns))}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedByAnotherShard:
    """vtgate ended a shard's buffering although nobody had been promoted there: another shard's reparent had made the
    keyspace look consistent. Fixed in 19.0.8, 20.0.4, 21.0.1 and 22.0.0 (vitess#16438)."""

    name: str = "buffering-ended-by-another-shard"
    title: str = "vtgate went back to a primary that took no writes, when another shard's reparent was over"
    blame: Blame = Blame.VITESS
    rank: int = Rank.DEFECT
    advice: str = "a vtgate with the fix of vitess#16438 (19.0.8, 20.0.4, 21.0.1, 22.0.0)"

    def claims(self, history: History) -> Iterator[Claim]:
        for node in history.vtgates:
            for ended in promotions.ends(history, node.name):
                if ended.shard in ended.pending and not ended.timed_out and _unfinished(history, ended):
                    yield _too_early(history, node, ended)


def _unfinished(history: History, ended: promotions.Ended) -> bool:
    """Its own reparent had not returned, and one of another shard had: else somebody was promoted unseen."""
    own = reparents_of_shards(history).get(ended.shard, ())
    others = [each for each in reparents(history) if each.shard != ended.shard]
    running = [each for each in own if each.begin_ns <= ended.at_ns <= (each.end_ns or history.end_ns)]
    promoted = [each for each in own if each.returned_ok and ended.began_ns <= each.end_ns <= ended.at_ns]
    over = [each for each in others if each.returned_ok and ended.began_ns <= each.end_ns + HEARD_NS]
    return bool(over) and not running and not promoted


def _too_early(history: History, node: Node, ended: promotions.Ended) -> Claim:
    """It lasts until the shard's own reparent is over."""
    own = reparents_of_shards(history).get(ended.shard, ())
    later = [each.end_ns for each in own if each.end_ns > ended.at_ns]
    return Claim(
        vtgate=node.name,
        shard=ended.shard,
        from_ns=ended.at_ns - HEARD_NS // 10,
        to_ns=min(later, default=history.end_ns),
        evidence=(
            Evidence(
                source="loglines.jsonl",
                subject=node.name,
                at_ns=ended.at_ns,
                text=f"{node.name} stopped buffering for {ended.shard} by a promotion that was not this shard's, "
                f"{seconds(seconds_between(ended.began_ns, ended.at_ns))} after it had started",
            ),
        ),
        waits=False,
        errors=READ_ONLY,
    )


# ---------------------------------------------------------------- semi-sync


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsForAcknowledgement:
    """The primary's own monitor finds its writes blocked: no replica acknowledges (vttablet 22 and later)."""

    name: str = "waits-for-acknowledgement"
    title: str = "the primary's commits waited for a replica to acknowledge them"
    blame: Blame = Blame.DESIGN
    rank: int = Rank.FAULT - 3
    advice: str = "a further replica that may acknowledge (durability policy)"

    def claims(self, history: History) -> Iterator[Claim]:
        for node in history.nodes:
            if node.role is Role.VTTABLET and node.keyspace == history.plan.cluster.keyspace:
                yield from _blocked(history, node)


def _blocked(history: History, node: Node) -> Iterator[Claim]:
    series = history.series.get(node.name)
    if series is None:
        return
    times, values = series.steps(SEMI_SYNC_BLOCKED)
    for index, (at_ns, value) in enumerate(zip(times, values, strict=True)):
        if isinstance(value, int | float) and value > 0:
            to_ns = times[index + 1] if index + 1 < len(times) else history.end_ns
            yield Claim(
                vtgate="",
                shard=node.shard,
                from_ns=at_ns - HEARD_NS,
                to_ns=to_ns + HEARD_NS,
                evidence=(
                    Evidence(
                        source=f"samples-{node.name}.jsonl",
                        subject=node.name,
                        at_ns=at_ns,
                        text=f"{SEMI_SYNC_BLOCKED} was {value:g}",
                    ),
                ),
                errors=GONE,
            )


TABLETS: tuple[Signature, ...] = (
    EndedByAnotherShard(),
    ReadOnlyRouted(),
    LeftWithoutPrimary(),
    WaitsForAcknowledgement(),
    NoPrimary(),
)
