"""Whose way a fault of links lay on, and when."""

from __future__ import annotations

from collections.abc import Iterator

from harness.history import History
from harness.model import FaultSpan, Lane, Role

LINKS = "links"  # the detail that such a fault has: "vtgate-1 > vttablet-100, …"


def spans_of_links(history: History) -> tuple[FaultSpan, ...]:
    """Faults of links that came into force."""
    return tuple(span for span in history.faults if LINKS in span.details and span.active_ns)


def pairs_of(span: FaultSpan) -> Iterator[tuple[str, str]]:
    for row in str(span.details[LINKS]).split(", "):
        source, _, target = row.partition(" > ")
        yield source, target


def touched(history: History) -> frozenset[tuple[str, str]]:
    """(vtgate, shard): operations that need a faulty link. One between two tablets of a shard is on the way of all its
    writers, because the primary waits for an acknowledgement."""
    nodes = {node.name: node for node in history.nodes}
    found: set[tuple[str, str]] = set()
    for span in spans_of_links(history):
        for pair in pairs_of(span):
            ends = [nodes[name] for name in pair if name in nodes]
            shards = {node.shard for node in ends if node.shard}
            vtgates = [node.name for node in ends if node.role is Role.VTGATE]
            inside = len(shards) == 1 and all(node.shard for node in ends)
            for vtgate in [node.name for node in history.vtgates] if inside else vtgates:
                found |= {(vtgate, shard) for shard in shards}
    return frozenset(found)


def lanes_by_touch(history: History, vtgate: str) -> tuple[tuple[Lane, ...], tuple[Lane, ...]]:
    """Lanes of a vtgate that a fault of links lay in the way of, and the others."""
    hit = touched(history)
    lanes = history.lanes_of(vtgate)
    return (
        tuple(lane for lane in lanes if (vtgate, lane.shard) in hit),
        tuple(lane for lane in lanes if (vtgate, lane.shard) not in hit),
    )


def window(history: History) -> tuple[int, int] | None:
    """From the first link that was hit to the last that was whole again; None without one."""
    spans = spans_of_links(history)
    if not spans:
        return None
    return min(span.begin_ns for span in spans), max(span.healed_ns or history.end_ns for span in spans)
