"""Rows of a copy, many at a time, straight from the serialised response.

A copied row's event is the same bytes as the one before it except for the values: same table, shard and flags, and
as long as the values keep their lengths, the same lengths. What stands before and after the values of an event is
its shape. An event with the same bytes before and after its values as one that was read through the generated
classes has the same fields as that one, whatever its values are: no assumption about the encoder is needed. The
values of all rows of a shape are then read at once, as columns of a matrix of bytes.

Why: through the generated classes a row costs 4.7 µs, of which their parsing is 0.4 and the rest is Python objects;
this way 0.55 µs, of which the digests are more than half, or 1.7 µs when no two rows in turn have one shape (measured;
ci/bench/streams.py has the first).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.streams import EVENT_DTYPE, Change, EventFlag, EventType
from harness.vitess.proto import binlogdata_pb2

_MAX_DIGITS = 20  # of 2^64 - 1
_TEN_TO_19 = np.uint64(10**19)
_POWERS = [10 ** np.arange(digits - 1, -1, -1, dtype=np.uint64) for digits in range(_MAX_DIGITS + 1)]
_VERSION_DIGITS = 9  # always below 2^32; a version with more goes the slow way
_ROW = int(EventType.ROW)

Numbers = npt.NDArray[np.uint64]
Run = tuple["_Shape", int, int]  # of rows with one shape, one after the other: from, to


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """`columns` are (offset, length) of id, version, txn and pad in the event, its tag and length included."""

    prefix: bytes
    suffix: npt.NDArray[np.uint8]
    length: int
    columns: tuple[tuple[int, int], ...]
    template: npt.NDArray[np.void]  # one record with all that does not depend on the values


class RowShapes:
    """The shapes that one attempt has seen."""

    def __init__(self, attempt: int) -> None:
        self._attempt = attempt
        self._tables: dict[tuple[str, str], tuple[int, int]] = {}
        self._shapes: dict[bytes, _Shape] = {}
        self._prefix = 0  # length of the last prefix learnt: the same for all rows of a table, but for odd sizes

    def know(self, table_name: str, shard_name: str, table: int, shard: int, *, plain: bool) -> None:
        """What a FIELD event said: `plain` = the columns are id, version, txn, pad, in this order."""
        known = self._tables.get((table_name, shard_name))
        if plain:
            self._tables[table_name, shard_name] = table, shard
        elif known is not None:
            del self._tables[table_name, shard_name]
            self._shapes.clear()

    def take(self, raw: bytes, records: bytearray, at_ns: int, response: int) -> tuple[int, int]:
        """Append records of the copied rows with which a serialised VStreamResponse begins. Returns how many, and
        where the rest begins; (0, 0) when they must be read the slow way."""
        runs, end = self._runs(raw)
        if not runs or end > len(raw):
            return 0, 0
        total = sum((to - since) // shape.length for shape, since, to in runs)
        events = np.empty(total, dtype=EVENT_DTYPE)
        places = _places(runs)
        for shape, (block, where) in _blocks(raw, runs, places).items():
            if not _read(shape, block, events, where):
                return 0, 0
        events["at_ns"] = at_ns
        events["response"] = response
        records += events.tobytes()
        return total, end

    def _runs(self, raw: bytes) -> tuple[list[Run], int]:
        runs: list[Run] = []
        known, startswith, at = self._shapes.get, raw.startswith, 0
        while True:
            shape = known(raw[at : at + self._prefix]) or self._learn(raw, at)
            if shape is None:
                return runs, at
            since, prefix, length = at, shape.prefix, shape.length
            at += length
            while startswith(prefix, at):
                at += length
            runs.append((shape, since, at))

    def _learn(self, raw: bytes, at: int) -> _Shape | None:
        """The shape of the event that begins at `at`, if it is a plain row of the copy."""
        framed = _frame(raw, at)
        if framed is None:
            return None
        event = binlogdata_pb2.VEvent.FromString(raw[framed[0] : framed[1]])
        indexes = self._tables.get((event.row_event.table_name, event.shard))
        if event.type != _ROW or event.timestamp or indexes is None:
            return None
        shape = self._shape(raw, at, framed[1], event.row_event.row_changes, indexes)
        if shape is not None:
            self._shapes[shape.prefix] = shape
            self._prefix = len(shape.prefix)
        return shape

    def _shape(self, raw: bytes, at: int, end: int, changes: Any, indexes: tuple[int, int]) -> _Shape | None:
        if len(changes) != 1 or changes[0].HasField("before"):
            return None
        lengths, values = changes[0].after.lengths, changes[0].after.values
        found = raw.find(values, at, end)
        if len(lengths) != 4 or min(lengths) < 1 or sum(lengths) != len(values) or raw.rfind(values, at, end) != found:
            return None
        if max(lengths[0], lengths[2]) > _MAX_DIGITS or lengths[1] > _VERSION_DIGITS:
            return None
        starts = np.cumsum([found - at, *lengths])[:-1].tolist()
        template = np.zeros(1, dtype=EVENT_DTYPE)
        template["table"], template["shard"], template["attempt"] = *indexes, self._attempt
        template["type"], template["change"], template["flags"] = EventType.ROW, Change.INSERT, EventFlag.COPY
        return _Shape(
            prefix=raw[at:found],
            suffix=np.frombuffer(raw[found + len(values) : end], dtype=np.uint8),
            length=end - at,
            columns=tuple(zip(starts, map(int, lengths), strict=True)),
            template=template,
        )


def _frame(raw: bytes, at: int) -> tuple[int, int] | None:
    """From where to where the event lies whose field of VStreamResponse (1, length-delimited) begins at `at`."""
    if at + 2 > len(raw) or raw[at] != 0x0A:
        return None
    size, shift, at = 0, 0, at + 1
    while at < len(raw):
        byte = raw[at]
        size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return (at, at + size) if at + size <= len(raw) else None
    return None


def _places(runs: list[Run]) -> list[tuple[int, int]]:
    """Which records each run fills."""
    places, at = [], 0
    for shape, since, to in runs:
        rows = (to - since) // shape.length
        places.append((at, at + rows))
        at += rows
    return places


def _blocks(raw: bytes, runs: list[Run], places: list[tuple[int, int]]) -> dict[_Shape, tuple[bytes, Any]]:
    """The rows of each shape side by side, and which records they fill."""
    mine: dict[_Shape, list[int]] = {}
    for index, (shape, _, _) in enumerate(runs):
        mine.setdefault(shape, []).append(index)
    return {
        shape: (
            b"".join([raw[runs[index][1] : runs[index][2]] for index in indexes]),
            np.concatenate([np.arange(*places[index]) for index in indexes])
            if len(indexes) > 1
            else slice(*places[indexes[0]]),
        )
        for shape, indexes in mine.items()
    }


def _read(shape: _Shape, block: bytes, events: npt.NDArray[np.void], where: Any) -> bool:
    """Fill the records of one shape's rows. False when a row is not what its beginning promised."""
    rows = np.frombuffer(block, dtype=np.uint8).reshape(-1, shape.length)
    if not (rows[:, shape.length - len(shape.suffix) :] == shape.suffix).all():
        return False
    numbers = [_numbers(rows[:, at : at + digits]) for at, digits in shape.columns[:3]]
    key, version, txn = numbers
    if key is None or version is None or txn is None:
        return False
    pad_at, pad_size = shape.columns[3]
    crc32 = zlib.crc32
    digests = [crc32(block[at : at + pad_size]) for at in range(pad_at, len(block), shape.length)]
    part = np.repeat(shape.template, len(rows))
    part["key"], part["version"], part["txn"], part["digest"] = key, version, txn, digests
    events[where] = part
    return True


def _numbers(text: npt.NDArray[np.uint8]) -> Numbers | None:
    """Decimal digits, a row each, as numbers; None when one is none, or too big."""
    digits = text - np.uint8(ord("0"))
    if digits.max() > 9:
        return None
    numbers: Numbers = digits.astype(np.uint64) @ _POWERS[text.shape[1]]
    return None if text.shape[1] == _MAX_DIGITS and bool((numbers < _TEN_TO_19).any()) else numbers
