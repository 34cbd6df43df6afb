"""When the topology server could not be reached, and something needed it.

vtgate and vttablets serve from what they know; only who changes something has to wait: a reparent takes the shard's
lock and writes the shard record there (go/vt/vtctl/reparentutil, v0.24.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution.evidence import of_reparent
from harness.attribution.fault_signatures import GAVE_UP, GONE
from harness.attribution.reach import evidence_of, hits_topology, nodes_hit, until_ns
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import Blame
from harness.facts.links import LINKS, pairs_of
from harness.facts.storm import Reparent, reparents
from harness.history import History
from harness.model import FaultSpan, Role

LONGER_THAN_NS = 5_000_000_000  # an undisturbed planned reparent takes 0.3 s to 3 s on two busy cores (measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyUnreachable:
    """A reparent of the shard could not come to its end, because the topology server was not there."""

    name: str = "topology-unreachable"
    title: str = "the shard's reparent waited for a topology server that the run had taken away or slowed"
    blame: Blame = Blame.RUN
    rank: int = Rank.REPARENT + 5
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for span in _of_topology(history):
            for reparent in reparents(history):
                if hits_topology(history, span) and _held(history, span, reparent):
                    yield Claim(
                        vtgate="",
                        shard=reparent.shard,
                        from_ns=max(span.begin_ns, reparent.begin_ns),
                        to_ns=until_ns(history, span),
                        evidence=(evidence_of(history, span), of_reparent(reparent)),
                        errors=GONE,
                    )


def _of_topology(history: History) -> Iterator[FaultSpan]:
    for span in history.faults:
        if span.begin_ns and any(node.role is Role.ETCD for node in nodes_hit(history, span)):
            yield span


def _cut_off(history: History, span: FaultSpan) -> list[str]:
    """The vtgates that a link joins with the topology server; all of them where the server itself was hit."""
    if LINKS not in span.details:
        return [""]
    vtgates = {node.name for node in history.vtgates}
    servers = {node.name for node in history.nodes if node.role is Role.ETCD}
    pairs = [set(pair) for pair in pairs_of(span)]
    return sorted({name for pair in pairs if pair & servers for name in pair & vtgates})


def _held(history: History, span: FaultSpan, reparent: Reparent) -> bool:
    """One that ran meanwhile, and failed or took far longer than it takes."""
    end_ns = reparent.end_ns or history.end_ns
    meanwhile = reparent.begin_ns < until_ns(history, span) and span.begin_ns < end_ns
    return meanwhile and (not reparent.returned_ok or end_ns - reparent.begin_ns > LONGER_THAN_NS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutTopology:
    """Whatever else clients of a vtgate felt while it could not reach the topology server."""

    name: str = "vtgate-without-topology"
    title: str = "the run had taken the topology server away from vtgate"
    blame: Blame = Blame.RUN
    rank: int = Rank.FAULT
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for span in _of_topology(history):
            for vtgate in _cut_off(history, span):
                yield Claim(
                    vtgate=vtgate,
                    shard="",
                    from_ns=span.begin_ns,
                    to_ns=until_ns(history, span),
                    evidence=(evidence_of(history, span),),
                    errors=GAVE_UP | frozenset({"no-healthy-tablet", "no-connection", "tablet-gone", "no-shards"}),
                )


TOPOLOGY: tuple[Signature, ...] = (TopologyUnreachable(), WithoutTopology())
