"""VStreamResponses into EVENT_DTYPE records: what one attempt of a stream received.

Nearly all of a long copy is rows that differ in nothing but their values. Such rows are taken straight from the
serialised response (`harness.load.stream_rows`); everything else goes through the generated classes, event by event.
Nothing that a response holds is an error here: a row that cannot be read is recorded as MALFORMED.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.base import jsonio
from harness.items import MARK_TABLE
from harness.load.stream_rows import RowShapes
from harness.streams import EVENT_DTYPE, NO_INDEX, Change, EventFlag, EventType, StreamLane
from harness.vitess.proto import vtgate_pb2
from harness.vitess.vstream import Checkpoint, position_of

ITEM_COLUMNS = ("id", "version", "txn", "pad")
MARK_COLUMNS = ("id", "value")
MAX_U32 = (1 << 32) - 1
MAX_U64 = (1 << 64) - 1
BULK_BYTES = 4096  # below it, a response has too few rows for the bulk way to pay
_RECORD = struct.Struct("<qQQIIIIIHHHBBB3x")
assert _RECORD.size == EVENT_DTYPE.itemsize

_ROW, _FIELD, _VGTID = int(EventType.ROW), int(EventType.FIELD), int(EventType.VGTID)
_COPY_COMPLETED = int(EventType.COPY_COMPLETED)
# A position counts once its transaction has ended: the first VGTID of a table's copy has a GTID and no last key yet,
# and who resumes there replicates without ever copying (vitess#5891; vstreamer/uvstreamer.go init, v0.24.3).
_ENDS = frozenset(map(int, (EventType.COMMIT, EventType.ROLLBACK, EventType.DDL, EventType.OTHER)))
_COPY, _MALFORMED = int(EventFlag.COPY), int(EventFlag.MALFORMED)
_AFTER, _BEFORE = 1, 2
_CHANGE_OF = (int(Change.NONE), int(Change.INSERT), int(Change.DELETE), int(Change.UPDATE))  # by the images it has

Order = tuple[int, ...]
_ITEM_ORDER: Order = (0, 1, 2, 3)
_MARK_ORDER: Order = (0, 1)

Image = tuple[int, int, int, int]  # key, version, txn, digest
_NOTHING: Image = (0, 0, 0, 0)


@dataclass(slots=True)
class Progress:
    """How far the stream of some tables is, over its attempts."""

    rows: int = 0
    responses: int = 0
    cycles: int = 0
    marks: set[int] = field(default_factory=set)  # shards (index) whose mark row came
    copied: set[int] = field(default_factory=set)  # shards whose COPY_COMPLETED came
    complete: bool = False  # the COPY_COMPLETED of all shards came
    vgtid: Any = None  # where to resume: the last VGtid message that a COMMIT followed

    def restart(self) -> None:
        """What was received is thrown away; the counts go on."""
        self.marks.clear()
        self.copied.clear()
        self.complete, self.vgtid = False, None


class StreamBuffers:
    """What a stream has received and not yet written: records, and lines of its VGTIDs."""

    __slots__ = ("records", "steps", "vgtids")

    def __init__(self) -> None:
        self.records = bytearray()
        self.steps = bytearray()
        self.vgtids = 0  # so far, of all attempts: their numbers


class Decoder:
    """The records of one attempt."""

    def __init__(
        self,
        lane: StreamLane,
        attempt: int,
        buffers: StreamBuffers,
        progress: Progress,
        start: Checkpoint | None = None,
    ) -> None:
        self._attempt = attempt
        self._buffers = buffers
        self._progress = progress
        self._shard_of = {shard: index for index, shard in enumerate(lane.shards)}
        self._table_of = {f"{lane.keyspace}.{table}": index for index, table in enumerate(lane.tables)}
        self._mark = self._table_of.get(f"{lane.keyspace}.{MARK_TABLE}", NO_INDEX)
        # Where the columns are in a row: as the FIELD event of (table, shard) said, or else as the table was created.
        # (That the event is missing is for a check to find.) None = not our columns.
        self._orders: dict[tuple[int, int], Order | None] = {}
        self._created = {
            table: _MARK_ORDER if table == self._mark else _ITEM_ORDER for table in self._table_of.values()
        }
        self._shapes = RowShapes(attempt)
        self._pending: Any = None  # the last VGtid, until its transaction ends
        self._last = dict.fromkeys(lane.shards, b"")
        if start is not None:
            self._last.update((each.shard, _state(each)) for each in start.vgtid.shard_gtids)
        self.responses = 0
        self.checkpoints = 0

    def receive(self, raw: bytes, at_ns: int) -> None:
        """Record one serialised VStreamResponse that arrived at `at_ns`."""
        self.responses += 1
        progress = self._progress
        progress.responses += 1
        if len(raw) >= BULK_BYTES:
            rows, end = self._shapes.take(raw, self._buffers.records, at_ns, self.responses)
            progress.rows += rows
            raw = raw[end:]  # events are the elements of a repeated field: from any of them on it is a message
        for event in vtgate_pb2.VStreamResponse.FromString(raw).events:
            self._event(event, at_ns)

    def _event(self, event: Any, at_ns: int) -> None:
        kind = event.type
        if kind == _ROW:
            self._row(event, at_ns)
            return
        shard = self._shard_of.get(event.shard, NO_INDEX)
        table, flags, vgtid = NO_INDEX, 0, 0
        if kind == _FIELD:
            table, flags = self._field(event, shard)
        elif kind == _VGTID:
            vgtid = self._vgtid(event.vgtid, at_ns)
        elif kind in _ENDS:
            self._committed()
        elif kind == _COPY_COMPLETED:
            self._completed(shard, final=not event.shard)
        self._record(at_ns, _NOTHING, 0, vgtid, table, shard, min(kind, 255), 0, flags)

    def _record(
        self,
        at_ns: int,
        image: Image,
        before: int,
        vgtid: int,
        table: int,
        shard: int,
        kind: int,
        change: int,
        flags: int,
    ) -> None:
        key, version, txn, digest = image
        self._buffers.records += _RECORD.pack(
            at_ns, key, txn, version, before, digest, self.responses, vgtid, table, shard, self._attempt,
            kind, change, flags,
        )  # fmt: skip

    # ------------------------------------------------ rows

    def _row(self, event: Any, at_ns: int) -> None:
        """A record for each row that changed: one in the copy, one or more from the binlog."""
        self._progress.rows += 1
        row_event = event.row_event
        table = self._table_of.get(row_event.table_name, NO_INDEX)
        shard = self._shard_of.get(event.shard, NO_INDEX)
        order = self._orders.get((table, shard), self._created.get(table))
        copy = 0 if event.timestamp else _COPY
        changes = row_event.row_changes
        if not changes:
            self._record(at_ns, _NOTHING, 0, 0, table, shard, _ROW, 0, copy | _MALFORMED)
        for change in changes:
            kind = (_AFTER if change.HasField("after") else 0) | (_BEFORE if change.HasField("before") else 0)
            after = _image(change.after, order) if kind & _AFTER else _NOTHING
            before = _image(change.before, order) if kind & _BEFORE else _NOTHING
            flags = copy
            if after is None or before is None or not kind:
                flags |= _MALFORMED
            elif table == self._mark and kind & _AFTER and shard != NO_INDEX:
                self._progress.marks.add(shard)
            image = (after if kind & _AFTER else before) or _NOTHING
            self._record(at_ns, image, before[1] if before else 0, 0, table, shard, _ROW, _CHANGE_OF[kind], flags)

    def _field(self, event: Any, shard: int) -> tuple[int, int]:
        described = event.field_event
        table = self._table_of.get(described.table_name, NO_INDEX)
        copy = not event.timestamp
        if copy and table != self._mark:  # as reports count them
            self._progress.cycles += 1
        if table == NO_INDEX:
            return table, _COPY if copy else 0
        wanted = MARK_COLUMNS if table == self._mark else ITEM_COLUMNS
        names = [column.name for column in described.fields]
        order = tuple(map(names.index, wanted)) if sorted(names) == sorted(wanted) else None
        self._orders[table, shard] = order
        if table != self._mark and shard != NO_INDEX:
            plain = order == _ITEM_ORDER
            self._shapes.know(described.table_name, event.shard, table, shard, plain=plain)
        return table, _COPY if copy else 0

    # ------------------------------------------------ how far it is

    def _vgtid(self, vgtid: Any, at_ns: int) -> int:
        """Keep it for the checkpoint, and write down what it moved."""
        buffers = self._buffers
        buffers.vgtids += 1
        self._pending = vgtid
        for each in vgtid.shard_gtids:
            state = _state(each)
            if self._last.get(each.shard) != state:
                self._last[each.shard] = state
                buffers.steps += jsonio.line(
                    {"number": buffers.vgtids, "at_ns": at_ns, "attempt": self._attempt, **position_line(each)}
                )
        return buffers.vgtids

    def _committed(self) -> None:
        if self._pending is not None:
            self._progress.vgtid, self._pending = self._pending, None
            self.checkpoints += 1

    def _completed(self, shard: int, *, final: bool) -> None:
        """vtgate's last COPY_COMPLETED is of no shard (vstream_manager.go, isCopyFullyCompleted). It does not come when
        a shard's copy was over before a resume, so that the shards' own are counted as well."""
        progress = self._progress
        if shard != NO_INDEX:
            progress.copied.add(shard)
        if final or len(progress.copied) == len(self._shard_of):
            progress.complete = True


def _image(row: Any, order: Order | None) -> Image | None:
    """Key, version, transaction and digest of a query.Row (all values in one string, a length each, -1 for NULL);
    None when it is not one of ours."""
    values: bytes = row.values
    lengths = row.lengths
    if order is None or len(lengths) != len(order):
        return None
    if order == _ITEM_ORDER:
        id_to, version_to, txn_to, pad_size = lengths
        version_to += id_to
        txn_to += version_to
        if txn_to + pad_size != len(values):  # so it is with every NULL, too
            return None
        key, version, txn = values[:id_to], values[id_to:version_to], values[version_to:txn_to]
        digest = zlib.crc32(values[txn_to:])
    else:
        cells = _cells(values, lengths)
        if cells is None:
            return None
        key, version, txn, digest = cells[order[0]], cells[order[1]], b"0", 0
        if len(order) == len(_ITEM_ORDER):
            txn, digest = cells[order[2]], zlib.crc32(cells[order[3]])
    if not (key.isdigit() and version.isdigit() and txn.isdigit()):
        return None
    image = int(key), int(version), int(txn), digest
    return image if image[0] <= MAX_U64 and image[1] <= MAX_U32 and image[2] <= MAX_U64 else None


def _cells(values: bytes, lengths: Sequence[int]) -> list[bytes] | None:
    if min(lengths) < 0 or sum(lengths) != len(values):
        return None
    cells, at = [], 0
    for length in lengths:
        cells.append(values[at : at + length])
        at += length
    return cells


def _state(shard_gtid: Any) -> bytes:
    """What tells two positions of a shard apart; b"" of one that is to be copied from the beginning."""
    gtid: str = shard_gtid.gtid
    return bytes(shard_gtid.SerializeToString()) if shard_gtid.table_p_ks else gtid.encode()


def position_line(shard_gtid: Any) -> dict[str, Any]:
    """A shard's position as the JSON-lines files have it."""
    position = position_of(shard_gtid)
    return {"shard": position.shard, "gtid": position.gtid, "last_pks": dict(position.last_pks)}
