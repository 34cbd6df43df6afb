"""When all connections of a pool that shards share were taken, and whose operations had them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.history import History, Ops
from harness.model import ConnectionMode, Lane

SAME_NS = 100_000_000  # a connection that is taken again so soon was never free for long


@dataclass(frozen=True, slots=True, kw_only=True)
class FullPool:
    """One stretch in which a vtgate's clients had no connection left. `holder`: the shard whose operations had them for
    the longest, and its `share` of that time."""

    vtgate: str
    shards: tuple[str, ...]  # that share the pool
    from_ns: int
    to_ns: int
    connections: int
    holder: str
    share: float


def full_pools(history: History) -> Iterator[FullPool]:
    """Nothing of a run in which every shard has connections of its own."""
    load = history.plan.load
    if load is None or load.mode is not ConnectionMode.POOLED:
        return
    for (vtgate, _), group in itertools.groupby(sorted(history.lanes, key=_pool), _pool):
        lanes = tuple(group)
        size = load.connections_per_shard * len(lanes)
        ops = history.ops_of(lanes)
        taken = ops[ops["sent_ns"] > 0]
        for from_ns, to_ns in _full(taken, size):
            holder, share = _holder(taken, lanes, from_ns, to_ns)
            yield FullPool(
                vtgate=vtgate,
                shards=tuple(lane.shard for lane in lanes),
                from_ns=from_ns,
                to_ns=to_ns,
                connections=size,
                holder=holder,
                share=share,
            )


def _pool(lane: Lane) -> tuple[str, int]:
    return lane.vtgate, lane.worker  # a worker process has a pool of its own (harness/load/engine.py)


def _full(taken: Ops, size: int) -> list[tuple[int, int]]:
    """When `size` operations were under way."""
    stamps = np.concatenate([taken["sent_ns"], taken["done_ns"]])
    steps = np.concatenate([np.ones(len(taken), np.int64), -np.ones(len(taken), np.int64)])
    order = np.lexsort((steps, stamps))
    full = np.cumsum(steps[order]) >= size
    found: list[tuple[int, int]] = []
    for at in np.flatnonzero(full[:-1]).tolist():
        from_ns, to_ns = int(stamps[order[at]]), int(stamps[order[at + 1]])
        if found and from_ns - found[-1][1] < SAME_NS:
            found[-1] = found[-1][0], to_ns
        else:
            found.append((from_ns, to_ns))
    return [(from_ns, to_ns) for from_ns, to_ns in found if to_ns - from_ns >= SAME_NS]


def _holder(taken: Ops, lanes: Sequence[Lane], from_ns: int, to_ns: int) -> tuple[str, float]:
    spent = np.minimum(taken["done_ns"], to_ns) - np.maximum(taken["sent_ns"], from_ns)
    held = {lane.shard: int(np.maximum(spent[taken["lane"] == lane.number], 0).sum()) for lane in lanes}
    holder = max(held, key=lambda shard: held[shard])
    return holder, held[holder] / max(sum(held.values()), 1)
