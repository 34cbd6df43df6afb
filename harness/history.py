"""A finished (or killed) run as one value: what checks, attribution and reports see, and all they see.

Loading tolerates what `kill -9` leaves: torn last lines and records, missing files. What is missing
is empty here and named in `incomplete`, so that a check can say UNKNOWN instead of guessing.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.base import jsonio
from harness.base.clock import ClockBase
from harness.base.errors import RunDirError
from harness.base.rundir import RunDir
from harness.model import (
    OP_DTYPE,
    ROW_DTYPE,
    Clean,
    Event,
    FaultSpan,
    Lane,
    LogLine,
    Node,
    Plan,
    Remedy,
    Role,
    Sample,
    Workload,
)
from harness.records import map_events, read_ops, read_table
from harness.series import Series
from harness.streams import EVENT_DTYPE, Attempt, Position, StreamLane, StreamRecord, VgtidStep

__all__ = ["History", "Ops", "Rows", "Series", "TableRead", "fold_attempts", "fold_ledger", "load"]

Ops = npt.NDArray[np.void]
Rows = npt.NDArray[np.void]
SAMPLED = (Role.VTGATE, Role.VTTABLET, Role.VTCTLD)  # each node in a file of its own (probes/variables.py)
_NO_PKS: Mapping[str, int] = {}  # one for the many steps of a stream that has copied everything


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """An item table of one shard after the run, read from its primary."""

    keyspace: str
    table: str
    shard: str
    rows: Rows  # ROW_DTYPE: (id, version), in any order
    wrong: int = 0  # rows whose pad is not what their id and version say; counted by MySQL itself


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """Everything a run recorded, typed. Equal only to itself, so that what is found in it can be kept (lru_cache)."""

    plan: Plan
    clock: ClockBase
    host: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    lanes: tuple[Lane, ...] = ()
    ops: Ops = field(default_factory=lambda: np.empty(0, dtype=OP_DTYPE))  # sorted by intended_ns
    messages: Mapping[tuple[int, int], str] = field(default_factory=dict)  # (worker, number) → text
    rows: Mapping[str, Rows] = field(default_factory=dict)  # shard → ledger rows after the run
    tables: Mapping[tuple[str, str, str], TableRead] = field(default_factory=dict)  # (keyspace, table, shard)
    streams: tuple[StreamRecord, ...] = ()
    faults: tuple[FaultSpan, ...] = ()
    events: tuple[Event, ...] = ()
    series: Mapping[str, Series] = field(default_factory=dict)  # source (node name, "host", "harness")
    logs: tuple[LogLine, ...] = ()
    clean: Clean | None = None  # of a run that came to its end
    incomplete: tuple[str, ...] = ()  # what the run directory lacks

    @cached_property
    def phases(self) -> Mapping[str, tuple[int, int]]:
        """Phase → (from, to) stamps; a phase that is entered twice spans both."""
        marks = [event for event in self.events if event.kind == "phase"]
        end_ns = self.end_ns
        spans: dict[str, tuple[int, int]] = {}
        for index, mark in enumerate(marks):
            to_ns = marks[index + 1].at_ns if index + 1 < len(marks) else max(end_ns, mark.at_ns)
            from_ns = spans[mark.subject][0] if mark.subject in spans else mark.at_ns
            spans[mark.subject] = (from_ns, to_ns)
        return spans

    @cached_property
    def start_ns(self) -> int:
        return self.clock.monotonic_ns

    @cached_property
    def end_ns(self) -> int:
        """The last stamp of the run."""
        stamps = [self.clock.monotonic_ns]
        stamps += [event.at_ns for event in self.events[-1:]]
        stamps += [max(span.begin_ns, span.active_ns, span.recover_ns, span.healed_ns) for span in self.faults]
        if len(self.ops):
            stamps.append(int(self.ops["done_ns"].max()))
        for stream in self.streams:
            stamps += [attempt.end_ns for attempt in stream.attempts]
            stamps += [int(event["at_ns"]) for event in stream.events[-1:]]
        return max(stamps)

    @property
    def vtgates(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role is Role.VTGATE)

    def lanes_of(self, vtgate: str, shard: str | None = None) -> tuple[Lane, ...]:
        return tuple(lane for lane in self.lanes if lane.vtgate == vtgate and shard in (None, lane.shard))

    @cached_property
    def _by_lane(self) -> tuple[npt.NDArray[np.int64], Mapping[int, tuple[int, int]]]:
        """Positions of the operations grouped by lane, and where each lane's group lies: with 32 shards and
        several vtgates, a scan of a million operations for every lane and check would be most of a verdict."""
        order = np.argsort(self.ops["lane"], kind="stable")
        lanes, starts = np.unique(self.ops["lane"][order], return_index=True)
        bounds = [*starts.tolist(), len(order)]
        spans = zip(lanes.tolist(), itertools.pairwise(bounds), strict=True)
        return order, {int(lane): span for lane, span in spans}

    def ops_of(self, lanes: Sequence[Lane]) -> Ops:
        """The operations of some lanes, in order of their intended start."""
        order, spans = self._by_lane
        parts = [order[slice(*spans[lane.number])] for lane in lanes if lane.number in spans]
        if not parts:
            return self.ops[:0]
        return self.ops[parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))]

    @cached_property
    def lane_by_number(self) -> Mapping[int, Lane]:
        return {lane.number: lane for lane in self.lanes}

    def message(self, op: Any) -> str:
        return self.messages.get((int(op["worker"]), int(op["message"])), "")

    def spans(self, fault: str) -> tuple[FaultSpan, ...]:
        return tuple(span for span in self.faults if span.fault == fault)


def load(run: RunDir) -> History:
    """Read a run directory. Raises RunDirError when what is there cannot be read: a broken file is no evidence."""
    try:
        plan = jsonio.load(run.plan, Plan)
        _ = plan.cluster.keyspaces, plan.cluster.shard_names  # raises ValueError for shards that cannot be
    except ValueError as error:
        raise RunDirError(f"{run.plan} does not fit this version of vtchaos: {error}") from None
    try:
        return _load(run, plan)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RunDirError(f"{run.path} is not whole: {type(error).__name__}: {error}") from error


def _load(run: RunDir, plan: Plan) -> History:
    missing: list[str] = []
    clock = ClockBase(monotonic_ns=0, wall_ns=0)
    if run.clock.is_file():
        clock = jsonio.load(run.clock, ClockBase)
    else:
        missing.append("clock.json (the run never started)")
    loaded = missing if plan.load is not None else []  # what a run without a load has not is not missing
    lanes = _load_json_list(run.load, Lane, loaded)
    nodes = _load_json_list(run.nodes, Node, missing)
    ops, messages = _load_ops(run, loaded, clock.monotonic_ns, {lane.worker for lane in lanes})
    events = tuple(jsonio.structure(line, Event) for line in jsonio.read_lines(run.events))
    missing += _not_written(run, nodes, {event.subject for event in events if event.kind == "phase"})
    return History(
        plan=plan,
        clock=clock,
        host=_plain(run.host),
        nodes=nodes,
        lanes=lanes,
        ops=ops,
        messages=messages,
        rows=_load_rows(run, plan, missing),
        tables=_load_tables(run, plan, missing),
        streams=_load_streams(run, plan, missing, clock.monotonic_ns),
        faults=fold_ledger(jsonio.read_lines(run.faults)),
        events=events,
        series={source: Series(samples) for source, samples in _samples(run.path)},
        logs=tuple(jsonio.structure(line, LogLine) for line in jsonio.read_lines(run.loglines)),
        clean=jsonio.load(run.clean, Clean) if run.clean.is_file() else None,
        incomplete=tuple(missing),
    )


def fold_ledger(lines: Iterator[dict[str, Any]]) -> tuple[FaultSpan, ...]:
    """Ledger lines into spans. A line is {"number", "at_ns", "step", …}; steps: intent, begin, active,
    detail, failed, recover, healed, observed, recovered, unrecovered, unhealthy."""
    spans: dict[int, dict[str, Any]] = {}
    for line in lines:
        number, step, at_ns = int(line["number"]), str(line["step"]), int(line["at_ns"])
        if step == "intent":
            spans[number] = {
                "number": number,
                "fault": line["fault"],
                "targets": tuple(line["targets"]),
                "details": dict(line.get("details", {})),
                "intent_ns": at_ns,
                "undo": tuple(jsonio.structure(remedy, Remedy) for remedy in line.get("undo", ())),
            }
        elif number in spans:
            _fold_step(spans[number], step, at_ns, line)
    return tuple(FaultSpan(**span) for span in spans.values())


def _fold_step(span: dict[str, Any], step: str, at_ns: int, line: Mapping[str, Any]) -> None:
    if step in ("begin", "active", "recover", "healed", "recovered"):
        span[f"{step}_ns"] = at_ns
        if "by" in line:
            span["healed_by"] = str(line["by"])
    elif step in ("unrecovered", "unhealthy"):
        span[step] = str(line["why"])
    elif step == "failed":
        span["error"] = str(line["error"])
        span["details"]["failed_ns"] = int(line["at_ns"])  # a call that failed returned, too
    elif step == "observed":
        span["observed"] = bool(line["observed"])
    elif step == "detail":
        span["details"].update(line["details"])


def _plain(path: Path) -> Mapping[str, Any]:
    return jsonio.load(path, dict[str, Any]) if path.is_file() else {}


def _load_json_list(path: Path, kind: type[Any], missing: list[str]) -> tuple[Any, ...]:
    if not path.is_file():
        missing.append(path.name)
        return ()
    return tuple(jsonio.structure(plain, kind) for plain in jsonio.load(path, list[Any]))


def _load_ops(
    run: RunDir, missing: list[str], base_ns: int = 0, workers: Collection[int] = ()
) -> tuple[Ops, Mapping[tuple[int, int], str]]:
    parts: list[Ops] = []
    messages: dict[tuple[int, int], str] = {}
    for path in sorted(run.path.glob("ops-*.bin")):
        worker = int(path.stem.removeprefix("ops-"))
        parts.append(read_ops(path, base_ns))
        for line in jsonio.read_lines(run.messages(worker)):
            messages[worker, int(line["number"])] = str(line["text"])
    if not parts:
        missing.append("ops-*.bin (no load was recorded)")
        return np.empty(0, dtype=OP_DTYPE), messages
    absent = [worker for worker in sorted(workers) if not run.ops(worker).is_file()]
    missing += [f"ops-{worker}.bin (what load worker {worker} recorded)" for worker in absent]
    missing += [line for worker in sorted(workers) for line in _torn(run.ops(worker))]
    ops = np.concatenate(parts)
    missing += _unnamed(run, ops, messages)
    return ops[np.argsort(ops["intended_ns"], kind="stable")], messages


def _torn(path: Path) -> Iterator[str]:
    """A worker makes its file when it starts, and writes whole records: what ends within one has lost more."""
    size = path.stat().st_size if path.is_file() else OP_DTYPE.itemsize
    if not size:
        yield f"{path.name}: every operation (the file is empty)"
    elif size % OP_DTYPE.itemsize:
        yield f"{path.name}: its end (it is torn within operation {size // OP_DTYPE.itemsize + 1})"


def _unnamed(run: RunDir, ops: Ops, messages: Collection[tuple[int, int]]) -> Iterator[str]:
    """A message is written before the first operation that has its number; 0 is none."""
    for worker in np.unique(ops["worker"]).tolist():
        numbers = set(np.unique(ops["message"][ops["worker"] == worker]).tolist()) - {0}
        absent = sum((worker, number) not in messages for number in numbers)
        if absent:
            yield f"{run.messages(worker).name}: the text of {absent} of {len(numbers)} messages"


def _not_written(run: RunDir, nodes: Sequence[Node], phases: Collection[str]) -> Iterator[str]:
    """The ledger, made before the first phase and written line by line, and what probes make in a run that ended.

    A run of a version without clean.json is not asked for samples: it may be older than the probe."""
    if phases and not run.faults.is_file():
        yield f"{run.faults.name} (which faults there were)"
    if run.faults.is_file() and (ledger := run.faults.read_bytes()) and not ledger.endswith(b"\n"):
        yield f"{run.faults.name}: its end (it is torn within a line)"
    if "quiet" not in phases or not run.clean.is_file():
        return
    sampled = ("host", "harness", *(node.name for node in nodes if node.role in SAMPLED))
    absent = [run.samples(source).name for source in sampled if not run.samples(source).is_file()]
    if absent:
        yield f"{absent[0]} (what was seen there)" + (f", with {len(absent) - 1} more of samples" * (len(absent) > 1))
    if not run.loglines.is_file():
        yield f"{run.loglines.name} (what the processes logged)"


def _load_rows(run: RunDir, plan: Plan, missing: list[str]) -> Mapping[str, Rows]:
    rows = {
        path.stem.removeprefix("rows-"): np.fromfile(
            path, dtype=ROW_DTYPE, count=path.stat().st_size // ROW_DTYPE.itemsize
        )
        for path in sorted(run.path.glob("rows-*.bin"))
    }
    if not rows and plan.load is not None and plan.load.workload is Workload.LEDGER:
        missing.append("rows-*.bin (the tables were not read after the run)")
    return rows


def _load_tables(run: RunDir, plan: Plan, missing: list[str]) -> Mapping[tuple[str, str, str], TableRead]:
    """What was read of the item tables; what is listed but not there is missing."""
    if not run.tables.is_file():
        if plan.items is not None:
            missing.append("tables.json (the item tables were not read after the run)")
        return {}
    found: dict[tuple[str, str, str], TableRead] = {}
    for line in jsonio.load(run.tables, list[dict[str, Any]]):
        where = str(line["keyspace"]), str(line["table"]), str(line["shard"])
        path = run.table(*where)
        if not path.is_file():
            missing.append(f"{path.name} (the rows of a table that was read)")
            continue
        keyspace, table, shard = where
        found[where] = TableRead(
            keyspace=keyspace, table=table, shard=shard, rows=read_table(path), wrong=int(line["wrong"])
        )
    return found


def _load_streams(run: RunDir, plan: Plan, missing: list[str], base_ns: int) -> tuple[StreamRecord, ...]:
    if not run.streams.is_file():
        if plan.streams:
            missing.append("streams.json (no stream was recorded)")
        return ()
    lanes = [jsonio.structure(plain, StreamLane) for plain in jsonio.load(run.streams, list[Any])]
    return tuple(_load_stream(run, lane, missing, base_ns) for lane in lanes)


def _load_stream(run: RunDir, lane: StreamLane, missing: list[str], base_ns: int) -> StreamRecord:
    path = run.stream(lane.number)
    attempts = fold_attempts(jsonio.read_lines(run.attempts(lane.number)))
    events = np.empty(0, dtype=EVENT_DTYPE)
    if path.is_file():
        events = map_events(path, lane, [attempt.number for attempt in attempts], base_ns)
    else:
        missing.append(f"{path.name} (what {lane.name} received)")
    steps = tuple(
        VgtidStep(
            number=int(line["number"]), at_ns=int(line["at_ns"]), attempt=int(line["attempt"]), position=_position(line)
        )
        for line in jsonio.read_lines(run.vgtids(lane.number))
    )
    return StreamRecord(lane=lane, events=events, vgtids=steps, attempts=attempts)


def fold_attempts(lines: Iterator[dict[str, Any]]) -> tuple[Attempt, ...]:
    """Lines of stream-N.attempts.jsonl into attempts; one without an end had none when the record ended."""
    found: dict[int, Attempt] = {}
    for line in lines:
        number = int(line["number"])
        if line["step"] == "begin":
            found[number] = Attempt(
                number=number,
                begin_ns=int(line["begin_ns"]),
                resume=str(line["resume"]),
                start=tuple(_position(plain) for plain in line["start"]),
                tables=tuple(line["tables"]),
            )
        elif number in found:
            found[number] = replace(
                found[number],
                end_ns=int(line["end_ns"]),
                code=str(line["code"]),
                message=str(line["message"]),
                errno=int(line["errno"]),
                cpu_ns=int(line["cpu_ns"]),
                responses=int(line["responses"]),
            )
    return tuple(found.values())


def _position(line: Mapping[str, Any]) -> Position:
    last_pks = {str(table): int(key) for table, key in line["last_pks"].items()}
    return Position(shard=str(line["shard"]), gtid=str(line["gtid"]), last_pks=last_pks or _NO_PKS)


def _samples(folder: Path) -> Iterator[tuple[str, list[Sample]]]:
    for path in sorted(folder.glob("samples-*.jsonl")):
        source = path.stem.removeprefix("samples-")
        yield source, [Sample(**line) for line in jsonio.read_lines(path)]
