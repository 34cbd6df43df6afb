"""Where a copy began behind what the stream had sent already.

With lossless semi-sync (AFTER_SYNC) MySQL gives a transaction to the readers of its binary log while it still waits
for a replica's acknowledgement, before it is committed (MySQL manual, rpl_semi_sync_source_wait_point). Catch-up can
therefore be ahead of the snapshot that a copy is made from; vttablet then goes back to the snapshot's position
(copy.go copyTable: "Not starting fastforward"; sendFieldEvent, setPosition; v0.24.3), and what lies between comes
once more. Seen on 24.0.3 during a PlannedReparentShard: DELETE sent at GTID 75, a copy at 74, the DELETE again.
At-least-once delivery allows it; a consumer must not take a position for one that never goes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.facts.gtid import behind
from harness.facts.stream_copies import copy_fields
from harness.facts.streams import Flags, Indexes, Stream, Where
from harness.streams import Attempt

_END = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBack:
    """The VGTID event at `index` says an older position than the one before; that was reached again at `until`."""

    index: int
    until: int


def setbacks(stream: Stream, attempt: Attempt, shard: int) -> tuple[SetBack, ...]:
    """Those at the begin of a copy, in order; a position that goes back anywhere else is none."""
    steps = list(stream.places[attempt.number, shard].steps())
    at = np.array([index for index, _, _ in steps], dtype=np.int64)
    part = stream.events_of(attempt.number, shard)
    found = []
    for field in copy_fields(stream, part).tolist():
        following = part[np.searchsorted(part, field) + 1 :][:1]
        place = int(np.searchsorted(at, following[0])) if len(following) else len(at)
        if place < len(at) and at[place] == following[0] and _back(steps[place][1].gtid, steps[place][2].gtid):
            reached = (index for index, _, now in steps[place + 1 :] if not behind(now.gtid, steps[place][1].gtid))
            found.append(SetBack(index=int(at[place]), until=next(reached, _END)))
    return tuple(found)


def all_setbacks(stream: Stream) -> Mapping[Where, tuple[SetBack, ...]]:
    """Of every attempt and shard."""
    return {(attempt.number, shard): setbacks(stream, attempt, shard) for attempt, shard, _ in stream.shard_groups}


def _back(before: str, after: str) -> bool:
    try:
        return bool(before) and behind(after, before)
    except ValueError:  # said elsewhere: vstream/ordered
        return False


def within(indexes: Indexes, found: Sequence[SetBack]) -> Flags:
    """Events that came between a set-back and the position where the stream had been."""
    flags = np.zeros(len(indexes), dtype=np.bool_)
    for one in found:
        flags |= (indexes > one.index) & (indexes < one.until)
    return flags
