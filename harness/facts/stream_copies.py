"""How far the copy of each table was, by the stream's own account.

A table's copy is complete when its last key leaves the shard's VGTID (vstream_manager.go sendEventsLocked, LASTPK
with Completed), when COPY_COMPLETED of its shard comes, or, of a table with nothing (more) to copy, when BEGIN and
COMMIT follow its FIELD event without a row (copy.go copyTable, copyComplete; all v0.24.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from harness.facts.streams import Chain, Indexes, Stream, rows_in
from harness.streams import Attempt, EventFlag, EventType, Position


def copy_fields(stream: Stream, indexes: Indexes) -> Indexes:
    """FIELD events of the copy among `indexes`: copies of a table that began."""
    events = stream.events
    found: Indexes = indexes[
        (events["type"][indexes] == EventType.FIELD) & ((events["flags"][indexes] & EventFlag.COPY) != 0)
    ]
    return found


def copied_tables(stream: Stream, indexes: Indexes) -> frozenset[int]:
    """Tables of which a copy began among `indexes`."""
    return frozenset(np.unique(stream.events["table"][copy_fields(stream, indexes)]).tolist())


def completions(stream: Stream, attempt: Attempt, shard: int) -> Mapping[int, int]:
    """Table → index of the event with which its copy was first complete, in one attempt."""
    indexes = stream.events_of(attempt.number, shard)
    found: dict[int, int] = {}
    for table, index in (
        *_left_the_vgtid(stream, attempt, shard),
        *_nothing_to_copy(stream, indexes),
        *_announced(stream, indexes),
    ):
        found[table] = min(found.get(table, index), index)
    return found


def chain_completions(stream: Stream, chain: Chain, shard: int) -> Mapping[int, int]:
    """The same over a chain, in what counts."""
    found: dict[int, int] = {}
    for attempt in chain.attempts:
        upto = chain.kept.get((attempt.number, shard))
        for table, index in completions(stream, attempt, shard).items():
            if upto is None or index < upto:
                found.setdefault(table, index)
    return found


def _left_the_vgtid(stream: Stream, attempt: Attempt, shard: int) -> Iterator[tuple[int, int]]:
    number = {name: number for number, name in enumerate(stream.lane.tables)}
    for index, before, after in stream.places[attempt.number, shard].steps():
        for table in before.last_pks:
            if table not in after.last_pks and table in number:
                yield number[table], index


def _nothing_to_copy(stream: Stream, indexes: Indexes) -> Iterator[tuple[int, int]]:
    """The VGTID between the BEGIN and COMMIT that follow a FIELD event without a row."""
    events = stream.events
    kind = events["type"][indexes]
    steps = np.flatnonzero((kind == EventType.BEGIN) | (kind == EventType.ROW) | (kind == EventType.COMMIT))
    for field in copy_fields(stream, indexes).tolist():
        following = steps[np.searchsorted(indexes[steps], field) :][:2]
        if kind[following].tolist() == [EventType.BEGIN, EventType.COMMIT]:
            inside = indexes[following[0] : following[1]]
            marks = inside[events["type"][inside] == EventType.VGTID]
            yield int(events["table"][field]), int(marks[-1] if len(marks) else indexes[following[1]])


def _announced(stream: Stream, indexes: Indexes) -> Iterator[tuple[int, int]]:
    completed = indexes[stream.events["type"][indexes] == EventType.COPY_COMPLETED]
    if len(completed):
        for field in copy_fields(stream, indexes[indexes < completed[0]]):
            yield int(stream.events["table"][field]), int(completed[0])


def announced(stream: Stream, attempt: Attempt, shard: int) -> int:
    """How often COPY_COMPLETED of a shard came in an attempt."""
    return int(
        np.count_nonzero(stream.events["type"][stream.events_of(attempt.number, shard)] == EventType.COPY_COMPLETED)
    )


def past_the_copy(position: Position | None) -> bool:
    """Whether a stream that begins there copies nothing: a GTID set, and no last key (uvstreamer.go init, v0.24.3)."""
    return position is not None and bool(position.gtid) and not position.last_pks


def false_bookmarks(stream: Stream, attempt: Attempt, shard: int) -> Iterator[tuple[int, str, int, int]]:
    """Every VGTID whose last key is not the key of the row copied last: (event, table, its last key, the row's; 0 =
    none was copied). A resume from there would skip rows, or bring them twice."""
    events = stream.events
    number = {name: number for number, name in enumerate(stream.lane.tables)}
    rows = rows_in(events, stream.events_of(attempt.number, shard))
    rows = rows[(events["flags"][rows] & EventFlag.COPY) != 0]
    of_table = {table: rows[events["table"][rows] == table] for table in np.unique(events["table"][rows]).tolist()}
    for index, before, after in stream.places[attempt.number, shard].steps():
        for table, last in after.last_pks.items():
            if table not in number or before.last_pks.get(table) == last:
                continue
            mine = of_table.get(number[table], rows[:0])
            place = int(np.searchsorted(mine, index)) - 1
            key = int(events["key"][mine[place]]) if place >= 0 else 0
            if key != last:
                yield index, table, last, key
