"""Rollouts: every process is stopped and started again, one after another, as a deployment does it.

A shard's replicas come first. Before its primary is stopped another tablet is promoted by PlannedReparentShard, as
vitess-operator drains a tablet; the reparents are in the ledger as faults of their own. vtgates are restarted one by
one. The next one is touched when the one before does again what it is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.base.errors import ClusterError, HarnessError, PlanError, WaitTimeout
from harness.contracts import Aim, Fault, Ground, OffersVersions, SpanRecorder, Stage
from harness.faults import broken_off, evidence, process, service
from harness.faults.missing import Missing
from harness.faults.reparent import PlannedReparent
from harness.faults.targets import nodes_of
from harness.faults.traits import Traits
from harness.model import Capability, Node, Remedy, Role
from harness.vitess.vtctld import vtctld_of

ROLLED = "rolled"
ORDERS = ("vttablet", "vtgate", "vttablet,vtgate", "vtgate,vttablet")
SERVE_WITHIN_S = 60.0
RELEASE = "BuildVersion"  # of /debug/vars (go/vt/servenv/buildinfo.go, v0.21 to v0.24)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rollout(Traits):
    """What the faults here have in common. `order`: which processes, and which of them first. `shards_at_once`: so many
    shards are worked on side by side. What goes wrong ends the rollout and is recorded, not raised."""

    order: str = "vttablet,vtgate"
    shards_at_once: int = 1
    serve_within_s: float = SERVE_WITHIN_S

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL, Capability.RESTART})

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        """Raises PlanError."""
        if self.order not in ORDERS or self.shards_at_once < 1:
            raise PlanError(f"an order is one of {' | '.join(ORDERS)}, with one shard or more at once")
        nodes = self._nodes(stage)
        keyspaces = stage.cluster.spec.keyspaces
        shards = [f"{each.name}/{shard}" for each in keyspaces for shard in each.shard_names]
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"order": self.order, **await self._before(stage, nodes)},
            undo=(
                *(Remedy(kind=broken_off.WRITABLE, target=shard) for shard in shards if "vttablet" in self.order),
                *(Remedy(kind=ROLLED, target=node.name) for node in nodes),
            ),
            claims=frozenset(f"process {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        try:
            for role in self.order.split(","):
                await (self._vttablets(stage) if role == "vttablet" else self._vtgates(stage))
        except HarnessError as error:
            span.failed(str(error))
        else:
            span.active()
        yield

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await service.missing(stage, nodes_of(stage, aim))

    def _nodes(self, stage: Stage) -> tuple[Node, ...]:
        return tuple(node for node in stage.cluster.nodes() if node.role.value in self.order.split(","))

    async def _before(self, stage: Stage, nodes: Sequence[Node]) -> dict[str, str | int | float | bool]:
        return {f"{process.STARTED}{node.name}": await evidence.started_s(stage, node) for node in nodes}

    async def _prepared(self, stage: Stage, node: Node) -> None:
        """What is done to a stopped process before it is started."""

    # ------------------------------------------------------------ the steps

    async def _vtgates(self, stage: Stage) -> None:
        for node in stage.cluster.nodes(Role.VTGATE):
            await self._again(stage, node)

    async def _vttablets(self, stage: Stage) -> None:
        """The first error ends it: no further shard is begun."""
        vttablets = stage.cluster.nodes(Role.VTTABLET)
        shards = iter(list(dict.fromkeys((node.keyspace, node.shard) for node in vttablets)))
        wrong: list[HarnessError] = []

        async def worker() -> None:
            for shard in shards:
                try:
                    await self._shard(stage, *shard)
                except HarnessError as error:
                    wrong.append(error)
                if wrong:
                    return

        await asyncio.gather(*(worker() for _ in range(self.shards_at_once)))
        if wrong:
            raise wrong[0]

    async def _shard(self, stage: Stage, keyspace: str, shard: str) -> None:
        vtctld = await stage.shared(vtctld_of)
        mine = [n for n in stage.cluster.nodes(Role.VTTABLET) if (n.keyspace, n.shard) == (keyspace, shard)]
        was = await vtctld.shard_primary(keyspace, shard)
        for node in (node for node in mine if node.tablet_alias != was):
            await self._again(stage, node)
        if len(mine) > 1:
            async with stage.inject(PlannedReparent(keyspace=keyspace, shard=shard)):
                pass
            if await vtctld.shard_primary(keyspace, shard) == was:
                raise ClusterError(f"{keyspace}/{shard} was not reparented: {was} is primary, and is not stopped")
        for node in (node for node in mine if node.tablet_alias == was):
            await self._again(stage, node)

    async def _again(self, stage: Stage, node: Node) -> None:
        """Raises ClusterError, WaitTimeout: it does not come back."""
        stage.note("rollout", node=node.name)
        await stage.cluster.stop(node, timeout_s=process.STOP_WITHIN_S)
        await self._prepared(stage, node)
        await stage.cluster.start(node, timeout_s=process.START_WITHIN_S)

        async def serves() -> Missing:
            return await service.missing(stage, (node,))

        await stage.until(f"{node.name} does again what it is for", serves, timeout_s=self.serve_within_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingRestart(_Rollout):
    """Every vttablet, or vtgate, or both are restarted one by one, a shard's primary after another tablet was promoted.
    One-shot."""

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Every process is younger than the one that was there. A vtgate takes clients before it tells its age."""

        async def younger() -> bool:
            return all([await process.is_younger(stage, aim, node) for node in nodes_of(stage, aim)])

        try:
            return await stage.until("younger processes", younger, timeout_s=process.SEEN_WITHIN_S)
        except WaitTimeout:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingUpgrade(_Rollout):
    """The same, and every process comes back with the cluster's second release (`--upgrade-to`). One-shot: nothing
    takes it back; cut short, it leaves both releases running."""

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL, Capability.RESTART, Capability.VERSIONS})

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Every process itself says another release than before, and all of a role the same."""
        nodes = nodes_of(stage, aim)
        now = {node: await _release(stage, node) for node in nodes}
        changed = all(now[node] and now[node] != aim.details[f"{RELEASE} of {node.name}"] for node in nodes)
        return changed and len(set(now.values())) == 1

    async def _before(self, stage: Stage, nodes: Sequence[Node]) -> dict[str, str | int | float | bool]:
        said = {f"{RELEASE} of {node.name}": await _release(stage, node) for node in nodes}
        return {"upgrade_to": stage.cluster.spec.upgrade_to, **said}

    async def _prepared(self, stage: Stage, node: Node) -> None:
        if not isinstance(stage.cluster, OffersVersions):
            raise ClusterError("this backend starts nothing with another release")
        await stage.cluster.set_version(node, stage.cluster.spec.upgrade_to)


async def _release(stage: Stage, node: Node) -> str:
    """ "" when it does not say."""
    try:
        return str((await evidence.variables(stage, node)).get(RELEASE, ""))
    except ClusterError:
        return ""


async def _runs(ground: Ground, remedy: Remedy) -> None:
    """Whoever was asked to end has closed its listener at once, and may take ten seconds more (go/vt/servenv/run.go,
    v0.24.3): it is not waited for. Who was not touched yet goes on."""
    (node,) = [node for node in ground.cluster.nodes() if node.name == remedy.target]
    if await evidence.refuses(ground, node):
        with contextlib.suppress(ClusterError):  # it does not run
            await ground.cluster.signal(node, signal.SIGKILL)
    await process.REMEDIES[process.RUNS](ground, remedy)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {ROLLED: _runs}
FAULTS: tuple[type[Fault], ...] = (RollingRestart, RollingUpgrade)
