"""Tablets' own MySQL servers, spoken to directly: neither a fault nor its evidence needs a vttablet that lives."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from harness.base.errors import ClusterError
from harness.contracts import Ground, Stage
from harness.faults.targets import Targets
from harness.model import Node, Role
from harness.mysql.session import AdminSession, admin_session

ADMIN = (
    "vtchaos"  # all rights, so that one connection beyond max_connections is left for it (clusters/common/init_db.sql)
)
STATEMENT_WITHIN_S = 10.0
PRIMARIES = Targets(role=Role.MYSQLD, tablet_type="primary")
REPLICAS = Targets(role=Role.MYSQLD, tablet_type="replica")

Row = dict[str, Any]


async def servers(stage: Stage, targets: Targets) -> tuple[Node, ...]:
    """The MySQL servers of the chosen tablets, whether mysqlds or vttablets were named. Raises ClusterError."""
    return tuple(server_of(stage, tablet) for tablet in await targets.chosen(stage))


def server_of(ground: Ground, tablet: Node) -> Node:
    """Raises ClusterError: it is no tablet, or its MySQL is out of reach."""
    for node in ground.cluster.nodes(Role.MYSQLD):
        if node.tablet_uid == tablet.tablet_uid and node.cell == tablet.cell:
            return node
    raise ClusterError(f"{tablet.name} has no MySQL server that could be reached")


def named(ground: Ground, name: str) -> Node:
    """Raises ClusterError: there is no such node."""
    for node in ground.cluster.nodes():
        if node.name == name:
            return node
    raise ClusterError(f"no node is called {name}")


async def primary_of(ground: Ground, keyspace: str, shard: str) -> Node:
    """The MySQL server of a shard's primary, as the topology has it now. Raises ClusterError."""
    targets = Targets(role=Role.MYSQLD, keyspace=keyspace, shards=(shard,), tablet_type="primary")
    found = await targets.fitting(ground)
    if not found:
        raise ClusterError(f"{keyspace}/{shard} has no primary whose MySQL could be reached")
    return found[0]


@contextlib.asynccontextmanager
async def session_with(ground: Ground, server: Node) -> AsyncIterator[AdminSession]:
    """One session, in the tablet's database."""
    host, port = ground.cluster.address(server, "mysql")
    database = f"vt_{server.keyspace}"
    async with admin_session(host, port, user=ADMIN, database=database) as session:
        yield session


async def told(session: AdminSession, server: Node, *statements: str) -> list[Row]:
    """Statements one after the other; the rows of the last. Raises ClusterError for the first that fails."""
    rows: list[Row] = []
    for statement in statements:
        answer = await session.query(statement, timeout_s=STATEMENT_WITHIN_S)
        answer.require(f"{server.name}: {statement}")
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return rows


async def ask(ground: Ground, server: Node, *statements: str) -> list[Row]:
    """`told` in a session of its own."""
    async with session_with(ground, server) as session:
        return await told(session, server, *statements)


async def replica_status(ground: Ground, server: Node) -> Row:
    """SHOW REPLICA STATUS; empty for a server that replicates from nobody."""
    rows = await ask(ground, server, "SHOW REPLICA STATUS")
    return rows[0] if rows else {}
