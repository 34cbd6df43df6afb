"""A verdict over a million recorded operations: time from the run directory to verdict and page, and memory.

Method: a 32-shard storm under two vtgates is made with numpy (half writes, half reads; in the storm every
shard stalls, some operations fail with messages of their own; every acknowledged row is stored), written as
a run directory with the samples of its 130 processes, and judged by all checks in a fresh process, so that its peak
memory is the verdict's alone.
"""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ci.bench.figure import Figure
from harness.attribution import attributed
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.checks import CHECKS
from harness.checks.judge import judge
from harness.history import Ops, load
from harness.load.schema import first_id
from harness.model import OP_DTYPE, ROW_DTYPE, Lane, LoadSpec, LogLine, Node, OpKind, Outcome, ReadResult, Role
from harness.reports import html
from tests.fakes import SECOND, HistoryBuilder, calm, ns

OPERATIONS = 1_000_000
VTGATES = ("21.0.2", "24.0.3")
SHARDS = 32
BASELINE_S, STORM_S, QUIET_S, END_S = 0.0, 20.0, 50.0, 60.0
HELD_S = 6.0
ERRORS = 20_000
MESSAGES = 2_000
BOUND_S = 20.0
SAMPLED_EVERY_S = 0.25
MOST_MIB = 1024.0
MOST_PAGE_MB = 8.0


def measure() -> list[Figure]:
    """Judge the million operations once, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="vtchaos-bench-") as folder:
        path = Path(folder) / "run"
        _record(path)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
            found = pool.submit(_judge, str(path)).result()
    total_s = found.load_s + found.attribute_s + found.judge_s
    return [
        Figure(
            name=f"verdict over {OPERATIONS:,} operations",
            value=total_s,
            unit="s",
            bound=f"≤ {BOUND_S:g} s",
            met=total_s <= BOUND_S,
            detail=f"loading {found.load_s:.2f} s, causes {found.attribute_s:.2f} s, "
            f"{len(CHECKS)} checks {found.judge_s:.2f} s, {found.verdict}",
        ),
        _bounded("peak memory of that verdict and its page", found.peak_bytes / 2**20, "MiB", MOST_MIB),
        Figure(name="report.html of it", value=found.page_s, unit="s"),
        _bounded("size of that page", found.page_bytes / 1e6, "MB", MOST_PAGE_MB),
    ]


def _bounded(name: str, value: float, unit: str, bound: float) -> Figure:
    return Figure(name=name, value=value, unit=unit, bound=f"≤ {bound:g} {unit}", met=value <= bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    load_s: float
    attribute_s: float
    judge_s: float
    page_s: float
    page_bytes: int
    peak_bytes: int
    verdict: str


def _judge(path: str) -> _Judged:
    marks = [time.perf_counter()]
    run = RunDir.open(Path(path))
    history = load(run)
    marks.append(time.perf_counter())
    attributed(history)
    marks.append(time.perf_counter())
    verdict = judge(history)
    jsonio.save(run.verdict, verdict)
    marks.append(time.perf_counter())
    page = html.render(history, verdict, run.path / "report.html")
    marks.append(time.perf_counter())
    load_s, attribute_s, judge_s, page_s = (later - earlier for earlier, later in itertools.pairwise(marks))
    return _Judged(
        load_s=load_s,
        attribute_s=attribute_s,
        judge_s=judge_s,
        page_s=page_s,
        page_bytes=page.stat().st_size,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        verdict=verdict.verdict.name,
    )


def _record(path: Path) -> None:
    """Everything but the operations comes from the tests' builder."""
    builder = calm(storm=False, shards=SHARDS, vtgates=VTGATES)
    builder.ops.clear()
    builder.events.clear()
    for name, at_s in (("baseline", BASELINE_S), ("storm", STORM_S), ("recovery", STORM_S + 10), ("quiet", QUIET_S)):
        builder.phase(name, at_s)
    builder.event("note", "end", END_S)
    rate = OPERATIONS / len(builder.lanes) / (END_S - BASELINE_S)
    builder.lanes = [dataclasses.replace(lane, rate=rate) for lane in builder.lanes]
    builder.plan = dataclasses.replace(
        builder.plan, checks=tuple(CHECKS), params={"reparents": SHARDS}, load=LoadSpec(rate_per_shard=rate)
    )
    _storm(builder)
    _tablets(builder)
    run = builder.write(path)
    _log(run, builder)
    rng = np.random.default_rng(17629)
    parts = [_lane_ops(lane, rng) for lane in builder.lanes]
    ops = np.concatenate(parts)
    _fail_some(ops, rng)
    ops[np.argsort(ops["done_ns"], kind="stable")].tofile(run.ops(0))
    lines = [jsonio.line({"number": number, "text": _message(number)}) for number in range(1, MESSAGES + 1)]
    run.messages(0).write_bytes(b"".join(lines))
    _store(run, builder.lanes, ops, rng)


def _storm(builder: HistoryBuilder) -> None:
    for number, shard in enumerate(builder.shards):
        begin_s = STORM_S + number / 1000
        builder.reparent(shard, begin_s, begin_s + 0.5 + number * (HELD_S - 0.5) / SHARDS)
        for vtgate in range(len(VTGATES)):
            builder.buffered(shard, begin_s + 0.2, STORM_S + HELD_S, vtgate=f"vtgate-{vtgate + 1}", requests=500)


