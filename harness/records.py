"""The binary records of a run directory: mapped, not read, and refused where they are garbage.

A writer that was killed leaves a torn last record, which is left out. Anything else that cannot be is damage
(a disk, a copy that went wrong), and a damaged file is no evidence: RunDirError says file, record and field, so
that `vtchaos check` ends with a sentence instead of a stack trace in the middle of a check.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.base.errors import RunDirError
from harness.model import OP_DTYPE, ROW_DTYPE, OpKind, Outcome
from harness.streams import EVENT_DTYPE, NO_INDEX, Change, EventFlag, StreamLane

Records = npt.NDArray[np.void]

BLOCK = 1 << 18  # records looked at in one go
MINUTE_NS = 60 * 10**9
MOST_TYPES, OTHER_TYPE = 64, 255  # event types that Vitess may come to have (24 has 22), and what stands for more
EARLY_NS, LATE_NS = MINUTE_NS, 100_000 * MINUTE_NS  # how far from the begin of its run a stamp may lie


def mapped(path: Path, dtype: np.dtype[np.void]) -> Records:
    """The whole records of a file, memory-mapped. Raises OSError."""
    count = path.stat().st_size // dtype.itemsize
    if not count:
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=(count,))


def read_ops(path: Path, base_ns: int) -> Records:
    """Operations of one load worker. Raises RunDirError for garbage; `base_ns` is when the run began, 0 = unknown."""
    ops = np.fromfile(path, dtype=OP_DTYPE, count=path.stat().st_size // OP_DTYPE.itemsize)
    _require_known(path, ops, "outcome", Outcome)
    _require_known(path, ops, "kind", OpKind)
    for field in ("intended_ns", "done_ns"):
        _require_stamps(path, ops, field, base_ns)
    return ops


def read_table(path: Path) -> Records:
    """The rows of a table, which its writer renames into place when it is whole. Raises RunDirError if it is not."""
    if path.stat().st_size % ROW_DTYPE.itemsize:
        raise RunDirError(f"{path} is damaged: it ends within a row")
    return mapped(path, ROW_DTYPE)


def map_events(path: Path, lane: StreamLane, attempts: Sequence[int], base_ns: int) -> Records:
    """The events of one stream, memory-mapped. Raises RunDirError for garbage."""
    events = mapped(path, EVENT_DTYPE)
    for start in range(0, len(events), BLOCK):
        block = events[start : start + BLOCK]
        _require(path, block, "type", (block["type"] > MOST_TYPES) & (block["type"] != OTHER_TYPE), start)
        _require_known(path, block, "change", Change, start)
        _require(path, block, "flags", block["flags"] > sum(EventFlag), start)
        for field, names in (("shard", lane.shards), ("table", lane.tables)):
            _require(path, block, field, (block[field] >= len(names)) & (block[field] != NO_INDEX), start)
        _require(path, block, "attempt", ~np.isin(block["attempt"], attempts), start)
        _require_stamps(path, block, "at_ns", base_ns, start)
    return events


def _require_known(path: Path, records: Records, field: str, kind: type[enum.IntEnum], offset: int = 0) -> None:
    known = np.zeros(256, dtype=np.bool_)
    known[list(kind)] = True
    _require(path, records, field, ~known[records[field]], offset)


def _require_stamps(path: Path, records: Records, field: str, base_ns: int, offset: int = 0) -> None:
    stamps = records[field]
    if base_ns:
        _require(path, records, field, (stamps < base_ns - EARLY_NS) | (stamps > base_ns + LATE_NS), offset)


def _require(path: Path, records: Records, field: str, wrong: npt.NDArray[np.bool_], offset: int) -> None:
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        more = int(np.count_nonzero(wrong)) - 1
        raise RunDirError(
            f"{path} is damaged: record {offset + at + 1} has {field} {int(records[field][at])}, which cannot be"
            + (f" (and {more} more)" if more else "")
        )
