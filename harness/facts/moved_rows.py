"""The rows of a workflow's target beside those of its source: exact, key by key and version by version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.history import History, Rows, TableRead
from harness.model import KeyspaceSpec

EXAMPLES = 3
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff:
    """One table, all shards. `misplaced`: rows in a shard of the target whose key range does not hold them."""

    table: str
    source_rows: int
    target_rows: int
    missing: int
    extra: int
    doubled: int
    older: int  # present, with a version that the source no longer has
    newer: int
    misplaced: int
    wrong: int  # rows of the target whose pad does not belong to their id and version
    examples: tuple[int, ...]  # some keys that differ

    @property
    def equal(self) -> bool:
        return not (
            self.missing or self.extra or self.doubled or self.older or self.newer or self.misplaced or self.wrong
        )

    def sorts(self) -> dict[str, int]:
        """How its rows differ → how many do."""
        parts = {
            "missing": self.missing,
            "extra": self.extra,
            "twice": self.doubled,
            "older": self.older,
            "newer": self.newer,
            "in the wrong shard": self.misplaced,
            "with a value that is not theirs": self.wrong,
        }
        return {what: number for what, number in parts.items() if number}

    def words(self) -> str:
        said = ", ".join(f"{number:,} {what}" for what, number in self.sorts().items())
        keys = f" (keys {', '.join(map(str, self.examples))})" if self.examples else ""
        return f"{self.table}: {self.target_rows:,} of {self.source_rows:,} rows, {said or 'all equal'}{keys}"


def unread(history: History, keyspaces: Sequence[KeyspaceSpec]) -> tuple[str, ...]:
    """Tables that were not read after the run, as KEYSPACE.TABLE.SHARD."""
    items = history.plan.items
    wanted = (
        (keyspace.name, table, shard)
        for keyspace in keyspaces
        for table in (items.names if items is not None else ())
        for shard in keyspace.shard_names
    )
    return tuple(".".join(place) for place in wanted if place not in history.tables)


def diffs(history: History, source: KeyspaceSpec, target: KeyspaceSpec) -> tuple[TableDiff, ...]:
    """Of every item table; all must have been read."""
    items = history.plan.items
    return tuple(
        _diff(table, _reads(history, source, table), _reads(history, target, table))
        for table in (items.names if items is not None else ())
    )


def _reads(history: History, keyspace: KeyspaceSpec, table: str) -> list[TableRead]:
    return [history.tables[keyspace.name, table, shard] for shard in keyspace.shard_names]


def _diff(table: str, source: list[TableRead], target: list[TableRead]) -> TableDiff:
    left, right = _sorted(source), _sorted(target)
    once, counts = np.unique(right["id"], return_counts=True)
    missing = np.setdiff1d(left["id"], once, assume_unique=True)
    extra = np.setdiff1d(once, left["id"], assume_unique=True)
    older, newer = _versions(left, right)
    misplaced = [outside(read.rows["id"], read.shard) for read in target]
    odd = [keys[:1] for keys in (missing, extra, once[counts > 1], older, newer, *misplaced)]
    return TableDiff(
        table=table,
        source_rows=len(left),
        target_rows=len(right),
        missing=len(missing),
        extra=len(extra),
        doubled=int(np.count_nonzero(counts > 1)),
        older=len(older),
        newer=len(newer),
        misplaced=sum(map(len, misplaced)),
        wrong=sum(read.wrong for read in target),
        examples=tuple(int(key) for key in np.concatenate(odd)[:EXAMPLES]),
    )


def _sorted(reads: list[TableRead]) -> Rows:
    rows = np.concatenate([read.rows for read in reads])
    return rows[np.argsort(rows["id"], kind="stable")]


def _versions(left: Rows, right: Rows) -> tuple[Keys, Keys]:
    """Keys of the target's rows whose version is below, and above, that of the source's row."""
    place = np.searchsorted(left["id"], right["id"])
    there = place < len(left)
    there[there] = left["id"][place[there]] == right["id"][there]
    theirs, ours = left["value"][place[there]], right["value"][there]
    keys = right["id"][there]
    return keys[ours < theirs], keys[ours > theirs]


def outside(ids: Keys, shard: str) -> Keys:
    """Those whose keyspace id (the id itself: vindex `numeric`) is not in the shard's key range."""
    if "-" not in shard:
        return ids[:0]
    start, end = shard.split("-")
    first = ids >> np.uint64(56)
    beyond = first >= int(end[:2], 16) if end else np.zeros(len(ids), dtype=bool)
    return ids[(first < int(start[:2] or "0", 16)) | beyond]
