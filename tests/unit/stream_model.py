"""A small model of what feeds a stream: a shard with its binary log, vttablet's copy (vstreamer/uvstreamer.go, copy.go)
and vtgate's VGTIDs (vstream_manager.go, all v0.24.3), as they are when nothing is wrong with them.

One difference on purpose: a copy that resumes goes on with the table whose last key the VGTID names, and leaves the
tables before it alone. Vitess up to 24.0.3 copies them again (`bug="recopies"`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.items import first_id
from harness.streams import NO_INDEX, Change, EventType, Position, StreamLane

UUID = "16b1039f-22b6-11ed-b765-0a43f95f28a3"


class Settings(Protocol):
    """What a copy asks of its run."""

    lane: StreamLane
    packet: int  # rows
    cut_after: int  # packets; -1 = never
    bug: str  # "" | forgets | recopies | ahead
    recopied: int


@dataclass(slots=True, kw_only=True)
class Event:
    """One event; a VGTID carries its shard's position."""

    type: EventType
    shard: int
    table: int = NO_INDEX
    key: int = 0
    version: int = 0
    before: int = 0
    txn: int = 0
    change: Change = Change.NONE
    copy: bool = False
    position: Position | None = None


@dataclass(slots=True, kw_only=True)
class Row:
    version: int
    txn: int


Wrote = list[Event]  # the ROW events of one transaction
Batch = list[list[Event]]  # responses that come one behind the other


class Shard:
    """A shard's tables and its binary log."""

    def __init__(self, number: int, name: str, tables: Sequence[str], rows: int) -> None:
        self.number, self.name = number, name
        self.tables: list[dict[int, Row]] = [
            {first_id(name, table) + n: Row(version=1, txn=0) for n in range(1, rows + 1)}
            for table in range(len(tables) - 1)
        ] + [{}]
        self.log: list[Wrote] = []
        self.fresh = 0
        self.base = 10 + number  # transactions before the run

    def gtid(self, position: int) -> str:
        return f"MySQL56/{UUID[:-1]}{self.number}:1-{self.base + position}"

    def commit(self, rows: Wrote) -> None:
        self.log.append(rows)

    def row(self, table: int, key: int, change: Change, txn: int) -> Event:
        """Change a row now."""
        held = self.tables[table].get(key)
        event = Event(type=EventType.ROW, shard=self.number, table=table, key=key, change=change)
        if change is Change.DELETE:
            assert held is not None
            event.version = event.before = held.version
            event.txn = held.txn
            del self.tables[table][key]
            return event
        event.before = held.version if held else 0
        event.version, event.txn = event.before + 1, txn
        self.tables[table][key] = Row(version=event.version, txn=txn)
        return event

    def mark(self) -> None:
        key = first_id(self.name, 0) + 1
        self.tables[-1][key] = Row(version=1, txn=0)
        event = Event(type=EventType.ROW, shard=self.number, table=len(self.tables) - 1, key=key, version=1)
        event.change = Change.INSERT
        self.commit([event])


