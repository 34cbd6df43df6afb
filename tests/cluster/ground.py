"""The cluster that the conformance tests of a backend share, and what they ask of it again and again."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any

from clusters.common import serving
from clusters.common.mysqld import ADMIN_USER
from harness.contracts import Backend, Cluster
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, Event, Node, VtgateSpec
from harness.mysql.session import AdminSession, Answer, admin_session
from harness.vitess.vtctld import vtctld_of
from tests.cluster.leftover import Traces
from tests.unit.local_fakes import Recorder

SPEC = ClusterSpec(
    shards=2,
    tablets_per_shard=2,
    vtgates=(VtgateSpec(), VtgateSpec(flags={"enable-buffer": ""})),
    vttablet_flags={"onterm-timeout": "1s"},  # a vttablet that ends waits so long for the vtgates to leave it
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
PRIMARIES = {"-80": "zone1-0000000100", "80-": "zone1-0000000102"}
FIRST_ID = {"-80": 0, "80-": 0xE << 60}  # ids from here on live in the shard
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
QUERY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A backend's shared cluster, and what it has told."""

    backend: Backend
    cluster: Cluster
    recorder: Recorder
    traces: Traces

    def node(self, name: str) -> Node:
        return next(node for node in self.cluster.nodes() if node.name == name)

    def exits(self) -> list[tuple[str, bool]]:
        """(node, asked) of every end so far."""
        return [(event.subject, bool(event.details["asked"])) for event in self.recorder.events if _is_exit(event)]

    def session(self, name: str) -> contextlib.AbstractAsyncContextManager[AdminSession]:
        return admin_session(*self.cluster.address(self.node(name), "mysql"), user=ADMIN_USER)

    async def rows(self, name: str, *statements: str) -> list[tuple[Any, ...]]:
        """Rows of the last statement, from a vtgate or a mysqld."""
        async with self.session(name) as session:
            answer = Answer()
            for statement in statements:
                answer = (await session.query(statement, timeout_s=QUERY_TIMEOUT_S)).require(statement)
            return list(answer.rows)

    async def reads(self, vtgate: str, shard: str, *, timeout_s: float = QUERY_TIMEOUT_S) -> bool:
        """Whether a shard's primary answers through a vtgate in time."""
        async with self.session(vtgate) as session:
            (await session.query(f"USE `ks:{shard}@primary`", timeout_s=QUERY_TIMEOUT_S)).require("USE")
            return (await session.query("SELECT COUNT(*) FROM ledger", timeout_s=timeout_s)).ok

    async def whole(self) -> None:
        """Every vtgate knows every tablet."""
        await serving.until_serving(self.cluster, timeout_s=START_TIMEOUT_S, observer=Recorder())

    async def mended(self, mysqld: str) -> None:
        """A mysqld that was started again replicates, or takes writes, as before; nobody does that without a vtorc."""
        node = self.node(mysqld)
        async with vtctld_of(self.cluster) as vtctld:
            if node.tablet_alias in PRIMARIES.values():
                await vtctld.planned_reparent(
                    "ks", node.shard, new_primary=node.tablet_alias, timeout_s=START_TIMEOUT_S
                )
            else:
                await vtctld.start_replication(node.tablet_alias)
            for tablet in await vtctld.tablets("ks", node.shard):  # each tells of itself only every 20 s otherwise
                await vtctld.run_health_check(tablet.alias)
        await self.whole()
        key = FIRST_ID[node.shard] + time.monotonic_ns() % (1 << 40)
        await self.rows("vtgate-1", "USE ks", f"INSERT INTO ledger (id, value) VALUES ({key}, 1)")


def _is_exit(event: Event) -> bool:
    return event.kind == "exit"
