"""What an operation costs the load generator, beside sysbench in the same run, and how well it keeps its schedule.

Point selects by key through one vtgate, 16 connections each, of rows that are there. All rows lie in
one shard: with two, the same operations wake twice as many servers. Both generators pick their rows at
random: vttablet answers equal queries that arrive together with one execution (its consolidator), so
that a generator that asks for one row only meets a database twice as fast and is woken half as often.
One in a hundred of our operations writes, so that there is something to pick from.

Two comparisons, because a thread that is woken for every single operation costs far more than one that
finds the next answer waiting: at one rate (sysbench's `--rate`; an open loop, as ours always is), and
flat out (sysbench's closed loop against arrivals at its throughput, so that our connections hardly
rest either). All in turn, medians of the rounds.
"""

from __future__ import annotations

import math
import resource
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ci.bench.figure import Figure
from clusters.local.backend import LocalBackend
from clusters.software import Sources, SysbenchInstall, sysbench
from harness.base import jsonio, procs
from harness.base.rundir import RunDir
from harness.base.wait import hold
from harness.load.config import Target
from harness.load.driver import running
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA, first_id
from harness.model import OP_DTYPE, ClusterSpec, Event, LoadSpec, Outcome, Role
from harness.mysql.session import admin_session

ROUNDS = 3
SECONDS = 6.0
RATE = 2000.0  # operations a second
MODERATE = 640.0  # 32 shards at the default 20 operations a second
CONNECTIONS = 16
TIMES_SYSBENCH = 2.0
SCHEDULE_P99_MS = 5.0
SHARDS = ("0",)

ROWS = 1000
WRITE_SHARE = 0.01
_BASE = first_id(SHARDS[0], 1000)  # of no lane of ours, and exact in Lua's double precision

_SCRIPT = f"""
function thread_init() driver = sysbench.sql.driver(); connection = driver:connect() end
function event()
    local key = {_BASE} + sysbench.rand.uniform(1, {ROWS})
    connection:query(string.format("SELECT id, value FROM ledger WHERE id = %.0f", key))
end
function thread_done() connection:disconnect() end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One measurement: CPU of the generator per operation, and operations a second."""

    cpu_us: float
    per_s: float
    late_p99_ms: float = math.nan


async def measure() -> list[Figure]:
    """Stands a cluster up. Nothing is installed here but sysbench, if it is missing."""
    program = await sysbench(sources=Sources.of_environment())
    async with _cluster() as (target, folder):
        script = folder / "point.lua"
        script.write_text(_SCRIPT)
        await _fill(target)
        theirs, ours, flat_theirs, flat_ours = [], [], [], []
        for turn in range(ROUNDS):
            theirs.append(await _sysbench(program, script, target, rate=RATE))
            ours.append(await _load(target, folder / f"rate-{turn}", rate=RATE))
            flat_theirs.append(await _sysbench(program, script, target, rate=0))
            flat_ours.append(await _load(target, folder / f"flat-{turn}", rate=flat_theirs[-1].per_s))
        moderate = await _load(target, folder / "moderate", rate=MODERATE)
    return [
        _compared(f"load: CPU an operation at {RATE:g}/s", ours, theirs),
        _compared("load: CPU an operation, flat out", flat_ours, flat_theirs),
        Figure(
            name=f"load: schedule lag p99 at {MODERATE:g}/s",
            value=moderate.late_p99_ms,
            unit="ms",
            bound=f"≤ {SCHEDULE_P99_MS:g} ms",
            met=moderate.late_p99_ms <= SCHEDULE_P99_MS,
        ),
    ]


def _compared(name: str, ours: list[Cost], theirs: list[Cost]) -> Figure:
    mine, other = (statistics.median(cost.cpu_us for cost in costs) for costs in (ours, theirs))
    return Figure(
        name=name,
        value=mine,
        unit="µs",
        bound=f"≤ {TIMES_SYSBENCH:g} × sysbench's {other:.1f} µs",
        met=mine <= TIMES_SYSBENCH * other,
        detail=f"{mine / other:.2f} times; {_rates(ours)}/s against {_rates(theirs)}/s",
    )


