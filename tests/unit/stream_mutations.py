"""One event of a recorded stream dropped, doubled, swapped or changed: which checks must see it.

Works on any sound record, made up or real: a mutation whose event the record does not have is left out. `must` are
the checks that have to be red then, `may` those that the same defect can show in as well; no other may be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.facts.streams import Indexes, Stream
from harness.items import ROWS_MASK, expected_digest
from harness.streams import NO_INDEX, Change, EventFlag, Events, EventType, StreamRecord

RELIABLE, VALUES, ORDERED = "vstream/reliable", "vstream/values", "vstream/ordered"
ATOMIC, UNIQUE, RESUMABLE = "vstream/atomic", "vstream/unique", "vstream/resumable"
GRAMMAR, COMPLETED, UNINTERRUPTED = "vstream/grammar", "vstream/completed", "vstream/uninterrupted"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A record with one thing wrong."""

    name: str
    must: frozenset[str]
    may: frozenset[str]
    record: StreamRecord

    def misjudged(self, red: frozenset[str]) -> str:
        """What is wrong with the checks that were red, in one line that stays whole in an assertion; "" = nothing."""
        faults = {"not red": self.must - red, "red as well": red - self.must - self.may}
        said = [f"{what}: {', '.join(sorted(checks))}" for what, checks in faults.items() if checks]
        return f"{self.name}: {'; '.join(said)}" if said else ""


Made = StreamRecord | None
Maker = Callable[["Events_"], Made]


def mutations(record: StreamRecord) -> Iterator[Mutation]:
    """Every mutation that the record has an event for."""
    events = Events_(record)
    for name, must, may, maker in MUTATIONS:
        made = maker(events)
        if made is not None:
            yield Mutation(name=name, must=frozenset(must), may=frozenset(may), record=made)


