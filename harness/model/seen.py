"""What was seen in a run: operations, faults, events, samples.

Operations are the one thing that comes by the million; they are rows of a numpy array (`OP_DTYPE`), in memory as on
disk.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.model.plan import ConnectionMode


class Outcome(enum.IntEnum):
    """FAIL: surely not applied. UNKNOWN: may be applied. NOT_ISSUED: never left the harness."""

    OK = 0
    FAIL = 1
    UNKNOWN = 2
    NOT_ISSUED = 3


class OpKind(enum.IntEnum):
    """What an operation does."""

    WRITE = 0  # INSERT of one row
    READ = 1  # SELECT by key of an acknowledged row
    TRANSACTION = 2  # BEGIN, `rows` INSERTs, COMMIT
    CHANGE = 3  # of item rows: BEGIN, `rows` UPDATEs, COMMIT; or one INSERT; or one DELETE (value = txn, 0 of a DELETE)


class ReadResult(enum.IntEnum):
    """What a READ found (field `rows` of a READ record)."""

    MISSING = 0
    FOUND = 1
    WRONG_VALUE = 2
    REPEATED = 3


OP_DTYPE = np.dtype(
    [
        ("intended_ns", "<i8"),  # when it should have started (open loop)
        ("sent_ns", "<i8"),  # when it got its connection and left; 0 if NOT_ISSUED
        ("done_ns", "<i8"),  # when its outcome was known (NOT_ISSUED: when it was given up)
        ("key", "<u8"),  # ledger id; a transaction writes key … key+rows-1
        ("value", "<u8"),  # unique value; a transaction writes value … value+rows-1
        ("message", "<u4"),  # number of the message in ops-W.messages.jsonl; 0 = none
        ("errno", "<u2"),  # 0 = none; 2xxx = of the driver (connection), others of the server
        ("lane", "<u2"),  # number in load.json
        ("connection", "<u2"),  # slot within the lane or pool
        ("kind", "u1"),
        ("outcome", "u1"),
        ("rows", "u1"),
        ("worker", "u1"),
        ("spare", "<u2"),
    ]
)
assert OP_DTYPE.itemsize == 56

ROW_DTYPE = np.dtype([("id", "<u8"), ("value", "<u8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A stream of operations against one shard through one vtgate."""

    number: int
    vtgate: str  # node name
    shard: str
    mode: ConnectionMode
    rate: float  # operations a second
    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One act that takes a fault back, as a value: it is in the ledger before the fault is in force, so that whoever
    heals later needs nothing else. `kind` is a row of `harness.faults.remedies.REMEDIES`. Doing it twice, or when
    there is nothing to take back, does no harm.
    """

    kind: str
    target: str  # what it acts on: a node's name, a tablet's alias, keyspace/shard, …
    details: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpan:
    """One fault from intent to healing, folded from the ledger. A stamp that was never reached is 0.

    For a one-shot operation (PlannedReparentShard): `begin_ns` = the call left, `active_ns` = the call
    returned, nothing is healed. `error` is the operation's own error text, empty if it succeeded.
    `healed_ns`: everything was taken back; `recovered_ns`: the cluster has got over it.
    """

    number: int
    fault: str  # e.g. PlannedReparent
    targets: tuple[str, ...]  # node or shard names
    details: Mapping[str, str | int | float | bool]
    intent_ns: int
    begin_ns: int = 0
    active_ns: int = 0
    recover_ns: int = 0
    healed_ns: int = 0
    error: str = ""
    observed: bool = False  # independent evidence that it took effect
    undo: tuple[Remedy, ...] = ()
    recovered_ns: int = 0
    unrecovered: str = ""  # what was seen last when the cluster had not got over it in time
    unhealthy: str = ""  # what was wrong with the cluster afterwards
    healed_by: str = ""  # "" = the run itself; who else


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened once: a phase began, a process ended.

    Kinds: `phase` (subject = its name; it lasts until the next), `cluster`, `exit` (subject = node),
    `note`, `interrupt`, `harness-error`, `image` (subject = one of ours that the run is about to load),
    `engine` (subject = address of the one that holds the run's containers),
    `build` (subject = a folder of binaries, detail `version`: what they say they are),
    `spoiled` (something from outside makes the run prove nothing: detail `why`).
    """

    at_ns: int
    kind: str
    subject: str
    details: Mapping[str, str | int | float | bool] = field(default_factory=dict)


Scalar = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """`clean.json`: what was looked for when a run was over, and what of it was still there."""

    at_ns: int
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # kind of thing → what is left; () = nothing
    blind: Mapping[str, str] = field(default_factory=dict)  # what could not be looked for → why


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a probe read at one moment; in files and in a History only what changed since the sample before.

    `error` is set when the source did not answer (then `values` is empty).
    """

    at_ns: int
    took_ns: int
    values: Mapping[str, Scalar] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a process log that a check may want (warnings, errors, buffer messages)."""

    at_ns: int
    node: str
    level: str
    text: str
