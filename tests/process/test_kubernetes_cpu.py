"""Goal: a pod's CPU limit becomes what is wanted, is known to be in force, and is as it was made when it is taken back.

Method: an API server's half, with a StatefulSet and its pod; the kubelet is played by the test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusters.kubernetes import cpu, names
from clusters.kubernetes.cpu import UNREACHED_CPUS, CpuLimits, Given, cpus_of, given
from harness.model import ClusterSpec, Limits
from tests.unit.kubernetes_fakes import FakeServer, Object

LAYOUT = names.layout_of(ClusterSpec(shards=1), mysql="9.7.4", etcd="3.6.10", logs=Path("/logs"))
VTGATE = LAYOUT.node("vtgate-1")
SPACE = "/api/v1/namespaces/ns"
SET = "/apis/apps/v1/namespaces/ns/statefulsets/vtgate-1"
POD = f"{SPACE}/pods/vtgate-1-0"


def resources(limit: str = "") -> Object:
    return {"requests": {"cpu": "100m"}, **({"limits": {"cpu": limit}} if limit else {})}


def spec(limit: str = "") -> Object:
    return {"containers": [{"name": "vtgate", "resources": resources(limit)}]}


class Server(FakeServer):
    """Does what a resize says, and says so as a kubelet does."""

    def __init__(self, limit: str = "") -> None:
        super().__init__()
        meta: Object = {"name": "vtgate-1"}
        self.objects = {
            SET: {"metadata": meta, "spec": {"template": {"spec": spec(limit)}}},
            POD: {"metadata": {"name": "vtgate-1-0"}, "spec": spec(limit), "status": {}},
            "/api/v1": {"resources": [{"name": "pods/resize"}]},
        }

    async def _object(self, request: Any) -> Any:
        answer = await super()._object(request)
        if request.path == f"{POD}/resize":
            (row,) = self.bodies[-1]["spec"]["containers"]
            self.objects[POD] = {**self.objects[POD], "spec": {"containers": [row]}}
            self.objects[POD]["status"] = {"containerStatuses": [row]}
        return answer


class Limited(CpuLimits):
    """Of a container whose kernel has counted nothing yet."""

    async def _counted(self, node: object) -> int:
        return 0


async def changed(folder: Path, server: Server, *cpus: float) -> tuple[list[Object], tuple[str, ...]]:
    """What was told to the pod, and what is seen of it at last."""
    async with server.opened(folder) as api:
        limits = Limited(api, "ns", LAYOUT, why_not=await cpu.why_not(api, "ns"))
        for each in cpus:
            await limits.set(VTGATE, each)
        told = [body["spec"]["containers"][0]["resources"] for body in server.bodies if "spec" in body]
        return [row for row in told if "limits" in row], tuple(await limits.traces())


async def test_it_is_limited_and_what_asks_for_more_asks_for_less(tmp_path: Path) -> None:
    told, traces = await changed(tmp_path, Server(), 0.05)
    assert told == [{"requests": {"cpu": "50m"}, "limits": {"cpu": "50m"}}]
    assert traces == ("vtgate-1 may use 0.05 CPUs",)


async def test_a_limit_cannot_be_removed_so_nobody_reaches_the_one_that_stays(tmp_path: Path) -> None:
    told, traces = await changed(tmp_path, Server(), 0.1, 0.0, 0.0)
    assert told[1:] == [{"requests": {"cpu": "100m"}, "limits": {"cpu": f"{UNREACHED_CPUS * 1000:.0f}m"}}]
    assert traces == ()


async def test_the_limit_that_it_was_made_with_comes_back(tmp_path: Path) -> None:
    told, traces = await changed(tmp_path, Server("1500m"), 0.1, 0.0)
    assert told[1:] == [{"requests": {"cpu": "100m"}, "limits": {"cpu": "1500m"}}]
    assert traces == ()


async def test_what_nobody_limited_is_left_alone(tmp_path: Path) -> None:
    """Whoever heals a dead run gives back what may not have been taken."""
    assert await changed(tmp_path, Server(), Limits().cpus) == ([], ())


async def test_a_server_without_the_resize(tmp_path: Path) -> None:
    server = Server()
    server.objects["/api/v1"] = {"resources": [{"name": "pods"}]}
    async with server.opened(tmp_path) as api:
        assert await cpu.why_not(api, "ns") == cpu.NO_RESIZE


async def test_without_the_right(tmp_path: Path) -> None:
    server = Server()
    server.denied = {("patch", "pods")}
    async with server.opened(tmp_path) as api:
        assert await cpu.why_not(api, "ns") == cpu.NO_RIGHT


@pytest.mark.parametrize("text, cpus", [("100m", 0.1), ("2", 2.0), ("1k", 1000.0), ("0", 0.0), ("1500m", 1.5)])
def test_a_quantity(text: str, cpus: float) -> None:
    assert cpus_of(text) == pytest.approx(cpus)


def test_what_a_container_has() -> None:
    assert given(spec(), "vtgate") == Given(request=0.1, limit=float("inf"))
    assert given(spec("2"), "vtgate") == Given(request=0.1, limit=2.0)
