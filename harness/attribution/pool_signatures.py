"""A vttablet whose pool of connections serves nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution.fault_signatures import GAVE_UP
from harness.attribution.reach import GET_OVER_NS
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame, Evidence
from harness.facts.idle_pools import AfterCrowd, after_crowds
from harness.facts.words import seconds
from harness.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolGivenToTheGone:
    """Connections go from one who has given up to the next (vitess#20310)."""

    name: str = "pool-given-to-the-gone"
    title: str = "vttablet's connections went to queries that had been given up"
    blame: Blame = Blame.VITESS
    rank: int = Rank.DEFECT
    advice: str = (
        "a vttablet with the fix of vitess#20310 (23.0.5, 24.0.2), or --queryserver-config-query-pool-waiter-cap"
    )

    def claims(self, history: History) -> Iterator[Claim]:
        for each in after_crowds(history):
            if each.idle_s > 0:
                yield Claim(
                    vtgate="",
                    shard=each.node.shard,
                    from_ns=each.idle_from_ns,
                    to_ns=each.idle_to_ns + GET_OVER_NS,
                    evidence=(_seen(each),),
                    errors=GAVE_UP | frozenset({"pool-exhausted"}),
                )


def _seen(each: AfterCrowd) -> Evidence:
    return Evidence(
        source=f"samples-{each.node.name}.jsonl",
        subject=each.node.name,
        at_ns=each.idle_from_ns,
        text=f"ConnPoolInUse was 0 of {each.connections} for {seconds(each.idle_s)} and no read was answered",
    )


POOLS: tuple[Signature, ...] = (PoolGivenToTheGone(),)
