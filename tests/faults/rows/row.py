"""A row of the table of faults under test, and who must not feel a fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from harness.base import wait
from harness.contracts import Aim, Cluster, Fault
from harness.load.config import Target
from harness.model import Role
from harness.mysql.session import admin_session
from harness.vitess.vtctld import vtctld_of

ANSWER_WITHIN_S = 30.0


async def clients_are_served(cluster: Cluster, _: Aim) -> None:
    """A client of vtgate writes a row and finds it."""
    host, port = cluster.address(cluster.nodes(Role.VTGATE)[0], "mysql")
    who = Target(vtgate="vtgate-1", host=host, port=port)
    async with admin_session(host, port, user=who.user, password=who.password, database=cluster.spec.keyspace) as ask:
        for sql in ("INSERT INTO ledger (id, value) VALUES (7, 7)", "SELECT value FROM ledger WHERE id = 7"):
            answer = await ask.query(sql, timeout_s=ANSWER_WITHIN_S)
            answer.require(sql)
    assert (7,) in answer.rows


async def the_primary_is_not_delayed(cluster: Cluster, aim: Aim) -> None:
    """Who is no target has no delay; its clients are served."""
    async with vtctld_of(cluster) as vtctld:
        others = [tablet.alias for tablet in await vtctld.tablets(cluster.spec.keyspace)]
        others = [alias for alias in others if alias not in aim.targets]
        assert others
        assert [await vtctld.configured_delay_s(alias) for alias in others] == [0] * len(others)
    await clients_are_served(cluster, aim)


async def the_replica_is_read(cluster: Cluster, aim: Aim) -> None:
    """The shard's other tablet answers its readers. It is told to look at its health: after the reparents of other
    tests it says only at its next health check (20 s) that it replicates again."""
    host, port = cluster.address(cluster.nodes(Role.VTGATE)[0], "mysql")
    async with vtctld_of(cluster) as vtctld:
        for tablet in await vtctld.tablets(cluster.spec.keyspace):
            if tablet.alias != aim.details["alias"]:
                await vtctld.run_health_check(tablet.alias)
    async with admin_session(host, port, database=f"{cluster.spec.keyspace}@replica") as ask:

        async def read() -> bool:
            return (await ask.query("SELECT COUNT(*) FROM ledger", timeout_s=ANSWER_WITHIN_S)).ok

        await wait.until("a replica read", read, timeout_s=ANSWER_WITHIN_S)


async def clients_are_served_soon(cluster: Cluster, aim: Aim) -> None:
    """A write succeeds; perhaps not the first.

    After TabletExternallyReparented a vtgate may go on asking the old primary ("operation not allowed in state
    NOT_SERVING") until the new one's next health message: 11 of 13 times, 19 s at the default --health-check-interval,
    24.0.3. A health check of the new primary ended it, one of the old primary did not. It is not buffered within a
    minute of another test's reparent (--buffer-min-time-between-failovers).
    """
    host, port = cluster.address(cluster.nodes(Role.VTGATE)[0], "mysql")
    async with admin_session(host, port, database=cluster.spec.keyspace) as ask:

        async def written() -> bool:
            return (await ask.query("INSERT INTO ledger (id, value) VALUES (7, 7)", timeout_s=ANSWER_WITHIN_S)).ok

        await wait.until("a write", written, timeout_s=ANSWER_WITHIN_S)


async def the_primary_is_read(cluster: Cluster, aim: Aim) -> None:
    """Who reads from the primary is served. Writers are not: the shard's only replica acknowledges nothing."""
    host, port = cluster.address(cluster.nodes(Role.VTGATE)[0], "mysql")
    async with admin_session(host, port, database=f"{cluster.spec.keyspace}@primary") as ask:
        (await ask.query("SELECT COUNT(*) FROM ledger", timeout_s=ANSWER_WITHIN_S)).require("a read of the primary")


async def the_other_tablet_answers(cluster: Cluster, aim: Aim) -> None:
    """The tablet that is left answers for itself. (vtgate asks no replica that did not replicate when it was looked at
    last.)"""
    hit = str(aim.details["aliases"]).split()
    async with vtctld_of(cluster) as vtctld:
        others = [t.alias for t in await vtctld.tablets(cluster.spec.keyspace) if t.alias not in hit]
        assert others
        for alias in others:
            assert await vtctld.execute_as_dba(alias, f"SELECT COUNT(*) AS n FROM vt_{cluster.spec.keyspace}.ledger")


async def the_replica_is_not_limited(cluster: Cluster, aim: Aim) -> None:
    """Who is no target has no limit; its clients are served."""
    async with vtctld_of(cluster) as vtctld:
        others = [tablet.alias for tablet in await vtctld.tablets(cluster.spec.keyspace)]
        for alias in set(others) - set(aim.targets):
            (row,) = await vtctld.execute_as_dba(alias, "SELECT @@GLOBAL.max_execution_time AS limit_ms")
            assert row["limit_ms"] == "0"
    await clients_are_served(cluster, aim)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault of the shared cluster's only shard, and who must not feel it."""

    fault: Fault
    bystander: Callable[[Cluster, Aim], Awaitable[None]]
    says: str = ""  # part of the operation's own error, which is recorded and not raised
