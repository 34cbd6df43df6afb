"""Whole pods as targets: one is deleted or evicted and another takes its name; a machine is cordoned.

The new pod is empty: what a node needs is prepared anew, and its programs start with the next order. A pod whose data
goes with it is left alone: the cluster would not be the same one any more.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from clusters.common.layout import Layout
from clusters.kubernetes import cordons, names, orders
from clusters.kubernetes.api import Api
from clusters.kubernetes.links import Links
from clusters.kubernetes.pods import Pods
from clusters.kubernetes.processes import PodProcesses
from clusters.kubernetes.resources import NODE, POD
from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.model import Node, PodSeen, Role


class Replacing:
    """`harness.contracts.WholePods` of one cluster."""

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

    async def why_no_cordon(self) -> str:
        """Why no machine can be cordoned; "" when one can."""
        if await self._api.can("patch", NODE):
            return ""
        return "cordoning a machine needs the right to patch nodes, which the cluster does not give"

    def inside(self, node: Node) -> tuple[Node, ...]:
        """All nodes in the node's pod."""
        pod = names.box_of(node).pod
        return tuple(other for other in self._layout.nodes if names.box_of(other).pod == pod)

    async def seen(self, node: Node) -> PodSeen:
        """As the API server has it now. Raises ApiError."""
        pod = await self._api.get(POD, names.box_of(node).pod, self._namespace)
        if pod is None:
            return PodSeen()
        return PodSeen(
            uid=pod["metadata"]["uid"],
            machine=pod["spec"].get("nodeName", ""),
            leaving="deletionTimestamp" in pod["metadata"],
        )

    async def take(self, node: Node, *, evict: bool = False) -> None:
        """Delete the node's pod at once, as after its machine's death, or ask for its eviction.

        Raises ClusterError, also when a disruption budget does not permit the eviction.
        """
        if self.why_not(node):
            raise ClusterError(self.why_not(node))
        self._processes.expect_end(self.inside(node))
        pod = names.box_of(node).pod
        if evict:
            await self._api.evict(pod, self._namespace)
        else:
            await self._api.delete(POD, pod, self._namespace, grace_s=0)

    async def again(self, node: Node, *, unlike: str = "", timeout_s: float) -> None:
        """Wait for the pod, which is not that of the uid `unlike`, and prepare it; it may have been so all the time.

        What is not known to run in it does not. Raises ClusterError, WaitTimeout.
        """
        inside, pod = self.inside(node), names.box_of(node).pod
        boxes = [names.box_of(other) for other in inside]

        async def there() -> bool:
            seen, known = await self.seen(node), self._pods.get(pod)
            is_it = bool(seen.uid) and not seen.leaving and seen.uid != unlike
            return is_it and known is not None and known.uid == seen.uid and all(map(self._pods.instance, boxes))

        try:
            await wait.until(f"the pod {pod} runs", there, timeout_s=timeout_s)
        except WaitTimeout as error:
            raise ClusterError(f"{error}; {self._pods.problems() or 'no problem is told'}") from None
        if unlike:
            await wait.until(
                f"the ends of what ran in {pod} are known", lambda: self._ended(inside), timeout_s=timeout_s
            )
        shell = await self._processes.reopened(node)
        for folder in {str(self._layout.folder(other)) for other in inside}:
            await shell.order(orders.folder(folder, {}))
        await self._links.again()
        await self._processes.limited_again(inside)

    async def kill(self, node: Node, *, timeout_s: float) -> tuple[Node, ...]:
        """Its pod is deleted and another takes its name. Returns the nodes that were in it, none of which runs.
        Raises ClusterError, WaitTimeout."""
        return await self._replaced(node, evict=False, timeout_s=timeout_s)

    async def evict(self, node: Node, *, timeout_s: float) -> tuple[Node, ...]:
        """As `kill`, politely. While its machine is cordoned and no other has a place, no new pod comes."""
        return await self._replaced(node, evict=True, timeout_s=timeout_s)

    async def is_cordoned(self, machine: str) -> bool:
        """By whomever. Raises ApiError."""
        return await cordons.is_cordoned(self._api, machine)

    async def set_cordon(self, machine: str, cordoned: bool) -> None:
        """No pod, of anybody, is placed on a cordoned one; what somebody else cordoned is left alone. Raises
        ClusterError, also where that is so; ApiError: no right to do so."""
        act = cordons.cordon if cordoned else cordons.uncordon
        await act(self._api, machine, self._namespace)

    @contextlib.asynccontextmanager
    async def cordoned(self, machine: str) -> AsyncIterator[None]:
        """As long as the block lasts."""
        try:
            await self.set_cordon(machine, True)
            yield
        finally:
            await self.set_cordon(machine, False)

    async def traces(self) -> Sequence[str]:
        """Machines that are cordoned for this cluster's sake."""
        return [f"machine {name} is cordoned" for name in await cordons.of(self._api, self._namespace)]

    async def _replaced(self, node: Node, *, evict: bool, timeout_s: float) -> tuple[Node, ...]:
        was = await self.seen(node)
        await self.take(node, evict=evict)
        await self.again(node, unlike=was.uid, timeout_s=timeout_s)
        return self.inside(node)

    async def _ended(self, nodes: Sequence[Node]) -> bool:
        return not self._processes.running & {node.name for node in nodes}
