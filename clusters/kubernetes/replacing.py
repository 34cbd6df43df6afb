"""Whole pods as targets: one is deleted and another takes its name; a machine is cordoned and its pods leave it.

The new pod is empty: what a node needs is prepared anew, and its programs start with the next order. A pod whose data
goes with it is left alone: the cluster would not be the same one any more.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from clusters.common.layout import Layout
from clusters.kubernetes import names, orders
from clusters.kubernetes.api import Api
from clusters.kubernetes.links import Links
from clusters.kubernetes.pods import Pods
from clusters.kubernetes.processes import PodProcesses
from clusters.kubernetes.resources import NODE, POD
from harness.base import wait
from harness.base.errors import ClusterError
from harness.model import Node, Role


class Replacing:
    """The pods of one cluster as things that can be taken away."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        layout: Layout,
        pods: Pods,
        processes: PodProcesses,
        links: Links,
        *,
        durable: bool,
    ) -> None:
        """`durable`: the tablets' data is in volumes."""
        self._api = api
        self._namespace = namespace
        self._layout = layout
        self._pods = pods
        self._processes = processes
        self._links = links
        self._durable = durable

    def why_not(self, node: Node) -> str:
        """Why the node's pod cannot be replaced; "" when it can."""
        if node.role is Role.ETCD:
            return "etcd's data goes with its pod: the topology would be lost"
        if node.tablet_uid and not self._durable:
            return f"the data of {node.name} goes with its pod: give the tablets volumes (--storage-class)"
        return ""

    async def kill(self, node: Node, *, grace_s: int = 0, timeout_s: float) -> tuple[Node, ...]:
        """Delete the node's pod and wait for the new one. Returns the nodes that were in it, none of which runs.

        `grace_s` 0: the machine is not waited for either, as after its death. Raises ClusterError, WaitTimeout.
        """
        if self.why_not(node):
            raise ClusterError(self.why_not(node))
        return await self._replaced(
            node, lambda pod: self._api.delete(POD, pod, self._namespace, grace_s=grace_s), timeout_s
        )

    async def evict(self, node: Node, *, timeout_s: float) -> tuple[Node, ...]:
        """As `kill`, politely. While its machine is cordoned and no other has a place, no new pod comes."""
        if self.why_not(node):
            raise ClusterError(self.why_not(node))
        return await self._replaced(node, lambda pod: self._api.evict(pod, self._namespace), timeout_s)

    def machine(self, node: Node) -> str:
        """Raises ClusterError while the node's pod is on none."""
        pod = self._pods.get(names.box_of(node).pod)
        if pod is None or not pod.node:
            raise ClusterError(f"the pod of {node.name} is on no machine")
        return pod.node

    @contextlib.asynccontextmanager
    async def cordoned(self, machine: str) -> AsyncIterator[None]:
        """No pod, of anybody, is placed on a machine while the block lasts. Raises ApiError: no right to do so."""
        try:
            await self._api.patch(NODE, machine, {"spec": {"unschedulable": True}})
            yield
        finally:
            await self._api.patch(NODE, machine, {"spec": {"unschedulable": None}})

    async def _replaced(
        self, node: Node, act: Callable[[str], Awaitable[object]], timeout_s: float
    ) -> tuple[Node, ...]:
        pod = names.box_of(node).pod
        inside = tuple(other for other in self._layout.nodes if names.box_of(other).pod == pod)
        boxes = [names.box_of(other) for other in inside]
        before = self._pods.get(pod)
        uid = before.uid if before else ""
        self._processes.expect_end(inside)
        await act(pod)

        def another_runs() -> bool:
            now = self._pods.get(pod)
            return now is not None and now.uid != uid and all(self._pods.instance(box) for box in boxes)

        async def ends_known() -> bool:
            return not self._processes.running & {other.name for other in inside}

        await self._pods.until(f"another pod {pod} runs", another_runs, timeout_s=timeout_s)
        await wait.until(f"the ends of what ran in {pod} are known", ends_known, timeout_s=timeout_s)
        shell = await self._processes.reopened(node)
        for folder in {str(self._layout.folder(other)) for other in inside}:
            await shell.order(orders.folder(folder, {}))
        await self._links.again()
        await self._processes.limited_again(inside)
        return inside
