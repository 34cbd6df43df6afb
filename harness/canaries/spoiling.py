"""What can be spoilt in the record of a run before it is judged: each of these a check must see.

What was there before is kept in the run's folder `sabotage/`, so that the files judged now are those judged later.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from harness.base.errors import HarnessError
from harness.base.files import replaced
from harness.base.rundir import RunDir
from harness.checks.ledger import Written, stored, written
from harness.facts.streams import Chain, Flags, Indexes, Stream, streams
from harness.history import History, Ops, Rows
from harness.model import OP_DTYPE, ROW_DTYPE, OpKind, Outcome, ReadResult
from harness.records import Records
from harness.streams import EventFlag, EventType

KEPT = "sabotage"
TORN_BYTES = 20

Spoil = Callable[[RunDir, History, Random], str]  # what was done, for people; raises HarnessError: it could not be
Change = Callable[[Rows, int], Rows]  # the rows of a shard, and which of them → the rows as they are judged


def kept(run: RunDir, path: Path) -> Path:
    """A copy of a file as it was, in the folder for that."""
    folder = run.path / KEPT
    folder.mkdir(exist_ok=True)
    shutil.copyfile(path, folder / path.name)
    return path


def _save(run: RunDir, path: Path, records: Records) -> None:
    with replaced(kept(run, path)) as part:
        records.tofile(part)


# ---------------------------------------------------------------- rows that were read back


def an_acknowledged_row(what: str, change: Change) -> Spoil:
    """One of the rows that were acknowledged, and stored as they were written."""

    def spoil(run: RunDir, history: History, dice: Random) -> str:
        writes = written(history, stored(history))
        op = _chosen(writes, dice)
        key = int(writes.key[op])
        shard = history.lane_by_number[int(history.ops["lane"][writes.op[op]])].shard
        rows = history.rows[shard]
        _save(run, run.rows(shard), change(rows, int(np.flatnonzero(rows["id"] == key)[0])))
        return f"row {key} of {shard}, which was acknowledged, {what}"

    return spoil


def _chosen(writes: Written, dice: Random) -> int:
    good = (writes.outcome == Outcome.OK) & writes.judged & (writes.present == 1) & writes.right
    return _one_of(good, dice, "no row was acknowledged and stored")


def _one_of(flags: Flags, dice: Random, none: str) -> int:
    found = np.flatnonzero(flags)
    if not len(found):
        raise HarnessError(f"nothing could be spoilt: {none}")
    return int(dice.choice(found.tolist()))


def without(rows: Rows, place: int) -> Rows:
    return np.delete(rows, place)


def altered(rows: Rows, place: int) -> Rows:
    made: Rows = rows.copy()
    made["value"][place] += np.uint64(1)
    return made


def doubled(rows: Rows, place: int) -> Rows:
    return np.append(rows, rows[place : place + 1])


def a_row_of_nobody(run: RunDir, history: History, dice: Random) -> str:
    """A row whose key no operation has."""
    shard = dice.choice(sorted(history.rows)) if history.rows else ""
    if not shard:
        raise HarnessError("nothing could be spoilt: no table was read back")
    rows = history.rows[shard]
    known = np.concatenate((written(history, stored(history)).key, rows["id"]))
    stranger = np.zeros(1, dtype=ROW_DTYPE)
    stranger["id"] = stranger["value"] = (known.max() if len(known) else np.uint64(0)) + np.uint64(1)
    _save(run, run.rows(shard), np.append(rows, stranger))
    return f"row {int(stranger['id'][0])}, which nobody wrote, was put among those of {shard}"


# ---------------------------------------------------------------- what the clients were told


def an_operation(what: str, fits: Callable[[Ops], Flags], **fields: int) -> Spoil:
    """One of those that fit, with other values in some of its fields."""

    def spoil(run: RunDir, history: History, dice: Random) -> str:
        chosen = history.ops[_one_of(fits(history.ops), dice, "no operation was like that")]
        path = run.ops(int(chosen["worker"]))
        ops = np.fromfile(path, dtype=OP_DTYPE, count=path.stat().st_size // OP_DTYPE.itemsize)
        for name, value in fields.items():
            ops[name][ops == chosen] = value
        _save(run, path, ops)
        return f"the {OpKind(int(chosen['kind'])).name} of key {int(chosen['key'])} {what}"

    return spoil


def acknowledged_writes(ops: Ops) -> Flags:
    found: Flags = np.isin(ops["kind"], (OpKind.WRITE, OpKind.TRANSACTION)) & (ops["outcome"] == Outcome.OK)
    return found


def answered_reads(ops: Ops) -> Flags:
    found: Flags = (ops["kind"] == OpKind.READ) & (ops["outcome"] == Outcome.OK) & (ops["rows"] == ReadResult.FOUND)
    return found


# ---------------------------------------------------------------- events of a stream


def a_copied_event(run: RunDir, history: History, dice: Random) -> str:
    """The only event of a row, in a shard whose rows are compared with its table."""
    for stream in dice.sample(streams(history), len(history.streams)):
        found = _only_events(stream)
        if len(found):
            lost = int(dice.choice(found.tolist()))
            event = stream.events[lost]
            table, shard = stream.lane.tables[event["table"]], stream.lane.shards[event["shard"]]
            _save(run, run.stream(stream.lane.number), np.delete(stream.events, lost))
            return f"event {lost} of {stream.lane.name} was lost: row {int(event['key'])} of {table} in {shard}"
    raise HarnessError("nothing could be spoilt: no stream came to its mark with a row that only one event brought")


def _only_events(stream: Stream) -> Indexes:
    events = stream.events
    rows = (events["type"] == EventType.ROW) & (events["table"] < stream.mark)
    keys, times = np.unique(events["key"][rows], return_counts=True)
    once = rows & ((events["flags"] & EventFlag.COPY) != 0) & np.isin(events["key"], keys[times == 1])
    compared = [_compared(stream, chain) for chain in stream.chains if chain.current]
    found: Indexes = np.intersect1d(np.flatnonzero(once), np.concatenate(compared)) if compared else np.flatnonzero([])
    return found


def _compared(stream: Stream, chain: Chain) -> Indexes:
    """The events that count of the shards that came to their mark."""
    parts = [stream.counting(chain, shard) for shard in sorted(stream.marked(chain))]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


# ---------------------------------------------------------------- the load's and the probes' own files


def the_last_operation(run: RunDir, history: History, dice: Random) -> str:
    """A file of operations ends in the middle of one, as after a full disk."""
    paths = [path for path in sorted(run.path.glob("ops-*.bin")) if path.stat().st_size >= OP_DTYPE.itemsize]
    if not paths:
        raise HarnessError("nothing could be spoilt: no operation was recorded")
    path = dice.choice(paths)
    raw = kept(run, path).read_bytes()
    with replaced(path) as part:
        part.write_bytes(raw[:-TORN_BYTES])
    return f"{path.name} ends {TORN_BYTES} bytes earlier, within an operation"


def a_vtgates_samples(run: RunDir, history: History, dice: Random) -> str:
    """Nothing but the first is there, as if the probe had ended."""
    sampled = [node.name for node in history.vtgates if run.samples(node.name).is_file()]
    if not sampled:
        raise HarnessError("nothing could be spoilt: no vtgate was sampled")
    path = run.samples(dice.choice(sampled))
    first = kept(run, path).read_bytes().partition(b"\n")
    with replaced(path) as part:
        part.write_bytes(first[0] + first[1])
    return f"all samples but the first are gone from {path.name}"
