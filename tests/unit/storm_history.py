"""A made-up but lifelike history of a 32-shard reparent storm, for looking at reports.

Two vtgates serve the same storm. On the first one every shard stalls until the whole keyspace is
consistent, and some shards run into the end of the buffer window (what #17629 looks like); the second
one stalls too, but loses nothing. Everything is drawn from one seed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.base.clock import ClockBase
from harness.history import History, Ops, Rows, Series
from harness.model import (
    OP_DTYPE,
    ROW_DTYPE,
    CheckKind,
    CheckResult,
    ClusterSpec,
    ConnectionMode,
    Event,
    FaultSpan,
    KnownBug,
    Lane,
    LoadSpec,
    Node,
    OpKind,
    Outcome,
    Plan,
    Role,
    RunVerdict,
    Sample,
    Scalar,
    Verdict,
    VtgateSpec,
    key_ranges,
)

SECOND = 1_000_000_000
START = 7_000 * SECOND
WALL = 1_785_000_000 * SECOND
LOAD_FROM_S, STORM_S, RECOVERY_S, QUIET_S, END_S = 31.0, 41.0, 49.0, 62.0, 78.0
WINDOW_S, ISSUE_WITHIN_S = 10.0, 5.0
EVICTED = (
    "target: ks.{shard}.primary: failed to automatically buffer and retry failed request during failover. original err "
    "(type=*vterrors.fundamental): Code: CLUSTER_EVENT\nprimary is not serving, there may be a reparent operation in "
    "progress <{shard}> & so on: context was canceled before failover finished"
)
READ_ONLY = (
    "target: ks.{shard}.primary: vttablet: rpc error: code = FailedPrecondition desc = The MySQL server is running "
    "with the --super-read-only option so it cannot execute this statement (errno 1290) (sqlstate HY000) "
    "(CallerID: userData1): "
    'Sql: "insert into ledger(id, `value`) values (:id, :value)", BindVars: {{id: "type:UINT64 value:\\"{number}\\""}}'
)


def ns(seconds: float) -> int:
    return START + round(seconds * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """When one lane got no answer; `evicted`: its requests failed at the end instead of being served."""

    from_s: float
    to_s: float
    evicted: bool


def storm_history(
    *,
    seed: int = 17629,
    shards: int = 32,
    vtgates: tuple[str, ...] = ("21.0.2", "21.0.3"),
    rate: float = 20.0,
    killed_at_s: float | None = None,
) -> History:
    """The whole run, or what was on disk when it was killed at `killed_at_s`. Its arrays cannot be written to: it is
    made once for all tests."""
    whole = _whole(seed, shards, vtgates, rate)
    return whole if killed_at_s is None else killed(whole, ns(killed_at_s))


@functools.cache
def _whole(seed: int, shards: int, vtgates: tuple[str, ...], rate: float) -> History:
    rng = np.random.default_rng(seed)
    names = key_ranges(shards)
    spec = ClusterSpec(shards=shards, vtgates=tuple(VtgateSpec(version=version) for version in vtgates))
    nodes = _nodes(spec)
    lanes = _lanes(spec, rate)
    faults = _faults(names, rng)
    outages = _outages(lanes, faults, rng)
    ops, messages = _ops(lanes, outages, rate, rng)
    rows = _rows(ops, lanes)
    for array in (ops, *rows.values()):
        array.flags.writeable = False
    return History(
        plan=_plan(spec, seed, rate),
        clock=ClockBase(monotonic_ns=START, wall_ns=WALL),
        host={"cpus": 2, "memory_bytes": 25_000_000_000, "kernel": "Linux 6.1.0", "python": "3.11.2"},
        nodes=nodes,
        lanes=lanes,
        ops=ops,
        messages=messages,
        rows=rows,
        faults=faults,
        events=_events(),
        series=_series(spec, lanes, outages, faults, ops, rng),
    )


def killed(history: History, at_ns: int) -> History:
    """What `kill -9` at `at_ns` leaves: nothing later, spans that never returned, no rows."""
    spans = tuple(
        dataclasses.replace(span, active_ns=0, observed=False) if span.active_ns > at_ns else span
        for span in history.faults
    )
    return dataclasses.replace(
        history,
        ops=history.ops[history.ops["done_ns"] <= at_ns],
        rows={},
        faults=spans,
        events=tuple(event for event in history.events if event.at_ns <= at_ns),
        series={
            name: Series([s for s in series.samples if s.at_ns <= at_ns]) for name, series in history.series.items()
        },
        incomplete=("rows-*.bin (the tables were not read after the run)",),
    )


def _plan(spec: ClusterSpec, seed: int, rate: float) -> Plan:
    versions = ",".join(vtgate.version for vtgate in spec.vtgates)
    return Plan(
        run_id="20260725-154640-reparent-all-at-once",
        experiment="reparent/all-at-once-32",
        why="32 concurrent PlannedReparentShard calls must not reach the clients (#17629).",
        backend="local",
        cluster=spec,
        load=LoadSpec(rate_per_shard=rate),
        params={"shards": float(spec.shards)},
        checks=("assumptions", "client-errors", "stall", "buffer-laws", "durability"),
        known_bugs=(
            KnownBug(
                issue="vitessio/vitess#17629",
                check="buffer-stops",
                component=Role.VTGATE,
                also=("client-errors",),
                affected_from="21.0.0",
                fixed_in="21.0.3",
            ),
        ),
        seed=seed,
        timeout_s=180.0,
        command_line=(
            "vtchaos",
            "run",
            "reparent/all-at-once-32",
            "--vtgate",
            versions,
            "--note",
            "it's a <test> & more",
        ),
        harness_version="0.1.0",
        notes=("32 shards x 2 tablets fit into 22.9 GB",),
    )


def _nodes(spec: ClusterSpec) -> tuple[Node, ...]:
    nodes = [
        Node(name="etcd", role=Role.ETCD, version="3.4.23"),
        Node(name="vtctld", role=Role.VTCTLD, version="24.0.3"),
    ]
    for index, shard in enumerate(spec.shard_names):
        for tablet in range(spec.tablets_per_shard):
            uid = 100 + index * 10 + tablet
            where = {"keyspace": "ks", "shard": shard}
            nodes.append(Node(name=f"mysqld-{uid}", role=Role.MYSQLD, version="9.7.0", tablet_uid=uid, **where))
            nodes.append(Node(name=f"vttablet-{uid}", role=Role.VTTABLET, version="24.0.3", tablet_uid=uid, **where))
    vtgates = range(len(spec.vtgates))
    nodes += [Node(name=f"vtgate-{i + 1}", role=Role.VTGATE, version=spec.vtgate_version(i)) for i in vtgates]
    return tuple(nodes)


def _lanes(spec: ClusterSpec, rate: float) -> tuple[Lane, ...]:
    pairs = [(f"vtgate-{index + 1}", shard) for index in range(len(spec.vtgates)) for shard in spec.shard_names]
    return tuple(
        Lane(number=number, vtgate=vtgate, shard=shard, mode=ConnectionMode.PERSISTENT, rate=rate, worker=0)
        for number, (vtgate, shard) in enumerate(pairs)
    )


def _faults(names: tuple[str, ...], rng: np.random.Generator) -> tuple[FaultSpan, ...]:
    spans = []
    for number, shard in enumerate(names):
        begin = ns(STORM_S + float(rng.uniform(0, 0.008)))
        took = float(rng.gamma(3.0, 0.75) + 0.5)
        spans.append(
            FaultSpan(
                number=number,
                fault="PlannedReparent",
                targets=(shard,),
                details={
                    "promoted": f"zone1-0000000{101 + number * 10}",
                    "was_primary": f"zone1-0000000{100 + number * 10}",
                },
                intent_ns=begin - 300_000,
                begin_ns=begin,
                active_ns=begin + round(took * SECOND),
                observed=True,
            )
        )
    return tuple(spans)


def _outages(lanes: tuple[Lane, ...], faults: tuple[FaultSpan, ...], rng: np.random.Generator) -> Mapping[int, Outage]:
    """Every lane waits for the whole keyspace; on the first vtgate a fifth waits for its buffer window."""
    consistent = (max(span.active_ns for span in faults) - START) / SECOND
    outages = {}
    for lane in lanes:
        begin = STORM_S + float(rng.uniform(0.1, 0.6))
        evicted = lane.vtgate == "vtgate-1" and bool(rng.random() < 0.2)
        end = begin + WINDOW_S if evicted else consistent + float(rng.uniform(0.05, 0.4))
        outages[lane.number] = Outage(from_s=begin, to_s=end, evicted=evicted)
    return outages


def _ops(
    lanes: tuple[Lane, ...], outages: Mapping[int, Outage], rate: float, rng: np.random.Generator
) -> tuple[Ops, Mapping[tuple[int, int], str]]:
    messages: dict[tuple[int, int], str] = {}
    parts = [_lane_ops(lane, outages[lane.number], rate, rng, messages) for lane in lanes]
    ops = np.concatenate(parts)
    return ops[np.argsort(ops["intended_ns"], kind="stable")], messages


def _lane_ops(
    lane: Lane, outage: Outage, rate: float, rng: np.random.Generator, messages: dict[tuple[int, int], str]
) -> Ops:
    count = round(rate * (END_S - LOAD_FROM_S))
    at = np.sort(rng.uniform(LOAD_FROM_S, END_S, count))
    done = at + rng.lognormal(np.log(0.003), 0.6, count)
    outcome = np.full(count, Outcome.OK, dtype=np.uint8)
    errno = np.zeros(count, dtype=np.uint16)
    message = np.zeros(count, dtype=np.uint32)
    inside = np.flatnonzero((at >= outage.from_s) & (at < outage.to_s))
    held, queued = inside[:8], inside[8:]
    done[inside] = outage.to_s + rng.uniform(0.0, 0.2, len(inside))
    late = queued[done[queued] - at[queued] > ISSUE_WITHIN_S]
    done[late], outcome[late] = at[late] + ISSUE_WITHIN_S, Outcome.NOT_ISSUED
    if outage.evicted:
        outcome[held], errno[held] = Outcome.FAIL, 1105
        message[held] = _note(messages, EVICTED.format(shard=lane.shard))
    if lane.vtgate == "vtgate-1" and lane.number % 9 == 0 and len(queued):
        one = int(queued[-1])
        outcome[one], errno[one] = Outcome.FAIL, 1290
        message[one] = _note(messages, READ_ONLY.format(shard=lane.shard, number=one))
    if lane.number % 17 == 3 and len(held):
        outcome[held[:1]], errno[held[:1]] = Outcome.UNKNOWN, 2013
        message[held[:1]] = _note(
            messages, "Lost connection to MySQL server during query ([Errno 104] reset \x07 by peer)"
        )
    ops = np.zeros(count, dtype=OP_DTYPE)
    ops["intended_ns"] = START + (at * SECOND).astype(np.int64)
    ops["done_ns"] = START + (done * SECOND).astype(np.int64)
    ops["sent_ns"] = np.where(outcome == Outcome.NOT_ISSUED, 0, ops["intended_ns"] + 40_000)
    ops["key"] = np.arange(count, dtype=np.uint64) + (np.uint64(lane.number) << np.uint64(40))
    ops["value"] = rng.integers(1, 2**63, count, dtype=np.uint64)
    ops["message"], ops["errno"], ops["outcome"] = message, errno, outcome
    ops["lane"], ops["rows"] = lane.number, 1
    ops["kind"] = np.where(rng.random(count) < 0.5, OpKind.WRITE, OpKind.READ)
    return ops


def _note(messages: dict[tuple[int, int], str], text: str) -> int:
    for (_, number), known in messages.items():
        if known == text:
            return number
    messages[0, len(messages) + 1] = text
    return len(messages)


def _rows(ops: Ops, lanes: tuple[Lane, ...]) -> Mapping[str, Rows]:
    written = ops[(ops["kind"] == OpKind.WRITE) & (ops["outcome"] == Outcome.OK)]
    rows = {}
    for shard in {lane.shard for lane in lanes}:
        mine = written[np.isin(written["lane"], [lane.number for lane in lanes if lane.shard == shard])]
        rows[shard] = np.empty(len(mine), dtype=ROW_DTYPE)
        rows[shard]["id"], rows[shard]["value"] = mine["key"], mine["value"]
    return rows


def _events() -> tuple[Event, ...]:
    phases = (("baseline", LOAD_FROM_S), ("storm", STORM_S), ("recovery", RECOVERY_S), ("quiet", QUIET_S))
    marks = [Event(at_ns=ns(0.4), kind="cluster", subject="starting", details={})]
    marks += [Event(at_ns=ns(at), kind="phase", subject=name) for name, at in phases]
    return (*marks, Event(at_ns=ns(END_S + 1), kind="note", subject="finished"))


def _series(
    spec: ClusterSpec,
    lanes: tuple[Lane, ...],
    outages: Mapping[int, Outage],
    faults: tuple[FaultSpan, ...],
    ops: Ops,
    rng: np.random.Generator,
) -> dict[str, Series]:
    ticks = np.arange(LOAD_FROM_S - 2, END_S + 1, 0.25)
    series = {"host": _host(ticks, rng), "harness": _lag(ticks, rng), "load-0": _lag(ticks, rng)}
    for index in range(len(spec.vtgates)):
        name = f"vtgate-{index + 1}"
        mine = [(lane.shard, outages[lane.number]) for lane in lanes if lane.vtgate == name]
        series[name] = changes(ticks, [_counters(float(tick), mine, faults) for tick in ticks])
    return series


def _counters(tick: float, mine: list[tuple[str, Outage]], faults: tuple[FaultSpan, ...]) -> dict[str, Scalar]:
    returned = {span.targets[0]: (span.active_ns - START) / SECOND for span in faults}
    values: dict[str, Scalar] = {}
    for shard, outage in mine:
        key = f"ks.{shard}"
        held = 8 * min(max((tick - outage.from_s) / 0.4, 0.0), 1.0)
        over = tick >= outage.to_s
        values[f"BufferRequestsBuffered:{key}"] = int(held)
        values[f"BufferRequestsDrained:{key}"] = int(held) if over and not outage.evicted else 0
        values[f"BufferRequestsEvicted:{key}.WindowExceeded"] = int(held) if over and outage.evicted else 0
        values[f"BufferRequestsSkipped:{key}.LastReparentTooRecent"] = 0
        values[f"BufferStarts:{key}"] = int(tick >= outage.from_s)
        values[f"BufferStops:{key}.NewPrimarySeen"] = int(over and not outage.evicted)
        values[f"BufferStops:{key}.MaxDurationExceeded"] = int(over and outage.evicted)
        if tick >= returned[shard]:
            values[f"HealthcheckPrimaryPromoted:{key}"] = 1
    return values


def _host(ticks: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator) -> Series:
    storm = np.clip(1 - np.abs(ticks - STORM_S - 3) / 4, 0, 1)
    busy = np.clip(0.35 + 0.65 * storm + rng.normal(0, 0.03, len(ticks)), 0, 1)
    pressure = np.cumsum((0.05 + 0.75 * storm) * 250_000).astype(np.int64)
    memory = (9.1e9 - 3e7 * np.arange(len(ticks)) / len(ticks)).astype(np.int64)
    return changes(
        ticks,
        [
            {"cpu_busy_share": round(float(b), 3), "cpu_some_us": int(p), "memory_available_bytes": int(m)}
            for b, p, m in zip(busy, pressure, memory, strict=True)
        ],
    )


def _lag(ticks: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator) -> Series:
    return changes(ticks, [{"loop_lag_max_ms": round(float(lag), 2)} for lag in rng.gamma(1.5, 1.2, len(ticks))])


def changes(ticks: np.ndarray[tuple[int], np.dtype[np.float64]], values: list[dict[str, Scalar]]) -> Series:
    """Samples as a probe writes them: only what changed since the sample before."""
    samples, before = [], dict[str, Scalar]()
    for tick, now in zip(ticks, values, strict=True):
        changed = {key: value for key, value in now.items() if before.get(key) != value}
        samples.append(Sample(at_ns=ns(float(tick)), took_ns=2_000_000, values=changed))
        before = now
    return Series(samples)


def storm_verdict(history: History, *, reproduced: bool = False) -> RunVerdict:
    """What the checks could have said about it: a pass, a finding, an unknown, a safety failure to come."""
    first, second = (node.name for node in history.vtgates[:2])
    results: tuple[CheckResult, ...] = (
        _result("rate", CheckKind.ASSUMPTION, Verdict.PASS, "every lane had 19.6 to 20.4 operations a second.", ""),
        _result("host", CheckKind.ASSUMPTION, Verdict.PASS, "the CPU pressure stayed below 80 %.", ""),
        _result(
            "buffer-stops",
            CheckKind.PROMISE,
            Verdict.FAIL,
            "7 shards stopped buffering by MaxDurationExceeded although their reparents were done.",
            first,
            *(f"ks/{shard}: own reparent 1.{n} s, stalled 10.{n} s" for n, shard in enumerate(key_ranges(32)[:7])),
        ),
        _result("buffer-stops", CheckKind.PROMISE, Verdict.PASS, "all 32 stops are NewPrimarySeen.", second),
        _result(
            "client-errors",
            CheckKind.PROMISE,
            Verdict.FAIL,
            "52 operations failed; none may.",
            first,
            "errno 1105 <primary is not serving> & others: 48",
            "errno 1290: 4",
        ),
        _result("client-errors", CheckKind.PROMISE, Verdict.PASS, "no operation failed.", second),
        _result(
            "keyspace-stall",
            CheckKind.PROMISE,
            Verdict.UNKNOWN,
            "shards stalled 3.1 times as long as their own reparents; the host was busy, so this proves nothing.",
            second,
            "worst: ks/-08 with factor 9.6",
        ),
        _result("durability", CheckKind.SAFETY, Verdict.PASS, "28,914 acknowledged rows, each there exactly once.", ""),
    )
    issue = "vitessio/vitess#17629"
    if reproduced:  # as harness.checks.known_bugs leaves them
        results = tuple(
            dataclasses.replace(result, verdict=Verdict.PASS, figures={"known_bug": issue})
            if result.verdict is Verdict.FAIL
            else result
            for result in results
        )
    return RunVerdict(
        run_id=history.plan.run_id,
        experiment=history.plan.experiment,
        verdict=Verdict.UNKNOWN if reproduced else Verdict.FAIL,
        exit_code=3 if reproduced else 1,
        headline="vtgate-1 (21.0.2) let 52 operations of 7 shards fail after 10 s; vtgate-2 (21.0.3) let none fail.",
        results=results,
        reproduced=(issue,) if reproduced else (),
    )


def _result(check: str, kind: CheckKind, verdict: Verdict, summary: str, subject: str, *details: str) -> CheckResult:
    return CheckResult(check=check, kind=kind, verdict=verdict, summary=summary, subject=subject, details=details)
