"""Reparents of the shard itself that are not planned ones: the primary was gone, or somebody else moved it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution.evidence import of_line, of_reparent
from harness.attribution.fault_signatures import GONE, READ_ONLY
from harness.attribution.signature import Claim, Rank
from harness.causes import Blame
from harness.facts.buffering import Pending, buffering_of, pendings
from harness.facts.storm import EMERGENCY_REPARENT, EXTERNAL_REPARENT
from harness.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFailover:
    """From the call until vtgate knows the new primary and lets its requests go. Its errors are the run's, too: unlike
    a planned reparent, nothing promises that clients see none."""

    name: str
    title: str
    fault: str
    blame: Blame = Blame.RUN
    rank: int = Rank.REPARENT
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for vtgate, found in pendings(history).items():
            for pending in found:
                if pending.reparent.fault == self.fault:
                    yield Claim(
                        vtgate=vtgate,
                        shard=pending.reparent.shard,
                        from_ns=pending.from_ns,
                        to_ns=_let_go_ns(history, vtgate, pending),
                        evidence=(
                            of_reparent(pending.reparent),
                            *([of_line(pending.seen.line)] if pending.seen else []),
                        ),
                        errors=GONE | READ_ONLY,
                    )


def _let_go_ns(history: History, vtgate: str, pending: Pending) -> int:
    """Buffering that began in it ends with it, or a little later."""
    ends = [
        stretch.to_ns
        for stretch in buffering_of(history, vtgate, pending.reparent.shard)
        if stretch.from_ns <= pending.to_ns < stretch.to_ns
    ]
    return min(ends, default=pending.to_ns)


FAILOVERS: tuple[OwnFailover, ...] = (
    OwnFailover(
        name="own-emergency-reparent",
        title="waited for the emergency reparent of its own shard",
        fault=EMERGENCY_REPARENT,
    ),
    OwnFailover(
        name="own-external-reparent",
        title="waited until vtgate knew a primary that another tool had promoted",
        fault=EXTERNAL_REPARENT,
    ),
)
