"""/debug/vars of every process of a role, four times a second.

The cost is bounded on both sides. An answer (25 kB of a vttablet) costs its process and us about 1 ms of CPU each;
64 vttablets at 4 Hz kept two cores 92 % busy before any storm, at 0.5 Hz 65 % (measured). So a role gets at most
`MOST_PER_S` answers a second: up to 16 processes at 4 Hz, 64 at 1 Hz; the samples themselves show the rate. And while
our own loop takes more than `CPU_SHARE` of a core, the period grows further.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from harness.base.clock import now_ns
from harness.base.rundir import RunDir
from harness.base.wait import hold_until
from harness.contracts import Stage
from harness.model import Node, Role, Scalar
from harness.probes.samples import SampleLog
from harness.vitess.debug_vars import VarsClient, flatten

PERIOD_S = 0.23  # a little faster than 4 Hz, so that 4 Hz are kept when a round is late
MOST_PER_S = 70.0  # answers of all processes of a role together
CONNECTIONS = "HealthcheckConnections"
KNOWN_TABLETS = "known tablets"  # ours: the sum of a shard's labels
CPU_SHARE = 0.35  # of one core, for everything that the harness's loop does

# go/vt/vtgate/buffer/variables.go, go/vt/discovery/healthcheck.go, go/vt/vtgate/{vtgate,executor}.go (v0.19 to v0.24)
VTGATE_VARS = (
    "BufferStarts",
    "BufferStops",
    "BufferRequestsBuffered",
    "BufferRequestsDrained",
    "BufferRequestsEvicted",
    "BufferRequestsSkipped",
    "BufferLastFailoverDurationMs",
    "BufferLastRequestsInFlightMax",
    "BufferSize",
    "BufferUtilizationSum",
    "HealthcheckConnections",
    "HealthcheckErrors",
    "HealthcheckPrimaryPromoted",
    "HealthCheckChannelFullErrors",
    "VtgateApiErrorCounts",
    "VttabletCallErrorCount",
    "MysqlServerConnCount",
    "VtgateVSchemaCounts",
    "VStreamsCreated",
    "VStreamsLag",
    "VStreamsCount",  # 22 and later, as the next two
    "VStreamsEventsStreamed",
    "VStreamsEndedWithErrors",
    "Uptime",
)
# go/vt/vttablet/tabletserver (vstreamer/engine.go among others), go/vt/vttablet/tabletmanager (v0.21 to v0.24)
TABLET_VARS = (
    "TabletStateName",
    "TabletType",
    "IsInSrvKeyspace",
    "Errors",
    "InternalErrors",
    "Kills",
    "TransactionPoolInUse",
    "TransactionPoolWaitCount",
    "ConnPoolCapacity",
    "ConnPoolInUse",
    "SemiSyncMonitorWritesBlocked",
    "VStreamersCreated",
    "VStreamersEndedWithErrors",
    "VStreamerCount",
    "VStreamerErrors",
    "VStreamerPhaseTiming",
    "VStreamerEventsStreamed",
    "RowStreamerNumRows",
    "RowStreamerNumPackets",
    # go/vt/vttablet/tabletmanager/vreplication/stats.go (v0.21 to v0.24)
    "VReplicationStreamState",
    "VReplicationErrors",
    "VReplicationCopyLoopCount",
    "VReplicationCopyRowCount",
    "VReplicationPhaseTimingsCounts",
    "VReplicationLagSeconds",
)
VTCTLD_VARS = ("PlannedReparentCounts", "EmergencyReparentCounts", "ReparentShardOperationTimings")


@dataclass(frozen=True, slots=True, kw_only=True)
class VarsProbe:
    """Samples the kept variables of all nodes of a role, each into its own file."""

    name: str
    role: Role
    keep: tuple[str, ...]
    period_s: float = PERIOD_S

    async def run(self, stage: Stage, folder: Path) -> None:
        nodes = stage.cluster.nodes(self.role)
        period_s = max(self.period_s, len(nodes) / MOST_PER_S)
        pace = _Pace(period_s)
        async with _logs(RunDir(folder), nodes) as logs, VarsClient.open() as client, asyncio.TaskGroup() as group:
            group.create_task(pace.keep())
            began_ns = now_ns()
            for index, node in enumerate(nodes):
                # Evenly spread over the period: 64 answers at once stopped the loop for 100 to 300 ms.
                offset_ns = int(period_s * 1e9 * index / len(nodes))
                address = stage.cluster.address(node, "web")
                group.create_task(self._follow(client, address, logs[node.name], pace, began_ns + offset_ns))

    async def _follow(
        self, client: VarsClient, address: tuple[str, int], log: SampleLog, pace: _Pace, next_ns: int
    ) -> None:
        shards: set[str] = set()
        while True:
            await hold_until(next_ns)
            await self._one(client, address, log, shards)
            next_ns = max(next_ns + int(pace.period_s * 1e9), now_ns())

    async def _one(self, client: VarsClient, address: tuple[str, int], log: SampleLog, shards: set[str]) -> None:
        began_ns = now_ns()
        try:
            variables = await client.read(address)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            log.failed(f"{type(error).__name__}: {error}", began_ns=began_ns)
            return
        values = flatten(variables, self.keep)
        log.add({**values, **known_tablets(values, shards)}, began_ns=began_ns)


def known_tablets(values: Mapping[str, Scalar], shards: set[str]) -> dict[str, Scalar]:
    """Of how many tablets of each shard a vtgate has a health check that works; `shards`: where it has had one. vtgate
    leaves out a label that counts none (servingConnStats, go/vt/discovery/healthcheck.go, v0.24.3)."""
    found: Counter[str] = Counter()
    for key, number in values.items():
        name, _, label = key.partition(":")
        if name == CONNECTIONS:
            found[label.rpartition(".")[0]] += int(number)
    shards.update(found)
    return {f"{KNOWN_TABLETS}:{shard}": found[shard] for shard in shards}


class _Pace:
    """The period, longer while the loop spends more than `CPU_SHARE` of a core."""

    def __init__(self, period_s: float) -> None:
        self._least_s = period_s
        self.period_s = period_s

    async def keep(self) -> None:
        while True:
            cpu_s, at_ns = time.thread_time(), now_ns()
            await hold_until(at_ns + 1_000_000_000)
            share = (time.thread_time() - cpu_s) / ((now_ns() - at_ns) / 1e9)
            wanted_s = self.period_s * share / CPU_SHARE
            self.period_s = min(max(self._least_s, wanted_s), 4 * self._least_s)


@contextlib.asynccontextmanager
async def _logs(run: RunDir, nodes: tuple[Node, ...]) -> AsyncIterator[dict[str, SampleLog]]:
    logs = {node.name: SampleLog(run.samples(node.name)) for node in nodes}
    try:
        yield logs
    finally:
        for log in logs.values():
            log.close()