def _tablets(builder: HistoryBuilder) -> None:
    """Two vttablets and two mysqlds a shard, 128 processes, each seen four times a second with a counter that moves."""
    for number, shard in enumerate(builder.shards):
        for tablet in range(2):
            uid = 100 + 2 * number + tablet
            where = {"keyspace": "ks", "shard": shard}
            builder.nodes.append(
                Node(name=f"vttablet-{uid}", role=Role.VTTABLET, version=VTGATES[-1], tablet_uid=uid, **where)
            )
            builder.nodes.append(Node(name=f"mysqld-{uid}", role=Role.MYSQLD, version="8.4.6", tablet_uid=uid, **where))
            _samples(builder, uid, primary=tablet == 0, over_s=STORM_S + 0.5 + number * (HELD_S - 0.5) / SHARDS)


def _samples(builder: HistoryBuilder, uid: int, *, primary: bool, over_s: float) -> None:
    for tick in np.arange(BASELINE_S, END_S, SAMPLED_EVERY_S).tolist():
        served = "primary" if primary == (tick < over_s) else "replica"
        state = {"TabletStateName": "SERVING", "TabletType": served, "Queries": round(tick * 100)}
        builder.set(f"vttablet-{uid}", tick, state)
        builder.set(f"mysqld-{uid}", tick, {"super_read_only": int(served == "replica"), "executed": round(tick * 50)})


def _log(run: RunDir, builder: HistoryBuilder) -> None:
    """What the vtgates and the tablets said of it."""
    lines: list[LogLine] = []
    for number, shard in enumerate(builder.shards):
        over_s = STORM_S + 0.5 + number * (HELD_S - 0.5) / SHARDS
        told = [
            (f"vttablet-{100 + 2 * number}", STORM_S + 0.1, "DemotePrimary disabling query service"),
            (f"vttablet-{101 + 2 * number}", over_s, "TabletManager.PromoteReplica()(on zone1 from ): took"),
        ]
        for vtgate in range(len(VTGATES)):
            name = f"vtgate-{vtgate + 1}"
            told.append((name, STORM_S + 0.2, f"Starting buffering for shard: ks/{shard} (window: 10s)"))
            why = "a primary promotion has been detected. Draining 8 buffered requests"
            told.append((name, STORM_S + HELD_S, f"Stopping buffering for shard: ks/{shard} after: 6 s due to: {why}"))
        lines += [LogLine(at_ns=ns(at_s), node=node, level="info", text=text) for node, at_s, text in told]
    lines.sort(key=lambda line: line.at_ns)
    (run.path / "loglines.jsonl").write_bytes(b"".join(jsonio.line(line) for line in lines))


def _lane_ops(lane: Lane, rng: np.random.Generator) -> Ops:
    """Alternately writes and reads, a millisecond or two each; what is due while its shard is held waits."""
    number = round(lane.rate * (END_S - BASELINE_S))
    ops = np.zeros(number, dtype=OP_DTYPE)
    intended = ns(BASELINE_S) + np.sort(rng.integers(0, round((END_S - BASELINE_S) * SECOND), number))
    held = (intended >= ns(STORM_S + 0.2)) & (intended < ns(STORM_S + HELD_S))
    ops["intended_ns"] = intended
    ops["sent_ns"] = intended + 50_000
    ops["done_ns"] = np.where(held, ns(STORM_S + HELD_S), intended) + rng.integers(800_000, 3_000_000, number)
    ops["kind"] = np.arange(number) % 2 * np.uint8(OpKind.READ)
    ops["key"] = first_id(lane.shard, lane.number) + 1 + np.arange(number, dtype=np.uint64) // np.uint64(2)
    ops["value"] = ops["key"] * np.uint64(0x9E3779B97F4A7C15)
    ops["rows"] = np.where(ops["kind"] == OpKind.READ, np.uint8(ReadResult.FOUND), np.uint8(1))
    ops["lane"] = lane.number
    ops["connection"] = np.arange(number) % 8
    return ops


def _fail_some(ops: Ops, rng: np.random.Generator) -> None:
    during = np.flatnonzero((ops["intended_ns"] >= ns(STORM_S)) & (ops["intended_ns"] < ns(STORM_S + HELD_S)))
    which = rng.choice(during, min(ERRORS, len(during)), replace=False)
    ops["outcome"][which] = rng.choice(np.array([Outcome.FAIL, Outcome.UNKNOWN], dtype=np.uint8), len(which))
    ops["errno"][which] = 1105
    ops["message"][which] = rng.integers(1, MESSAGES + 1, len(which))


def _message(number: int) -> str:
    return (
        f"target: ks.{number:02x}-.primary: failed to automatically buffer and retry failed request during failover. "
        f"original err: Code: CLUSTER_EVENT primary is not serving, there may be a reparent operation in progress "
        f"{number}: context was canceled before failover finished"
    )


def _store(run: RunDir, lanes: list[Lane], ops: Ops, rng: np.random.Generator) -> None:
    """Every acknowledged row, and half of those whose fate the client does not know."""
    kept = (ops["outcome"] == Outcome.OK) | ((ops["outcome"] == Outcome.UNKNOWN) & (rng.random(len(ops)) < 0.5))
    kept &= ops["kind"] == OpKind.WRITE
    for shard in dict.fromkeys(lane.shard for lane in lanes):
        ours = kept & np.isin(ops["lane"], [lane.number for lane in lanes if lane.shard == shard])
        rows = np.zeros(int(np.count_nonzero(ours)), dtype=ROW_DTYPE)
        rows["id"], rows["value"] = ops["key"][ours], ops["value"][ours]
        rows.tofile(run.rows(shard))


if __name__ == "__main__":
    for figure in measure():
        print(figure.line())
