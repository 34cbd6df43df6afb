"""The grammar of a stream's events.

    a shard's part    { BEGIN … VGTID … COMMIT | VGTID (DDL | OTHER) | COPY_COMPLETED }
    within            FIELD (of a table before its rows), ROW, VGTID, JOURNAL, VERSION
    of no shard       HEARTBEAT anywhere; one COPY_COMPLETED behind those of all shards

vtgate sends a shard's transaction as one piece, between which no other shard comes (vstream_manager.go sendAll holds
a lock), though over as many responses as vttablet's packets had. Missing COPY_COMPLETED is not looked for here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.checks.results import Finding, failed, passed
from harness.checks.vstream_results import examples
from harness.facts.streams import Flags, Indexes, Stream
from harness.facts.words import counted
from harness.streams import NO_INDEX, EventFlag, EventType

# What the events of a correct stream may do all the same: name, and why.
TOLERATED = {
    "BEGIN within a transaction that holds a FIELD event of the copy and no row": "the copy of a table with nothing "
    "(more) to copy is BEGIN, FIELD, [VGTID,] BEGIN, VGTID, COMMIT: copyTable's own BEGIN never gets its COMMIT "
    "(vstreamer/copy.go sendFieldEvent and copyComplete, v0.24.3)",
    "an open transaction at the end of an attempt": "when one shard ends the stream, or the client, vtgate stops "
    "between the responses of another shard's transaction (vstream_manager.go sendEventsLocked); vstream/atomic "
    "looks at whose end it was",
    "HEARTBEAT within a transaction": "vtgate sends its own between any two responses (sendEvents)",
}
ALLOWED = frozenset(
    {
        EventType.BEGIN, EventType.COMMIT, EventType.ROLLBACK, EventType.DDL, EventType.OTHER, EventType.ROW,
        EventType.FIELD, EventType.HEARTBEAT, EventType.VGTID, EventType.JOURNAL, EventType.VERSION,
        EventType.SAVEPOINT, EventType.COPY_COMPLETED,
    }
)  # fmt: skip

Fault = tuple[str, Indexes]


def judge_grammar(stream: Stream) -> Finding:
    """Events come in the order that VStream promises: BEGIN before rows, FIELD before a table's first row …"""
    faults = [fault for fault in _faults(stream) if len(fault[1])]
    figures = {"events": len(stream.events), "violations": sum(len(indexes) for _, indexes in faults)}
    if not faults:
        return passed(f"{counted(len(stream.events), 'event')} in the order that VStream promises.", figures=figures)
    lines = [line for what, indexes in faults for line in examples(stream, what, indexes)]
    return failed(
        f"{counted(figures['violations'], 'event')} of {stream.lane.name} break the grammar of VStream: {lines[0]}.",
        lines,
        figures,
        (what for what, _ in faults),
    )


def _faults(stream: Stream) -> Iterator[Fault]:
    yield from _strange(stream)
    inside = np.zeros(len(stream.events), dtype=np.bool_)  # within a transaction of its shard
    for _, _, indexes in stream.shard_groups:
        part = _Part(stream, indexes)
        inside[indexes[part.inside]] = True
        yield from part.faults()
    yield "an event within another shard's transaction", _foreign(stream, inside)
    yield from _final(stream)


def _strange(stream: Stream) -> Iterator[Fault]:
    events = stream.events
    kind, flags = events["type"], events["flags"]
    allowed = np.zeros(256, dtype=np.bool_)
    allowed[list(ALLOWED)] = True
    yield "no event that vtgate may send", np.flatnonzero(~allowed[kind])
    yield "a row that is not as its table was created", np.flatnonzero((flags & EventFlag.MALFORMED) != 0)
    of_table = (kind == EventType.ROW) | (kind == EventType.FIELD)
    yield "of a table that was not asked for", np.flatnonzero(of_table & (events["table"] == NO_INDEX))
    of_none = (kind == EventType.HEARTBEAT) | (kind == EventType.COPY_COMPLETED)
    yield "without a shard", np.flatnonzero((events["shard"] == NO_INDEX) & ~of_none)


