"""Where this host reaches the nodes: at their pods' own addresses where it can, else through port-forwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from clusters.common.layout import Layout
from clusters.kubernetes import names
from clusters.kubernetes.api import Api
from clusters.kubernetes.pods import Pods
from harness.model import Node

TRY_TIMEOUT_S = 1.0
_NOBODY_LISTENS = 1  # tcpmux: no image of ours has it


class Reach:
    """Answers `outside`. `forwards`: (node, port) → address here; empty = directly."""

    def __init__(self, layout: Layout, pods: Pods, forwards: Mapping[tuple[str, str], tuple[str, int]]) -> None:
        self._layout = layout
        self._pods = pods
        self._forwards = forwards

    @property
    def directly(self) -> bool:
        return not self._forwards

    def outside(self, node: Node, port: str) -> tuple[str, int]:
        """Raises ClusterError while the pod has no address."""
        if self._forwards:
            return self._forwards[node.name, port]
        return self._pods.address(names.box_of(node).pod), self._layout.port(node, port)


@contextlib.asynccontextmanager
async def opened(
    api: Api, namespace: str, layout: Layout, pods: Pods, *, forward: bool = False
) -> AsyncIterator[Reach]:
    """All pods run. The port-forwards stay as long as the block. `forward`: even where it need not be."""
    async with contextlib.AsyncExitStack() as stack:
        forwards: dict[tuple[str, str], tuple[str, int]] = {}
        if forward or not await directly(layout, pods):
            for node in layout.nodes:
                for port, number in layout.ports[node.name].items():
                    way = api.port_forward(namespace, names.box_of(node).pod, number)
                    forwards[node.name, port] = await stack.enter_async_context(way)
        yield Reach(layout, pods, forwards)


async def directly(layout: Layout, pods: Pods) -> bool:
    """Whether a pod of every machine refuses a connection to a port on which nobody listens: who refuses is reached."""
    of_machine: dict[str, str] = {}
    for node in layout.nodes:
        pod = pods.get(names.box_of(node).pod)
        if pod is not None:
            of_machine.setdefault(pod.node, pod.address)
    refused = await asyncio.gather(*(_refuses(address) for address in of_machine.values()))
    return all(refused)


async def _refuses(address: str) -> bool:
    try:
        async with asyncio.timeout(TRY_TIMEOUT_S):
            _, writer = await asyncio.open_connection(address, _NOBODY_LISTENS)
    except ConnectionRefusedError:
        return True
    except OSError:  # TimeoutError too
        return False
    writer.close()
    return False
