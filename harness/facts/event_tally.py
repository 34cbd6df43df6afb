"""One pass over the events of a stream, in blocks: what is counted on the way to its copy cycles.

A million events take a fraction of a second and a few megabytes; what is kept grows with cycles and attempts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.streams import NO_INDEX, EventFlag, Events, EventType

BLOCK = 1 << 18

Longs = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Key = tuple[int, int, int]  # attempt, shard and table as the events name them


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A time without any event. `span_ns` 0 = there was none."""

    from_ns: int = 0
    span_ns: int = 0


@dataclass(slots=True, kw_only=True)
class AttemptSums:
    """What is counted of an attempt while its events pass by."""

    first_ns: int
    last_ns: int
    rows_copied: int = 0
    rows_replicated: int = 0
    malformed: int = 0
    first_row_ns: int = 0
    last_copied_ns: int = 0
    shards_completed_ns: dict[int, int] = field(default_factory=dict)
    completed_ns: int = 0
    pause: Pause = field(default_factory=Pause)


class EventTally:
    """Counts blocks of events; what it keeps grows with cycles and attempts, not with rows."""

    def __init__(self) -> None:
        self.attempts: dict[int, AttemptSums] = {}
        self.begun: list[tuple[Key, int, int]] = []  # key, position among all events, stamp
        self.completed: list[tuple[int, int, int]] = []  # attempt, shard, position
        self.rows: Longs = np.zeros(0, dtype=np.int64)  # these four: a value a cycle
        self.to_ns: Longs = np.zeros(0, dtype=np.int64)
        self.first_key: Keys = np.zeros(0, dtype=np.uint64)
        self.last_key: Keys = np.zeros(0, dtype=np.uint64)
        self._seen = 0

    def add(self, block: Events) -> None:
        kind, copy = block["type"], (block["flags"] & EventFlag.COPY) != 0
        for index in np.flatnonzero((kind == EventType.FIELD) & copy):
            event = block[index]
            key = (int(event["attempt"]), int(event["shard"]), int(event["table"]))
            self.begun.append((key, self._seen + int(index), int(event["at_ns"])))
        for index in np.flatnonzero(kind == EventType.COPY_COMPLETED):
            event = block[index]
            self.completed.append((int(event["attempt"]), int(event["shard"]), self._seen + int(index)))
        is_row = kind == EventType.ROW
        self._count_cycles(block, np.flatnonzero(is_row & copy))
        for number in np.unique(block["attempt"]):
            mine = block["attempt"] == number
            self._count_attempt(int(number), block[mine] if not mine.all() else block)
        self._seen += len(block)

    def _count_cycles(self, block: Events, rows: Longs) -> None:
        """Each row belongs to the latest cycle of its attempt, shard and table that had begun."""
        self.rows, self.to_ns, self.first_key, self.last_key = (
            np.concatenate([values, np.zeros(len(self.begun) - len(values), dtype=values.dtype)])
            for values in (self.rows, self.to_ns, self.first_key, self.last_key)
        )
        if not len(rows) or not self.begun:
            return
        cycle = self._cycle_of(block, rows)
        rows, cycle = rows[cycle >= 0], cycle[cycle >= 0]
        key, fresh = block["key"][rows], self.rows == 0
        first = np.zeros(len(self.begun), dtype=np.uint64)
        first[cycle[::-1]] = key[::-1]  # of a repeated index the last assignment stays
        self.rows += np.bincount(cycle, minlength=len(self.begun))
        self.first_key = np.where(fresh, first, self.first_key)
        self.last_key[cycle] = key
        self.to_ns[cycle] = block["at_ns"][rows]

    def _cycle_of(self, block: Events, rows: Longs) -> Longs:
        """The index in `begun` of each row's cycle, -1 where none had begun."""
        wanted, code = np.unique([_packed(*key) for key, _, _ in self.begun], return_inverse=True)
        position = np.array([position for _, position, _ in self.begun], dtype=np.int64)
        order = np.lexsort((position, code))
        places = (code.astype(np.int64)[order] << 40) | position[order]
        packed = (
            (block["attempt"][rows].astype(np.int64) << 32)
            | (block["shard"][rows].astype(np.int64) << 16)
            | block["table"][rows].astype(np.int64)
        )
        mine = np.minimum(np.searchsorted(wanted, packed), len(wanted) - 1)
        before = np.searchsorted(places, (mine << 40) | (rows + self._seen), side="right") - 1
        found: Longs = order[before]
        known = (wanted[mine] == packed) & (before >= 0) & (code[found] == mine)
        return np.where(known, found, -1)

    def _count_attempt(self, number: int, events: Events) -> None:
        at_ns, kind = events["at_ns"], events["type"]
        sums = self.attempts.setdefault(number, AttemptSums(first_ns=int(at_ns[0]), last_ns=int(at_ns[0])))
        is_row, copy = kind == EventType.ROW, (events["flags"] & EventFlag.COPY) != 0
        copied = np.flatnonzero(is_row & copy)
        rows = np.flatnonzero(is_row)
        sums.rows_copied += len(copied)
        sums.rows_replicated += len(rows) - len(copied)
        sums.malformed += int(np.count_nonzero(is_row & ((events["flags"] & EventFlag.MALFORMED) != 0)))
        if len(rows):
            sums.first_row_ns = sums.first_row_ns or int(at_ns[rows[0]])
        if len(copied):
            sums.last_copied_ns = int(at_ns[copied[-1]])
        sums.pause = longer(sums.pause, _pause(at_ns, kind, events["shard"], sums))
        for event in events[kind == EventType.COPY_COMPLETED]:
            if event["shard"] == NO_INDEX:
                sums.completed_ns = sums.completed_ns or int(event["at_ns"])
            else:
                sums.shards_completed_ns.setdefault(int(event["shard"]), int(event["at_ns"]))
        sums.last_ns = int(at_ns[-1])


def tally_of(events: Events) -> EventTally:
    tally = EventTally()
    for start in range(0, len(events), BLOCK):
        tally.add(events[start : start + BLOCK])
    return tally


def _packed(attempt: int, shard: int, table: int) -> int:
    return (attempt << 32) | (shard << 16) | table


def _pause(at_ns: Longs, kind: npt.NDArray[np.uint8], shard: npt.NDArray[np.uint16], sums: AttemptSums) -> Pause:
    """The longest gap between events that follow each other, up to the final COPY_COMPLETED: behind it, a stream
    is silent for as long as nobody writes."""
    if sums.completed_ns:
        return Pause()
    final = np.flatnonzero((kind == EventType.COPY_COMPLETED) & (shard == NO_INDEX))
    upto = at_ns[: final[0] + 1] if len(final) else at_ns
    stamps = np.concatenate(([sums.last_ns], upto))
    gaps = np.diff(stamps)
    worst = int(np.argmax(gaps))
    return Pause(from_ns=int(stamps[worst]), span_ns=int(gaps[worst]))


def longer(one: Pause, other: Pause) -> Pause:
    return other if other.span_ns > one.span_ns else one
