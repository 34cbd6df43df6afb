"""Atomic: a transaction arrives whole and in one piece, or not at all.

Every row of the load carries the id of the transaction that wrote it last, and the id says how many rows that wrote
(`harness.items`). What the copy shows was written long before, and a DELETE carries the transaction before its own;
neither is looked at. While a shard is copied, VStream sends changes only of tables whose copy has begun
(uvstreamer.go shouldSendEventForTable): fewer rows may come then, more never. The same holds for a stream that did
not ask for all tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.checks.results import Finding, failed, passed
from harness.checks.vstream_results import event_words, examples
from harness.facts.stream_copies import past_the_copy
from harness.facts.stream_setbacks import setbacks, within
from harness.facts.streams import Flags, Indexes, Stream
from harness.facts.streams import failed as server_ended
from harness.facts.words import counted
from harness.items import ROWS_MASK
from harness.model import Scalar
from harness.streams import Attempt, Change, EventFlag, EventType

WHOLE_END = "EOF"  # the one end of an attempt that excuses no torn transaction: the server said that this was all


@dataclass(frozen=True, kw_only=True)
class _Written:
    """Changes by INSERT and UPDATE in one attempt and shard; `place` numbers their BEGIN … COMMIT."""

    index: Indexes
    txn: npt.NDArray[np.uint64]
    place: Indexes
    closed: Flags  # its COMMIT came
    whole: Flags  # all of its rows must come


def judge_atomic(stream: Stream, item_tables: frozenset[str]) -> Finding:
    """A transaction comes whole, between one BEGIN and one COMMIT of its shard.

    `item_tables`: all that there are; a stream of fewer gets transactions in part."""
    lines: list[str] = []
    totals: dict[str, Scalar] = {"transactions": 0, "judged_whole": 0, "torn": 0, "spread": 0, "mixed": 0, "cut_off": 0}
    for attempt, shard, indexes in stream.shard_groups:
        written = _written(stream, attempt, shard, indexes, item_tables)
        found = _Judged(stream, written)
        for name, number in found.figures().items():
            totals[name] = int(totals[name]) + number
        lines += found.lines()
        lines += _unclosed(stream, attempt, indexes)
    broken = int(totals["torn"]) + int(totals["spread"]) + int(totals["mixed"])
    if lines:
        said = counted(max(broken, 1), "transaction")
        symptoms = [name for name in ("torn", "spread", "mixed") if totals[name]] or ["never ended"]
        return failed(f"{said} of {stream.lane.name} did not come in one piece: {lines[0]}.", lines, totals, symptoms)
    said = counted(int(totals["transactions"]), "transaction")
    return passed(f"{said} of the load, {totals['judged_whole']:,} of them to be whole, and none torn.", figures=totals)


def _written(stream: Stream, attempt: Attempt, shard: int, indexes: Indexes, item_tables: frozenset[str]) -> _Written:
    events = stream.events
    kind = events["type"][indexes]
    begins = np.cumsum(kind == EventType.BEGIN)
    rows = (kind == EventType.ROW) & (events["txn"][indexes] != 0) & (events["change"][indexes] != Change.DELETE)
    rows &= (events["flags"][indexes] & (EventFlag.COPY | EventFlag.MALFORMED)) == 0
    commits = np.flatnonzero((kind == EventType.COMMIT) | (kind == EventType.ROLLBACK))
    complete = item_tables <= set(stream.tables_of(attempt))
    copied_from = _copied_from(stream, attempt, shard, indexes) if complete else None
    at = np.flatnonzero(rows)
    at = at[~_sent_anew(stream, attempt, shard, indexes[at])]
    at = at[~_repeated(stream, indexes[at])]
    return _Written(
        index=indexes[at],
        txn=events["txn"][indexes[at]],
        place=begins[at].astype(np.int64),
        closed=at < (commits[-1] if len(commits) else -1),
        whole=at >= (len(indexes) if copied_from is None else copied_from),
    )


def _sent_anew(stream: Stream, attempt: Attempt, shard: int, indexes: Indexes) -> Flags:
    """Rows before a set-back whose transaction comes once more behind it: that one is judged."""
    txn = stream.events["txn"][indexes]
    anew = np.zeros(len(indexes), dtype=np.bool_)
    for one in setbacks(stream, attempt, shard):
        anew |= (indexes < one.index) & np.isin(txn, txn[within(indexes, (one,))])
    return anew


def _copied_from(stream: Stream, attempt: Attempt, shard: int, indexes: Indexes) -> int | None:
    """The place from which on the shard is copied, so that changes of all tables come; None = never."""
    if past_the_copy(stream.places[attempt.number, shard].start):
        return 0
    completed = np.flatnonzero(stream.events["type"][indexes] == EventType.COPY_COMPLETED)
    return int(completed[0]) if len(completed) else None


class _Judged:
    """What is wrong with the transactions of one attempt and shard."""

    def __init__(self, stream: Stream, written: _Written) -> None:
        self._stream = stream
        self._written = written
        txns, first, number = np.unique(written.txn, return_index=True, return_inverse=True)
        self._txns = len(txns)
        rows = np.bincount(number, minlength=len(txns))
        planned = (txns & np.uint64(ROWS_MASK)).astype(np.int64)
        last = np.zeros(len(txns), dtype=np.int64)
        np.maximum.at(last, number, written.place)
        spread = written.place[first] != last
        whole, closed = written.whole[first], written.closed[first]
        self._whole = whole & closed
        self._cut_off = ~closed & (rows < planned)
        self.spread = written.index[first[spread]]
        self.torn = written.index[first[(self._whole & (rows < planned)) & ~spread]]
        self.more = written.index[first[rows > planned]]
        self.mixed = self._mixed()

    def _mixed(self) -> Indexes:
        """The second transaction of each BEGIN … COMMIT that has two."""
        place, txn = self._written.place, self._written.txn
        other = np.flatnonzero((place[1:] == place[:-1]) & (txn[1:] != txn[:-1])) + 1
        found: Indexes = self._written.index[other]
        return found

    def figures(self) -> dict[str, int]:
        return {
            "transactions": self._txns,
            "judged_whole": int(np.count_nonzero(self._whole)),
            "torn": len(self.torn) + len(self.more),
            "spread": len(self.spread),
            "mixed": len(self.mixed),
            "cut_off": int(np.count_nonzero(self._cut_off)),
        }

    def lines(self) -> list[str]:
        return [
            *examples(self._stream, "not all rows of its transaction came", self.torn),
            *examples(self._stream, "more rows of its transaction came than it wrote", self.more),
            *examples(self._stream, "its transaction came in two pieces", self.spread),
            *examples(self._stream, "another transaction came in the same BEGIN … COMMIT", self.mixed),
        ]


def _repeated(stream: Stream, indexes: Indexes) -> Flags:
    """Rows that had come before: `vstream/unique` counts them."""
    events = stream.events
    key, version = events["key"][indexes], events["version"][indexes]
    order = np.lexsort((version, key))
    again = np.zeros(len(order), dtype=np.bool_)
    again[order[1:]] = (key[order][1:] == key[order][:-1]) & (version[order][1:] == version[order][:-1])
    return again


def _unclosed(stream: Stream, attempt: Attempt, indexes: Indexes) -> Iterator[str]:
    """A transaction that is open at the end of a stream which the server itself called complete."""
    events = stream.events
    if not (server_ended(attempt) and attempt.code == WHOLE_END):
        return
    kind = events["type"][indexes]
    bounds = indexes[(kind == EventType.BEGIN) | (kind == EventType.COMMIT) | (kind == EventType.ROLLBACK)]
    if len(bounds) and events["type"][bounds[-1]] == EventType.BEGIN:
        yield f"never ended, although the server ended the stream: {event_words(stream, int(bounds[-1]))}"
