"""Whether a cluster is as it should be, apart from the faults that are in force."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from harness.base.errors import HarnessError
from harness.contracts import Ground, OffersTraces
from harness.model import Node


async def wrong(ground: Ground, *, but: Collection[str] = ()) -> str:
    """What is wrong, as a sentence; "" when every node runs and nothing is left in force. `but`: nodes that need
    not run. Never raises for a sick cluster."""
    nodes = [node for node in ground.cluster.nodes() if node.name not in but]
    found = [what for what in await asyncio.gather(*(_runs(ground, node) for node in nodes)) if what]
    if isinstance(ground.cluster, OffersTraces):
        try:
            found += await ground.cluster.traces()
        except HarnessError as error:
            found.append(f"what is in force cannot be seen: {error}")
    return "; ".join(found)


async def _runs(ground: Ground, node: Node) -> str:
    """Signal 0 only asks."""
    try:
        await ground.cluster.signal(node, 0)
    except HarnessError as error:
        return str(error)
    return ""
