"""Replication between the tablets of a shard: stopped, without acknowledgements, with a transaction of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from harness.base.errors import ClusterError, PlanError, WaitTimeout
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults.missing import Missing
from harness.faults.mysql_servers import (
    PRIMARIES,
    REPLICAS,
    ask,
    named,
    primary_of,
    replica_status,
    servers,
    session_with,
    told,
)
from harness.faults.targets import Targets
from harness.faults.traits import Traits
from harness.model import Node, Remedy, Role

FIRST_REPLICAS = replace(REPLICAS, number=1)
# With a `seq` of its own: with the next one of AUTO_INCREMENT the primary's next row would have the same, and the
# replica would stop with a duplicate key (measured).
ERRANT_ROW = (
    "INSERT INTO ledger (seq, id, value) VALUES (4611686018427387904, 1, 1) ON DUPLICATE KEY UPDATE value = value + 1"
)
REPLICATES = "replicates"
ABSORBED = "absorbed"
FELT_WITHIN_S = 9.0  # the source misses a silent replica at its next heartbeat: half of replica_net_timeout (8 s)
THREADS: Mapping[str, tuple[str, ...]] = {"": ("IO", "SQL"), "io": ("IO",), "sql": ("SQL",)}
_CLIENTS = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'"
_WAITS = "SELECT @@GLOBAL.rpl_semi_sync_source_enabled AS waits"
_ACKNOWLEDGES = "SELECT @@GLOBAL.rpl_semi_sync_replica_enabled AS acknowledges"
_SUPER = "SELECT @@GLOBAL.super_read_only AS super"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedReplication(Traits):
    """STOP REPLICA on replicas, or of one of its threads: "io" no longer receives, "sql" no longer applies.

    Nobody but VTOrc starts it again. Threads that ran before run again afterwards, unless the tablet was promoted
    meanwhile: RESET REPLICA ALL has then made it nobody's replica.
    """

    targets: Targets = REPLICAS
    thread: str = ""  # io | sql; "" = both

    def __post_init__(self) -> None:
        if self.thread not in THREADS:
            raise PlanError(f"a replica's threads are io and sql, not {self.thread!r}")

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: a target is no replica, or does not replicate as it is."""
        nodes = await servers(stage, self.targets)
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"thread": self.thread or "both"},
            undo=tuple([await replicates_again(stage, node) for node in nodes]),
            claims=frozenset(f"replication of {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        for name in aim.targets:
            await ask(stage, named(stage, name), *(f"STOP REPLICA {each}_THREAD" for each in THREADS[self.thread]))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The replicas' own SHOW REPLICA STATUS says that the threads do not run."""
        for name in aim.targets:
            status = await replica_status(stage, named(stage, name))
            if not status or any(status[f"Replica_{each}_Running"] != "No" for each in THREADS[self.thread]):
                return False
        return True

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await all_replicate(stage, aim.targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class SemiSyncWithoutAck(Traits):
    """No replica of a shard acknowledges: every commit on the primary hangs, for ever (Vitess sets
    rpl_semi_sync_source_timeout to 10^18 ms, config/mycnf, v0.24.3).

    `receiving`: the replicas get and apply what hangs, and only say nothing about it. vttablet switches a replica's
    acknowledgements on again whenever it points it at a primary, also in PlannedReparentShard
    (tabletmanager/rpc_replication.go, fixSemiSyncAndReplication, v0.24.3).
    """

    shards: tuple[str, ...] = ()  # () = all
    keyspace: str = ""  # "" = the cluster's main one
    receiving: bool = False

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: a primary does not wait for acknowledgements."""
        nodes: list[Node] = []
        for primary in await self._primaries(stage):
            (row,) = await ask(stage, primary, _WAITS)
            if not int(row["waits"]):
                raise ClusterError(f"{primary.name} does not wait for acknowledgements: its keyspace has no semi-sync")
            nodes += await _acknowledging(stage, primary)
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"receiving": self.receiving},
            undo=tuple([await replicates_again(stage, node, acknowledges=True) for node in nodes]),
            claims=frozenset(f"replication of {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        silence = ["STOP REPLICA IO_THREAD"]
        if self.receiving:
            silence = ["SET GLOBAL rpl_semi_sync_replica_enabled = 0", *silence, "START REPLICA IO_THREAD"]
        span.begin()
        for name in aim.targets:
            await ask(stage, named(stage, name), *silence)
        with contextlib.suppress(WaitTimeout):  # then the evidence is missing
            await stage.until(
                "the primaries miss every acknowledging replica",
                lambda: self.observed(stage, aim),
                timeout_s=FELT_WITHIN_S,
            )
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The primaries themselves count no replica that acknowledges."""
        for primary in await self._primaries(stage):
            if await _clients(stage, primary):
                return False
        return True

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """The replicas replicate, and the primaries count them again."""
        missing = await all_replicate(stage, aim.targets)
        if not missing:
            return missing
        alone = [primary.name for primary in await self._primaries(stage) if not await _clients(stage, primary)]
        return Missing(*(f"nobody acknowledges to {name}" for name in alone))

    async def _primaries(self, stage: Stage) -> tuple[Node, ...]:
        return await servers(stage, replace(PRIMARIES, keyspace=self.keyspace, shards=self.shards))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrantTransaction(Traits):
    """A replica executes a transaction of its own, which no other tablet has.

    It cannot be taken back. What heals is what an operator does: the shard's primary executes an empty transaction
    under the same GTID, so that all agree on what was executed; the rows it wrote stay on that replica. Once the
    replica was promoted its transaction is everybody's, and nothing is left to heal.
    """

    targets: Targets = FIRST_REPLICAS
    sql: str = ERRANT_ROW

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: a target is no replica."""
        nodes = await servers(stage, self.targets)
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"sql": self.sql},
            undo=tuple([await _absorbed(stage, node) for node in nodes]),
            claims=frozenset(f"read_only of {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        for name in aim.targets:
            server = named(stage, name)
            (was,) = await ask(stage, server, _SUPER)
            restore = f"SET GLOBAL super_read_only = {was['super']}"
            await ask(stage, server, "SET GLOBAL super_read_only = 0", self.sql, restore)
            span.detail(**{f"errant of {name}": ", ".join(await errant_gtids(stage, server))})
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The primaries themselves lack what the replicas have executed."""
        return all([await errant_gtids(stage, named(stage, name)) for name in aim.targets])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        errant = {name: await errant_gtids(stage, named(stage, name)) for name in aim.targets}
        return Missing(*(f"{name} has {', '.join(gtids)} alone" for name, gtids in errant.items() if gtids))


FAULTS: tuple[type[Fault], ...] = (StoppedReplication, SemiSyncWithoutAck, ErrantTransaction)


# ---------------------------------------------------------------- what the servers say


async def errant_gtids(ground: Ground, server: Node) -> tuple[str, ...]:
    """Transactions that a replica wrote itself and the shard's primary has not executed.

    Only the replica's own: under semi-sync a replica has what its primary still waits to commit.
    """
    (own,) = await ask(ground, server, "SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.gtid_executed AS executed")
    primary = await primary_of(ground, server.keyspace, server.shard)
    (row,) = await ask(ground, primary, f"SELECT GTID_SUBTRACT('{own['executed']}', @@GLOBAL.gtid_executed) AS alone")
    return tuple(single_gtids(str(row["alone"]), str(own["uuid"])))


def single_gtids(text: str, uuid: str) -> list[str]:
    """The GTIDs of one server in a set as MySQL spells it: "uuid:1-3:7,\\nuuid:…" (tags, of MySQL 8.3 and later,
    stand between the colons)."""
    found: list[str] = []
    for part in text.replace("\n", "").split(","):
        source, *pieces = part.strip().split(":")
        tag = ""
        for piece in pieces if source == uuid else ():
            first, _, last = piece.partition("-")
            if first.isdigit():
                found += [f"{uuid}:{tag}{number}" for number in range(int(first), int(last or first) + 1)]
            else:
                tag = f"{piece}:"
    return found


async def _acknowledging(stage: Stage, primary: Node) -> list[Node]:
    """The shard's replicas that acknowledge; an rdonly does not."""
    others = [
        node
        for node in stage.cluster.nodes(Role.MYSQLD)
        if (node.keyspace, node.shard) == (primary.keyspace, primary.shard) and node.name != primary.name
    ]
    answers = [(node, await ask(stage, node, _ACKNOWLEDGES)) for node in others]
    return [node for node, (row,) in answers if int(row["acknowledges"])]


async def _clients(stage: Stage, primary: Node) -> int:
    rows = await ask(stage, primary, _CLIENTS)
    return int(rows[0]["Value"]) if rows else 0


async def all_replicate(ground: Ground, names: tuple[str, ...]) -> Missing:
    """Who has become a primary meanwhile need not."""
    missing = []
    for name in names:
        status = await replica_status(ground, named(ground, name))
        seen = [f"{key} {status[key]}" for key in ("Replica_IO_Running", "Replica_SQL_Running") if status]
        behind = status.get("Seconds_Behind_Source", 0)
        if status and (behind != 0 or not all(each.endswith(" Yes") for each in seen)):
            missing.append(f"{name}: {', '.join(seen)}, {behind} s behind, {status['Last_Error'] or 'no error'}")
    return Missing(*missing)


# ---------------------------------------------------------------- taking back


async def replicates_again(ground: Ground, server: Node, *, acknowledges: bool = False) -> Remedy:
    """Raises ClusterError: it does not replicate as it is, so that there is nothing to come back to."""
    status = await replica_status(ground, server)
    if not status:
        raise ClusterError(f"{server.name} is nobody's replica")
    if (status["Replica_IO_Running"], status["Replica_SQL_Running"]) != ("Yes", "Yes"):
        raise ClusterError(f"{server.name} does not replicate already: {status['Last_Error'] or 'stopped'}")
    return Remedy(kind=REPLICATES, target=server.name, details={"acknowledges": acknowledges})


async def _replicate(ground: Ground, remedy: Remedy) -> None:
    """The receiver is asked for its acknowledgements when it connects, so it connects anew."""
    server = named(ground, remedy.target)
    if not await replica_status(ground, server):
        return
    acknowledge = ("SET GLOBAL rpl_semi_sync_replica_enabled = 1", "STOP REPLICA IO_THREAD")
    await ask(ground, server, *(acknowledge if remedy.details["acknowledges"] else ()), "START REPLICA")


async def _absorbed(ground: Ground, server: Node) -> Remedy:
    """Raises ClusterError: it is no replica."""
    if not await replica_status(ground, server):
        raise ClusterError(f"{server.name} is nobody's replica")
    (row,) = await ask(ground, server, _SUPER)
    return Remedy(kind=ABSORBED, target=server.name, details={"super_read_only": bool(row["super"])})


async def _absorb(ground: Ground, remedy: Remedy) -> None:
    """A GTID that is executed already is skipped by MySQL itself."""
    server = named(ground, remedy.target)
    if remedy.details["super_read_only"] and await replica_status(ground, server):
        await ask(ground, server, "SET GLOBAL super_read_only = 1")
    gtids = await errant_gtids(ground, server)
    primary = await primary_of(ground, server.keyspace, server.shard)
    async with session_with(ground, primary) as session:
        for gtid in gtids:
            await told(session, primary, f"SET gtid_next = '{gtid}'", "BEGIN", "COMMIT")


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {REPLICATES: _replicate, ABSORBED: _absorb}
