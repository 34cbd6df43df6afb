"""Rows received over time, by shard, in a bounded number of points.

The points are evenly spaced in rows, not in time: where much arrives there are many of them, and a pause is a
step between two. Events are read in blocks, as a million rows of each of twenty streams do not fit anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from harness.streams import Events, EventType, StreamRecord

BLOCK = 1 << 18

Longs = npt.NDArray[np.int64]
Curve = tuple[Longs, Longs]  # stamps, rows received until then


def row_curves(record: StreamRecord, points: int) -> Mapping[str, Curve]:
    """Shard → its curve, of shards that received rows at all; each begins with its first row and ends with its
    last one, in at most `points` + 1 points."""
    shards = record.lane.shards
    totals = np.zeros(len(shards), dtype=np.int64)
    for _, shard in _rows(record.events, len(shards)):
        totals += np.bincount(shard, minlength=len(shards))
    found: dict[str, Curve] = {}
    parts: list[list[tuple[Longs, Longs]]] = [[] for _ in shards]
    seen = np.zeros(len(shards), dtype=np.int64)
    steps = np.maximum(-(-totals // points), 1)
    for at_ns, shard in _rows(record.events, len(shards)):
        for index in np.unique(shard):
            mine = at_ns[shard == index]
            number = seen[index] + 1 + np.arange(len(mine))
            kept = ((number - 1) % steps[index] == 0) | (number == totals[index])
            parts[index].append((mine[kept], number[kept]))
            seen[index] += len(mine)
    for name, pieces in zip(shards, parts, strict=True):
        if pieces:
            found[name] = (
                np.concatenate([stamps for stamps, _ in pieces]),
                np.concatenate([numbers for _, numbers in pieces]),
            )
    return found


def _rows(events: Events, shards: int) -> Iterator[tuple[Longs, Longs]]:
    """Stamp and shard of every row, a block at a time."""
    for start in range(0, len(events), BLOCK):
        block = events[start : start + BLOCK]
        chosen = block[(block["type"] == EventType.ROW) & (block["shard"] < shards)]
        yield chosen["at_ns"].astype(np.int64), chosen["shard"].astype(np.int64)
