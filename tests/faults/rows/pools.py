"""Rows of harness/faults/pools.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contracts import Aim, Cluster
from harness.faults.pools import AbandonedQueries
from harness.model import Role
from harness.mysql.session import admin_session
from tests.faults.rows.row import ANSWER_WITHIN_S, Row


async def a_row_is_written(cluster: Cluster, _: Aim) -> None:
    """Through vtgate: what writes has a pool of its own."""
    host, port = cluster.address(cluster.nodes(Role.VTGATE)[0], "mysql")
    async with admin_session(host, port, database=cluster.spec.keyspace) as ask:
        sql = "INSERT INTO ledger (id, value) VALUES (7, 7)"
        (await ask.query(sql, timeout_s=ANSWER_WITHIN_S)).require(sql)


ROWS: Mapping[str, Row] = {
    "AbandonedQueries": Row(fault=AbandonedQueries(queries=500), bystander=a_row_is_written),
}
