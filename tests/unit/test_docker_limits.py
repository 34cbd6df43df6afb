"""CPU limits of containers: set, carried over to the next container of a node, and seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from clusters.docker.engine import Engine
from clusters.docker.limits import CpuLimits
from tests.unit.docker_fakes import refused


@dataclass
class Api:
    """Containers with a quota."""

    quotas: dict[str, int] = field(default_factory=lambda: {"c1": 0, "c2": 0})
    updates: list[tuple[str, int]] = field(default_factory=list)
    throttled: int = 0

    def update_container(self, container: str, *, cpu_period: int, cpu_quota: int) -> None:
        assert cpu_period == 100_000
        self.updates.append((container, cpu_quota))
        self.quotas[container] = cpu_quota

    def inspect_container(self, container: str) -> dict[str, Any]:
        if container not in self.quotas:
            raise refused(404, "no such container")
        return {"HostConfig": {"CpuQuota": self.quotas[container]}}

    def stats(self, container: str, *, stream: bool, one_shot: bool) -> dict[str, Any]:
        return {"cpu_stats": {"throttling_data": {"throttled_periods": self.throttled}}}

    def close(self) -> None:
        return


@pytest.fixture
async def api() -> Api:
    return Api()


@pytest.fixture
async def cpu(api: Api) -> AsyncIterator[CpuLimits]:
    engine = Engine(api)
    yield CpuLimits(engine)
    engine.close()


async def test_a_limit_is_set_seen_and_taken_back_once(api: Api, cpu: CpuLimits) -> None:
    await cpu.set("vtgate-1", "c1", 0.25)
    assert await cpu.traces({"vtgate-1": "c1", "vtctld": "c2"}) == ["vtgate-1 may use 0.25 CPUs"]
    await cpu.set("vtgate-1", "c1", 0.0)
    await cpu.set("vtgate-1", "c1", 0.0)
    assert api.updates == [("c1", 25_000), ("c1", -1)]
    assert await cpu.traces({"vtgate-1": "c1"}) == []


async def test_the_next_container_of_a_node_has_it_too(api: Api, cpu: CpuLimits) -> None:
    await cpu.set("vtgate-1", "", 0.1)
    await cpu.begun("vtgate-1", "c2")
    await cpu.begun("vtctld", "c1")
    assert api.updates == [("c2", 10_000)]


async def test_a_limit_of_a_harness_that_is_dead_is_taken_back_by_another(api: Api, cpu: CpuLimits) -> None:
    api.quotas["c1"] = 10_000
    await cpu.set("vtgate-1", "c1", 0.0)
    assert api.updates == [("c1", -1)]


async def test_a_quota_below_the_kernels_bound(api: Api, cpu: CpuLimits) -> None:
    await cpu.set("vtgate-1", "c1", 0.001)
    assert api.updates == [("c1", 1_000)]


async def test_what_the_kernel_counts_and_a_container_that_is_gone(api: Api, cpu: CpuLimits) -> None:
    api.throttled = 2  # under an earlier limit
    await cpu.set("vtgate-1", "c1", 0.1)
    assert await cpu.held_back("c1") == 0
    api.throttled = 5
    assert await cpu.held_back("c1") == 3
    await cpu.set("vtgate-1", "c1", 0.0)
    assert await cpu.held_back("c1") == 0
    assert await cpu.traces({"vtgate-1": "gone"}) == []
