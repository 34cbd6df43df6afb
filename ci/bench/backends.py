"""The same clusters on every backend, side by side: start, end, memory, and what an operation costs.

Every backend stands up one small cluster first, which is not measured: software, images and data directories are
there then. Memory is what is no longer available to others on this machine while the cluster serves. CPU is what the
programs take that serve an operation, those of containers and pods among them, less what they take when nothing is
asked; the load generator's is the same everywhere. Both mean nothing for a Kubernetes elsewhere.

The operations are point reads of rows that are there (one in a hundred is a write, so that there are), through one
vtgate to one shard, at one rate, from the load generator: what differs is the way to the vtgate and between the
components.
"""

from __future__ import annotations

import math
import secrets
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from ci.bench.figure import Figure
from clusters import BACKENDS
from harness.base.clock import now_ns
from harness.base.errors import VtchaosError
from harness.base.rundir import RunDir
from harness.base.wait import hold
from harness.contracts import Backend, Cluster
from harness.load.config import Target
from harness.load.driver import running
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import OP_DTYPE, ClusterSpec, Event, LoadSpec, Outcome, Placement, Role

ROUNDS = 3
SECONDS = 5.0
RATE = 500.0  # operations a second: no backend is busy with them
SMALL, LARGE = 2, 4  # shards of two tablets
SERVES = ("vtgate", "vttablet", "vtctld", "mysqld", "etcd")
ENGINES = ("dockerd", "docker-proxy", "containerd", "containerd-shim", "containerd-shim-runc-v2")
KUBERNETES = ("kubelet", "kube-apiserver", "kube-proxy", "kube-controller-manager", "kube-scheduler", "coredns")
COUNTED = frozenset(name[:15] for name in (*SERVES, *ENGINES, *KUBERNETES))  # as the kernel knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One cluster's life. Times in seconds, the rest as the names say; nan = not measured."""

    start_s: float
    end_s: float
    memory_mb: float
    round_trip_ms: float = math.nan
    round_trip_p99_ms: float = math.nan
    cpu_us: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Of one backend. `why_not`: why nothing could be measured."""

    small: Round | None = None
    large: Round | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table."""

    name: str
    unit: str
    of: Callable[[Measured], float]


def _of(which: str, field: str) -> Callable[[Measured], float]:
    def read(measured: Measured) -> float:
        found = getattr(measured, which)
        return math.nan if found is None else float(getattr(found, field))

    return read


ROWS = (
    Row(name="2 x 2 tablets: start to serving", unit="s", of=_of("small", "start_s")),
    Row(name="4 x 2 tablets: start to serving", unit="s", of=_of("large", "start_s")),
    Row(name="2 x 2 tablets: torn down", unit="s", of=_of("small", "end_s")),
    Row(name="4 x 2 tablets: torn down", unit="s", of=_of("large", "end_s")),
    Row(name="4 x 2 tablets: memory no longer available to others", unit="MB", of=_of("large", "memory_mb")),
    Row(name="point read through vtgate, median", unit="ms", of=_of("small", "round_trip_ms")),
    Row(name="point read through vtgate, p99", unit="ms", of=_of("small", "round_trip_p99_ms")),
    Row(name="CPU of what serves, an operation", unit="µs", of=_of("small", "cpu_us")),
)


async def measure() -> list[Figure]:
    """All backends, one after the other. One that cannot stand a cluster up here is told with its reason."""
    measured = {name: await _measured(backend) for name, backend in BACKENDS.items()}
    Console(width=120).print(table(measured))
    return [figure for name, each in measured.items() for figure in figures(name, each)]


def table(measured: Mapping[str, Measured]) -> Table:
    """Backends side by side."""
    made = Table("", *measured, box=None)
    for row in ROWS:
        made.add_row(f"{row.name}, {row.unit}", *(_cell(row.of(each)) for each in measured.values()))
    for name, each in measured.items():
        if each.why_not:
            made.caption = "\n".join(filter(None, (str(made.caption or ""), f"{name}: {each.why_not}")))
    return made


def figures(name: str, measured: Measured) -> Sequence[Figure]:
    if measured.why_not:
        return [Figure(name=f"{name}: not measured", value=math.nan, unit="", detail=measured.why_not)]
    return [Figure(name=f"{name}: {row.name}", value=row.of(measured), unit=row.unit) for row in ROWS]


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


