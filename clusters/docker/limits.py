"""CPU limits of containers, changed while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from clusters.docker.engine import Engine, Refused

PERIOD_US = 100_000  # Docker's own, and Kubernetes'
LEAST_QUOTA_US = 1_000  # the kernel's bound
NO_LIMIT = -1
TOGETHER = "a tablet's mysqld and vttablet share a container here (--together), and with it a limit"
LIMITED = "the containers have a CPU limit of their own (--cpus), which the engine refuses to change into another kind"


class CpuLimits:
    """A node gets a new container whenever it starts; its limit goes over to that one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wanted: dict[str, float] = {}
        self._before: dict[str, int] = {}  # container → what the kernel had counted when its limit was set

    async def set(self, node: str, container: str, cpus: float) -> None:
        """`container` "" where the node does not run. Raises ClusterError."""
        changes = self._wanted.get(node, 0.0) != cpus
        if cpus:
            self._wanted[node] = cpus
        else:
            self._wanted.pop(node, None)
        if container and (changes or await self._cpus(container)):
            await self._update(container, cpus)

    async def begun(self, node: str, container: str) -> None:
        """In a new container of this node. Raises ClusterError."""
        if container and node in self._wanted:
            await self._update(container, self._wanted[node])

    async def held_back(self, container: str) -> int:
        """How often the kernel has stopped a container at the quota that is in force, as the engine reads it there; the
        count outlives a quota."""
        if not await self._cpus(container):
            return 0
        return await self._counted(container) - self._before.get(container, 0)

    async def _counted(self, container: str) -> int:
        api = self._engine.api
        said = await self._engine.call("read a container's figures", api.stats, container, stream=False, one_shot=True)
        return int(said.get("cpu_stats", {}).get("throttling_data", {}).get("throttled_periods", 0))

    async def traces(self, containers: Mapping[str, str]) -> Sequence[str]:
        """Of node → container, which the engine limits."""
        found = await asyncio.gather(*(self._cpus(container) for container in containers.values()))
        return [f"{node} may use {cpus:g} CPUs" for node, cpus in zip(containers, found, strict=True) if cpus]

    async def _update(self, container: str, cpus: float) -> None:
        self._before[container] = await self._counted(container) if cpus else 0
        quota = max(LEAST_QUOTA_US, int(cpus * PERIOD_US)) if cpus else NO_LIMIT
        update = self._engine.api.update_container
        await self._engine.call("limit a container", update, container, cpu_period=PERIOD_US, cpu_quota=quota)

    async def _cpus(self, container: str) -> float:
        """0 = no limit, or gone."""
        try:
            said = await self._engine.call("describe a container", self._engine.api.inspect_container, container)
        except Refused as refused:
            if refused.gone:
                return 0.0
            raise
        quota = int(said.get("HostConfig", {}).get("CpuQuota") or 0)
        return quota / PERIOD_US if quota > 0 else 0.0