class Events_:
    """Finds events of a record, and makes records of which something was changed."""

    def __init__(self, record: StreamRecord) -> None:
        self.record = record
        self.stream = Stream(record)
        self.events: Events = np.array(record.events)
        self.type = self.events["type"]
        self.copy = (self.events["flags"] & EventFlag.COPY) != 0
        self.item = (self.type == EventType.ROW) & (self.events["table"] < self.stream.mark)
        self.mark = (self.type == EventType.ROW) & (self.events["table"] == self.stream.mark)

    # ------------------------------------------------------------ finding

    def middle(self, flags: np.ndarray) -> int | None:
        """An event in the middle of those that fit."""
        at = np.flatnonzero(flags)
        return int(at[len(at) // 2]) if len(at) else None

    def part(self, index: int) -> Indexes:
        """The events of the same attempt and shard."""
        event = self.events[index]
        return self.stream.events_of(int(event["attempt"]), int(event["shard"]))

    def neighbour(self, index: int, step: int) -> int | None:
        """The next event of the same attempt and shard, or the one before."""
        part = self.part(index)
        place = int(np.searchsorted(part, index)) + step
        return int(part[place]) if 0 <= place < len(part) else None

    def transaction(self, index: int) -> Indexes:
        """BEGIN … COMMIT around an event."""
        part = self.part(index)
        kind, place = self.type[part], int(np.searchsorted(part, index))
        begin = np.flatnonzero(kind[: place + 1] == EventType.BEGIN)[-1]
        commit = place + np.flatnonzero(kind[place:] == EventType.COMMIT)[0]
        return part[begin : commit + 1]

    def is_plain(self, indexes: Indexes) -> bool:
        return not (self.type[indexes] == EventType.FIELD).any()

    def changed_once(self) -> np.ndarray:
        """Item rows whose key comes in one event alone."""
        keys, times = np.unique(self.events["key"][self.item], return_counts=True)
        found: np.ndarray = self.item & np.isin(self.events["key"], keys[times == 1])
        return found

    def copied_shards(self) -> np.ndarray:
        """Events behind the COPY_COMPLETED of their shard and attempt."""
        found = np.zeros(len(self.events), dtype=np.bool_)
        for _, _, indexes in self.stream.shard_groups:
            completed = indexes[self.type[indexes] == EventType.COPY_COMPLETED]
            if len(completed):
                found[indexes[indexes > completed[0]]] = True
        return found

    def txn_rows(self) -> np.ndarray:
        found: np.ndarray = self.events["txn"] & np.uint64(ROWS_MASK)
        return found

    # ------------------------------------------------------------ making

    def with_events(self, events: Events) -> StreamRecord:
        return dataclasses.replace(self.record, events=events)

    def without(self, indexes: int | Indexes | None) -> Made:
        return None if indexes is None else self.with_events(np.delete(self.events, indexes))

    def doubled(self, indexes: int | Indexes | None) -> Made:
        """The events once more, right behind themselves."""
        if indexes is None:
            return None
        at = np.atleast_1d(indexes)
        return self.with_events(np.insert(self.events, int(at[-1]) + 1, self.events[at]))

    def swapped(self, one: int | None, other: int | None) -> Made:
        if one is None or other is None:
            return None
        order = np.arange(len(self.events))
        order[[one, other]] = [other, one]
        return self.with_events(self.events[order])

    def exchanged(self, one: int, other: int) -> StreamRecord:
        """Two changes of one row, each in the other's place and transaction."""
        made, pair = self.events.copy(), [one, other]
        for name in ("version", "before", "digest", "txn"):
            made[name][pair] = made[name][pair[::-1]]
        return self.with_events(made)

    def changed(self, index: int | None, **fields: int) -> Made:
        """`digest=-1`: the one that fits key and version."""
        if index is None:
            return None
        events = self.events.copy()
        for name, value in fields.items():
            if value != -1:
                events[name][index] = value
        if fields.get("digest") == -1:
            events["digest"][index] = expected_digest(int(events["key"][index]), int(events["version"][index]))
        return self.with_events(events)


# ---------------------------------------------------------------- what is dropped, doubled, swapped, changed


def _within_packet(events: Events_) -> int | None:
    """A copied row between two others, never changed."""
    rows = events.item & events.copy
    inner = np.zeros(len(rows), dtype=np.bool_)
    inner[1:-1] = rows[1:-1] & rows[:-2] & rows[2:]
    return events.middle(inner & events.changed_once())


def _last_of_packet(events: Events_) -> int | None:
    rows = events.item & events.copy
    last = np.zeros(len(rows), dtype=np.bool_)
    last[:-1] = rows[:-1] & (events.type[1:] == EventType.VGTID)
    return events.middle(last & events.changed_once())


def _update(events: Events_) -> int | None:
    """An UPDATE of a transaction of several rows, which must come whole, and in which no table is described."""
    changes = events.item & ~events.copy & (events.events["change"] == Change.UPDATE)
    at = np.flatnonzero(changes & (events.txn_rows() > 1) & events.copied_shards())
    for index in (*at[len(at) // 2 :].tolist(), *at[: len(at) // 2].tolist()):
        if events.is_plain(events.transaction(index)):
            return int(index)
    return None


def _update_transaction(events: Events_) -> Indexes | None:
    update = _update(events)
    return None if update is None else events.transaction(update)


def _insert(events: Events_) -> int | None:
    changes = events.item & ~events.copy & (events.events["change"] == Change.INSERT)
    return events.middle(changes & (events.txn_rows() == 1) & events.copied_shards())


def _delete(events: Events_) -> int | None:
    changes = events.item & (events.events["change"] == Change.DELETE)
    return events.middle(changes & events.copied_shards())


def _only(events: Events_, kind: EventType) -> int | None:
    """An event of a type in a transaction of the load."""
    update = _update(events)
    if update is None:
        return None
    found = events.transaction(update)
    return int(found[events.type[found] == kind][0])


def _first_field(events: Events_) -> int | None:
    """The first description of a table whose rows come next."""
    for _, _, indexes in events.stream.shard_groups:
        fields = indexes[(events.type[indexes] == EventType.FIELD) & (events.events["table"][indexes] == 0)]
        if len(fields) and (events.item[indexes] & (events.events["table"][indexes] == 0)).any():
            return int(fields[0])
    return None


def _completed(events: Events_, *, final: bool) -> int | None:
    """Of a stream in one attempt: between two, COPY_COMPLETED gets lost without anybody's fault."""
    if len(events.record.attempts) > 1:
        return None
    return events.middle((events.type == EventType.COPY_COMPLETED) & ((events.events["shard"] == NO_INDEX) == final))


def _sent_once(events: Events_) -> np.ndarray:
    """Changes of items that no other event brings as well: a set-back or a resume brings some once more."""
    changes = np.flatnonzero(events.item & ~events.copy)
    states = np.column_stack([events.events[name][changes].astype(np.uint64) for name in ("key", "version", "change")])
    _, number, times = np.unique(states, axis=0, return_inverse=True, return_counts=True)
    found = np.zeros(len(events.events), dtype=np.bool_)
    found[changes] = times[number.ravel()] == 1
    return found


def changed_twice(events: Events_) -> list[tuple[int, int]]:
    """Two UPDATEs of one row in different transactions of one attempt, one behind the other: nothing else of the row
    lies between them, and neither comes twice. Of U2 C2 U3 (C: the row's copy) a swap would bring U2 behind the copy
    that shows it, which `vstream/unique` rightly counts; of U2 U2 it would change nothing."""
    rows = np.flatnonzero(events.item)
    rows = rows[np.argsort(events.events["key"][rows], kind="stable")]
    fits = (~events.copy & (events.events["change"] == Change.UPDATE) & _sent_once(events))[rows]
    key, attempt = events.events["key"][rows], events.events["attempt"][rows]
    first = np.flatnonzero((key[1:] == key[:-1]) & (attempt[1:] == attempt[:-1]) & fits[1:] & fits[:-1])
    return list(zip(rows[first].tolist(), rows[first + 1].tolist(), strict=True))


def _swapped_updates(events: Events_) -> Made:
    """The rows change places, each with its transaction's id."""
    pairs = changed_twice(events)
    return events.exchanged(*pairs[len(pairs) // 2]) if pairs else None


def _swapped_vgtids(events: Events_) -> Made:
    update = _update(events)
    if update is None:
        return None
    part = events.part(update)
    vgtids = part[events.type[part] == EventType.VGTID]
    place = int(np.searchsorted(vgtids, update))
    if place + 1 >= len(vgtids):
        return None
    made = events.events.copy()
    made["vgtid"][vgtids[place : place + 2]] = made["vgtid"][vgtids[place : place + 2]][::-1]
    return events.with_events(made)


def _swapped_transactions(events: Events_) -> Made:
    """Two neighbouring transactions of one shard, without what lies between them."""
    update = _update(events)
    if update is None:
        return None
    one = events.transaction(update)
    following = events.neighbour(int(one[-1]), 1)
    if following is None or events.type[following] != EventType.BEGIN:
        return None
    other = events.transaction(following)
    if not events.is_plain(other):
        return None
    rest = np.setdiff1d(np.arange(len(events.events)), np.concatenate((one, other)))
    before = rest[rest < one[0]]
    order = np.concatenate((before, other, one, rest[len(before) :]))
    return events.with_events(events.events[order])


def _moved_key(events: Events_, *, fresh: bool) -> Made:
    """A copied row under another key: of a row that was copied already, or of none."""
    index = _within_packet(events)
    if index is None:
        return None
    key = int(events.events["key"][index])
    other = key ^ (1 << 46) if fresh else int(events.events["key"][index - 1])
    return events.changed(index, key=other, digest=-1)


def _moved_step(events: Events_, *, key: bool) -> Made:
    """A VGTID that names another position than it did: a last key one higher, or an older GTID set."""
    steps = list(events.record.vgtids)
    fitting = [place for place, step in enumerate(steps) if bool(step.position.last_pks) is key]
    for place in fitting[len(fitting) // 2 :]:
        position = steps[place].position
        if key:
            last_pks = {table: last + 1 for table, last in position.last_pks.items()}
            moved = dataclasses.replace(position, last_pks=last_pks)
        else:
            before = [
                s for s in steps[:place] if s.position.shard == position.shard and s.attempt == steps[place].attempt
            ]
            if not before or before[-1].position.gtid == position.gtid:
                continue
            moved = dataclasses.replace(position, gtid=before[0].position.gtid)
            if before[-1].position.gtid == moved.gtid:
                continue
        steps[place] = dataclasses.replace(steps[place], position=moved)
        return dataclasses.replace(events.record, vgtids=tuple(steps))
    return None


def _in_other_shard(events: Events_) -> Made:
    """A row of a transaction comes in the name of another shard."""
    index = _update(events)
    if index is None or len(events.record.lane.shards) < 2:
        return None
    return events.changed(index, shard=(int(events.events["shard"][index]) + 1) % len(events.record.lane.shards))


def _ended(events: Events_, code: str, errno: int) -> Made:
    attempts = list(events.record.attempts)
    attempts[-1] = dataclasses.replace(attempts[-1], code=code, errno=errno)
    return dataclasses.replace(events.record, attempts=tuple(attempts))


def _torn_end(events: Events_) -> Made:
    """The server says that this was all, in the middle of a transaction."""
    update = _update(events)
    if update is None or len(events.record.attempts) > 1:
        return None
    ended = _ended(events, "EOF", 0)
    assert ended is not None
    return dataclasses.replace(ended, events=events.events[: update + 1])


# ---------------------------------------------------------------- across a resume


def _replayed_row(events: Events_) -> Made:
    """The last row that was copied before a checkpoint comes once more behind it."""
    for chain in events.stream.chains:
        for before, after in zip(chain.attempts, chain.attempts[1:], strict=False):
            for shard in range(len(events.record.lane.shards)):
                part = events.stream.events_of(after.number, shard)
                rows = part[events.item[part] & events.copy[part]]
                kept = events.stream.events_of(before.number, shard)
                kept = kept[kept < chain.kept.get((before.number, shard), 0)]
                kept = kept[events.item[kept] & events.copy[kept]]
                if not len(rows) or not len(kept):
                    continue
                one = events.events[kept[-1]].copy()
                if one["table"] != events.events["table"][rows[0]] or one["key"] >= events.events["key"][rows[0]]:
                    continue
                for name in ("at_ns", "attempt", "response"):
                    one[name] = events.events[name][rows[0]]
                return events.with_events(np.insert(events.events, int(rows[0]), one))
    return None


def _gap_at_resume(events: Events_) -> Made:
    """The first change of a row behind a resume is missing, and a later one came."""
    changes = np.flatnonzero(events.item & ~events.copy & (events.events["change"] == Change.UPDATE))
    key, attempt = events.events["key"], events.events["attempt"]
    every = np.flatnonzero(events.item)
    for index in changes.tolist():
        mine = every[key[every] == key[index]]
        place = int(np.searchsorted(mine, index))
        known_before = place > 0 and attempt[mine[place - 1]] < attempt[index]
        if known_before and place + 1 < len(mine) and attempt[mine[place + 1]] == attempt[index]:
            return events.without(int(index))
    return None


def _swap_next(events: Events_, index: int | None) -> Made:
    return None if index is None else events.swapped(index, events.neighbour(index, 1))


def _swapped_copies(events: Events_) -> Made:
    """Two neighbours in a packet, not the last one: that is the VGTID's last key."""
    index = _within_packet(events)
    return None if index is None else events.swapped(index, index - 1)


def _swapped_completions(events: Events_) -> Made:
    """The final COPY_COMPLETED comes before that of the last shard."""
    final = _completed(events, final=True)
    if not final or events.type[final - 1] != EventType.COPY_COMPLETED:
        return None
    return events.swapped(final, final - 1)


MALFORMED = int(EventFlag.MALFORMED)
R, V, O, A = RELIABLE, VALUES, ORDERED, ATOMIC  # noqa: E741  one letter each, so that the table below is one
U, S, G, C = UNIQUE, RESUMABLE, GRAMMAR, COMPLETED

MUTATIONS: Sequence[tuple[str, tuple[str, ...], tuple[str, ...], Maker]] = (
    ("drop a copied row", (R,), (), lambda e: e.without(_within_packet(e))),
    ("drop the last row of a packet", (R,), (), lambda e: e.without(_last_of_packet(e))),
    ("drop an UPDATE", (R, A), (S,), lambda e: e.without(_update(e))),
    ("drop an INSERT", (R,), (S,), lambda e: e.without(_insert(e))),
    ("drop a DELETE", (R,), (), lambda e: e.without(_delete(e))),
    ("drop a transaction", (R,), (S,), lambda e: e.without(_update_transaction(e))),
    ("drop a BEGIN", (G,), (A,), lambda e: e.without(_only(e, EventType.BEGIN))),
    ("drop a COMMIT", (G,), (), lambda e: e.without(_only(e, EventType.COMMIT))),
    ("drop a VGTID", (G,), (), lambda e: e.without(_only(e, EventType.VGTID))),
    ("drop a FIELD", (G,), (), lambda e: e.without(_first_field(e))),
    ("drop COPY_COMPLETED of a shard", (C,), (), lambda e: e.without(_completed(e, final=False))),
    ("drop the final COPY_COMPLETED", (C,), (), lambda e: e.without(_completed(e, final=True))),
    ("drop a mark row", (C,), (), lambda e: e.without(e.middle(e.mark))),
    ("double a copied row", (U,), (), lambda e: e.doubled(_within_packet(e))),
    ("double an UPDATE", (U,), (), lambda e: e.doubled(_update(e))),
    ("double an INSERT", (U,), (), lambda e: e.doubled(_insert(e))),
    ("double a DELETE", (U,), (), lambda e: e.doubled(_delete(e))),
    ("double a transaction", (U,), (), lambda e: e.doubled(_update_transaction(e))),
    ("double a BEGIN", (G,), (), lambda e: e.doubled(_only(e, EventType.BEGIN))),
    ("double a COMMIT", (G,), (), lambda e: e.doubled(_only(e, EventType.COMMIT))),
    ("double COPY_COMPLETED of a shard", (G,), (), lambda e: e.doubled(_completed(e, final=False))),
    ("double the final COPY_COMPLETED", (G,), (), lambda e: e.doubled(_completed(e, final=True))),
    ("double a mark row", (U,), (), lambda e: e.doubled(e.middle(e.mark))),
    ("swap two copied rows", (O,), (), _swapped_copies),
    ("swap two changes of a row", (O,), (A, R), _swapped_updates),
    ("swap two transactions", (O,), (R, S), _swapped_transactions),
    ("swap two VGTIDs", (O,), (R, S), _swapped_vgtids),
    ("swap BEGIN and what follows", (G,), (A,), lambda e: _swap_next(e, _only(e, EventType.BEGIN))),
    ("swap VGTID and COMMIT", (G,), (), lambda e: _swap_next(e, _only(e, EventType.VGTID))),
    ("swap COPY_COMPLETED and the final one", (G,), (), _swapped_completions),
    ("change a value", (V,), (), lambda e: e.changed(_within_packet(e), digest=1)),
    ("change a replicated value", (V,), (), lambda e: e.changed(_update(e), digest=1)),
    ("change a copied version", (R, V), (), lambda e: e.changed(_within_packet(e), version=7)),
    ("change a copied version and its value", (R,), (), lambda e: e.changed(_within_packet(e), version=7, digest=-1)),
    ("change a replicated version", (R,), (O, S, U), lambda e: e.changed(_update(e), version=99, digest=-1)),
    ("change a key to one that came", (R, U), (), lambda e: _moved_key(e, fresh=False)),
    ("change a key to none that is", (R, O), (), lambda e: _moved_key(e, fresh=True)),
    ("change a row's shard", (G,), (A, R, S, O, U), _in_other_shard),
    ("change a row's table to an unknown one", (G, R), (A, S), lambda e: e.changed(_update(e), table=NO_INDEX)),
    ("change a transaction's id", (A,), (), lambda e: e.changed(_update(e), txn=(1 << 60) | 2)),
    ("change a row to one that cannot be read", (G, R), (A, S), lambda e: e.changed(_update(e), flags=MALFORMED)),
    ("change an event's type", (G,), (A,), lambda e: e.changed(_only(e, EventType.BEGIN), type=int(EventType.GTID))),
    ("change a VGTID's last key", (R,), (O, S), lambda e: _moved_step(e, key=True)),
    ("change a VGTID's GTID set", (O,), (S,), lambda e: _moved_step(e, key=False)),
    ("end with errno 3024", (UNINTERRUPTED,), (), lambda e: _ended(e, "UNKNOWN", 3024)),
    ("end without an error", (UNINTERRUPTED,), (), lambda e: _ended(e, "EOF", 0)),
    ("end within a transaction", (UNINTERRUPTED, A), (R, S), _torn_end),
    ("bring a row again behind a resume", (S,), (U,), _replayed_row),
    ("leave a change out at a resume", (R, S), (A,), _gap_at_resume),
)  # fmt: skip
