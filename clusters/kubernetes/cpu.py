"""CPU limits of containers, changed while they run: pods' resize in place (Kubernetes 1.33 and later).

What a container was made with stands in its StatefulSet; what its pod says is in force. A limit can be changed and not
be taken away again ("resource limits cannot be removed", Kubernetes 1.34): where there was none, one stays that no
machine can reach. A pod that takes the name begins without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clusters.common.layout import Layout
from clusters.kubernetes import names
from clusters.kubernetes.api import Api
from clusters.kubernetes.names import Box
from clusters.kubernetes.resources import POD, STATEFUL_SET, Manifest, name_of
from clusters.kubernetes.shells import Shell
from harness.base import wait
from harness.base.errors import ClusterError
from harness.model import Node

LEAST_CPUS = 0.01  # the kernel's bound, 1 ms of every 100
UNREACHED_CPUS = 1000.0
RESIZED_WITHIN_S = 15.0
NO_RESIZE = (
    "a pod's CPU limit cannot be changed here: the cluster has no pods/resize (Kubernetes 1.33 and later have it)"
)
NO_RIGHT = "limiting CPU needs the right to patch pods/resize, which the cluster does not give"
_PARTS: Mapping[str, float] = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}
_COUNTED = "cat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat 2>/dev/null | grep nr_throttled || echo none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a container has of CPUs. `limit` infinite: none."""

    request: float
    limit: float

    def narrowed(self, cpus: float) -> Given:
        """A request may not be above its limit."""
        return Given(request=min(self.request, cpus), limit=cpus)

    @property
    def words(self) -> Mapping[str, Mapping[str, str]]:
        limit = min(self.limit, UNREACHED_CPUS)
        return {"requests": {"cpu": _milli(self.request)}, "limits": {"cpu": _milli(limit)}}


class CpuLimits:
    """The limits of one cluster's containers."""

    def __init__(self, api: Api, namespace: str, layout: Layout, *, why_not: str) -> None:
        """`why_not`: "" or why no limit can be changed."""
        self.why_not = why_not
        self._api = api
        self._namespace = namespace
        self._layout = layout
        self._wanted: dict[str, float] = {}  # node → CPUs
        self._before: dict[str, int] = {}  # node → what the kernel had counted when its limit was set
        self._shells: dict[Box, Shell] = {}

    async def set(self, node: Node, cpus: float) -> None:
        """0 = as it was made. Raises ClusterError, WaitTimeout."""
        if cpus:
            self._wanted[node.name] = max(LEAST_CPUS, cpus)
        else:
            self._wanted.pop(node.name, None)
        await self._apply(node)

    async def again(self, nodes: Iterable[Node]) -> None:
        """Their pod was replaced."""
        await asyncio.gather(*(self._apply(node) for node in nodes if node.name in self._wanted))

    async def held_back(self, node: Node) -> int:
        """How often the kernel has stopped the container at the limit that is in force; 0 without one."""
        if self.why_not or not await self._limited(node):
            return 0
        return await self._counted(node) - self._before.get(node.name, 0)

    async def traces(self) -> Sequence[str]:
        if self.why_not:
            return ()
        pods, sets = await asyncio.gather(
            self._api.list(POD, self._namespace), self._api.list(STATEFUL_SET, self._namespace)
        )
        has = {name_of(pod): pod["spec"] for pod in pods}
        made = {name_of(each): each["spec"]["template"]["spec"] for each in sets}
        rows = []
        for node in self._layout.nodes:
            box = names.box_of(node)
            if box.pod in has:
                limit = given(has[box.pod], box.container).limit
                if limit < given(made[names.set_of(node)], box.container).limit and limit < UNREACHED_CPUS:
                    rows.append(f"{node.name} may use {limit:g} CPUs")
        return rows

    async def close(self) -> None:
        await asyncio.gather(*(shell.close() for shell in self._shells.values()))

    # ------------------------------------------------------------ parts

    async def _apply(self, node: Node) -> None:
        made, has = await asyncio.gather(self._made(node), self._has(node))
        cpus = self._wanted.get(node.name, 0.0)
        wanted = made.narrowed(cpus) if cpus else made
        if not cpus and has.limit >= min(made.limit, UNREACHED_CPUS):
            return
        self._before[node.name] = await self._counted(node) if cpus else 0
        box = names.box_of(node)
        change = {"spec": {"containers": [{"name": box.container, "resources": wanted.words}]}}
        await self._api.patch(
            POD,
            box.pod,
            change,
            self._namespace,
            subresource="resize",
            content="application/strategic-merge-patch+json",
        )
        await self._until_resized(node, min(wanted.limit, UNREACHED_CPUS))

    async def _until_resized(self, node: Node, cpus: float) -> None:
        """The kubelet says what it has told the container runtime."""
        box = names.box_of(node)

        async def resized() -> bool:
            pod = await self._pod(box)
            rows = pod.get("status", {}).get("containerStatuses", ())
            now = [
                row.get("resources", {}).get("limits", {}).get("cpu") for row in rows if row["name"] == box.container
            ]
            return any(text is not None and abs(cpus_of(text) - cpus) < LEAST_CPUS / 2 for text in now)

        await wait.until(f"{node.name} may use {cpus:g} CPUs", resized, timeout_s=RESIZED_WITHIN_S)

    async def _limited(self, node: Node) -> bool:
        made, has = await asyncio.gather(self._made(node), self._has(node))
        return has.limit < min(made.limit, UNREACHED_CPUS)

    async def _made(self, node: Node) -> Given:
        found = await self._api.get(STATEFUL_SET, names.set_of(node), self._namespace)
        if found is None:
            raise ClusterError(f"the StatefulSet of {node.name} is gone")
        return given(found["spec"]["template"]["spec"], names.box_of(node).container)

    async def _has(self, node: Node) -> Given:
        box = names.box_of(node)
        return given((await self._pod(box))["spec"], box.container)

    async def _pod(self, box: Box) -> Manifest:
        found = await self._api.get(POD, box.pod, self._namespace)
        if found is None:
            raise ClusterError(f"the pod {box.pod} is not there")
        return found

    async def _counted(self, node: Node) -> int:
        """As the kernel counts in the container's own control group."""
        box = names.box_of(node)
        shell = self._shells.setdefault(box, Shell(self._api, self._namespace, box))
        said = (await shell.order(_COUNTED)).split()
        return int(said[1]) if said[:1] == ["nr_throttled"] else 0


async def why_not(api: Api, namespace: str) -> str:
    """Why limits cannot be changed; "" when they can."""
    offered = await api.requests.ask("GET", "/api/v1")
    if "pods/resize" not in (row["name"] for row in offered.get("resources", ())):
        return NO_RESIZE
    return "" if await api.can("patch", POD, namespace, subresource="resize") else NO_RIGHT


def given(spec: Manifest, container: str) -> Given:
    """Of a pod's specification."""
    (resources,) = [row.get("resources", {}) for row in spec["containers"] if row["name"] == container]
    limit = resources.get("limits", {}).get("cpu")
    request = resources.get("requests", {}).get("cpu", "0")
    return Given(request=cpus_of(request), limit=float("inf") if limit is None else cpus_of(limit))


def cpus_of(text: str | int) -> float:
    """A quantity of CPUs such as 100m, 2 or 1k."""
    number, part = str(text)[:-1], str(text)[-1:]
    return float(number) * _PARTS[part] if part in _PARTS else float(text)


def _milli(cpus: float) -> str:
    return f"{round(cpus * 1000)}m"
