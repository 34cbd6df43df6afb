"""The MySQL servers of the primaries themselves, for what no vtgate may read.

MoveTables denies the tables of its target to every query ("disallowed due to rule: enforce denied tables"; measured,
v0.24.3) until traffic is switched, whether they come by routing rule or straight to a shard.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.base.errors import ClusterError
from harness.contracts import Cluster
from harness.load.config import Target
from harness.load.tables import Server
from harness.model import KeyspaceSpec, Role
from harness.vitess.vtctld import vtctld_of


async def servers_of(cluster: Cluster, keyspaces: Iterable[KeyspaceSpec]) -> dict[tuple[str, str], Server]:
    """(keyspace, shard) → the primary's MySQL, as the topology has it now. Raises ClusterError: there is none."""
    found: dict[tuple[str, str], Server] = {}
    mysqlds = {node.tablet_alias: node for node in cluster.nodes(Role.MYSQLD)}
    async with vtctld_of(cluster) as vtctld:
        for keyspace in keyspaces:
            for shard in keyspace.shard_names:
                alias = await vtctld.shard_primary(keyspace.name, shard)
                if alias not in mysqlds:
                    raise ClusterError(f"{keyspace.name}/{shard} has no primary to read tables from")
                host, port = cluster.address(mysqlds[alias], "mysql")
                target = Target(vtgate=mysqlds[alias].name, host=host, port=port, password="")
                found[keyspace.name, shard] = Server(target=target, database=f"vt_{keyspace.name}")
    return found
