"""A data directory that takes no further byte.

There is no slow one. Data is in memory here (tmpfs), below which no block layer is that could be slow (blkio sees
nothing, dm-delay is in few kernels), and MySQL never waits for a disk (innodb_flush_method=nosync, sync_binlog=0).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.base.errors import ClusterError, PlanError
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults import service
from harness.faults.limits import claim, limits_of, unlimited
from harness.faults.missing import Missing
from harness.faults.mysql_servers import ADMIN, PRIMARIES, named
from harness.faults.process import runs_again
from harness.faults.targets import Targets, nodes_of
from harness.faults.traits import Traits
from harness.model import Capability, Node, Remedy, Role
from harness.mysql.session import admin_session
from harness.vitess.vtctld import VtctldError, vtctld_of

FIELD = "disk_full"
NOT_WAITING = "not-waiting-for-room"
RECOVER_WITHIN_S = 150.0
STATEMENT_WITHIN_S = 5.0
ROTATE_WITHIN_S = 3.0
PROBE_BYTES = 4 << 20  # more than a temporary tablespace has free of its own
NO_ROOM = (3, 1021, 1026, 1030, 1114)  # EE_WRITE, ER_DISK_FULL, ER_ERROR_ON_WRITE, ER_GET_ERRNO, ER_RECORD_FILE_FULL
_PROBE = (
    "SET sql_log_bin = 0",
    "CREATE TEMPORARY TABLE _vt.vtchaos_room (content LONGBLOB) ENGINE = InnoDB",
    f"INSERT INTO _vt.vtchaos_room VALUES (REPEAT('x', {PROBE_BYTES}))",
)
# Nothing changes, and it goes through the binary log all the same. While it waits for a replica's acknowledgement it
# holds no lock that a vttablet needs to begin, for whose replica it may be waiting.
_NO_CHANGE = "DROP TABLE IF EXISTS _vt.vtchaos_no_such_table"
_WAITING = "Waiting for disk space"  # what SHOW PROCESSLIST says of a thread
_ROTATE = "FLUSH LOCAL BINARY LOGS"  # needs the lock that is held while the binary log waits


@dataclass(frozen=True, slots=True, kw_only=True)
class FullDisk(Traits):
    """The data directories of MySQL servers are full: files can be written where they are, but grow no more.

    What needs room in a tablespace fails with errno 1114. The binary log waits for room and looks again every 60 s
    (my_write with MY_WAIT_IF_FULL; mysys/errors.cc), so that commits hang instead of failing. So does a replica's relay
    log, and with it STOP REPLICA. A commit that is killed while it waits, as vttablet does when its client gives
    up, takes the whole server with it: binlog_error_action is ABORT_SERVER, and it notices at its next look only
    (measured, 9.7.4). So a server that still waits when there is room again is killed and started anew: it would take
    up to 60 s to see the room, or end then.

    Recovered: there is room, the tablet does what it is for, and its shard's primary, whoever that is now, commits.
    """

    targets: Targets = PRIMARIES

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.DISK})

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: nothing fits; PlanError: not only MySQL servers fit."""
        nodes = await self.targets.chosen(stage)
        others = [node.name for node in nodes if node.role is not Role.MYSQLD]
        if others:
            raise PlanError(f"only a MySQL server's data directory can be full, not that of {', '.join(others)}")
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"shards": ", ".join(dict.fromkeys(f"{node.keyspace}/{node.shard}" for node in nodes))},
            undo=(
                *[await service.mysql_in_service(stage, node) for node in nodes],
                *(runs_again(node.name) for node in nodes),
                *(Remedy(kind=NOT_WAITING, target=node.name) for node in nodes),
                *(unlimited(node.name, FIELD) for node in nodes),
            ),
            claims=frozenset(claim(node.name, FIELD) for node in nodes),
            recover_within_s=RECOVER_WITHIN_S,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        limits = await stage.shared(limits_of)
        span.begin()
        for node in nodes_of(stage, aim):
            await limits.change(node, disk_full=True)
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """MySQL itself has no room for a temporary table."""
        errors = await asyncio.gather(*(_no_room(stage, node) for node in nodes_of(stage, aim)))
        return all(errno in NO_ROOM for errno in errors)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        nodes = nodes_of(stage, aim)
        for node in nodes:
            if errno := await _no_room(stage, node):
                return Missing(f"{node.name} has no room for a temporary table: errno {errno}")
        for keyspace, shard in dict.fromkeys((node.keyspace, node.shard) for node in nodes):
            if why := await _does_not_commit(stage, keyspace, shard):
                return Missing(why)
        return await service.missing(stage, nodes)


async def _no_room(stage: Stage, node: Node) -> int:
    """What MySQL answers to who needs room: 0 = it has some."""
    host, port = stage.cluster.address(node, "mysql")
    async with admin_session(host, port, user=ADMIN) as session:
        for statement in _PROBE:
            answer = await session.query(statement, timeout_s=STATEMENT_WITHIN_S)
            if not answer.ok:
                return answer.errno
    return 0


async def _does_not_commit(stage: Stage, keyspace: str, shard: str) -> str:
    vtctld = await stage.shared(vtctld_of)
    try:
        primary = await vtctld.shard_primary(keyspace, shard)
        await vtctld.execute_as_dba(primary, _NO_CHANGE, binlogs=True, timeout_s=STATEMENT_WITHIN_S)
    except VtctldError as error:
        return f"the primary of {keyspace}/{shard} does not commit: {error}"
    return ""


# ---------------------------------------------------------------- taking back


async def _not_waiting(ground: Ground, remedy: Remedy) -> None:
    server = named(ground, remedy.target)
    host, port = ground.cluster.address(server, "mysql")
    async with admin_session(host, port, user=ADMIN) as session:
        threads = await session.query("SHOW PROCESSLIST", timeout_s=ROTATE_WITHIN_S)
        waiting = any(_WAITING in row for row in threads.rows)
        if threads.ok and not waiting and (await session.query(_ROTATE, timeout_s=ROTATE_WITHIN_S)).ok:
            return
    with contextlib.suppress(ClusterError):  # it does not run
        await ground.cluster.signal(server, signal.SIGKILL)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {NOT_WAITING: _not_waiting}
FAULTS: tuple[type[Fault], ...] = (FullDisk,)
