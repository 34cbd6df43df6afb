"""What a node may have of its host, and who took something from it.

A cluster knows one desired state of a node's limits. Several faults may take different things from one node, so one
table for each run holds what all of them took, and each gives its own part back.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from harness.base.errors import ClusterError
from harness.contracts import Cluster, Ground, OffersLimits
from harness.model import Limits, Node, Remedy

LIMITS = "limits"


class LimitTable:
    """The limits in force, by node."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._limits: dict[str, Limits] = {}
        self._turn = asyncio.Lock()

    async def change(self, node: Node, **part: float | bool) -> None:
        """Set fields of `Limits`; the others stay as they are. Raises ClusterError."""
        if not isinstance(self._cluster, OffersLimits):
            raise ClusterError(f"this backend cannot limit {node.name}")
        async with self._turn:
            wanted = dataclasses.replace(self._limits.get(node.name, Limits()), **part)  # type: ignore[arg-type]
            self._limits[node.name] = wanted  # first: it counts as in force whatever comes of it
            await self._cluster.set_limits(node, wanted)


@contextlib.asynccontextmanager
async def limits_of(cluster: Cluster) -> AsyncIterator[LimitTable]:
    """For `Ground.shared`."""
    yield LimitTable(cluster)


def unlimited(node: str, field: str) -> Remedy:
    """What gives a node back what `field` of `Limits` takes from it."""
    return Remedy(kind=LIMITS, target=node, details={"field": field})


def claim(node: str, field: str) -> str:
    """Two faults do not set the same limit."""
    return f"{field} limit of {node}"


async def _unlimited(ground: Ground, remedy: Remedy) -> None:
    """Whoever heals a dead run begins with an empty table: then all limits of the node go at once."""
    field = str(remedy.details["field"])
    default = getattr(Limits(), field, None)
    if default is None:
        raise ClusterError(f"the ledger's limit of {remedy.target} is of no kind that is known: {field}")
    (node,) = [node for node in ground.cluster.nodes() if node.name == remedy.target]
    await (await ground.shared(limits_of)).change(node, **{field: default})


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {LIMITS: _unlimited}
