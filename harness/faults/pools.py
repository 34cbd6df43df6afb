"""What becomes of a vttablet's pool of connections when those who wait for one are gone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any

from harness.base.errors import ClusterError
from harness.base.procs import spawned
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults import evidence, service
from harness.faults.missing import Missing
from harness.faults.targets import Targets, nodes_of
from harness.faults.traits import Traits
from harness.model import Node, Role
from harness.vitess import queryservice

ONE_PRIMARY = Targets(role=Role.VTTABLET, tablet_type="primary", count=1)
QUEUED_WITHIN_S = 60.0
LONGEST_MS = 600_000  # of a query that sleeps or waits: longer than any fault is in force
QUERIES, CAPACITY, ASKED, TYPE = "queries", "connections", "asked before", "type"


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonedQueries(Traits):
    """Every connection of a vttablet's pool for reads is taken, `queries` more wait for one over one gRPC connection,
    and when the fault is taken back all are given up in one moment: what a vtgate leaves behind that dies.

    vttablet cancels in no order what came over a connection that was closed: it ranges over a map
    (google.golang.org/grpc v1.80.0 of vttablet 24.0.0, internal/transport/http2_server.go, Close).
    """

    targets: Targets = ONE_PRIMARY
    queries: int = 30_000
    per_s: float = 3_000.0  # two cores are then not busy with it alone

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: it does not say how large its pool is."""
        nodes = await self.targets.chosen(stage)
        details: dict[str, str | int | float | bool] = {QUERIES: self.queries}
        for node in nodes:
            said = await _said(stage, node)
            details[_of(node, CAPACITY)] = int(said["ConnPoolCapacity"])
            details[_of(node, ASKED)] = int(said["ConnPoolGet"])
            details[_of(node, TYPE)] = str(said["TabletType"])
        return Aim(
            targets=tuple(node.name for node in nodes),
            details=details,
            claims=frozenset(f"process {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        async with AsyncExitStack() as clients:
            for node in nodes_of(stage, aim):
                await clients.enter_async_context(self._taken(stage, aim, node))
            for node in nodes_of(stage, aim):
                await clients.enter_async_context(self._queued_up(stage, aim, node))
            span.active()
            yield

    def _taken(self, stage: Stage, aim: Aim, node: Node) -> AbstractAsyncContextManager[None]:
        """As many queries that sleep as the pool has connections."""
        asleep = f"SELECT SLEEP({LONGEST_MS // 1000}) FROM dual"
        return _crowd(stage, aim, node, asleep, queries=_number(aim, node, CAPACITY), per_s=self.per_s, waiting=0)

    def _queued_up(self, stage: Stage, aim: Aim, node: Node) -> AbstractAsyncContextManager[None]:
        one = "SELECT 1 FROM dual"
        return _crowd(stage, aim, node, one, queries=self.queries, per_s=self.per_s, waiting=self.queries)

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """By vttablet's own count so many have asked for a connection of its pool, and every one is in use."""
        return all([await _waiting(stage, aim, node, self.queries) for node in nodes_of(stage, aim)])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await service.missing(stage, nodes_of(stage, aim))


FAULTS: tuple[type[Fault], ...] = (AbandonedQueries,)


# ---------------------------------------------------------------- clients


@contextlib.asynccontextmanager
async def _crowd(
    stage: Stage, aim: Aim, node: Node, sql: str, *, queries: int, per_s: float, waiting: int
) -> AsyncIterator[None]:
    """A process with so many queries at the node, killed when the block is left; entered when no connection of the pool
    is free and `waiting` queries have come that wait for one. Raises ClusterError: they did not wait."""
    host, port = stage.cluster.address(node, "grpc")
    words = [host, str(port), str(queries), str(per_s), _request(aim, node, sql).hex()]
    async with spawned([sys.executable, "-P", "-m", "harness.faults.crowd", *words]) as process:

        async def queued() -> Missing:
            if process.returncode is not None:
                raise ClusterError(f"the queries at {node.name} did not wait: status {process.returncode}")
            return await _waiting(stage, aim, node, waiting)

        await stage.until(f"{queries} queries at {node.name}", queued, timeout_s=QUEUED_WITHIN_S)
        yield


def _request(aim: Aim, node: Node, sql: str) -> bytes:
    return queryservice.request(
        sql,
        keyspace=node.keyspace,
        shard=node.shard,
        tablet_type=str(aim.details[_of(node, TYPE)]),
        timeout_ms=LONGEST_MS,
    )


# ---------------------------------------------------------------- what vttablet says


async def _waiting(ground: Ground, aim: Aim, node: Node, queries: int) -> Missing:
    """True when so many wait and no connection is free."""
    try:
        said = await _said(ground, node)
    except ClusterError as error:
        return Missing(str(error))
    capacity = _number(aim, node, CAPACITY)
    # ConnPoolWaitCount counts those who begin to wait only from 24.0 on; before, those who have waited.
    asked = int(said["ConnPoolGet"]) - _number(aim, node, ASKED)
    return Missing(
        f"{said['ConnPoolInUse']} of {capacity} connections are in use" if said["ConnPoolInUse"] < capacity else "",
        f"{asked} of {queries} queries have come" if asked < queries else "",
    )


async def _said(ground: Ground, node: Node) -> Mapping[str, Any]:
    """Raises ClusterError."""
    said = await evidence.variables(ground, node)
    if "ConnPoolCapacity" not in said:
        raise ClusterError(f"{node.name} does not say how large its pool is")
    return said


def _of(node: Node, what: str) -> str:
    return f"{what} of {node.name}"


def _number(aim: Aim, node: Node, what: str) -> int:
    return int(aim.details[_of(node, what)])
