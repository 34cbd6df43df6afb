"""/debug/vars of every process of a role, four times a second.

The cost is bounded: each process answers in well under a millisecond of its CPU (measured: 25 kB for a
vttablet), and what one round costs *us* is watched; when the rounds of a role take more than `CPU_SHARE` of a
core, the period grows, and the samples themselves show it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from harness.base.clock import now_ns
from harness.base.rundir import RunDir
from harness.base.wait import hold_until
from harness.contracts import Stage
from harness.model import Node, Role
from harness.probes.samples import SampleLog
from harness.vitess.debug_vars import VarsClient, flatten

PERIOD_S = 0.23  # a little faster than 4 Hz, so that 4 Hz are kept when a round is late
CPU_SHARE = 0.12  # of one core, for all processes of a role together

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
    "VStreamsCreated",
    "VStreamsEndedWithErrors",
    "Uptime",
)
# go/vt/vttablet/tabletserver, go/vt/vttablet/tabletmanager (v0.21 to v0.24)
TABLET_VARS = (
    "TabletStateName",
    "TabletType",
    "IsInSrvKeyspace",
    "Errors",
    "InternalErrors",
    "Kills",
    "TransactionPoolInUse",
    "TransactionPoolWaitCount",
    "SemiSyncMonitorWritesBlocked",
    "VStreamersCreated",
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
        async with _logs(RunDir(folder), nodes) as logs, VarsClient.open() as client:
            period_s = self.period_s
            next_ns = now_ns()
            while True:
                cpu_s = time.thread_time()
                await asyncio.gather(
                    *(self._one(client, stage.cluster.address(node, "web"), logs[node.name]) for node in nodes)
                )
                spent_s = time.thread_time() - cpu_s  # of the whole loop, so an upper bound for this round
                period_s = max(self.period_s, min(spent_s / CPU_SHARE, 4 * self.period_s))
                next_ns = max(next_ns + int(period_s * 1e9), now_ns())
                await hold_until(next_ns)

    async def _one(self, client: VarsClient, address: tuple[str, int], log: SampleLog) -> None:
        began_ns = now_ns()
        try:
            variables = await client.read(address)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            log.failed(f"{type(error).__name__}: {error}", began_ns=began_ns)
            return
        log.add(flatten(variables, self.keep), began_ns=began_ns)


@contextlib.asynccontextmanager
async def _logs(run: RunDir, nodes: tuple[Node, ...]) -> AsyncIterator[dict[str, SampleLog]]:
    logs = {node.name: SampleLog(run.samples(node.name)) for node in nodes}
    try:
        yield logs
    finally:
        for log in logs.values():
            log.close()
