"""PlannedReparentShard as a fault, and two things that may make it slow: lagging replicas, a held transaction.

A one-shot operation: `inject` performs the call and heals nothing. Its error is recorded, not raised: a
reparent that fails is something to judge.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.base.clock import now_ns
from harness.base.errors import WaitTimeout
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults.traits import Traits
from harness.model import Remedy, Role
from harness.mysql.session import admin_session
from harness.vitess.vtctld import Promotion, VtctldClient, VtctldError, vtctld_of

NO_DELAY = "no-delay"
STATEMENT_TIMEOUT_S = 10.0
OLD_WITHIN_S = 5.0
RECORD_WITHIN_S = 5.0
# InnoDB refreshes innodb_trx only when nobody has read it for 100 ms (trx0i_s.cc, CACHE_MIN_IDLE_TIME): who looks
# more often sees for ever what he saw first.
TRANSACTIONS_CACHED_S = 0.2
_OLD_TRANSACTIONS = (
    "SELECT COUNT(*) AS n FROM information_schema.innodb_trx WHERE trx_started < NOW() - INTERVAL 2 SECOND"
)


class Gate:
    """Opens for everybody at once: all calls that wait at it leave in one turn of the loop."""

    def __init__(self, expected: int) -> None:
        self._barrier = asyncio.Barrier(expected)

    @property
    def waiting(self) -> int:
        """How many have come so far."""
        return self._barrier.n_waiting

    async def passed(self) -> None:
        await self._barrier.wait()


async def told(span: SpanRecorder, reparent: Coroutine[Any, Any, Promotion]) -> None:
    """Let the call leave, and write down when it left, when it returned and what it said."""
    left_ns = now_ns()
    call = asyncio.ensure_future(reparent)
    await asyncio.sleep(0)  # the call's task, and with the next turn gRPC's own, have run: it has left
    await asyncio.sleep(0)
    left_by_ns = now_ns()
    span.begin(left_ns)
    span.detail(left_by_ns=left_by_ns)
    try:
        promotion = await call
    except VtctldError as error:
        span.failed(str(error))
    else:
        span.active(now_ns())
        span.detail(promoted=promotion.promoted)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReparent(Traits):
    """PlannedReparentShard of one shard through vtctld's gRPC.

    `keyspace` "" is the main one. `new_primary` "" lets vtctld choose. `gate`: where this call waits for the others
    of its storm, after its intent was written. `timeout_s` 0 = the client's default (it follows
    `wait_replicas_timeout_s`).
    """

    shard: str
    keyspace: str = ""
    new_primary: str = ""
    wait_replicas_timeout_s: float = 15.0
    tolerable_replication_lag_s: float = 0.0
    timeout_s: float = 0.0
    gate: Gate | None = field(default=None, compare=False)

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        keyspace = self._keyspace(stage)
        vtctld = await stage.shared(vtctld_of)
        was = await vtctld.shard_primary(keyspace, self.shard)
        target = f"{self.keyspace}/{self.shard}" if self.keyspace else self.shard
        return Aim(targets=(target,), details={"keyspace": keyspace, "shard": self.shard, "was_primary": was})

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        if self.gate is not None:
            await self.gate.passed()
        call = vtctld.planned_reparent(
            self._keyspace(stage),
            self.shard,
            new_primary=self.new_primary,
            wait_replicas_timeout_s=self.wait_replicas_timeout_s,
            tolerable_replication_lag_s=self.tolerable_replication_lag_s,
            timeout_s=self.timeout_s or None,
        )
        await told(span, call)
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The topology's shard record, which the promoted tablet writes itself a moment after its promotion
        (tabletmanager/shard_sync.go), names another primary. In one of three storms of 32 shards on two cores the call
        had returned before a record was written."""
        vtctld = await stage.shared(vtctld_of)

        async def another() -> bool:
            now = await vtctld.shard_primary(self._keyspace(stage), self.shard)
            return bool(now) and now != aim.details["was_primary"]

        try:
            return await stage.until("another primary on record", another, timeout_s=RECORD_WITHIN_S)
        except WaitTimeout:
            return False

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return True

    def _keyspace(self, stage: Stage) -> str:
        return self.keyspace or stage.cluster.spec.keyspace


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingReplicas(Traits):
    """Replicas of a shard apply what they receive only `delay_s` later (SOURCE_DELAY); all, or the `number`th in the
    order of their aliases.

    PlannedReparentShard of 24.0.3 first points the candidate at the primary anew, which forgets the delay, and
    lets it catch up before it demotes anything (reparentutil/planned_reparenter.go, performGracefulPromotion).
    """

    shard: str
    delay_s: int
    number: int = 0  # 0 = all

    async def aim(self, stage: Stage) -> Aim:
        vtctld = await stage.shared(vtctld_of)
        tablets = await vtctld.tablets(stage.cluster.spec.keyspace, self.shard)
        replicas = tuple(sorted(tablet.alias for tablet in tablets if tablet.type != "primary"))
        replicas = replicas[self.number - 1 : self.number] if self.number else replicas
        return Aim(
            targets=replicas,
            details={"shard": self.shard, "delay_s": self.delay_s},
            undo=tuple(Remedy(kind=NO_DELAY, target=alias) for alias in replicas),
            claims=frozenset(f"replication delay of {alias}" for alias in replicas),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        span.begin()
        for alias in aim.targets:
            await _set_delay(vtctld, alias, self.delay_s)
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """What the replicas' own SHOW REPLICA STATUS says."""
        vtctld = await stage.shared(vtctld_of)
        delays = [await vtctld.configured_delay_s(alias) for alias in aim.targets]
        return bool(delays) and all(delay == self.delay_s for delay in delays)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return not await self.observed(stage, aim)


async def _no_delay(ground: Ground, remedy: Remedy) -> None:
    """A promoted replica has no source any more: RESET REPLICA ALL took the delay with it, and a CHANGE REPLICATION
    SOURCE would make the next reparent of the shard fail."""
    vtctld = await ground.shared(vtctld_of)
    if await vtctld.execute_as_dba(remedy.target, "SHOW REPLICA STATUS"):
        await _set_delay(vtctld, remedy.target, 0)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {NO_DELAY: _no_delay}


async def _set_delay(vtctld: VtctldClient, alias: str, delay_s: int) -> None:
    for sql in (
        "STOP REPLICA SQL_THREAD",
        f"CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {delay_s}",
        "START REPLICA SQL_THREAD",
    ):
        await vtctld.execute_as_dba(alias, sql)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTransaction(Traits):
    """A client leaves a transaction open on a shard's primary.

    DemotePrimary has stopped serving by then and waits for it, for vttablet's --shutdown-grace-period (3 s by
    default), before the transaction is killed: a grace period beyond the buffer window gives #9433.
    """

    shard: str

    async def aim(self, stage: Stage) -> Aim:
        vtctld = await stage.shared(vtctld_of)
        primary = await vtctld.shard_primary(stage.cluster.spec.keyspace, self.shard)
        return Aim(targets=(primary,), details={"shard": self.shard})

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtgate = stage.cluster.nodes(Role.VTGATE)[0]
        host, port = stage.cluster.address(vtgate, "mysql")
        database = f"{stage.cluster.spec.keyspace}/{self.shard}@primary"
        async with admin_session(host, port, database=database) as session:
            span.begin()
            for statement in ("BEGIN", "SELECT COUNT(*) FROM ledger"):
                (await session.query(statement, timeout_s=STATEMENT_TIMEOUT_S)).require("holding a transaction open")
            span.active()
            try:
                yield
            finally:  # an answer is none where a reparent has killed it already
                await session.query("ROLLBACK", timeout_s=STATEMENT_TIMEOUT_S)

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The primary's own InnoDB lists a transaction that is older than any statement of the load takes."""

        async def old() -> bool:
            return await _old_transaction(stage, aim)

        try:
            return await stage.until("an old transaction", old, timeout_s=OLD_WITHIN_S)
        except WaitTimeout:
            return False

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """It is gone: MySQL ends the transaction of a connection that was killed when it notices."""
        return not await _old_transaction(stage, aim)


async def _old_transaction(stage: Stage, aim: Aim) -> bool:
    vtctld = await stage.shared(vtctld_of)
    await stage.hold(TRANSACTIONS_CACHED_S)
    rows = await vtctld.execute_as_dba(aim.targets[0], _OLD_TRANSACTIONS)
    return int(rows[0]["n"]) > 0


FAULTS: tuple[type[Fault], ...] = (PlannedReparent, LaggingReplicas, HeldTransaction)