class _Part:
    """The events of one shard in one attempt; places are in `indexes`."""

    def __init__(self, stream: Stream, indexes: Indexes) -> None:
        events = stream.events
        self._indexes = indexes
        self._kind = events["type"][indexes]
        self._table = events["table"][indexes]
        self._copy = (events["flags"][indexes] & EventFlag.COPY) != 0
        self._opens = self._kind == EventType.BEGIN
        closes = (self._kind == EventType.COMMIT) | (self._kind == EventType.ROLLBACK)
        self._bounds = np.flatnonzero(self._opens | closes)
        self._open = self._opens[self._bounds]  # of each bound: is it a BEGIN

    @property
    def inside(self) -> Flags:
        """Events before which a transaction was open."""
        before = np.searchsorted(self._bounds, np.arange(len(self._indexes)), side="left") - 1
        if not len(self._bounds):
            return np.zeros(len(self._indexes), dtype=np.bool_)
        found: Flags = (before >= 0) & self._open[np.maximum(before, 0)]
        return found

    def faults(self) -> Iterator[Fault]:
        inside = self.inside
        yield from self._nesting()
        for kind in (EventType.ROW, EventType.FIELD):
            yield f"{kind.name} outside a transaction", self._at((self._kind == kind) & ~inside)
        yield "a transaction without a VGTID ends", self._without_vgtid()
        yield "a VGTID outside a transaction, and no DDL or OTHER behind it", self._lone_vgtids(inside)
        yield from self._undescribed()
        yield from self._completed(inside)

    def _at(self, flags: Flags) -> Indexes:
        found: Indexes = self._indexes[flags]
        return found

    def _nesting(self) -> Iterator[Fault]:
        again = np.flatnonzero(self._open[1:] == self._open[:-1]) + 1
        begins = [place for place in again.tolist() if self._open[place] and not self._nothing_copied(place)]
        ends = again[~self._open[again]].tolist()
        if len(self._open) and not self._open[0]:
            ends.insert(0, 0)
        yield "BEGIN within a transaction", self._indexes[self._bounds[begins]]
        yield "COMMIT without BEGIN", self._indexes[self._bounds[ends]]

    def _nothing_copied(self, place: int) -> bool:
        """Whether this BEGIN is the tolerated one."""
        within = slice(self._bounds[place - 1], self._bounds[place])
        kind = self._kind[within]
        described = (kind == EventType.FIELD) & self._copy[within]
        return bool(described.any()) and not (kind == EventType.ROW).any()

    def _without_vgtid(self) -> Indexes:
        vgtids = np.cumsum(self._kind == EventType.VGTID)[self._bounds]
        whole = np.flatnonzero(self._open[:-1] & ~self._open[1:]) + 1  # each COMMIT that has its BEGIN
        found: Indexes = self._indexes[self._bounds[whole[vgtids[whole] == vgtids[whole - 1]]]]
        return found

    def _lone_vgtids(self, inside: Flags) -> Indexes:
        lone = np.flatnonzero((self._kind == EventType.VGTID) & ~inside)
        lone = lone[lone + 1 < len(self._kind)]
        following = self._kind[lone + 1]
        found: Indexes = self._indexes[lone[(following != EventType.DDL) & (following != EventType.OTHER)]]
        return found

    def _undescribed(self) -> Iterator[Fault]:
        """Rows before the FIELD event of their table, and copied rows that do not follow that of their copy."""
        rows, fields = self._kind == EventType.ROW, self._kind == EventType.FIELD
        for table in np.unique(self._table[rows]).tolist():
            described = np.flatnonzero(fields & (self._table == table))
            first = described[0] if len(described) else len(self._kind)
            early = np.flatnonzero(rows & (self._table == table))
            yield "a row before the FIELD event of its table", self._indexes[early[early < first]]
        copied, begun = np.flatnonzero(rows & self._copy), np.flatnonzero(fields & self._copy)
        latest = np.searchsorted(begun, copied) - 1
        known_table = np.append(self._table[begun], NO_INDEX)[latest]  # -1 = the appended one
        wrong = (known_table != self._table[copied]) & (latest >= 0)
        yield "a copied row of another table than the one being copied", self._indexes[copied[wrong]]

    def _completed(self, inside: Flags) -> Iterator[Fault]:
        completed = np.flatnonzero(self._kind == EventType.COPY_COMPLETED)
        yield "COPY_COMPLETED within a transaction", self._indexes[completed[inside[completed]]]
        yield "COPY_COMPLETED of a shard once more", self._indexes[completed[1:]]
        if len(completed):
            late = np.flatnonzero((self._kind == EventType.ROW) & self._copy)
            yield "a copied row behind COPY_COMPLETED", self._indexes[late[late > completed[0]]]


def _foreign(stream: Stream, inside: Flags) -> Indexes:
    """Events that are not the first of their transaction, and follow an event of another shard."""
    events = stream.events
    order = np.argsort(events["attempt"], kind="stable")
    order = order[events["shard"][order] != NO_INDEX]
    shard, attempt = events["shard"][order], events["attempt"][order]
    other = np.concatenate(
        (np.zeros(min(1, len(order)), np.bool_), (shard[1:] != shard[:-1]) & (attempt[1:] == attempt[:-1]))
    )
    found: Indexes = np.sort(order[other & inside[order]])
    return found


def _final(stream: Stream) -> Iterator[Fault]:
    events = stream.events
    for (attempt, shard), indexes in sorted(stream.groups.items()):
        final = indexes[events["type"][indexes] == EventType.COPY_COMPLETED]
        if shard != NO_INDEX or not len(final):
            continue
        yield "the final COPY_COMPLETED once more", final[1:]
        for number in range(len(stream.lane.shards)):
            own = stream.events_of(attempt, number)
            own = own[events["type"][own] == EventType.COPY_COMPLETED]
            yield "COPY_COMPLETED of a shard behind the final one", own[own > final[0]]
