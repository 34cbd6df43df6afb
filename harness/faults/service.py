"""Whether a node does again what it is for, and what brings a MySQL server back that was started anew.

Asked is its service, not its life: a vttablet serves, and its shard's primary takes writes through every vtgate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from harness.base.errors import ClusterError
from harness.contracts import Ground
from harness.faults import evidence
from harness.faults.missing import Missing
from harness.faults.mysql_servers import ask, named, replica_status, server_of
from harness.model import Node, Remedy, Role
from harness.mysql.session import admin_session
from harness.vitess.debug_vars import VarsClient
from harness.vitess.proto import vtctldata_pb2
from harness.vitess.vtctld import VtctldError, alias_message, vtctld_of

MYSQL = "mysql-in-service"
REACH_WITHIN_S = 20.0
CALL_WITHIN_S = 15.0
STATEMENT_WITHIN_S = 5.0
_WRITABLE = "SELECT @@global.read_only, @@global.super_read_only"
_COMMITS = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_%'"
_SEMI_SYNC = "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_%_enabled'"


async def missing(ground: Ground, nodes: tuple[Node, ...]) -> Missing:
    """What keeps nodes from doing what they are for; true when nothing does."""
    found = [f"{node.name}: {what}" for node in nodes if (what := await _missing(ground, node))]
    return Missing(*found)


async def writes_missing(ground: Ground, nodes: tuple[Node, ...]) -> Missing:
    """Whether the shards of tablets take writes through every vtgate. Who was demoted need not serve yet: it says only
    at its next health check (20 s) that it replicates."""
    shards = dict.fromkeys((node.keyspace, node.shard) for node in nodes)
    vtgates = ground.cluster.nodes(Role.VTGATE)
    return Missing(*[await _queries(ground, vtgates, keyspace, (shard,)) for keyspace, shard in shards])


async def _missing(ground: Ground, node: Node) -> str:
    try:
        match node.role:
            case Role.VTTABLET | Role.MYSQLD:
                return await _tablet(ground, node)
            case Role.VTGATE:
                return await _queries(ground, (node,), ground.cluster.spec.keyspace, ground.cluster.spec.shard_names)
            case Role.ETCD:
                healthy = '"true"' in await evidence.page(ground, node, "/health")
                return await _topology(ground) if healthy else "it does not call itself healthy"
            case Role.VTCTLD:
                return await _topology(ground)
            case _:
                return "" if await evidence.page(ground, node, "/debug/vars") else "no /debug/vars"
    except ClusterError as error:
        return str(error)


async def _tablet(ground: Ground, node: Node) -> str:
    """Its vttablet serves, as primary or with both threads of its replication; its shard takes writes."""
    said = await serving(ground, _vttablet_of(ground, node))
    if said:
        return said
    vtctld = await ground.shared(vtctld_of)
    if await vtctld.shard_primary(node.keyspace, node.shard) != node.tablet_alias:
        status = await replica_status(ground, server_of(ground, node))
        threads = (status.get("Replica_IO_Running"), status.get("Replica_SQL_Running"))
        if threads != ("Yes", "Yes"):
            why = status.get("Last_IO_Error") or status.get("Last_SQL_Error") or "no error"
            return f"it does not replicate: {threads}, {why}"
    elif await _hangs_on_commit(ground, server_of(ground, node)):
        return "its commits wait for a replica: none is connected"
    return await _queries(ground, ground.cluster.nodes(Role.VTGATE), node.keyspace, (node.shard,))


async def _hangs_on_commit(ground: Ground, primary: Node) -> bool:
    """With semi-sync a commit waits for a replica. One whose connection broke makes a new one only after 10 s
    (vttablet's --replication-connect-retry, v0.24.3); reads are served meanwhile."""
    said = {str(row["Variable_name"]): row["Value"] for row in await ask(ground, primary, _COMMITS)}
    return (said.get("Rpl_semi_sync_source_status"), said.get("Rpl_semi_sync_source_clients")) == ("ON", "0")


async def serving(ground: Ground, vttablet: Node) -> str:
    """Why a vttablet does not serve, by what it says itself; "" when it does."""
    try:
        async with VarsClient.open() as client:
            variables = await client.read(ground.cluster.address(vttablet, "web"))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"no /debug/vars: {error}"
    state = str(variables.get("TabletStateName", "no TabletStateName"))
    return "" if state == "SERVING" else f"{variables.get('TabletType', '')} {state}".strip()


async def _queries(ground: Ground, vtgates: tuple[Node, ...], keyspace: str, shards: tuple[str, ...]) -> str:
    """A statement through a vtgate reaches the shard's primary, and its MySQL is not read-only."""
    for vtgate in vtgates:
        host, port = ground.cluster.address(vtgate, "mysql")
        for shard in shards:
            async with admin_session(host, port, database=f"{keyspace}:{shard}@primary") as session:
                answer = await session.query(_WRITABLE, timeout_s=STATEMENT_WITHIN_S)
            if answer.rows != ((0, 0),):
                return f"{vtgate.name}, {shard}: {answer.message or answer.rows}"
    return ""


async def _topology(ground: Ground) -> str:
    """vtctld reads a shard record from etcd."""
    spec = ground.cluster.spec
    vtctld = await ground.shared(vtctld_of)
    return "" if await vtctld.shard_primary(spec.keyspace, spec.shard_names[0]) else "no primary in the topology"


def _vttablet_of(ground: Ground, node: Node) -> Node:
    (found,) = [each for each in ground.cluster.nodes(Role.VTTABLET) if each.tablet_alias == node.tablet_alias]
    return found


# ---------------------------------------------------------------- a MySQL server that was started anew


async def mysql_in_service(ground: Ground, server: Node) -> Remedy:
    """What an operator does when a tablet's mysqld has been started anew; all it needs is written down before.

    Vitess starts mysqld super-read-only and with replication stopped (config/mycnf, v0.24.3), and without vtorc nobody
    changes that: a replica needs StartReplication, a primary SetWritable. Neither turns the primary's side of
    semi-sync on again (TabletManager.SetReadOnly, rpc_actions.go), which a promotion does: commits would no longer wait
    for a replica, and nobody would be told. So that is set as it was.
    """
    rows = await ask(ground, server, _SEMI_SYNC)
    enabled = " ".join(str(row["Variable_name"]) for row in rows if row["Value"] == "ON")
    return Remedy(kind=MYSQL, target=server.name, details={"semi_sync": enabled})


async def _in_service(ground: Ground, remedy: Remedy) -> None:
    """Nothing where vtorc runs: it does all this, or reparents, and two who do it would be in each other's way."""
    if ground.cluster.nodes(Role.VTORC):
        return
    server = named(ground, remedy.target)
    alias = server.tablet_alias
    vtctld = await ground.shared(vtctld_of)

    async def reached() -> Missing:
        try:
            await vtctld.execute_as_dba(alias, "SELECT 1", timeout_s=STATEMENT_WITHIN_S)
        except VtctldError as error:
            return Missing(str(error))
        return Missing()

    await ground.until(f"the vttablet of {server.name} reaches it", reached, timeout_s=REACH_WITHIN_S)
    if await vtctld.shard_primary(server.keyspace, server.shard) != alias:
        if await vtctld.execute_as_dba(alias, "SHOW REPLICA STATUS", timeout_s=STATEMENT_WITHIN_S):
            await vtctld.start_replication(alias)
        else:  # a reparent was broken off when this was no primary any more, and nobody's replica yet
            await vtctld.reparent_tablet(alias)
        return
    for variable in str(remedy.details["semi_sync"]).split():
        await ask(ground, server, f"SET GLOBAL {variable} = ON")
    request = vtctldata_pb2.SetWritableRequest(tablet_alias=alias_message(alias), writable=True)
    await vtctld.call("SetWritable", request, timeout_s=CALL_WITHIN_S)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {MYSQL: _in_service}
