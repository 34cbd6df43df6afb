"""Streams as VStream delivers them, made up: copies that are cut, catch-up, replication, resumes, marks.

`StreamRun` lets the model of `tests.unit.stream_model` copy and follow tables that clients write to meanwhile. What
it records is what a correct Vitess would have sent, event by event; `bug` makes it do what a real one was seen to do.
Everything is drawn from a seed. `mutations` (of `tests.unit.stream_mutations`) then change one event at a time, of
these records or of real ones.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.history import History, TableRead
from harness.items import INSERTED, MARK_TABLE, ItemsSpec, expected_digest, first_id, item_tables, seeded_rows, txn_id
from harness.model import ROW_DTYPE, OpKind, Workload, key_ranges
from harness.streams import (
    EVENT_DTYPE,
    NO_INDEX,
    Attempt,
    Change,
    EventFlag,
    EventType,
    Position,
    Resume,
    StreamLane,
    StreamRecord,
    StreamSpec,
    VgtidStep,
)
from tests.fakes import HistoryBuilder, calm, ns
from tests.unit.stream_model import Copier, Event, Shard

BASELINE_S, COPY_S, SETTLE_S, QUIET_S, END_S = 0.0, 4.0, 7.0, 7.5, 9.0
STEP_S = 0.004  # of the model: one shard sends something
RATE = 20.0  # changes a second and shard


@dataclass(kw_only=True)
class Recorded:
    """What the client wrote down."""

    events: list[tuple[int, int, int, int, Event]] = field(default_factory=list)  # at, attempt, response, vgtid, event
    steps: list[VgtidStep] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    vgtids: int = 0


class StreamRun:
    """One run with one stream. After `run`, `record` and `tables` are what a run directory holds."""

    def __init__(
        self,
        *,
        shards: int = 2,
        tables: int = 2,
        rows: int = 120,  # of each table
        packet: int = 7,
        cut_after: int = 2,  # packets of a copy; 0 = never
        resume: Resume = Resume.NONE,
        leave_after: int = 0,
        careful: bool = True,  # leaves only where the VGTID says what is left to copy: see `Copier.told`
        fails_after: int = 0,  # responses after which the first attempt ends with errno 3024
        attempts: int = 500,
        load: bool = True,
        bug: str = "",
        seed: int = 1,
        vtgate: str = "21.0.2",
    ) -> None:
        names = (*item_tables(tables), MARK_TABLE)
        shard_names = key_ranges(shards)
        self.items = ItemsSpec(tables=tables, rows=rows)
        self.vtgate = vtgate
        self.lane = StreamLane(
            number=1,
            name="items-1@vtgate-1",
            vtgate="vtgate-1",
            spec=StreamSpec(resume=resume, leave_after=leave_after, attempts=attempts),
            keyspace="ks",
            shards=shard_names,
            tables=names,
        )
        planned = seeded_rows(rows, shard_names)
        self.shards = [Shard(number, name, names, planned[name]) for number, name in enumerate(shard_names)]
        self.packet, self.cut_after = packet, cut_after or -1
        self.bug, self.recopied = bug, 0
        self.changes: list[tuple[float, int, int, int]] = []  # at, shard, key, transaction
        self._fails_after = fails_after
        self._load, self._careful, self._marked = load, careful, False
        self._random = random.Random(seed)
        self._clock_s = BASELINE_S
        self._due_s = [BASELINE_S + 0.01] * shards
        self._txns = 0
        self._recorded = Recorded()
        self._run()

    # ------------------------------------------------------------ what happens

    def _run(self) -> None:
        self._until(COPY_S)
        checkpoint: dict[str, Position] | None = None
        while self._clock_s < QUIET_S and len(self._recorded.attempts) < self.lane.spec.attempts:
            checkpoint, code = self._attempt(checkpoint)
            if code not in ("", "LEFT") and self.lane.spec.resume is Resume.NONE:
                break
            if self.lane.spec.resume is Resume.SCRATCH and code:
                checkpoint = None
        self._until(END_S)

    def _until(self, at_s: float) -> None:
        """The clients write what is due."""
        for shard in self.shards:
            while self._due_s[shard.number] <= min(at_s, SETTLE_S) and self._load:
                self._change(shard, self._due_s[shard.number])
                self._due_s[shard.number] += 1 / RATE
        self._clock_s = at_s
        if at_s >= SETTLE_S and not self._marked:
            self._marked = True
            for shard in self.shards:
                shard.mark()

    def _change(self, shard: Shard, at_s: float) -> None:
        chance, tables = self._random.random(), self.items.tables
        self._txns += 1
        if chance < 0.15:
            shard.fresh += 1
            table = self._random.randrange(tables)
            key, txn = first_id(shard.name, table) + (INSERTED | shard.fresh), txn_id(shard.number, self._txns, 1)
            shard.commit([shard.row(table, key, Change.INSERT, txn)])
        elif chance < 0.25 and (removable := self._seeded(shard, removed=True)):
            table, key = self._random.choice(removable)
            shard.commit([shard.row(table, key, Change.DELETE, 0)])
            txn = 0
        else:
            rows = sorted(self._random.sample(self._seeded(shard, removed=False), self._random.randint(2, 4)))
            txn, key = txn_id(shard.number, self._txns, len(rows)), rows[0][1]
            shard.commit([shard.row(table, key, Change.UPDATE, txn) for table, key in rows])
        self.changes.append((at_s, shard.number, key, txn))

    def _seeded(self, shard: Shard, *, removed: bool) -> list[tuple[int, int]]:
        return [
            (table, key)
            for table, rows in enumerate(shard.tables[:-1])
            for key in rows
            if not key & INSERTED and (key % 8 == 7) is removed and (removed or key % 16 < 6)
        ]

    def _attempt(self, checkpoint: dict[str, Position] | None) -> tuple[dict[str, Position] | None, str]:
        """One call of VStream. Returns the checkpoint for the next one, and how it ended."""
        number = len(self._recorded.attempts) + 1
        attempt = Attempt(
            number=number,
            begin_ns=ns(self._clock_s),
            resume="checkpoint" if checkpoint else "scratch",
            start=tuple(checkpoint.values()) if checkpoint else (),
            tables=self.lane.tables,
        )
        self._recorded.attempts.append(attempt)
        sink = _Sink(self, number, checkpoint)
        tables = range(len(self.lane.tables))
        copiers = [Copier(self, shard, tables, (checkpoint or {}).get(shard.name)) for shard in self.shards]
        sources = [copier.batches() for copier in copiers]
        code, completed = "", 0
        failing = number == 1 and self._fails_after > 0
        limit = self._fails_after if failing else self.lane.spec.leave_after
        while not code and self._clock_s < QUIET_S:
            self._until(self._clock_s + STEP_S)
            which = self._random.randrange(len(sources))
            for response in next(sources[which]):
                if response[0].type is EventType.COPY_COMPLETED:
                    completed += 1
                    if completed == len(self.shards):
                        response.append(Event(type=EventType.COPY_COMPLETED, shard=NO_INDEX))
                sink.receive(response, ns(self._clock_s))
                if not limit or sink.responses < limit or not sink.checkpoint:
                    continue
                if not self._careful or all(copier.told(sink.checkpoint) for copier in copiers):
                    code = "UNKNOWN" if failing else "LEFT"
                    break
        self._recorded.attempts[-1] = dataclasses.replace(
            attempt,
            end_ns=ns(self._clock_s),
            code=code or "STOPPED",
            errno=3024 if code == "UNKNOWN" else 0,
            message="maximum statement execution time exceeded (errno 3024)" if code == "UNKNOWN" else "",
            responses=sink.responses,
        )
        return sink.checkpoint, code

    def receive(self, at_ns: int, attempt: int, response: int, vgtid: int, event: Event) -> None:
        self._recorded.events.append((at_ns, attempt, response, vgtid, event))

    @property
    def recorded(self) -> Recorded:
        return self._recorded

    # ------------------------------------------------------------ what is recorded

    @property
    def record(self) -> StreamRecord:
        events = np.zeros(len(self._recorded.events), dtype=EVENT_DTYPE)
        for to, (at_ns, attempt, response, vgtid, event) in zip(events, self._recorded.events, strict=True):
            to["at_ns"], to["attempt"], to["response"], to["vgtid"] = at_ns, attempt, response, vgtid
            to["type"], to["shard"], to["table"] = event.type, event.shard, event.table
            to["key"], to["version"], to["before"], to["txn"] = event.key, event.version, event.before, event.txn
            to["change"], to["flags"] = event.change, EventFlag.COPY if event.copy else 0
            if event.type is EventType.ROW and event.table < len(self.lane.tables) - 1:
                to["digest"] = expected_digest(event.key, event.version)
        return StreamRecord(
            lane=self.lane,
            events=events,
            vgtids=tuple(self._recorded.steps),
            attempts=tuple(self._recorded.attempts),
        )

    @property
    def tables(self) -> Mapping[tuple[str, str, str], TableRead]:
        found = {}
        for shard in self.shards:
            for table, name in zip(shard.tables[:-1], self.lane.tables, strict=False):
                rows = np.array([(key, row.version) for key, row in table.items()], dtype=ROW_DTYPE)
                found["ks", name, shard.name] = TableRead(keyspace="ks", table=name, shard=shard.name, rows=rows)
        return found

    def builder(self) -> HistoryBuilder:
        """The rest of the run: plan, phases, load, what the probes saw."""
        builder = calm(storm=False, vtgates=(self.vtgate,), shards=len(self.shards), rate=RATE)
        load = builder.plan.load
        assert load is not None
        builder.plan = dataclasses.replace(
            builder.plan,
            experiment="vstream/copy-cycles",
            load=dataclasses.replace(load, workload=Workload.ITEMS) if self._load else None,
            items=self.items,
            streams=(self.lane.spec,),
            params={"cuts": float(self.cut_after > 0)},
        )
        builder.events.clear()
        phases = (("baseline", BASELINE_S), ("copy", COPY_S), ("settle", SETTLE_S), ("quiet", QUIET_S))
        for name, at_s in phases:
            builder.phase(name, at_s)
        builder.ops.clear()
        for at_s, shard, key, txn in self.changes:
            op = builder.op(at_s, shard=self.lane.shards[shard], kind=OpKind.WRITE, key=key)
            op.kind, op.value, op.rows = OpKind.CHANGE, txn, txn & 15 or 1
        if not self._load:
            builder.lanes.clear()
        self._count(builder)
        return builder

    def _count(self, builder: HistoryBuilder) -> None:
        """vtgate's and the vttablets' counters."""
        events = self.record.events
        for attempt in self._recorded.attempts:
            for shard in self.lane.shards:
                begun = sum(a.begin_ns <= attempt.begin_ns for a in self._recorded.attempts)
                builder.set("vtgate-1", _s(attempt.begin_ns), {f"VStreamsCreated:zone1.ks.{shard}.PRIMARY": begun})
        sent = {f"VStreamsEventsStreamed:zone1.ks.{shard}.PRIMARY": 0 for shard in self.lane.shards}
        if not self.vtgate.startswith("21"):
            builder.set("vtgate-1", COPY_S, dict(sent))
            first = f"VStreamsEventsStreamed:zone1.ks.{self.lane.shards[0]}.PRIMARY"
            builder.set("vtgate-1", SETTLE_S, {first: len(events)})

    def history(self) -> History:
        """The whole run as a value. Its ledger was not written, so none was read."""
        history = self.builder().build()
        return dataclasses.replace(history, rows={}, tables=self.tables, streams=(self.record,))

    def write(self, path: Path) -> RunDir:
        """The run directory that this run would have left behind."""
        run = self.builder().write(path)
        for rows in run.path.glob("rows-*.bin"):
            rows.unlink()
        write_stream(run, self.record)
        jsonio.save(run.streams, [self.lane])
        jsonio.save(
            run.tables,
            [{"keyspace": ks, "table": table, "shard": shard, "wrong": 0} for ks, table, shard in self.tables],
        )
        for where, read in self.tables.items():
            read.rows.tofile(run.table(*where))
        return run


class _Sink:
    """The client of one attempt."""

    def __init__(self, run: StreamRun, attempt: int, start: dict[str, Position] | None) -> None:
        self._run, self._attempt = run, attempt
        nothing = {shard: Position(shard=shard, gtid="") for shard in run.lane.shards}
        self._now = {**nothing, **(start or {})}
        self.checkpoint = start
        self.responses = 0

    def receive(self, response: list[Event], at_ns: int) -> None:
        self.responses += 1
        recorded = self._run.recorded
        for event in response:
            number = 0
            if event.position is not None:
                recorded.vgtids += 1
                number = recorded.vgtids
                if self._now[event.position.shard] != event.position:
                    step = VgtidStep(number=number, at_ns=at_ns, attempt=self._attempt, position=event.position)
                    recorded.steps.append(step)
                self._now[event.position.shard] = event.position
                self.checkpoint = dict(self._now)
            self._run.receive(at_ns, self._attempt, self.responses, number, event)


def _s(stamp_ns: int) -> float:
    return (stamp_ns - ns(0)) / 1e9


def write_stream(run: RunDir, record: StreamRecord) -> None:
    """The files of one stream, as its client writes them."""
    number = record.lane.number
    record.events.tofile(run.stream(number))
    with run.vgtids(number).open("wb") as out:
        out.writelines(
            jsonio.line({"number": step.number, "at_ns": step.at_ns, "attempt": step.attempt, **_plain(step.position)})
            for step in record.vgtids
        )
    with run.attempts(number).open("wb") as out:
        for attempt in record.attempts:
            begin = {"step": "begin", "number": attempt.number, "begin_ns": attempt.begin_ns, "resume": attempt.resume}
            out.write(
                jsonio.line({**begin, "start": [_plain(p) for p in attempt.start], "tables": list(attempt.tables)})
            )
            if attempt.code:
                end = {"step": "end", "number": attempt.number, "end_ns": attempt.end_ns, "code": attempt.code}
                more = {"message": attempt.message, "errno": attempt.errno, "cpu_ns": attempt.cpu_ns}
                out.write(jsonio.line({**end, **more, "responses": attempt.responses}))


def _plain(position: Position) -> dict[str, object]:
    return {"shard": position.shard, "gtid": position.gtid, "last_pks": dict(position.last_pks)}
