"""From nothing to serving, everything that can overlap overlapping.

    etcd → vtctld → cell, keyspace, shards ─┐
    data directory → mysqld  (each tablet) ─┴→ vttablet (each tablet) → first PlannedReparentShard (each shard)
                                                  → schema, vschema → vtorc, vtgates → serving

CPU is the bound, so that only as many mysqlds and vttablets start at a time as keep the cores busy: more
would only make each slower, and a slow start looks like a failed one. The vtgates come last, so that none of
them takes the first reparents for failovers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from clusters.common import serving
from clusters.common.cluster import NodesCluster
from clusters.common.commands import Programs
from clusters.common.layout import number_of
from clusters.common.mysqld import my_cnf
from clusters.common.processes import Exit
from harness.base import wait
from harness.base.errors import ClusterError, VtchaosError, WaitTimeout
from harness.contracts import Observer
from harness.model import KeyspaceSpec, Node, Role
from harness.vitess.vtctld import VtctldClient

PARALLEL_MYSQLDS = 2 * (os.cpu_count() or 2)
PARALLEL_VTTABLETS = 2 * (os.cpu_count() or 2)
PARALLEL_REPARENTS = 2 * (os.cpu_count() or 2)
NODE_TIMEOUT_S = 90.0
REPARENT_TIMEOUT_S = 60.0
SCHEMA_TIMEOUT_S = 120.0
SERVING_TIMEOUT_S = 120.0
TELL_HEALTH_S = 0.5


class Bringup:
    """The start of one cluster."""

    def __init__(self, cluster: NodesCluster, programs: Programs, observer: Observer) -> None:
        self._cluster = cluster
        self._layout = cluster.layout
        self._spec = cluster.spec
        self._programs = programs
        self._observer = observer
        self._mysqlds = asyncio.Semaphore(PARALLEL_MYSQLDS)
        self._vttablets = asyncio.Semaphore(PARALLEL_VTTABLETS)
        self._reparents = asyncio.Semaphore(PARALLEL_REPARENTS)
        self._counts: dict[str, int] = {}

    async def run(self) -> None:
        """Raises ClusterError as soon as any component ends, with the tail of its log."""
        died: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._cluster.watch_exits(lambda end: None if died.done() or end.asked else died.set_result(end))
        work = asyncio.create_task(self._all(), name="bring up")
        try:
            both: set[asyncio.Future[Any]] = {work, died}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
        if died.done():
            raise ClusterError(self._cluster.obituary(died.result()))
        died.cancel()
        error = work.exception()
        if error is not None:
            raise _plain(error)

    async def _all(self) -> None:
        address = "{}:{}".format(*self._cluster.address(self._layout.node("vtctld"), "grpc"))
        async with VtctldClient.open(address) as vtctld, asyncio.TaskGroup() as group:
            topo = group.create_task(self._topo(vtctld), name="topo")
            shards = [
                group.create_task(
                    self._shard(keyspace.name, shard, topo, vtctld), name=f"shard {keyspace.name}/{shard}"
                )
                for keyspace in self._spec.keyspaces
                for shard in keyspace.all_shards
            ]
            await asyncio.gather(*shards)
            for keyspace in self._spec.keyspaces:
                await self._schema(keyspace, vtctld)
            await self._last(vtctld)
            await serving.until_serving(self._cluster, timeout_s=SERVING_TIMEOUT_S, observer=self._observer)

    # ------------------------------------------------------------ the parts

    async def _topo(self, vtctld: VtctldClient) -> None:
        await self._start(self._layout.node("etcd"))
        await self._start(self._layout.node("vtctld"))
        host, port = self._layout.address(self._layout.node("etcd"), "client")
        await vtctld.add_cell_info(self._spec.cell, server_address=f"{host}:{port}", root=f"/vitess/{self._spec.cell}")
        for keyspace in self._spec.keyspaces:
            await vtctld.create_keyspace(keyspace.name, durability_policy=self._spec.durability_policy)
            for shard in keyspace.all_shards:
                await vtctld.create_shard(keyspace.name, shard)

    async def _shard(self, keyspace: str, shard: str, topo: Awaitable[None], vtctld: VtctldClient) -> None:
        vttablets = [
            node for node in self._layout.of(Role.VTTABLET) if (node.keyspace, node.shard) == (keyspace, shard)
        ]
        await _together(self._tablet(node, topo) for node in vttablets)
        async with self._reparents:
            await vtctld.planned_reparent(
                keyspace, shard, new_primary=vttablets[0].tablet_alias, timeout_s=REPARENT_TIMEOUT_S
            )
            for replica in vttablets[1:]:  # else it is "not replicating" until its next look, 20 s by default
                await vtctld.run_health_check(replica.tablet_alias)
        self._count("first primaries", sum(len(keyspace.all_shards) for keyspace in self._spec.keyspaces))

    async def _tablet(self, vttablet: Node, topo: Awaitable[None]) -> None:
        mysqld = self._layout.mysqld_of(vttablet)
        async with self._mysqlds:
            await self._start(mysqld)
        await topo
        async with self._vttablets:
            await self._start(vttablet)

    async def _prepare(self, node: Node) -> None:
        folder = self._layout.folder(node)
        if node.role is not Role.MYSQLD:
            await self._cluster.processes.prepare(node, keyspace="", files={})
            return
        text = my_cnf(
            mysql=self._programs.mysql,
            folder=folder,
            server_id=node.tablet_uid,
            address=self._layout.listens_on(node),
            port=self._layout.port(node, "mysql"),
            overrides=self._spec.mysqld_settings,
        )
        await self._cluster.processes.prepare(node, keyspace=node.keyspace, files={"my.cnf": text})

    async def _schema(self, keyspace: KeyspaceSpec, vtctld: VtctldClient) -> None:
        if keyspace.schema:
            self._observer.on_progress("schema", None, None)
            await vtctld.apply_schema(keyspace.name, keyspace.schema, timeout_s=SCHEMA_TIMEOUT_S)
        if keyspace.vschema:
            await vtctld.apply_vschema(keyspace.name, keyspace.vschema)

    async def _last(self, vtctld: VtctldClient) -> None:
        """vtorc and the vtgates, while the primaries tell their state again and again."""
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell_health(vtctld), name="tell health")
            await asyncio.gather(*(self._start(node) for node in self._layout.of(Role.VTORC, Role.VTGATE)))
            telling.cancel()

    async def _tell_health(self, vtctld: VtctldClient) -> None:
        """A vtgate serves when its keyspace event watcher has heard every primary. Up to 21.0.2 the watcher loses
        what comes while two updates wait (vitess#17629), the first ones of four tablets among them, and hears again
        only at the tablets' next health-check interval: 20 s (measured). One after the other, none is lost."""
        first: dict[tuple[str, str], Node] = {}
        for node in self._layout.of(Role.VTTABLET):
            first.setdefault((node.keyspace, node.shard), node)
        while True:
            await wait.hold(TELL_HEALTH_S)
            for node in first.values():
                await vtctld.run_health_check(node.tablet_alias)

    async def _start(self, node: Node) -> None:
        if node.role is not Role.VTTABLET:  # it lives with its mysqld
            await self._prepare(node)
        await self._cluster.start(node, timeout_s=NODE_TIMEOUT_S)
        self._count(f"{node.role}s" if number_of(node) else str(node.role), len(self._layout.of(node.role)))

    def _count(self, what: str, total: int) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1
        self._observer.on_progress(what, self._counts[what], total)


async def _together(works: Iterable[Awaitable[None]]) -> None:
    """All, or none of them: an error cancels the others."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(_awaited(work))


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _plain(error: BaseException) -> BaseException:
    """The one error that says most out of the groups that TaskGroup makes: a death before a timeout."""
    leaves = list(_leaves(error))
    ours: list[Callable[[BaseException], bool]] = [
        lambda leaf: isinstance(leaf, VtchaosError) and not isinstance(leaf, WaitTimeout),
        lambda leaf: isinstance(leaf, VtchaosError),
        lambda _: True,
    ]
    return next(leaf for wanted in ours for leaf in leaves if wanted(leaf))


def _leaves(error: BaseException) -> Iterable[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
