"""When is it over? Read from every vtgate's own counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from harness.base.errors import WaitTimeout
from harness.contracts import Cluster, Stage
from harness.model import Node, Role
from harness.vitess.debug_vars import VarsClient, flatten

SETTLED_WITHIN_S = 60.0
_READ = ("BufferStarts", "BufferStops", "HealthcheckConnections")


async def aftermath(stage: Stage, *, settled_within_s: float = SETTLED_WITHIN_S) -> None:
    """How every timeline ends: recovery, until all is settled and for so long as the parameters say, and then quiet."""
    stage.phase("recovery")
    await until_settled(stage, timeout_s=settled_within_s)
    await stage.hold(stage.plan.params["recovery_s"])
    stage.phase("quiet")
    await stage.hold(stage.plan.params["quiet_s"])


async def until_settled(stage: Stage, *, timeout_s: float) -> None:
    """Wait until every vtgate has a primary for every shard and buffers nothing any more.

    That this does not happen within the bound is something to judge, not a failure of the harness: it is
    noted, and the run goes on.
    """

    async def settled() -> bool:
        vtgates = stage.cluster.nodes(Role.VTGATE)
        return all([await _settled(stage, node) for node in vtgates])

    try:
        await stage.until("every shard served and nothing buffered", settled, timeout_s=timeout_s)
    except WaitTimeout as error:
        stage.note("not settled", why=str(error))


async def _settled(stage: Stage, vtgate: Node) -> bool:
    client = await stage.shared(_vars_client)
    try:
        values = flatten(await client.read(stage.cluster.address(vtgate, "web")), _READ)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return False
    return all(_shard_settled(values, stage.cluster.spec.keyspace, shard) for shard in stage.cluster.spec.shard_names)


def _shard_settled(values: Mapping[str, Any], keyspace: str, shard: str) -> bool:
    stem = f"{keyspace}.{shard}"
    stops = sum(number for key, number in values.items() if key.startswith(f"BufferStops:{stem}."))
    starts = values.get(f"BufferStarts:{stem}", 0)
    return bool(values.get(f"HealthcheckConnections:{stem}.primary", 0) >= 1 and starts == stops)


def _vars_client(_: Cluster) -> Any:
    return VarsClient.open()
