"""Made-up but lifelike histories of streams, for the copy cycles and for looking at reports.

The grammar is the one measured on 24.0.3: a copy is FIELD, then packets of rows that end with a VGTID; after a
cut the same attempt goes on with catch-up and another FIELD; a finished table leaves the VGTID; COPY_COMPLETED
comes for every shard and, last, without a shard. Through a vtgate before 22 a cut ends the attempt (#17778).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from harness.base.clock import ClockBase
from harness.history import History, Series
from harness.items import MARK_TABLE, ItemsSpec, first_id
from harness.model import (
    OP_DTYPE,
    ClusterSpec,
    ConnectionMode,
    Event,
    FaultSpan,
    Lane,
    LoadSpec,
    Node,
    OpKind,
    Plan,
    Role,
    Sample,
    VtgateSpec,
    Workload,
)
from harness.streams import (
    EVENT_DTYPE,
    NO_INDEX,
    Attempt,
    Change,
    EventFlag,
    Events,
    EventType,
    Position,
    Resume,
    StreamLane,
    StreamRecord,
    StreamSpec,
    VgtidStep,
)

SECOND = 1_000_000_000
START = 5_000 * SECOND
CUT_MESSAGE = (
    "target: ks.{shard}.primary: vttablet: rpc error: code = Unknown desc = Query execution was interrupted, maximum "
    "statement execution time exceeded (errno 3024) (sqlstate HY000)"
)
STREAMS_S, QUIET_S, END_S = 2.0, 12.0, 14.0


def ns(seconds: float) -> int:
    return START + round(seconds * SECOND)


def lane_of(
    number: int = 1, *, shards: Sequence[str] = ("-80", "80-"), tables: int = 1, vtgate: str = "vtgate-1"
) -> StreamLane:
    names = (*(f"item_{table + 1}" for table in range(tables)), MARK_TABLE)
    return StreamLane(
        number=number,
        name=f"items-{number}@{vtgate}",
        vtgate=vtgate,
        spec=StreamSpec(resume=Resume.NONE),
        keyspace="ks",
        shards=tuple(shards),
        tables=names,
    )


class StreamMaker:
    """Writes a stream down response by response; times are seconds of the run."""

    def __init__(self, lane: StreamLane) -> None:
        self.lane = lane
        self._parts: list[Events] = []
        self._steps: list[VgtidStep] = []
        self._attempts: list[Attempt] = []
        self._pks: dict[str, dict[str, int]] = {}
        self._copied: dict[tuple[str, str], int] = {}
        self._response = 0

    def attempt(self, at_s: float, resume: Resume = Resume.SCRATCH) -> None:
        start: tuple[Position, ...] = ()
        if resume is Resume.SCRATCH:
            self._pks, self._copied = {}, {}
        else:
            start = tuple(Position(shard=shard, gtid="g", last_pks=dict(pks)) for shard, pks in self._pks.items())
        number, self._response = len(self._attempts) + 1, 0
        self._attempts.append(Attempt(number=number, begin_ns=ns(at_s), resume=resume.value, start=start))

    def end(self, at_s: float, code: str, message: str = "", errno: int = 0, cpu_s: float = 0.0) -> None:
        last = dataclasses.replace(
            self._attempts[-1],
            end_ns=ns(at_s),
            responses=self._response,
            code=code,
            message=message,
            errno=errno,
            cpu_ns=round(cpu_s * SECOND),
        )
        self._attempts[-1] = last

    def respond(self, at_s: float, shard: str, *kinds: EventType, table: str = "", copy: bool = False) -> Events:
        """One response; what it returns can still be changed."""
        self._response += 1
        made = np.zeros(len(kinds), dtype=EVENT_DTYPE)
        made["at_ns"], made["response"], made["type"] = ns(at_s), self._response, kinds
        made["attempt"] = len(self._attempts)
        made["shard"] = self.lane.shards.index(shard) if shard else NO_INDEX
        made["table"] = self.lane.tables.index(table) if table else NO_INDEX
        made["flags"] = EventFlag.COPY if copy else 0
        for event in made[made["type"] == EventType.VGTID]:
            event["vgtid"] = self._step(at_s, shard)
        self._parts.append(made)
        return made

    def _step(self, at_s: float, shard: str) -> int:
        position = Position(shard=shard, gtid="g", last_pks=dict(self._pks.get(shard, {})))
        number, attempt = len(self._steps) + 1, len(self._attempts)
        self._steps.append(VgtidStep(number=number, at_ns=ns(at_s), attempt=attempt, position=position))
        return number

    def copy(self, shard: str, table: str, at_s: float, *, rows: int, took_s: float = 0.3, packet: int = 1000) -> None:
        """One cycle: FIELD, then the rows behind the last key, the last packet after `took_s`."""
        self.respond(at_s, shard, EventType.BEGIN, EventType.FIELD, table=table, copy=True)
        packets = -(-rows // packet)
        for index in range(packets):
            there_s = at_s + took_s * (index + 1) / packets
            self._rows(there_s, shard, table, min(packet, rows - index * packet), copy=True)
            self._pks.setdefault(shard, {})[table] = self._copied[shard, table]
            self.respond(there_s, shard, EventType.VGTID, EventType.COMMIT)

    def replicate(self, shard: str, table: str, at_s: float, *, rows: int) -> None:
        """A transaction of catch-up or replication."""
        self.respond(at_s, shard, EventType.BEGIN, EventType.FIELD, table=table)
        self._rows(at_s, shard, table, rows, copy=False)
        self.respond(at_s, shard, EventType.VGTID, EventType.COMMIT)

    def _rows(self, at_s: float, shard: str, table: str, rows: int, *, copy: bool) -> None:
        made = self.respond(at_s, shard, *([EventType.ROW] * rows), table=table, copy=copy)
        first = first_id(shard, self.lane.tables.index(table))
        done = self._copied.get((shard, table), 0)
        made["key"] = np.uint64(first + done + 1) + np.arange(rows, dtype=np.uint64)
        made["change"], made["version"] = Change.INSERT if copy else Change.UPDATE, 1
        if copy:
            self._copied[shard, table] = done + rows

    def finish(self, shard: str, table: str, at_s: float) -> None:
        """The table is copied: its key leaves the VGTID."""
        self._pks.get(shard, {}).pop(table, None)
        self.respond(at_s, shard, EventType.BEGIN, EventType.VGTID, EventType.COMMIT)

    def complete(self, at_s: float, *shards: str) -> None:
        for shard in shards:
            self.respond(at_s, shard, EventType.COPY_COMPLETED)

    def record(self) -> StreamRecord:
        events = np.concatenate(self._parts) if self._parts else np.zeros(0, dtype=EVENT_DTYPE)
        order = np.argsort(events["at_ns"], kind="stable")
        return StreamRecord(
            lane=self.lane, events=events[order], vgtids=tuple(self._steps), attempts=tuple(self._attempts)
        )


def copied_stream(
    lane: StreamLane, *, rows: int, cycles: int, cut_s: float = 0.3, at_s: float = STREAMS_S
) -> StreamRecord:
    """What 24.0.3 does: every cycle but the last of a table is cut, and the stream goes on to replication."""
    made = StreamMaker(lane)
    made.attempt(at_s)
    ends = []
    for index, shard in enumerate(lane.shards):
        now_s = at_s + 0.05 + 0.01 * index
        for table in lane.tables[:-1]:
            now_s = _table(made, shard, table, now_s, rows=rows, cycles=cycles, cut_s=cut_s)
        made.copy(shard, MARK_TABLE, now_s, rows=0)
        ends.append(now_s + 0.01)
    for index, shard in enumerate(lane.shards):
        made.complete(ends[index], shard)
    made.complete(max(ends) + 0.001, "")
    for shard in lane.shards:
        made.replicate(shard, lane.tables[0], max(ends) + 1, rows=5)
    made.end(END_S - 1, "STOPPED", cpu_s=0.4)
    return made.record()


def _table(made: StreamMaker, shard: str, table: str, at_s: float, *, rows: int, cycles: int, cut_s: float) -> float:
    """All cycles of one table; returns when it is done."""
    each = -(-rows // cycles)
    for cycle in range(cycles):
        took_s = cut_s * (0.95 + 0.05 * (cycle % 2))
        made.copy(shard, table, at_s, rows=min(each, rows - cycle * each), took_s=took_s)
        at_s += cut_s + 0.02
        if cycle + 1 < cycles:
            made.replicate(shard, table, at_s, rows=3)
            at_s += 0.08
    made.finish(shard, table, at_s)
    return at_s + 0.005


def broken_stream(
    lane: StreamLane, *, rows: int, at_s: float = STREAMS_S, resume: Resume = Resume.NONE
) -> StreamRecord:
    """What 21.0.2 does: the first cut ends the stream. With a resume, a second attempt ends alike."""
    made = StreamMaker(lane)
    for attempt in range(1 if resume is Resume.NONE else 2):
        made.attempt(at_s + attempt, resume if attempt else Resume.SCRATCH)
        for index, shard in enumerate(lane.shards):
            made.copy(shard, lane.tables[0], at_s + attempt + 0.05 + 0.01 * index, rows=rows)
        shard = lane.shards[0]
        made.end(at_s + attempt + 0.4, "UNKNOWN", CUT_MESSAGE.format(shard=shard), 3024, cpu_s=0.05)
    return made.record()


def stream_plan(spec: ClusterSpec, *, load: LoadSpec | None, streams: tuple[StreamSpec, ...], rows: int) -> Plan:
    return Plan(
        run_id="20261121-010203-vstream-copy-cycles-ab12",
        experiment="vstream/copy-cycles",
        why="Does a copy that is cut again and again deliver every row?",
        backend="local",
        cluster=spec,
        load=load,
        items=ItemsSpec(tables=1, rows=rows),
        streams=streams,
        params={"streams_s": 60.0},
        checks=(),
        seed=17778,
        timeout_s=300.0,
        command_line=("vtchaos", "run", "vstream/copy-cycles", "--vtgate", "21.0.2,24.0.3"),
        harness_version="0.1.0",
    )


def stream_history(
    records: Sequence[StreamRecord] | None = None,
    *,
    vtgates: Sequence[str] = ("21.0.2", "24.0.3"),
    shards: int = 2,
    rows: int = 20_000,
    load: bool = False,
    faults: tuple[FaultSpan, ...] = (),
) -> History:
    """A run of streams: by default one through each vtgate, broken below 22 and whole from there on."""
    spec = ClusterSpec(shards=shards, vtgates=tuple(VtgateSpec(version=version) for version in vtgates))
    nodes = [Node(name=f"vtgate-{index + 1}", role=Role.VTGATE, version=name) for index, name in enumerate(vtgates)]
    if records is None:
        records = []
        for number, node in enumerate(nodes, 1):
            lane = lane_of(number, shards=spec.shard_names, vtgate=node.name)
            each = rows // shards
            broken = node.version.startswith("21.")
            records.append(broken_stream(lane, rows=each // 4) if broken else copied_stream(lane, rows=each, cycles=4))
    phases = (("streams", STREAMS_S - 0.5), ("quiet", QUIET_S))
    events = (*(Event(at_ns=ns(at), kind="phase", subject=name) for name, at in phases),)
    spec_of_load = LoadSpec(rate_per_shard=20.0, workload=Workload.ITEMS) if load else None
    lanes = _lanes(nodes, spec.shard_names) if load else ()
    return History(
        plan=stream_plan(spec, load=spec_of_load, streams=(StreamSpec(),), rows=rows),
        clock=ClockBase(monotonic_ns=START, wall_ns=1_785_000_000 * SECOND),
        nodes=(*nodes, Node(name="vtctld", role=Role.VTCTLD, version="24.0.3")),
        lanes=lanes,
        ops=_changes(lanes),
        streams=tuple(records),
        faults=faults,
        events=(*events, Event(at_ns=ns(END_S), kind="cluster", subject="removing")),
        series={"host": _host()},
    )


def _lanes(nodes: Sequence[Node], shards: Sequence[str]) -> tuple[Lane, ...]:
    pairs = [(node.name, shard) for node in nodes for shard in shards]
    return tuple(
        Lane(number=number, vtgate=vtgate, shard=shard, mode=ConnectionMode.PERSISTENT, rate=20.0, worker=0)
        for number, (vtgate, shard) in enumerate(pairs)
    )


def _changes(lanes: Sequence[Lane]) -> Events:
    """Changes of item rows, twenty a second and lane, all of which succeed."""
    at = np.arange(STREAMS_S, QUIET_S, 0.05)
    ops = np.zeros(len(at) * len(lanes), dtype=OP_DTYPE)
    for index, lane in enumerate(lanes):
        mine = ops[index * len(at) : (index + 1) * len(at)]
        mine["intended_ns"] = START + (at * SECOND).astype(np.int64)
        mine["sent_ns"], mine["done_ns"] = mine["intended_ns"] + 50_000, mine["intended_ns"] + 4_000_000
        mine["lane"], mine["kind"], mine["rows"] = lane.number, OpKind.CHANGE, 2
    return ops[np.argsort(ops["intended_ns"], kind="stable")]


def _host() -> Series:
    return Series(
        [
            Sample(at_ns=ns(tick / 4), took_ns=1, values={"cpu_busy_share": 0.5 + (tick % 8) / 20})
            for tick in range(round(END_S * 4))
        ]
    )


def span(fault: str, target: str, from_s: float, to_s: float, details: Mapping[str, str] | None = None) -> FaultSpan:
    return FaultSpan(
        number=1,
        fault=fault,
        targets=(target,),
        details=dict(details or {}),
        intent_ns=ns(from_s) - 1000,
        begin_ns=ns(from_s),
        active_ns=ns(to_s),
        observed=True,
    )
