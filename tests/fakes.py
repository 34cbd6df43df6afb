"""Histories from a few lines: what a test is about is written in it, everything else is a run without fault.

`calm()` is a storm that went well on every account: every check passes on it. A test changes one thing and
sees one check change. Times are seconds of the run; the same builder writes a run directory.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base import jsonio
from harness.base.clock import ClockBase
from harness.base.rundir import LineLog, RunDir
from harness.history import History, Ops, Rows, Series
from harness.load.schema import first_id, value_of
from harness.model import (
    OP_DTYPE,
    ROW_DTYPE,
    ClusterSpec,
    ConnectionMode,
    Event,
    FaultSpan,
    Lane,
    LoadSpec,
    Node,
    OpKind,
    Outcome,
    Plan,
    ReadResult,
    Role,
    Sample,
    Scalar,
    VtgateSpec,
)

SECOND = 1_000_000_000
START = 1_000 * SECOND
BUFFER_ON = {"enable-buffer": "", "buffer-window": "10s", "buffer-max-failover-duration": "20s"}
BASELINE_S, STORM_S, RECOVERY_S, QUIET_S, END_S = 0.0, 5.0, 8.0, 12.0, 14.0
REASONS = {
    "BufferStops": ("NewPrimarySeen", "MaxDurationExceeded", "ReshardingComplete", "Shutdown"),
    "BufferRequestsEvicted": ("ContextDone", "BufferFull", "WindowExceeded"),
}


def ns(seconds: float) -> int:
    return START + round(seconds * SECOND)


@dataclass(kw_only=True)
class RecordedOp:
    """One operation, in seconds; `stored` is how often each of its rows is in the table."""

    lane: int
    key: int
    value: int
    at_s: float
    took_s: float
    kind: OpKind
    outcome: Outcome
    rows: int
    errno: int
    message: str
    connection: int
    stored: int


class HistoryBuilder:
    """Collects what happened; `build` gives the History, `write` the run directory."""

    def __init__(
        self,
        *,
        shards: int = 2,
        vtgates: Sequence[str] = ("24.0.3",),
        mode: ConnectionMode = ConnectionMode.PERSISTENT,
        rate: float = 20.0,
        buffering: bool = True,
        flags: Mapping[str, str] | None = None,
        checks: Sequence[str] = (),
        params: Mapping[str, float] | None = None,
    ) -> None:
        cluster = ClusterSpec(
            shards=shards,
            vtgates=tuple(VtgateSpec(version=version) for version in vtgates),
            vtgate_flags={**(BUFFER_ON if buffering else {}), **(flags or {})},
        )
        self.plan = Plan(
            run_id="run-1",
            experiment="reparent/all-at-once",
            why="a test",
            backend="local",
            cluster=cluster,
            load=LoadSpec(rate_per_shard=rate, mode=mode, poisson=False),
            params={"reparents": shards} if params is None else params,
            checks=tuple(checks),
            seed=7,
            timeout_s=100.0,
            command_line=("vtchaos", "run"),
            harness_version="0.1.0",
        )
        self.shards = cluster.shard_names
        self.nodes = [Node(name="vtctld", role=Role.VTCTLD, version=cluster.vitess)]
        self.nodes += [
            Node(name=f"vtgate-{i + 1}", role=Role.VTGATE, version=version) for i, version in enumerate(vtgates)
        ]
        names = [node.name for node in self.nodes if node.role is Role.VTGATE]
        self.lanes = [
            Lane(number=number, vtgate=vtgate, shard=shard, mode=mode, rate=rate, worker=0)
            for number, (vtgate, shard) in enumerate((vtgate, shard) for vtgate in names for shard in self.shards)
        ]
        self.ops: list[RecordedOp] = []
        self.faults: list[FaultSpan] = []
        self.events: list[Event] = []
        self.unread: set[str] = set()
        self.extra_rows: list[tuple[str, int, int]] = []
        self.incomplete: list[str] = []
        self.shown: dict[str, dict[float, dict[str, Scalar]]] = defaultdict(lambda: defaultdict(dict))
        self._silent: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._next: dict[int, int] = {}

    # ------------------------------------------------------------ what happened

    def lane(self, shard: str | None = None, vtgate: str = "vtgate-1") -> Lane:
        shard = self.shards[0] if shard is None else shard
        return next(lane for lane in self.lanes if (lane.shard, lane.vtgate) == (shard, vtgate))

    def phase(self, name: str, at_s: float) -> None:
        self.events.append(Event(at_ns=ns(at_s), kind="phase", subject=name))

    def event(self, kind: str, subject: str, at_s: float, **details: str | int | float | bool) -> None:
        self.events.append(Event(at_ns=ns(at_s), kind=kind, subject=subject, details=details))

    def op(
        self,
        at_s: float,
        *,
        took_s: float = 0.002,
        shard: str | None = None,
        vtgate: str = "vtgate-1",
        kind: OpKind = OpKind.WRITE,
        outcome: Outcome = Outcome.OK,
        rows: int = 0,
        errno: int = 0,
        message: str = "",
        connection: int = 0,
        stored: int | None = None,
        key: int | None = None,
    ) -> RecordedOp:
        """One operation. Unless told otherwise, its rows are stored if it was acknowledged."""
        lane = self.lane(shard, vtgate)
        sizes = {OpKind.WRITE: 1, OpKind.TRANSACTION: rows or 2, OpKind.READ: rows or int(ReadResult.FOUND)}
        if key is None:
            key = self._next.get(lane.number, first_id(lane.shard, lane.number) + 1)
            self._next[lane.number] = key + (0 if kind is OpKind.READ else sizes[kind])
        found = RecordedOp(
            lane=lane.number,
            key=key,
            value=value_of(self.plan.seed, key),
            at_s=at_s,
            took_s=took_s,
            kind=kind,
            outcome=outcome,
            rows=sizes[kind],
            errno=errno,
            message=message,
            connection=connection,
            stored=(1 if outcome is Outcome.OK else 0) if stored is None else stored,
        )
        self.ops.append(found)
        return found

    def read(self, at_s: float, result: ReadResult, **more: str) -> RecordedOp:
        op = self.op(at_s, kind=OpKind.READ, **more)  # type: ignore[arg-type]  # shard, vtgate
        op.rows = int(result)
        return op

    def load(self, from_s: float, to_s: float, *, outages: Mapping[str, tuple[float, float]] | None = None) -> None:
        """Evenly spaced operations of every lane, alternately writes and reads of the row before. What falls
        due in its shard's outage is answered when that ends."""
        transactions = self.plan.load is not None and self.plan.load.mode is ConnectionMode.TRANSACTION
        write = OpKind.TRANSACTION if transactions else OpKind.WRITE
        for lane in self.lanes:
            begin, end = (outages or {}).get(lane.shard, (0.0, 0.0))
            last: RecordedOp | None = None
            for number in range(int((to_s - from_s) * lane.rate)):
                at_s = from_s + number / lane.rate
                took_s = end - at_s if begin <= at_s < end else 0.002
                kind = OpKind.READ if last is not None and number % 2 and not transactions else write
                key = last.key if kind is OpKind.READ and last else None
                op = self.op(
                    at_s, took_s=took_s, shard=lane.shard, vtgate=lane.vtgate, kind=kind, key=key, connection=number % 8
                )
                last = last if kind is OpKind.READ else op

    def reparent(
        self,
        shard: str,
        begin_s: float,
        end_s: float | None,
        *,
        error: str = "",
        observed: bool = True,
        same: bool = False,
    ) -> None:
        number = len(self.faults) + 1
        details: dict[str, str | int | float | bool] = {
            "keyspace": "ks",
            "shard": shard,
            "was_primary": "zone1-0000000100",
            "promoted": "zone1-0000000100" if same else "zone1-0000000101",
        }
        self.faults.append(
            FaultSpan(
                number=number,
                fault="PlannedReparent",
                targets=(shard,),
                details=details,
                intent_ns=ns(begin_s) - 1000,
                begin_ns=ns(begin_s),
                active_ns=0 if end_s is None else ns(end_s),
                error=error,
                observed=observed and not error,
            )
        )

    def fault(self, name: str, target: str, begin_s: float, healed_s: float) -> None:
        self.faults.append(
            FaultSpan(
                number=len(self.faults) + 1,
                fault=name,
                targets=(target,),
                details={},
                intent_ns=ns(begin_s) - 1000,
                begin_ns=ns(begin_s),
                active_ns=ns(begin_s),
                recover_ns=ns(healed_s),
                healed_ns=ns(healed_s),
                observed=True,
            )
        )

    def set(self, source: str, at_s: float, values: Mapping[str, Scalar]) -> None:
        """From `at_s` on, the source shows these values."""
        self.shown[source][at_s].update(values)

    def drop(self, source: str, name: str) -> None:
        """The source never shows a variable."""
        for values in self.shown[source].values():
            for key in [key for key in values if key.split(":")[0] == name]:
                del values[key]

    def silence(self, source: str, from_s: float, to_s: float) -> None:
        """The source does not answer."""
        self._silent[source].append((from_s, to_s))

    def buffered(
        self,
        shard: str,
        from_s: float,
        to_s: float,
        *,
        vtgate: str = "vtgate-1",
        reason: str = "NewPrimarySeen",
        requests: int = 5,
        evicted: Mapping[str, int] | None = None,
        promoted: bool = True,
        nth: int = 1,
    ) -> None:
        """vtgate's counters for one buffering of a shard; `nth`: it is the shard's nth, all alike."""
        stem = f"ks.{shard}"
        gone = evicted or {}
        drained = requests - sum(gone.values())
        seeds = {f"{name}:{stem}.{label}": 0 for name, labels in REASONS.items() for label in labels}
        if nth == 1:
            zeros = ("BufferStarts", "BufferRequestsBuffered", "BufferRequestsDrained")
            self.set(vtgate, 0.0, {**seeds, **{f"{name}:{stem}": 0 for name in zeros}})
        self.set(vtgate, from_s, {f"BufferStarts:{stem}": nth, f"BufferRequestsBuffered:{stem}": nth * requests})
        self.set(
            vtgate,
            to_s,
            {
                f"BufferStops:{stem}.{reason}": nth,
                f"BufferRequestsDrained:{stem}": nth * drained,
                f"BufferLastFailoverDurationMs:{stem}": round((to_s - from_s) * 1000),
                **{f"BufferRequestsEvicted:{stem}.{label}": nth * number for label, number in gone.items()},
            },
        )
        if promoted:
            self.set(vtgate, to_s, {f"HealthcheckPrimaryPromoted:{stem}": nth})

    # ------------------------------------------------------------ what was recorded

    def build(self) -> History:
        ops, messages = self._recorded()
        return History(
            plan=self.plan,
            clock=ClockBase(monotonic_ns=START, wall_ns=1_785_000_000 * SECOND),
            nodes=tuple(self.nodes),
            lanes=tuple(self.lanes),
            ops=ops[np.argsort(ops["intended_ns"], kind="stable")],
            messages={(0, number): text for text, number in messages.items()},
            rows=self._rows(),
            faults=tuple(self.faults),
            events=tuple(sorted(self.events, key=lambda event: event.at_ns)),
            series={source: Series(self._samples(source)) for source in sorted(self.shown)},
            incomplete=tuple(self.incomplete),
        )

    def write(self, path: Path) -> RunDir:
        """The run directory that the runner would have left behind."""
        run = RunDir.create(path)
        history = self.build()
        jsonio.save(run.plan, self.plan)
        jsonio.save(run.clock, history.clock)
        jsonio.save(run.nodes, list(history.nodes))
        jsonio.save(run.load, list(history.lanes))
        history.ops.tofile(run.ops(0))
        _lines(run.messages(0), [{"number": n, "text": text} for (_, n), text in sorted(history.messages.items())])
        for shard, rows in history.rows.items():
            rows.tofile(run.rows(shard))
        _lines(run.faults, [line for span in history.faults for line in ledger_lines(span)])
        _lines(run.events, list(history.events))
        for source, series in history.series.items():
            _lines(run.samples(source), list(series.samples))
        return run

    def _recorded(self) -> tuple[Ops, dict[str, int]]:
        messages: dict[str, int] = {}
        ops = np.zeros(len(self.ops), dtype=OP_DTYPE)
        for record, op in zip(ops, self.ops, strict=True):
            record["intended_ns"] = ns(op.at_s)
            record["sent_ns"] = 0 if op.outcome is Outcome.NOT_ISSUED else ns(op.at_s)
            record["done_ns"] = ns(op.at_s + op.took_s)
            record["key"], record["value"], record["rows"] = op.key, op.value, op.rows
            record["lane"], record["connection"] = op.lane, op.connection
            record["kind"], record["outcome"], record["errno"] = op.kind, op.outcome, op.errno
            if op.message:
                record["message"] = messages.setdefault(op.message, len(messages) + 1)
        return ops, messages

    def _rows(self) -> dict[str, Rows]:
        shard_of = {lane.number: lane.shard for lane in self.lanes}
        found: dict[str, list[tuple[int, int]]] = {shard: [] for shard in self.shards if shard not in self.unread}
        for op in self.ops:
            if op.kind is OpKind.READ or shard_of[op.lane] not in found:
                continue
            mask = 0xFFFFFFFFFFFFFFFF
            rows = [(op.key + step, (op.value + step) & mask) for step in range(op.rows)]
            found[shard_of[op.lane]] += rows * op.stored
        for shard, key, value in self.extra_rows:
            if shard in found:
                found[shard].append((key, value))
        return {shard: np.array(rows, dtype=ROW_DTYPE) for shard, rows in found.items()}

    def _samples(self, source: str) -> list[Sample]:
        """What a probe at 5 Hz saw: the changes since its sample before."""
        changes = sorted(self.shown[source].items())
        samples: list[Sample] = []
        at = 0
        for tick in range(int(END_S * 5) + 1 if self._length() <= END_S else int(self._length() * 5) + 1):
            at_s = tick / 5
            if any(begin <= at_s < end for begin, end in self._silent[source]):
                samples.append(Sample(at_ns=ns(at_s), took_ns=1000, error="no answer"))
                continue
            values: dict[str, Scalar] = {}
            while at < len(changes) and changes[at][0] <= at_s:
                values.update(changes[at][1])
                at += 1
            samples.append(Sample(at_ns=ns(at_s), took_ns=1000, values=values))
        return samples

    def _length(self) -> float:
        stamps = [(event.at_ns - START) / SECOND for event in self.events]
        stamps += [op.at_s + op.took_s for op in self.ops]
        return max(stamps, default=0.0)


