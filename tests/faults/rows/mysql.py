"""Rows of harness/faults/mysql*.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contracts import Aim, Cluster
from harness.faults.mysql import PurgedBinlogs, ReadOnlyPrimary, StatementTimeLimit
from harness.faults.mysql_appliers import BrokenApplier
from harness.faults.mysql_replication import ErrantTransaction, SemiSyncWithoutAck, StoppedReplication
from harness.faults.mysql_sessions import ExhaustedConnections, HeldMetadataLock
from harness.model import Role
from harness.mysql.session import admin_session
from tests.faults.rows.row import ANSWER_WITHIN_S, Row, clients_are_served, the_replica_is_not_limited


async def the_replica_answers(cluster: Cluster, aim: Aim) -> None:
    """The MySQL of every tablet that is no target reads its table; it is asked itself, because vtgate may have its
    reasons not to (a replica of the tests before may still be unhealthy)."""
    others = [node for node in cluster.nodes(Role.MYSQLD) if node.name not in aim.targets]
    assert others
    for node in others:
        await _read(cluster.address(node, "mysql"), "vt_ks")


async def the_primary_is_read(cluster: Cluster, _: Aim) -> None:
    """Clients of vtgate read from the shard's primary."""
    await _read(cluster.address(cluster.nodes(Role.VTGATE)[0], "mysql"), cluster.spec.keyspace)


async def _read(address: tuple[str, int], database: str) -> None:
    async with admin_session(*address, user="vtchaos", database=database) as ask:
        (await ask.query("SELECT COUNT(*) FROM ledger", timeout_s=ANSWER_WITHIN_S)).require("reading the ledger")


ROWS: Mapping[str, Row] = {
    "PurgedBinlogs": Row(fault=PurgedBinlogs(shard="0"), bystander=clients_are_served),
    "StatementTimeLimit": Row(fault=StatementTimeLimit(shard="0", limit_ms=5000), bystander=the_replica_is_not_limited),
    "ReadOnlyPrimary": Row(fault=ReadOnlyPrimary(), bystander=the_primary_is_read),
    # The only replica of the shard: writers would wait for a receiver that is stopped.
    "StoppedReplication": Row(fault=StoppedReplication(thread="sql"), bystander=clients_are_served),
    "SemiSyncWithoutAck": Row(fault=SemiSyncWithoutAck(), bystander=the_primary_is_read),
    "BrokenApplier": Row(fault=BrokenApplier(), bystander=clients_are_served),
    "ErrantTransaction": Row(fault=ErrantTransaction(), bystander=clients_are_served),
    "HeldMetadataLock": Row(fault=HeldMetadataLock(), bystander=the_replica_answers),
    "ExhaustedConnections": Row(fault=ExhaustedConnections(), bystander=the_replica_answers),
}