def _rates(costs: list[Cost]) -> str:
    return f"{statistics.median(cost.per_s for cost in costs):.0f}"


class _Nobody:
    def on_event(self, event: Event) -> None: ...

    def on_progress(self, what: str, done: int | None, total: int | None) -> None: ...


@asynccontextmanager
async def _cluster() -> AsyncIterator[tuple[Target, Path]]:
    spec = ClusterSpec(shards=len(SHARDS), tablets_per_shard=2, schema=(LEDGER_SQL,), vschema=LEDGER_VSCHEMA)
    with tempfile.TemporaryDirectory(prefix="vtchaos-bench-") as name:
        folder = Path(name)
        backend = LocalBackend()
        async with backend.cluster(spec, folder=folder, logs=folder / "logs", observer=_Nobody()) as cluster:
            (vtgate,) = cluster.nodes(Role.VTGATE)
            host, port = cluster.address(vtgate, "mysql")
            yield Target(vtgate=vtgate.name, host=host, port=port), folder


async def _fill(target: Target) -> None:
    """The rows that sysbench asks for."""
    rows = ", ".join(f"({_BASE + number}, {number})" for number in range(1, ROWS + 1))
    async with admin_session(
        target.host, target.port, user=target.user, password=target.password, database="ks"
    ) as session:
        answer = await session.query(f"INSERT INTO ledger (id, value) VALUES {rows}", timeout_s=30)
    answer.require(f"inserting {ROWS} rows")


async def _sysbench(program: SysbenchInstall, script: Path, target: Target, *, rate: float) -> Cost:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = await procs.run(
        [
            program.sysbench,
            "--db-driver=mysql",
            f"--mysql-host={target.host}",
            f"--mysql-port={target.port}",
            f"--mysql-user={target.user}",
            f"--mysql-password={target.password}",
            "--mysql-db=ks",
            f"--threads={CONNECTIONS}",
            f"--rate={rate:.0f}",
            f"--time={SECONDS:.0f}",
            script,
            "run",
        ],
        timeout_s=60,
        env=program.env,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)  # nothing else of ours ends meanwhile
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    line = next(line for line in done.output.splitlines() if "total number of events:" in line)
    count = int(line.rsplit(":", 1)[1])
    return Cost(cpu_us=1e6 * cpu_s / count, per_s=count / SECONDS)


async def _load(target: Target, folder: Path, *, rate: float) -> Cost:
    """Operations at `rate` for SECONDS; the CPU is the worker's own, between two of its samples."""
    run = RunDir.create(folder)
    spec = LoadSpec(
        rate_per_shard=rate / len(SHARDS),
        write_share=WRITE_SHARE,
        connections_per_shard=CONNECTIONS // len(SHARDS),
    )
    async with running(spec, [target], keyspace="ks", shards=SHARDS, run=run, seed=1) as load:
        await hold(SECONDS)
        await load.stop(timeout_s=spec.issue_within_s)
    samples = [line for line in jsonio.read_lines(run.samples("load-0")) if line["at_ns"] > load.start_ns]
    end_ns = load.start_ns + int(SECONDS * 1e9)
    first, last = samples[0], [line for line in samples if line["at_ns"] <= end_ns][-1]
    ops = np.fromfile(run.ops(0), dtype=OP_DTYPE)
    done = ops[(ops["outcome"] == Outcome.OK) & (ops["done_ns"] > first["at_ns"]) & (ops["done_ns"] <= last["at_ns"])]
    late_ms = (done["sent_ns"] - done["intended_ns"]) / 1e6
    return Cost(
        cpu_us=1e6 * (last["values"]["cpu_s"] - first["values"]["cpu_s"]) / len(done),
        per_s=1e9 * len(done) / (last["at_ns"] - first["at_ns"]),
        late_p99_ms=float(np.quantile(late_ms, 0.99)),
    )
