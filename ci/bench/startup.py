"""How long a cluster takes to serve and to go, and how much memory and CPU it has taken by then."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from ci.bench.figure import Figure
from clusters.common.cluster import NodesCluster
from clusters.local.backend import LocalBackend
from clusters.local.processes import SupervisedProcesses
from harness.base.clock import now_ns
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, Event

SMALL_START_S = 5.0
LARGE_START_S = 35.0
LARGE_MEMORY_GB = 12.0
TEARDOWN_S = 5.0


async def measure() -> list[Figure]:
    """2 x 2 and 32 x 2 tablets of the default release, each with the ledger's schema. Nothing is installed here."""
    await _stand(1)  # programs found, template made
    small, large = await _stand(2), await _stand(32)
    return [
        _figure("2 x 2 tablets: start to serving", small.start_s, "s", SMALL_START_S, _cpu(small)),
        _figure("32 x 2 tablets: start to serving", large.start_s, "s", LARGE_START_S, _cpu(large)),
        _figure("32 x 2 tablets: memory (PSS)", large.total("pss") / 1e9, "GB", LARGE_MEMORY_GB, _memory(large)),
        Figure(name="32 x 2 tablets: memory no longer available to others", value=large.taken_bytes / 1e9, unit="GB"),
        _figure("32 x 2 tablets: torn down", large.end_s, "s", TEARDOWN_S),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One cluster's life. `usage`: per role, sums of `cpu_s`, `rss` and `pss` when it began to serve;
    `taken_bytes` includes the data, which are in memory, too."""

    start_s: float
    end_s: float
    taken_bytes: int
    usage: Mapping[str, Mapping[str, float]]

    def total(self, what: str) -> float:
        return sum(row[what] for row in self.usage.values())


async def _stand(shards: int) -> Stand:
    spec = ClusterSpec(shards=shards, tablets_per_shard=2, schema=(LEDGER_SQL,), vschema=LEDGER_VSCHEMA)
    with tempfile.TemporaryDirectory(prefix="vtchaos-bench-") as name:
        folder = Path(name)
        available = psutil.virtual_memory().available
        begin_ns = now_ns()
        async with LocalBackend().cluster(spec, folder=folder, logs=folder / "logs", observer=_Nobody()) as cluster:
            serving_ns = now_ns()
            assert isinstance(cluster, NodesCluster)
            usage = await _usage(cluster)
            taken = available - psutil.virtual_memory().available
            ending_ns = now_ns()
        start_s, end_s = (serving_ns - begin_ns) / 1e9, (now_ns() - ending_ns) / 1e9
        return Stand(start_s=start_s, end_s=end_s, taken_bytes=taken, usage=usage)


def _processes(cluster: NodesCluster) -> SupervisedProcesses:
    assert isinstance(cluster.processes, SupervisedProcesses)
    return cluster.processes


async def _usage(cluster: NodesCluster) -> dict[str, dict[str, float]]:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: {"cpu_s": 0.0, "rss": 0.0, "pss": 0.0})
    for name, row in (await _processes(cluster).supervisor.usage(pss=True)).items():
        for what, amount in row.items():
            sums[cluster.layout.node(name).role][what] += amount
    return dict(sums)


def _figure(name: str, value: float, unit: str, bound: float, detail: str = "") -> Figure:
    return Figure(name=name, value=value, unit=unit, bound=f"≤ {bound:g} {unit}", met=value <= bound, detail=detail)


def _cpu(stand: Stand) -> str:
    rows = ", ".join(f"{role} {row['cpu_s']:.1f}" for role, row in stand.usage.items())
    return f"CPU {stand.total('cpu_s'):.1f} s: {rows}"


def _memory(stand: Stand) -> str:
    return ", ".join(f"{role} {row['pss'] / 1e6:.0f} MB" for role, row in stand.usage.items())


class _Nobody:
    """No display: it would be measured, too."""

    def on_event(self, event: Event) -> None:
        return

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        return
