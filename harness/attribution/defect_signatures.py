"""Defects of vtgate that hold its clients although the cluster could serve them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from harness.attribution.buffer_signatures import GAVE_UP, during, ends_of
from harness.attribution.evidence import of_line, of_reparent
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts import promotions
from harness.facts.buffering import SETTLED_NS, bufferings, pendings
from harness.facts.processes import in_force
from harness.facts.promotions import WORDS, Cause, Ended
from harness.facts.storm import REPARENTS
from harness.history import History
from harness.model import LogLine

TITLES: dict[Cause, str] = {
    Cause.LATE_ERROR: "buffered for a reparent that was over: a late error of the old primary",
    Cause.LATE_HEALTH: "buffered for a reparent that was over: a late health message of the old primary",
    Cause.DROPPED: "buffered for a reparent that was over: the health update was dropped",
    Cause.STOOD_STILL: "buffered for a reparent that was over: the keyspace event watcher stood still",
    Cause.UNHEARD: "buffered for a reparent that was over: the keyspace event watcher did not hear of it",
}
NAMES: dict[Cause, str] = {
    Cause.LATE_ERROR: "late-error-of-old-primary",
    Cause.LATE_HEALTH: "late-health-of-old-primary",
    Cause.DROPPED: "lost-health-update",
    Cause.STOOD_STILL: "event-watcher-stood-still",
    Cause.UNHEARD: "promotion-unheard",
}


@dataclass(frozen=True, slots=True)
class BufferedTooLong:
    """Buffering that went on when vtgate's health check knew every new primary (vitessio/vitess#17629)."""

    cause: Cause
    blame: ClassVar[Blame] = Blame.VITESS
    rank: ClassVar[int] = Rank.DEFECT

    @property
    def name(self) -> str:
        return NAMES[self.cause]

    @property
    def title(self) -> str:
        return TITLES[self.cause]

    @property
    def advice(self) -> str:
        words = WORDS[self.cause]
        return f"A defect of vtgate (vitessio/vitess#17629): {words}."

    def claims(self, history: History) -> Iterator[Claim]:
        for node in history.vtgates:
            late = (*promotions.late(history, node.name), *promotions.never_ended(history, node.name))
            causes = promotions.causes_of(history, node.name, late)
            for ended in late:
                if promotions.cause_of(ended, causes) is self.cause:
                    yield Claim(
                        vtgate=node.name,
                        shard=ended.shard,
                        from_ns=ended.needed_ns,
                        to_ns=ended.at_ns,
                        evidence=_evidence(history, node.name, ended),
                        errors=GAVE_UP,
                    )


def _evidence(history: History, vtgate: str, ended: Ended) -> tuple[Evidence, ...]:
    """How it ended, the promotion that should have ended it, and what came after that one."""
    for stretch in bufferings(history):
        if (stretch.vtgate, stretch.shard, stretch.to_ns) == (vtgate, ended.shard, ended.at_ns) and stretch.ended:
            lines = [stretch.ended, *([stretch.began] if stretch.began else [])]
            break
    else:
        lines = []
    needed = [seen.line for seen in promotions.seen(history, vtgate) if seen.line.at_ns == ended.needed_ns]
    return tuple(of_line(line) for line in (*lines[:1], *needed, *lines[1:]))


@dataclass(frozen=True, slots=True)
class OutlastedReparents:
    """The same where the log names no cause, or there is none: every reparent of the keyspace was over."""

    name: ClassVar[str] = "buffering-outlasted-reparents"
    title: ClassVar[str] = "buffered although every reparent of the keyspace was over"
    blame: ClassVar[Blame] = Blame.VITESS
    rank: ClassVar[int] = Rank.DEFECT
    advice: ClassVar[str] = "A defect of vtgate (vitessio/vitess#17629): its log would say which."

    def claims(self, history: History) -> Iterator[Claim]:
        for stretch in bufferings(history):
            waited_for = during(history, stretch)
            over_ns = max((pending.to_ns for pending in waited_for), default=stretch.to_ns)
            if stretch.to_ns - over_ns > SETTLED_NS and not _disturbed(history, over_ns, stretch.to_ns):
                last = max(waited_for, key=lambda pending: pending.to_ns)
                yield Claim(
                    vtgate=stretch.vtgate,
                    shard=stretch.shard,
                    from_ns=over_ns,
                    to_ns=stretch.to_ns,
                    evidence=(*ends_of(stretch), of_reparent(last.reparent)),
                    errors=GAVE_UP,
                )


def _disturbed(history: History, from_ns: int, to_ns: int) -> bool:
    """Something else than a reparent was in force: then there was something else to wait for."""
    others = [span for span in history.faults if span.fault not in REPARENTS and 0 < span.begin_ns < to_ns]
    return any(in_force(span, max(from_ns, span.begin_ns)) for span in others)


@dataclass(frozen=True, slots=True)
class InconsistentState:
    """vtgate's health check has no primary where its keyspace event watcher has one: three tries in no time, and the
    request fails instead of being buffered (tabletgateway.go, withRetry, 21.0 to 24.0)."""

    name: ClassVar[str] = "inconsistent-state"
    title: ClassVar[str] = "vtgate's two views of the primary contradicted each other"
    blame: ClassVar[Blame] = Blame.VITESS
    rank: ClassVar[int] = Rank.DEFECT
    advice: ClassVar[str] = "A defect of vtgate: let the clients try again."

    def claims(self, history: History) -> Iterator[Claim]:
        for vtgate, found in pendings(history).items():
            for pending in found:
                seen = (of_line(pending.seen.line),) if pending.seen else ()
                yield self._claim(
                    vtgate,
                    pending.reparent.shard,
                    (pending.from_ns, pending.to_ns),
                    (*seen, of_reparent(pending.reparent)),
                )
        for node in history.vtgates:
            for shard, line in _changes(history, node.name):
                around = line.at_ns - SETTLED_NS, line.at_ns
                yield self._claim(node.name, shard, around, (of_line(line),))

    def _claim(self, vtgate: str, shard: str, span: tuple[int, int], evidence: tuple[Evidence, ...]) -> Claim:
        return Claim(
            vtgate=vtgate,
            shard=shard,
            from_ns=span[0],
            to_ns=span[1] + SETTLED_NS,
            evidence=evidence,
            waits=False,
            errors=frozenset({"inconsistent-state"}),
        )


def _changes(history: History, vtgate: str) -> Iterator[tuple[str, LogLine]]:
    """Where the health check's view of a primary changed, or a request was buffered for the lack of one."""
    for change in (*promotions.demotions(history, vtgate), *promotions.seen(history, vtgate)):
        if change.keyspace == history.plan.cluster.keyspace:
            yield change.shard, change.line
    for stretch in bufferings(history):
        if (stretch.vtgate, stretch.keyspace) == (vtgate, history.plan.cluster.keyspace):
            yield from ((stretch.shard, line) for line in (stretch.began, stretch.ended) if line)


DEFECTS: tuple[Signature, ...] = (
    *(BufferedTooLong(cause) for cause in Cause),
    OutlastedReparents(),  # after those that know more
    InconsistentState(),
)