class Copier:
    """What vttablet and vtgate do for one shard of one call: yields batches, [] when there is nothing to send."""

    def __init__(self, run: Settings, shard: Shard, tables: Sequence[int], start: Position | None) -> None:
        self._run, self._shard, self._asked = run, shard, tables
        names = run.lane.tables
        self._last = {names.index(name): key for name, key in start.last_pks.items()} if start else {}
        self._at = int(start.gtid.rpartition("-")[2]) - shard.base if start and start.gtid else -1
        begun = min(self._last) if self._last else 0
        over = start is not None and bool(start.gtid) and not start.last_pks
        self._todo = [] if over else [table for table in tables if table >= begun]
        self._described: set[int] = set()

    def told(self, checkpoint: Mapping[str, Position]) -> bool:
        """Whether the shard's position says what is left to copy: a GTID set without a last key says "nothing", also
        between two tables, and before the first row."""
        position = checkpoint[self._shard.name]
        return bool(position.last_pks) or not position.gtid or not self._todo

    def batches(self) -> Iterator[Batch]:
        """Copy what is to be copied, then follow the log."""
        copies = bool(self._todo)
        while self._todo:
            yield from self._table(self._todo[0])
            if self._run.bug == "forgets" and self._shard.number == 0 and len(self._todo) < len(self._asked):
                self._todo.clear()
                copies = False
        if copies:
            yield [[Event(type=EventType.COPY_COMPLETED, shard=self._shard.number)]]
        self._described.clear()
        while True:
            yield from self._follow(len(self._shard.log))
            yield []

    def _table(self, table: int) -> Iterator[Batch]:
        """One copy of a table: to its end, or to a cut."""
        if self._at >= 0:
            self._described.clear()
            yield from self._follow(len(self._shard.log))  # catch-up
        snapshot = len(self._shard.log)
        rows = [(key, row) for key, row in sorted(self._shard.tables[table].items()) if key > self._last.get(table, 0)]
        rows = [(key, Row(version=row.version, txn=row.txn)) for key, row in rows]
        if self._run.bug == "ahead" and self._at >= 0:  # the log shows what is not committed yet
            while len(self._shard.log) == snapshot:
                yield []
            yield from self._follow(len(self._shard.log))
        elif self._at >= 0:
            yield from self._follow(snapshot)  # fast-forward
        moved, self._at = self._at != snapshot, snapshot
        begin = Event(type=EventType.BEGIN, shard=self._shard.number)
        described = Event(type=EventType.FIELD, shard=self._shard.number, table=table, copy=True)
        responses: Batch = [[begin, described]]
        if moved:
            responses.append([self._vgtid()])
        size = self._run.packet
        for packet, since in enumerate(range(0, len(rows), size)):
            if packet == self._run.cut_after and table != len(self._run.lane.tables) - 1:
                return
            if not responses:
                responses.append([Event(type=EventType.BEGIN, shard=self._shard.number)])
            part = rows[since : since + size]
            self._last[table] = part[-1][0]
            copied = [self._copied(table, key, row) for key, row in part]
            responses.append([*copied, self._vgtid(), Event(type=EventType.COMMIT, shard=self._shard.number)])
            yield responses
            responses = []
        self._last.pop(table, None)
        yield [*responses, [Event(type=EventType.BEGIN, shard=self._shard.number), self._vgtid(), self._commit()]]
        self._todo.pop(0)
        if self._run.bug == "recopies" and self._shard.number == 0 and table == 1 and self._run.recopied < 1:
            self._run.recopied += 1
            self._todo = list(self._asked)

    def _copied(self, table: int, key: int, row: Row) -> Event:
        return Event(
            type=EventType.ROW, shard=self._shard.number, table=table, key=key, version=row.version, txn=row.txn,
            change=Change.INSERT, copy=True,
        )  # fmt: skip

    def _follow(self, upto: int) -> Iterator[Batch]:
        for number in range(self._at, upto):
            yield [self._transaction(number)]

    def _transaction(self, number: int) -> list[Event]:
        """A transaction of the log, without the rows of tables whose copy has not begun."""
        self._at = number + 1
        events = [Event(type=EventType.BEGIN, shard=self._shard.number)]
        for row in self._shard.log[number]:
            if row.table not in self._asked or (row.table in self._todo and row.table not in self._last):
                continue
            if row.table not in self._described:
                self._described.add(row.table)
                events.append(Event(type=EventType.FIELD, shard=self._shard.number, table=row.table))
            events.append(dataclasses.replace(row))
        return [*events, self._vgtid(), self._commit()]

    def _commit(self) -> Event:
        return Event(type=EventType.COMMIT, shard=self._shard.number)

    def _vgtid(self) -> Event:
        names = self._run.lane.tables
        position = Position(
            shard=self._shard.name,
            gtid=self._shard.gtid(self._at),
            last_pks={names[table]: key for table, key in self._last.items()},
        )
        return Event(type=EventType.VGTID, shard=self._shard.number, position=position)
