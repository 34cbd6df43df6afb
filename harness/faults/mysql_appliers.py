"""Replicas whose applier stops with an error, while they go on receiving and acknowledging."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults.missing import Missing
from harness.faults.mysql_replication import all_replicate, replicates_again
from harness.faults.mysql_servers import PRIMARIES, ask, named, replica_status, servers
from harness.faults.targets import Targets
from harness.faults.traits import Traits
from harness.model import Remedy, Role

APPLIES = "applies"
EVERY = Targets(role=Role.MYSQLD)
KEY_NOT_FOUND = 1032  # ER_KEY_NOT_FOUND
FELT_WITHIN_S = 5.0
_ROW = "_vt.reparent_journal WHERE time_created_ns = 1"
_INSERTED = (
    "INSERT INTO _vt.reparent_journal (time_created_ns, action_name, primary_alias, replication_position) "
    "VALUES (1, 'vtchaos', '', '')"
)
_FAILS_AT = (
    "SELECT APPLYING_TRANSACTION AS gtid FROM performance_schema.replication_applier_status_by_worker "
    f"WHERE LAST_ERROR_NUMBER = {KEY_NOT_FOUND}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenApplier(Traits):
    """A primary deletes a row that its replicas do not have: their SQL threads stop with errno 1032.

    What they receive from then on waits in their relay logs, and they acknowledge it. Nothing is done on a replica: the
    row, one of Vitess's own journal of reparents, is written on the primary without its binary log and deleted with it,
    and is gone before anybody looks for it.

    What heals is what an operator does: each replica that stands there skips the transaction (an empty one under its
    GTID). Who was promoted meanwhile, or replicates from a primary that never had it, has nothing to skip.
    """

    shards: tuple[str, ...] = ()  # () = all
    keyspace: str = ""  # "" = the cluster's main one

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: a replica does not replicate as it is."""
        primaries = await servers(stage, self._of(PRIMARIES))
        nodes = [node for node in await servers(stage, self._of(EVERY)) if node not in primaries]
        for node in nodes:
            await replicates_again(stage, node)
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"shard": " ".join(dict.fromkeys(node.shard for node in nodes))},
            undo=tuple(Remedy(kind=APPLIES, target=node.name) for node in nodes),
            claims=frozenset(f"replication of {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        for primary in await servers(stage, self._of(PRIMARIES)):
            alone = ("SET SESSION sql_log_bin = 0", _INSERTED, "SET SESSION sql_log_bin = 1")
            await ask(stage, primary, *alone, f"DELETE FROM {_ROW}")
        with contextlib.suppress(WaitTimeout):  # then the evidence is missing
            await stage.until("the appliers stop", lambda: self.observed(stage, aim), timeout_s=FELT_WITHIN_S)
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The replicas' own SHOW REPLICA STATUS says that their SQL thread has stopped with errno 1032."""
        said = [await replica_status(stage, named(stage, name)) for name in aim.targets]
        return all(int(status.get("Last_SQL_Errno", 0)) == KEY_NOT_FOUND for status in said)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await all_replicate(stage, aim.targets)

    def _of(self, targets: Targets) -> Targets:
        return replace(targets, keyspace=self.keyspace, shards=self.shards)


async def _apply(ground: Ground, remedy: Remedy) -> None:
    """vtorc may start the threads, and so have them fail anew, between two of these statements.
    Raises ClusterError: it stands at something else."""
    server = named(ground, remedy.target)

    async def applies() -> Missing:
        status = await replica_status(ground, server)
        if not status or (status["Replica_SQL_Running"] == "Yes" and not int(status["Last_SQL_Errno"])):
            return Missing()
        for row in await ask(ground, server, _FAILS_AT):
            skipped = (f"SET gtid_next = '{row['gtid']}'", "BEGIN", "COMMIT", "SET gtid_next = 'AUTOMATIC'")
            with contextlib.suppress(ClusterError):  # it is being applied at this moment
                await ask(ground, server, "STOP REPLICA SQL_THREAD", *skipped)
        await ask(ground, server, "START REPLICA")
        return Missing(f"{server.name}: {status['Last_SQL_Error'] or 'its SQL thread does not run'}")

    await ground.until(f"{server.name} applies again", applies, timeout_s=FELT_WITHIN_S)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {APPLIES: _apply}
FAULTS: tuple[type[Fault], ...] = (BrokenApplier,)