# ---------------------------------------------------------------- measuring


async def _measured(backend: Backend) -> Measured:
    try:
        reasons = await backend.refusals(_spec(LARGE), Placement())
        if reasons:
            return Measured(why_not="; ".join(reasons))
        await _round(backend, 1, loaded=False)
        small = [await _round(backend, SMALL, loaded=turn == 0) for turn in range(ROUNDS)]
        large = [await _round(backend, LARGE, loaded=False) for _ in range(ROUNDS)]
    except VtchaosError as error:
        return Measured(why_not=str(error))
    return Measured(small=_median(small), large=_median(large))


def _median(rounds: Sequence[Round]) -> Round:
    """Of every field; of those that were measured in some rounds only, of these."""
    fields = {field: [getattr(each, field) for each in rounds] for field in Round.__dataclass_fields__}
    known = {field: [value for value in values if not math.isnan(value)] for field, values in fields.items()}
    return Round(**{field: statistics.median(values) if values else math.nan for field, values in known.items()})


def _spec(shards: int) -> ClusterSpec:
    return ClusterSpec(shards=shards, tablets_per_shard=2, schema=(LEDGER_SQL,), vschema=LEDGER_VSCHEMA)


async def _round(backend: Backend, shards: int, *, loaded: bool) -> Round:
    available, begin_ns = psutil.virtual_memory().available, now_ns()
    with tempfile.TemporaryDirectory(prefix="vtchaos-bench-") as name:
        folder = Path(name)
        async with _standing(backend, shards, folder) as cluster:
            serving_ns = now_ns()
            taken = available - psutil.virtual_memory().available
            cost = await _cost(cluster, folder / "load") if loaded else {}
            ending_ns = now_ns()
        end_ns = now_ns()
    return Round(start_s=(serving_ns - begin_ns) / 1e9, end_s=(end_ns - ending_ns) / 1e9, memory_mb=taken / 1e6, **cost)


@asynccontextmanager
async def _standing(backend: Backend, shards: int, folder: Path) -> AsyncIterator[Cluster]:
    folder.chmod(0o755)  # mysqld is another user
    async with backend.cluster(
        _spec(shards),
        Placement(),
        run=f"bench-{secrets.token_hex(4)}",
        folder=folder / "cluster",
        logs=folder / "logs",
        observer=_Nobody(),
    ) as cluster:
        yield cluster


async def _cost(cluster: Cluster, folder: Path) -> dict[str, float]:
    """Fields of Round."""
    (vtgate,) = cluster.nodes(Role.VTGATE)
    host, port = cluster.address(vtgate, "mysql")
    shard = cluster.spec.shard_names[0]
    idle = await _busy()
    run = RunDir.create(folder)
    spec = LoadSpec(rate_per_shard=RATE, write_share=0.01, connections_per_shard=4)
    target = Target(vtgate=vtgate.name, host=host, port=port)
    async with running(spec, [target], keyspace="ks", shards=(shard,), run=run, seed=1) as load:
        busy = await _busy()
        await load.stop(timeout_s=spec.issue_within_s)
    ops = np.fromfile(run.ops(0), dtype=OP_DTYPE)
    done = ops[ops["outcome"] == Outcome.OK]
    took_ms = (done["done_ns"] - done["sent_ns"]) / 1e6
    return {
        "round_trip_ms": float(np.median(took_ms)),
        "round_trip_p99_ms": float(np.quantile(took_ms, 0.99)),
        "cpu_us": 1e6 * (busy - idle) / (RATE * SECONDS),
    }


async def _busy() -> float:
    """CPU seconds of what serves, within SECONDS."""
    before = _spent()
    await hold(SECONDS)
    return sum(spent - before.get(process, 0.0) for process, spent in _spent().items())


def _spent() -> dict[psutil.Process, float]:
    rows = {row: row.info for row in psutil.process_iter(["name", "cpu_times"])}
    return {
        row: info["cpu_times"].user + info["cpu_times"].system
        for row, info in rows.items()
        if info["name"][:15] in COUNTED and info["cpu_times"] is not None
    }


class _Nobody:
    def on_event(self, event: Event) -> None: ...

    def on_progress(self, what: str, done: int | None, total: int | None) -> None: ...
