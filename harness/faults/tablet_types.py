"""Tablets whose type is changed, as operators do for a backup or to take one out of service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp

from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults.missing import Missing
from harness.faults.targets import Targets, types_of
from harness.faults.traits import Traits
from harness.model import Node, Remedy, Role
from harness.vitess.debug_vars import VarsClient
from harness.vitess.vtctld import VtctldError, vtctld_of

TABLET_TYPE = "tablet-type"
FIRST_REPLICA = Targets(role=Role.VTTABLET, tablet_type="replica", number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedTabletType(Traits):
    """ChangeTabletType of replicas to `to_type`: spare | rdonly | drained | replica.

    Under the durability policy semi_sync only replicas acknowledge (policy.IsReplicaSemiSync,
    go/vt/vtctl/reparentutil/policy/durability.go, v0.24.3), and vtctld does not ask whether one is left: who takes the
    last one out of a shard stops its writes.
    """

    targets: Targets = FIRST_REPLICA
    to_type: str = "spare"

    async def aim(self, stage: Stage) -> Aim:
        nodes = await self.targets.chosen(stage)
        types: dict[str, str] = {}
        for keyspace, shard in dict.fromkeys((node.keyspace, node.shard) for node in nodes):
            types |= await types_of(stage, keyspace, shard)
        was = {node.tablet_alias: types[node.tablet_alias] for node in nodes}
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"to_type": self.to_type, "aliases": " ".join(was)},
            undo=tuple(
                Remedy(kind=TABLET_TYPE, target=alias, details={"tablet_type": kind}) for alias, kind in was.items()
            ),
            claims=frozenset(f"tablet type of {alias}" for alias in was),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        span.begin()
        try:
            for alias in str(aim.details["aliases"]).split():
                await vtctld.change_tablet_type(alias, self.to_type)
        except VtctldError as error:
            span.failed(str(error))
        else:
            span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The vttablets themselves say that they are of this type."""
        said = await _said(stage, aim)
        return all(kind == self.to_type for kind in said.values())

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """They say what they were."""
        said = await _said(stage, aim)
        was = {remedy.target: remedy.details["tablet_type"] for remedy in aim.undo}
        return Missing(*(f"{alias} is {kind}" for alias, kind in said.items() if kind != was[alias]))


async def _said(stage: Stage, aim: Aim) -> dict[str, str]:
    """Alias → the type in its vttablet's own variables."""
    nodes = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.name in aim.targets]
    async with VarsClient.open() as client:
        return {node.tablet_alias: await _type_of(client, stage, node) for node in nodes}


async def _type_of(client: VarsClient, stage: Stage, node: Node) -> str:
    try:
        variables = await client.read(stage.cluster.address(node, "web"))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"silent: {error}"
    return str(variables.get("TabletType", "")).lower()


async def _type_again(ground: Ground, remedy: Remedy) -> None:
    """Whoever was promoted meanwhile stays primary; a drained one cannot be drained again
    (go/vt/vttablet/tabletmanager/rpc_actions.go, changeTypeLocked, v0.24.3)."""
    vtctld = await ground.shared(vtctld_of)
    tablets = {
        tablet.alias: tablet.type for keyspace in _keyspaces(ground) for tablet in await vtctld.tablets(keyspace)
    }
    if tablets.get(remedy.target) not in ("primary", remedy.details["tablet_type"]):
        await vtctld.change_tablet_type(remedy.target, str(remedy.details["tablet_type"]))


def _keyspaces(ground: Ground) -> tuple[str, ...]:
    return tuple(keyspace.name for keyspace in ground.cluster.spec.keyspaces)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {TABLET_TYPE: _type_again}
FAULTS: tuple[type[Fault], ...] = (ChangedTabletType,)
