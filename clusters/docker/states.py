"""What stands still in containers: by the kernel's freezer, or by a signal, as the engine shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from clusters.docker.engine import Engine, Refused
from harness.model import Node

STOPPED = "Tt"  # ps(1), STAT: by a signal, by a debugger
_COLUMNS = "-eo pid,stat,comm"  # of the engine's machine: the engine picks the container's by the first one


async def standing_still(engine: Engine, containers: Mapping[Node, str]) -> Sequence[str]:
    """Of node → container. Raises ClusterError."""
    found = await asyncio.gather(*(_of(engine, node, container) for node, container in containers.items()))
    return tuple(filter(None, found))


async def _of(engine: Engine, node: Node, container: str) -> str:
    try:
        said = await engine.call("describe a container", engine.api.inspect_container, container)
        if said["State"].get("Paused"):
            return f"{node.name} is frozen"
        return stopped(node, await engine.call("list processes", engine.api.top, container, _COLUMNS))
    except Refused as refused:
        if refused.gone or "not running" in str(refused):
            return ""
        raise


def stopped(node: Node, listing: Mapping[str, Any]) -> str:
    """Of what ps says of a container: a tablet's mysqld and vttablet may share one."""
    rows = [row for row in listing.get("Processes") or () if row[2].startswith(node.role.value)]
    return f"{node.name} is stopped" if any(row[1][0] in STOPPED for row in rows) else ""
