"""The made-up storm as it would have looked while it went: the live state at any moment of its history."""

from __future__ import annotations

import numpy as np

from harness.history import History, Ops
from harness.model import Lane, Outcome
from harness.reports.live_state import LiveLane, LiveReparent, LiveState


def state_at(history: History, at_ns: int) -> LiveState:
    """What the load, the ledger and the vtgates' counters would have said at `at_ns`."""
    reparents = {
        span.targets[0]: LiveReparent(
            shard=span.targets[0],
            begin_ns=span.begin_ns,
            end_ns=span.active_ns if span.active_ns <= at_ns else 0,
        )
        for span in history.faults
        if span.begin_ns <= at_ns
    }
    began = history.ops["intended_ns"][0] <= at_ns
    return LiveState(
        now_ns=at_ns,
        shards=history.plan.cluster.shard_names if began else (),
        versions={node.name: node.version for node in history.vtgates} if began else {},
        lanes={(lane.vtgate, lane.shard): lane_at(history, lane, at_ns) for lane in history.lanes} if began else {},
        reparents=reparents,
        host="CPU 97%, waiting for CPU 61%, 8.4 GiB free",
    )


def lane_at(history: History, lane: Lane, at_ns: int) -> LiveLane:
    ops = history.ops_of([lane])
    due = ops[ops["intended_ns"] <= at_ns]
    known = due[due["done_ns"] <= at_ns]
    pending = len(due) - len(known)
    good = known[known["outcome"] == Outcome.OK]
    bad = known[np.isin(known["outcome"], [Outcome.FAIL, Outcome.UNKNOWN])]
    held = history.series[lane.vtgate].number(f"BufferRequestsBuffered:ks.{lane.shard}", at_ns) or 0
    drained = history.series[lane.vtgate].number(f"BufferRequestsDrained:ks.{lane.shard}", at_ns) or 0
    evicted = history.series[lane.vtgate].number(f"BufferRequestsEvicted:ks.{lane.shard}.WindowExceeded", at_ns) or 0
    return LiveLane(
        vtgate=lane.vtgate,
        shard=lane.shard,
        issued=len(due),
        ok=len(good),
        failed=_count(known, Outcome.FAIL),
        unknown=_count(known, Outcome.UNKNOWN),
        not_issued=_count(known, Outcome.NOT_ISSUED),
        in_flight=min(pending, 8),
        queued=max(0, pending - 8),
        last_ok_ns=int(good["done_ns"].max()) if len(good) else 0,
        last_error_ns=int(bad["done_ns"].max()) if len(bad) else 0,
        held=int(held - drained - evicted),
        buffered=int(held),
    )


def _count(ops: Ops, outcome: Outcome) -> int:
    return int(np.count_nonzero(ops["outcome"] == outcome))
