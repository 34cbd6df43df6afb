"""On whose way a fault lay, and from when to when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from harness.causes import Evidence
from harness.facts.links import LINKS, pairs_of
from harness.facts.promotions import short
from harness.facts.storm import SECOND_NS, seconds_between
from harness.facts.tablet_states import TabletStretch, stretches, unserved
from harness.facts.words import listed, seconds
from harness.history import History
from harness.model import FaultSpan, Node, Role

Lane = tuple[str, str]  # vtgate, shard; "" = every one

TABLET_ROLES = (Role.VTTABLET, Role.MYSQLD)
# A client's next statement after the cluster has got over a fault finds it as it was; its queue is served by then, and
# vtgate's next try at a tablet that it had lost is under way.
GET_OVER_NS = SECOND_NS


def until_ns(history: History, span: FaultSpan) -> int:
    """When the cluster had got over it; of what is never taken back, when the call returned. A connection over a broken
    link sends again after twice the time each (RFC 6298), so that it may stand still as long again as the link did."""
    if span.unrecovered or not (span.active_ns or span.healed_ns):
        return history.end_ns
    healed_ns = span.healed_ns or (0 if span.undo else span.active_ns)
    if not healed_ns:
        return history.end_ns
    late_ns = healed_ns - span.begin_ns if LINKS in span.details else 0
    return max(span.recovered_ns, healed_ns + late_ns) + GET_OVER_NS


def until_served_ns(history: History, span: FaultSpan, shard: str) -> int:
    """The same for a shard, which may have nobody who serves for longer than that: a vttablet that has lost its MySQL
    says so at its next health check."""
    over_ns = until_ns(history, span)
    gaps = [
        gap.to_ns + GET_OVER_NS
        for gap in unserved(history)
        if gap.keyspace == history.plan.cluster.keyspace and shard in ("", gap.shard) and gap.before
        if span.begin_ns <= gap.from_ns <= over_ns
    ]
    return max(over_ns, *gaps) if shard and gaps else over_ns


def nodes_hit(history: History, span: FaultSpan) -> tuple[Node, ...]:
    """The nodes that a fault names, by name or by alias; those of links at either end."""
    names = {short(target) for target in span.targets}
    if LINKS in span.details:
        names = {name for pair in pairs_of(span) for name in pair}
    return tuple(node for node in history.nodes if node.name in names or short(node.tablet_alias) in names)


def lanes_of(history: History, span: FaultSpan) -> frozenset[Lane]:
    """Whose operations need what the fault hit. The topology server is on nobody's way while nothing changes."""
    if LINKS in span.details:
        return frozenset(_over_links(history, span))
    found: set[Lane] = {(node.name, "") for node in nodes_hit(history, span) if node.role is Role.VTGATE}
    found |= {("", node.shard) for node in tablets_hit(history, span) if _needed(history, span, node)}
    return frozenset(found | {("", shard) for shard in _shards_named(history, span)})


def tablets_hit(history: History, span: FaultSpan) -> tuple[Node, ...]:
    return tuple(node for node in nodes_hit(history, span) if node.role in TABLET_ROLES)


def _over_links(history: History, span: FaultSpan) -> Iterator[Lane]:
    """One between two tablets of a shard is on the way of all its writers: the primary waits for an acknowledgement.
    One between a tablet's vttablet and its mysqld is inside the shard, too."""
    nodes = {node.name: node for node in history.nodes}
    for pair in pairs_of(span):
        ends = [nodes[name] for name in pair if name in nodes]
        tablets = [node for node in ends if node.role in TABLET_ROLES]
        vtgates = [node.name for node in ends if node.role is Role.VTGATE]
        inside = len(tablets) == 2 and len({(node.keyspace, node.shard) for node in tablets}) == 1
        for node in tablets:
            if inside and any(_needed(history, span, each) for each in tablets):
                yield "", node.shard
            elif vtgates and _was_primary(history, span, node):
                yield vtgates[0], node.shard


def _shards_named(history: History, span: FaultSpan) -> Iterator[str]:
    """Faults that are aimed at a shard, or at MySQL by its alias, say the shard; nodes are looked at by themselves."""
    if nodes_hit(history, span):
        return
    names = {target.rpartition("/")[2] for target in span.targets} | {str(span.details.get("shard", ""))}
    yield from (shard for shard in history.plan.cluster.shard_names if shard in names)


def _needed(history: History, span: FaultSpan, node: Node) -> bool:
    """A primary is on everybody's way; a replica is when no other one is left to acknowledge its primary's commits."""
    if _was_primary(history, span, node):
        return True
    if "semi_sync" not in history.plan.cluster.durability_policy:
        return False
    hit = {each.tablet_uid for each in tablets_hit(history, span)}
    own = {each.tablet_uid for each in history.nodes if (each.keyspace, each.shard) == (node.keyspace, node.shard)}
    replicas = own - {uid for uid in own if _primary_within(history, span, uid)}
    return not replicas - hit


def _was_primary(history: History, span: FaultSpan, node: Node) -> bool:
    """Where nobody saw who is primary, by what the fault was aimed at."""
    if not any(each.type for each in _stretches_of(history, node.tablet_uid)):
        return str(span.details.get("tablet_type", "primary")) == "primary"
    return _primary_within(history, span, node.tablet_uid)


def _primary_within(history: History, span: FaultSpan, uid: int) -> bool:
    from_ns, to_ns = span.begin_ns - SECOND_NS, until_ns(history, span)
    return any(
        each.type == "primary" and each.from_ns < to_ns and from_ns < each.to_ns for each in _stretches_of(history, uid)
    )


@lru_cache(maxsize=512)
def _stretches_of(history: History, uid: int) -> tuple[TabletStretch, ...]:
    names = {node.name for node in history.nodes if node.tablet_uid == uid}
    return tuple(each for each in stretches(history) if each.node in names)


# ---------------------------------------------------------------- the topology


def hits_topology(history: History, span: FaultSpan) -> bool:
    """Whether it keeps vtctld or tablets from the topology server: then no reparent comes to its end."""
    nodes = {node.name: node for node in history.nodes}
    if LINKS not in span.details:
        return any(node.role is Role.ETCD for node in nodes_hit(history, span))
    for pair in pairs_of(span):
        roles = {nodes[name].role for name in pair if name in nodes}
        if Role.ETCD in roles and roles & {Role.VTCTLD, Role.VTTABLET}:
            return True
    return False


# ---------------------------------------------------------------- evidence


def evidence_of(history: History, span: FaultSpan) -> Evidence:
    """The span itself, in words."""
    shown = span.details[LINKS] if LINKS in span.details else listed(span.targets) or "the cluster"
    took_s = seconds_between(span.begin_ns, max(span.healed_ns, span.active_ns, span.begin_ns))
    felt = "" if span.observed else ", without evidence that it took effect"
    over = f", not got over: {span.unrecovered}" if span.unrecovered else ""
    return Evidence(
        source="faults.jsonl",
        subject=span.fault,
        at_ns=span.begin_ns,
        text=f"{span.fault} of {shown} for {seconds(took_s)}{felt}{over}",
    )


def spans_of(history: History, faults: Iterable[str]) -> Iterator[FaultSpan]:
    """Those that came into force, in the order of the ledger."""
    wanted = frozenset(faults)
    yield from (span for span in history.faults if span.fault in wanted and span.begin_ns)
