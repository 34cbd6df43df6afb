"""A vttablet's pool of connections when tens of thousands who waited for one were given up at once.

`ConnPoolInUse` counts what is lent out, and no connection on its way back from one to the next (`borrowed`,
go/pools/smartconnpool/pool.go, v0.24.0).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.facts.service import longest_stall
from harness.facts.storm import seconds_between
from harness.history import History, Ops, Series
from harness.model import FaultSpan, Node, OpKind

FAULT = "AbandonedQueries"
IN_USE = "ConnPoolInUse"


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterCrowd:
    """What became of one vttablet's readers: the longest time in which reads were due and none was answered, and the
    longest stretch of it in which no connection was in use. `sampled`: whether vttablet was looked at."""

    node: Node
    queries: int
    connections: int
    reads: int
    stall_s: float
    idle_from_ns: int
    idle_to_ns: int
    sampled: bool

    @property
    def idle_s(self) -> float:
        return seconds_between(self.idle_from_ns, self.idle_to_ns)


def after_crowds(history: History) -> Iterator[AfterCrowd]:
    """For every vttablet that queries were abandoned at."""
    nodes = {node.name: node for node in history.nodes}
    for span in history.spans(FAULT):
        for name in span.targets:
            if name in nodes and span.recover_ns:
                yield _after(history, span, nodes[name])


def _after(history: History, span: FaultSpan, node: Node) -> AfterCrowd:
    reads = _reads(history, node.shard)
    stall_ns, from_ns = longest_stall(reads, span.recover_ns)
    series = history.series.get(node.name)
    idle_from_ns, idle_to_ns = _idle(series, from_ns, from_ns + stall_ns) if series else (from_ns, from_ns)
    return AfterCrowd(
        node=node,
        queries=int(span.details.get("queries", 0)),
        connections=int(span.details.get(f"connections of {node.name}", 0)),
        reads=int(np.count_nonzero(reads["done_ns"] >= span.recover_ns)),
        stall_s=seconds_between(from_ns, from_ns + stall_ns),
        idle_from_ns=idle_from_ns,
        idle_to_ns=idle_to_ns,
        sampled=series is not None and bool(series.steps(IN_USE)[0]),
    )


def _reads(history: History, shard: str) -> Ops:
    ops = history.ops_of([lane for lane in history.lanes if lane.shard == shard])
    reads: Ops = ops[ops["kind"] == OpKind.READ]
    return reads


def _idle(series: Series, from_ns: int, to_ns: int) -> tuple[int, int]:
    """The longest stretch within these bounds in which it said that no connection was in use."""
    times, values = series.steps(IN_USE)
    ends = [*times[1:], to_ns]
    stretches = [
        (max(begin_ns, from_ns), min(end_ns, to_ns))
        for begin_ns, end_ns, value in zip(times, ends, values, strict=True)
        if value == 0 and begin_ns < to_ns and end_ns > from_ns
    ]
    return max(itertools.chain(stretches, [(from_ns, from_ns)]), key=lambda each: each[1] - each[0])
