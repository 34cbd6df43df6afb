"""VStreams as data: what a stream is asked to do, and what it recorded. In memory as on disk.

    streams.json             StreamLane list: which streams there were
    stream-N.bin             EVENT_DTYPE records of stream N, in order of arrival
    stream-N.vgtids.jsonl    what every VGTID changed: a line for each shard that moved
    stream-N.attempts.jsonl  {"step": "begin" …} and {"step": "end" …} of every attempt

Row content is not stored: a record keeps key, version, transaction and a digest of the pad (`harness.items`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


class Resume(enum.StrEnum):
    """What the client does when its stream ends with an error."""

    NONE = "none"  # nothing: the stream is over
    CHECKPOINT = "checkpoint"  # a new stream from the last VGTID whose transaction has ended
    SCRATCH = "scratch"  # a new stream from the beginning; what was received before is thrown away


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """Equal VStream clients, `count` of them through every vtgate."""

    name: str = "items"
    count: int = 1
    tables: tuple[str, ...] = ()  # () = all item tables
    one_by_one: bool = False  # tables are copied one after the other, each in a stream of its own that then goes on
    shards: tuple[str, ...] = ()  # () = all
    tablet_type: str = "primary"  # primary | replica | rdonly
    pause_ms: float = 0.0  # a slow reader: it waits so long after every response
    resume: Resume = Resume.NONE
    attempts: int = 200  # at most
    leave_after: int = 0  # responses after which the client itself ends its stream and resumes; 0 = never
    heartbeat_s: int = 0
    stop_on_reshard: bool = False
    minimize_skew: bool = False
    tables_to_copy: tuple[str, ...] = ()  # VStreamFlags.tables_to_copy, 23 and later; () = all


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLane:
    """One stream of a run."""

    number: int  # from 1
    name: str  # e.g. items-1@vtgate-1
    vtgate: str
    spec: StreamSpec
    keyspace: str
    shards: tuple[str, ...]  # EVENT_DTYPE.shard is an index in here
    tables: tuple[str, ...]  # EVENT_DTYPE.table is an index in here; the mark table is the last


class EventType(enum.IntEnum):
    """binlogdata.VEventType (proto/binlogdata.proto, v0.19 to v0.24)."""

    UNKNOWN = 0
    GTID = 1
    BEGIN = 2
    COMMIT = 3
    ROLLBACK = 4
    DDL = 5
    OTHER = 11
    ROW = 12
    FIELD = 13
    HEARTBEAT = 14
    VGTID = 15
    JOURNAL = 16
    VERSION = 17
    LASTPK = 18
    SAVEPOINT = 19
    COPY_COMPLETED = 20
    PREVIOUS_GTIDS = 21
    ROWS_QUERY = 22


class Change(enum.IntEnum):
    """What a ROW event did: which images it carries."""

    NONE = 0
    INSERT = 1  # after alone: an INSERT, or a row of the copy
    UPDATE = 2
    DELETE = 3


class EventFlag(enum.IntFlag):
    COPY = 1  # from the copy: a ROW or FIELD event without a timestamp (vstreamer/copy.go sets none, v0.19 to v0.24)
    MALFORMED = 2  # a row that is not (id, version, txn, pad): other columns, no number where one must be


NO_INDEX = 0xFFFF  # of a table or shard that is not in the StreamLane

EVENT_DTYPE = np.dtype(
    [
        ("at_ns", "<i8"),  # when its response arrived
        ("key", "<u8"),
        ("txn", "<u8"),
        ("version", "<u4"),  # of the after image; of a DELETE, of the before image
        ("before", "<u4"),  # version in the before image; 0 = none
        ("digest", "<u4"),  # harness.items.digest_of the pad, of the same image as `version`
        ("response", "<u4"),  # number of the response in its attempt, from 1
        ("vgtid", "<u4"),  # VGTID events: number in stream-N.vgtids.jsonl, from 1
        ("table", "<u2"),
        ("shard", "<u2"),
        ("attempt", "<u2"),  # from 1
        ("type", "u1"),
        ("change", "u1"),
        ("flags", "u1"),
        ("spare", "u1", (3,)),
    ]
)
assert EVENT_DTYPE.itemsize == 56

Events = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where one shard is in a VGTID: a GTID set ("" = copy first) and the last key copied of each unfinished table."""

    shard: str
    gtid: str
    last_pks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VgtidStep:
    """One shard's new position in VGTID number `number`; the other shards stayed where they were."""

    number: int
    at_ns: int
    attempt: int
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call of VStream.

    `code` is gRPC's name of how it ended: "" = it had not ended when the record did, "STOPPED" = the harness
    ended it when the run was over, "LEFT" = the client left by itself (`leave_after`), "EOF" = the server ended it
    without an error. `errno` is MySQL's, from the message; 0 = none.
    """

    number: int
    begin_ns: int
    resume: str  # scratch | checkpoint
    start: tuple[Position, ...] = ()  # of every shard; () from scratch
    tables: tuple[str, ...] = ()  # asked for in this attempt
    end_ns: int = 0
    code: str = ""
    message: str = ""
    errno: int = 0
    cpu_ns: int = 0  # of the reading process, since it began this attempt
    responses: int = 0


@dataclass(frozen=True, kw_only=True)
class StreamRecord:
    """One stream as it was recorded."""

    lane: StreamLane
    events: Events  # memory-mapped
    vgtids: tuple[VgtidStep, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class StreamState(enum.IntEnum):
    """How far a stream is, live."""

    WAITING = 0
    COPYING = 1
    COPIED = 2  # the final COPY_COMPLETED came, or that of every shard
    ENDED = 3  # with an error, and there is no further attempt
    STOPPED = 4  # asked to


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """A stream now."""

    number: int
    name: str
    state: StreamState
    attempts: int
    rows: int  # ROW events received
    responses: int
    marks: int  # shards whose mark row has arrived
    shards: int
    cycles: int  # FIELD events of the copy: copies of a table that began
    message: str = ""  # of the last error

    @property
    def over(self) -> bool:
        return self.state in (StreamState.ENDED, StreamState.STOPPED)

    @property
    def marked(self) -> bool:
        return self.marks >= self.shards
