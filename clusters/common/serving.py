"""Is the cluster serving? A query through every vtgate reaches every shard's primary, and its replicas are known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from clusters.common import answers
from clusters.common.mysqld import ADMIN_USER
from harness.base import wait
from harness.contracts import Cluster, Observer
from harness.model import Node, Role
from harness.mysql.session import admin_session

QUERY_TIMEOUT_S = 5.0


async def until_serving(cluster: Cluster, *, timeout_s: float, observer: Observer) -> None:
    """Raises WaitTimeout that names what is missing."""
    vtgates = cluster.nodes(Role.VTGATE)
    observer.on_progress("serving vtgates", 0, len(vtgates))
    await asyncio.gather(*(_until_serving(cluster, vtgate, timeout_s) for vtgate in vtgates))
    observer.on_progress("serving vtgates", len(vtgates), len(vtgates))


async def _until_serving(cluster: Cluster, vtgate: Node, timeout_s: float) -> None:
    async def nothing_missing() -> _Found:
        return _Found(await missing_tablets(cluster, vtgate) or await unreached_shards(cluster, vtgate))

    await wait.until(f"{vtgate.name} serves every shard", nothing_missing, timeout_s=timeout_s)


class _Found:
    """What is missing; true when nothing is."""

    def __init__(self, missing: list[str]) -> None:
        self._missing = missing

    def __bool__(self) -> bool:
        return not self._missing

    def __repr__(self) -> str:
        return f"missing: {', '.join(self._missing[:8])}" + (" …" if len(self._missing) > 8 else "")


async def missing_tablets(cluster: Cluster, vtgate: Node) -> list[str]:
    """Shards whose primary or replicas this vtgate does not see healthy (its HealthcheckConnections)."""
    seen = (await answers.variables(cluster.address(vtgate, "web"))).get("HealthcheckConnections", {})
    wanted: dict[str, int] = {}
    for keyspace in cluster.spec.keyspaces:
        for shard in keyspace.shard_names:
            wanted[f"{keyspace.name}.{shard}.primary"] = 1
            wanted[f"{keyspace.name}.{shard}.replica"] = keyspace.tablets_per_shard - 1
    return [name for name, count in wanted.items() if seen.get(name, 0) < count]


async def unreached_shards(cluster: Cluster, vtgate: Node) -> list[str]:
    """Shards that do not answer `SELECT 1` on their primary, with the answer."""
    host, port = cluster.address(vtgate, "mysql")
    unreached = []
    async with admin_session(host, port, user=ADMIN_USER) as session:
        for keyspace, shard in _shards(cluster):
            target = await session.query(f"USE `{keyspace}:{shard}@primary`", timeout_s=QUERY_TIMEOUT_S)
            answer = await session.query("SELECT 1", timeout_s=QUERY_TIMEOUT_S) if target.ok else target
            if not answer.ok:
                return [f"a query through {vtgate.name}: {answer.message}"]
            if answer.rows != ((1,),):
                unreached.append(f"{keyspace}/{shard}")
    return unreached


def _shards(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """(keyspace, shard) of all shards."""
    return ((keyspace.name, shard) for keyspace in cluster.spec.keyspaces for shard in keyspace.shard_names)
