"""Rows of harness/faults/disk.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.base import wait
from harness.contracts import Aim, Cluster
from harness.faults.disk import FullDisk
from harness.model import Role
from harness.mysql.session import admin_session
from tests.faults.rows.row import ANSWER_WITHIN_S, Row

_ROOM = (
    "SET sql_log_bin = 0",
    "CREATE TEMPORARY TABLE _vt.room (content LONGBLOB)",
    "INSERT INTO _vt.room VALUES (REPEAT('x', 4194304))",
)


async def the_others_have_room(cluster: Cluster, aim: Aim) -> None:
    """Every other MySQL server finds room for a temporary table; the full one still answers readers."""
    for node in cluster.nodes(Role.MYSQLD):
        host, port = cluster.address(node, "mysql")
        async with admin_session(host, port, user="vtchaos") as ask:
            for sql in ("SELECT 1",) if node.name in aim.targets else _ROOM:
                (await ask.query(sql, timeout_s=ANSWER_WITHIN_S)).require(f"{sql} on {node.name}")
    host, port = cluster.address(cluster.nodes(Role.VTGATE)[0], "mysql")
    async with admin_session(host, port, database=f"{cluster.spec.keyspace}@primary") as ask:

        async def read() -> bool:
            return (await ask.query("SELECT COUNT(*) FROM ledger", timeout_s=ANSWER_WITHIN_S)).ok

        await wait.until("a read of the primary", read, timeout_s=ANSWER_WITHIN_S)


ROWS: Mapping[str, Row] = {"FullDisk": Row(fault=FullDisk(), bystander=the_others_have_room)}
