"""What is done to a tablet's MySQL behind Vitess's back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.base.errors import ClusterError
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults import mysql_appliers, mysql_replication, mysql_sessions, service
from harness.faults.missing import Missing
from harness.faults.mysql_servers import PRIMARIES, ask, named, replica_status, servers
from harness.faults.process import tablet_of
from harness.faults.targets import Targets
from harness.faults.traits import Traits
from harness.model import Remedy
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of

SQL = "sql"
WRITABLE = "writable"
_READ_ONLY = "SELECT @@GLOBAL.read_only AS plain, @@GLOBAL.super_read_only AS super"
_READ_LIMIT = "SELECT @@GLOBAL.max_execution_time AS limit_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgedBinlogs(Traits):
    """The binary logs of one tablet are rotated and all older ones removed: who resumes there from an earlier
    position gets errno 1236.

    vtgate up to 22 ends the stream, or tries the same tablet again (vstream_manager.go, shouldRetry); from 23.0.0 on it
    tries another tablet (#18710). One-shot: what was purged cannot be brought back. MySQL keeps a log that somebody is
    reading at this moment, and all after it (a warning, no error): then the evidence is missing.
    """

    shard: str
    tablet_type: str = "replica"
    number: int = 1  # which of the tablets of this type, in the order of their aliases
    keyspace: str = ""  # "" = the cluster's main one

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: the shard has no such tablet."""
        keyspace = self.keyspace or stage.cluster.spec.keyspace
        tablet = await tablet_of(stage, keyspace, self.shard, tablet_type=self.tablet_type, number=self.number)
        vtctld = await stage.shared(vtctld_of)
        (row,) = await vtctld.execute_as_dba(tablet.alias, "SELECT @@global.gtid_purged AS purged")
        details = {"keyspace": keyspace, "shard": self.shard, "alias": tablet.alias, "was_purged": row["purged"]}
        return Aim(targets=(tablet.alias,), details=details)

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        alias = aim.targets[0]
        span.begin()
        try:
            # LOCAL: a FLUSH that is written to the binary log of a replica is an errant transaction.
            await vtctld.execute_as_dba(alias, "FLUSH LOCAL BINARY LOGS")
            logs = await vtctld.execute_as_dba(alias, "SHOW BINARY LOGS")
            await vtctld.execute_as_dba(alias, f"PURGE BINARY LOGS TO '{logs[-1]['Log_name']}'")
        except VtctldError as error:
            span.failed(str(error))
        else:
            span.active()
            span.detail(logs=len(logs), kept=logs[-1]["Log_name"])
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The server has purged transactions that it had not purged before."""
        vtctld = await stage.shared(vtctld_of)
        grown = f"SELECT GTID_SUBTRACT(@@global.gtid_purged, '{aim.details['was_purged']}') AS grown"
        (row,) = await vtctld.execute_as_dba(aim.targets[0], grown)
        return bool(row["grown"])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTimeLimit(Traits):
    """max_execution_time of a shard's primary: MySQL ends every SELECT of a later session that takes longer, with
    errno 3024, unless the statement brings a MAX_EXECUTION_TIME hint of its own (vitess#17862)."""

    shard: str
    limit_ms: int
    keyspace: str = ""  # "" = the cluster's main one

    async def aim(self, stage: Stage) -> Aim:
        keyspace = self.keyspace or stage.cluster.spec.keyspace
        vtctld = await stage.shared(vtctld_of)
        primary = await vtctld.shard_primary(keyspace, self.shard)
        was = await _limit_ms(vtctld, primary)
        return Aim(
            targets=(primary,),
            details={"keyspace": keyspace, "shard": self.shard, "was_ms": was},
            undo=(sql(primary, _set_limit(was)),),
            claims=frozenset({f"max_execution_time of {primary}"}),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        span.begin()
        await vtctld.execute_as_dba(aim.targets[0], _set_limit(self.limit_ms))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The server itself says so, to another session than the one that set it may be."""
        vtctld = await stage.shared(vtctld_of)
        return await _limit_ms(vtctld, aim.targets[0]) == self.limit_ms

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return not await self.observed(stage, aim)


def _set_limit(limit_ms: int) -> str:
    return f"SET GLOBAL max_execution_time = {limit_ms}"


async def _limit_ms(vtctld: VtctldClient, alias: str) -> int:
    (row,) = await vtctld.execute_as_dba(alias, _READ_LIMIT)
    return int(row["limit_ms"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnlyPrimary(Traits):
    """SET GLOBAL read_only = 1 on primaries, behind Vitess's back: writes fail with errno 1290.

    vttablet calls that a cluster event and vtgate begins to buffer, as for a reparent (tabletserver.go,
    convertErrorCode; buffer.CausedByFailover, v0.24.3). Taken back only where it is still as it was left: a tablet
    that Vitess has demoted meanwhile is read-only for a reason.
    """

    targets: Targets = PRIMARIES

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: a target is read-only already."""
        nodes = await servers(stage, self.targets)
        sick = [node.name for node in nodes if await _read_only(stage, node.name) != (0, 0)]
        if sick:
            raise ClusterError(f"read-only already: {', '.join(sick)}")
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"shards": ", ".join(f"{node.keyspace}/{node.shard}" for node in nodes)},
            undo=tuple(Remedy(kind=WRITABLE, target=node.name) for node in nodes),
            claims=frozenset(f"read_only of {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        for name in aim.targets:
            await ask(stage, named(stage, name), "SET GLOBAL read_only = 1")
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The servers say so, and that they are nobody's replica."""
        return all([await _read_only_primary(stage, name) for name in aim.targets])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """Each takes writes, or is a replica now; and its shard takes writes through every vtgate."""
        read_only = [f"{name} is read-only" for name in aim.targets if await _read_only_primary(stage, name)]
        servers_hit = tuple(named(stage, name) for name in aim.targets)
        return Missing(*read_only) and await service.writes_missing(stage, servers_hit)


async def _read_only(ground: Ground, name: str) -> tuple[int, int]:
    """(read_only, super_read_only) of a server."""
    (row,) = await ask(ground, named(ground, name), _READ_ONLY)
    return int(row["plain"]), int(row["super"])


async def _read_only_primary(ground: Ground, name: str) -> bool:
    read_only = (await _read_only(ground, name))[0] == 1
    return read_only and not await replica_status(ground, named(ground, name))


FAULTS: tuple[type[Fault], ...] = (
    ReadOnlyPrimary,
    StatementTimeLimit,
    PurgedBinlogs,
    *mysql_replication.FAULTS,
    *mysql_sessions.FAULTS,
    *mysql_appliers.FAULTS,
)


# ---------------------------------------------------------------- taking back


def sql(alias: str, statement: str) -> Remedy:
    """A statement that takes back what was done to a tablet's MySQL, run by its vttablet."""
    return Remedy(kind=SQL, target=alias, details={"sql": statement})


async def _execute(ground: Ground, remedy: Remedy) -> None:
    vtctld = await ground.shared(vtctld_of)
    await vtctld.execute_as_dba(remedy.target, str(remedy.details["sql"]))


async def _writable(ground: Ground, remedy: Remedy) -> None:
    """super_read_only, too: that was not us but a demotion, and making it writable would make two primaries."""
    as_left = await _read_only(ground, remedy.target) == (1, 0)
    if as_left and not await replica_status(ground, named(ground, remedy.target)):
        await ask(ground, named(ground, remedy.target), "SET GLOBAL read_only = 0")


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {
    SQL: _execute,
    WRITABLE: _writable,
    **mysql_replication.REMEDIES,
    **mysql_appliers.REMEDIES,
}
