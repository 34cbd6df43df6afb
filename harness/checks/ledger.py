"""What was written, and what is there: the arrays that all safety checks compare.

A write is identified by its key (`harness.load.schema`: shard, lane, counter), which no other write
shares; the table has no unique index on it, so a write that was applied twice shows as two rows. A
transaction of n rows writes key … key+n-1, and value … value+n-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.history import History, Ops
from harness.model import OpKind

Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """All ledger rows that were read back, sorted by key; `shard` numbers `shards`."""

    shards: tuple[str, ...]
    key: Keys
    value: Keys
    shard: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One element for each row that a write or transaction was to leave behind.

    `op` is its position in History.ops; `present` how often the key is stored; `right` whether every
    copy carries its value and lies in its lane's shard; `judged` whether its shard was read back.
    """

    op: Numbers
    key: Keys
    value: Keys
    outcome: npt.NDArray[np.uint8]
    present: Numbers
    right: Flags
    judged: Flags


def stored(history: History) -> Stored:
    shards = tuple(sorted(history.rows))
    parts = [history.rows[shard] for shard in shards]
    if not parts:
        empty = np.empty(0, dtype=np.uint64)
        return Stored(shards=(), key=empty, value=empty, shard=np.empty(0, dtype=np.int64))
    rows = np.concatenate(parts)
    number = np.repeat(np.arange(len(parts), dtype=np.int64), [len(part) for part in parts])
    order = np.argsort(rows["id"], kind="stable")
    return Stored(shards=shards, key=rows["id"][order], value=rows["value"][order], shard=number[order])


def written(history: History, table: Stored) -> Written:
    ops = history.ops
    writes = np.flatnonzero(ops["kind"] != OpKind.READ)
    sizes = rows_of(ops[writes])
    op = np.repeat(writes, sizes)
    step = (np.arange(len(op)) - np.repeat(np.cumsum(sizes) - sizes, sizes)).astype(np.uint64)
    key, value = ops["key"][op] + step, ops["value"][op] + step
    shard = _shard_numbers(history, table)[ops["lane"][op]]
    first = np.searchsorted(table.key, key, side="left")
    present = np.searchsorted(table.key, key, side="right") - first
    return Written(
        op=op,
        key=key,
        value=value,
        outcome=ops["outcome"][op],
        present=present,
        right=_right(table, first, present, value, shard),
        judged=shard >= 0,
    )


def rows_of(writes: Ops) -> Numbers:
    """How many rows each write leaves behind: one, or a transaction's number."""
    many = writes["kind"] == OpKind.TRANSACTION
    sizes: Numbers = np.where(many, np.maximum(writes["rows"], 1), 1).astype(np.int64)
    return sizes


def _shard_numbers(history: History, table: Stored) -> Numbers:
    """Lane number → its shard's number in `table`; -1 = its shard was not read back."""
    numbers = np.full(1 << 16, -1, dtype=np.int64)
    place = {shard: number for number, shard in enumerate(table.shards)}
    for lane in history.lanes:
        numbers[lane.number] = place.get(lane.shard, -1)
    return numbers


def _right(table: Stored, first: Numbers, present: Numbers, value: Keys, shard: Numbers) -> Flags:
    """Whether all copies of each key carry the value and lie in the shard; True where there is none."""
    right = np.ones(len(first), dtype=np.bool_)
    found = np.flatnonzero(present > 0)
    if len(found):
        copies = present[found]
        begins = np.cumsum(copies) - copies
        stored_at = np.arange(copies.sum()) + np.repeat(first[found] - begins, copies)
        same = table.value[stored_at] == np.repeat(value[found], copies)
        same &= table.shard[stored_at] == np.repeat(shard[found], copies)
        right[found] = np.logical_and.reduceat(same, begins)
    return right


def through(history: History, writes: Written, vtgate: str) -> Flags:
    """Which of the writes went through a vtgate."""
    lanes = np.zeros(1 << 16, dtype=np.bool_)
    lanes[[lane.number for lane in history.lanes_of(vtgate)]] = True
    flags: Flags = lanes[history.ops["lane"][writes.op]]
    return flags