def ledger_lines(span: FaultSpan) -> list[dict[str, object]]:
    """The ledger that folds into this span."""
    intent = {"fault": span.fault, "targets": list(span.targets), "details": dict(span.details)}
    lines: list[dict[str, object]] = [{"number": span.number, "at_ns": span.intent_ns, "step": "intent", **intent}]
    for step in ("begin", "active", "recover", "healed"):
        at_ns = getattr(span, f"{step}_ns")
        if at_ns:
            lines.append({"number": span.number, "at_ns": at_ns, "step": step})
    if span.error:
        lines.append({"number": span.number, "at_ns": span.active_ns, "step": "failed", "error": span.error})
    lines.append({"number": span.number, "at_ns": span.intent_ns, "step": "observed", "observed": span.observed})
    return lines


def _lines(path: Path, values: Sequence[object]) -> None:
    log = LineLog(path)
    for value in values:
        log.append(value)
    log.close()


def calm(*, storm: bool = True, vtgates: Sequence[str] = ("24.0.3",), **more: object) -> HistoryBuilder:
    """A run in which all went well: five seconds of baseline, each shard reparented within half a second
    and buffered meanwhile, and everything that was acknowledged stored."""
    builder = HistoryBuilder(vtgates=vtgates, **more)  # type: ignore[arg-type]
    for name, at_s in (("baseline", BASELINE_S), ("storm", STORM_S), ("recovery", RECOVERY_S), ("quiet", QUIET_S)):
        builder.phase(name, at_s)
    builder.set("vtctld", 0.0, {"ReparentShardOperationTimings": 0})
    builder.set("host", 0.0, {"memory_available_bytes": 8 * 2**30, "cpu_steal_share": 0.0, "memory_some_us": 0})
    for tick in range(int(END_S * 5) + 1):
        builder.set("host", tick / 5, {"cpu_some_us": 40_000 * tick})  # a fifth of the time
    builder.set("host", END_S, {"memory_some_us": 1})
    builder.set("harness", 0.0, {"loop_lag_max_ms": 3.0})
    builder.set("load-0", 0.0, {"loop_lag_max_ms": 2.0, "schedule_lag_p99_ms": 1.0})
    for node in builder.nodes:
        if node.role is Role.VTGATE:
            builder.set(node.name, 0.0, {"BufferSize": 1000})
    outages = {}
    if storm:
        for number, shard in enumerate(builder.shards):
            begin_s = STORM_S + 0.1 + number * 0.001
            builder.reparent(shard, begin_s, begin_s + 0.4)
            builder.set("vtctld", begin_s + 0.4, {f"PlannedReparentCounts:ks.{shard}.success": 1})
            outages[shard] = (begin_s + 0.1, begin_s + 0.3)
            for lane in builder.lanes:
                if lane.shard == shard and "enable-buffer" in builder.plan.cluster.vtgate_flags:
                    builder.buffered(shard, begin_s + 0.1, begin_s + 0.3, vtgate=lane.vtgate)
    else:
        builder.plan = dataclasses.replace(builder.plan, params={"reparents": 0})
    builder.load(BASELINE_S, QUIET_S, outages=outages)
    return builder
