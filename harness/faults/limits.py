"""A time limit on a tablet's MySQL, as operators set one against runaway queries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from harness.contracts import Aim, SpanRecorder, Stage
from harness.model import Capability
from harness.vitess.vtctld import VtctldClient, vtctld_of

_READ = "SELECT @@GLOBAL.max_execution_time AS limit_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTimeLimit:
    """max_execution_time of a shard's primary: MySQL ends every SELECT of a later session that takes longer, with
    errno 3024, unless the statement brings a MAX_EXECUTION_TIME hint of its own (vitess#17862)."""

    shard: str
    limit_ms: int
    keyspace: str = ""  # "" = the cluster's main one

    @property
    def name(self) -> str:
        return "StatementTimeLimit"

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset()

    @property
    def one_shot(self) -> bool:
        return False

    async def aim(self, stage: Stage) -> Aim:
        keyspace = self.keyspace or stage.cluster.spec.keyspace
        vtctld = await stage.shared(vtctld_of)
        primary = await vtctld.shard_primary(keyspace, self.shard)
        was = await _limit_ms(vtctld, primary)
        return Aim(targets=(primary,), details={"keyspace": keyspace, "shard": self.shard, "was_ms": was})

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        try:
            span.begin()
            await _set(vtctld, aim.targets[0], self.limit_ms)
            span.active()
            yield
        finally:
            await _set(vtctld, aim.targets[0], int(aim.details["was_ms"]))

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The server itself says so, to another session than the one that set it may be."""
        vtctld = await stage.shared(vtctld_of)
        return await _limit_ms(vtctld, aim.targets[0]) == self.limit_ms


async def _set(vtctld: VtctldClient, alias: str, limit_ms: int) -> None:
    await vtctld.execute_as_dba(alias, f"SET GLOBAL max_execution_time = {limit_ms}")


async def _limit_ms(vtctld: VtctldClient, alias: str) -> int:
    (row,) = await vtctld.execute_as_dba(alias, _READ)
    return int(row["limit_ms"])
