"""A tablet's address that is somebody else's for a while."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.base.errors import ClusterError
from harness.contracts import Aim, Fault, Ground, OffersPorts, SpanRecorder, Stage
from harness.faults import evidence, process, service
from harness.faults.mysql_servers import named
from harness.faults.targets import Targets, nodes_of
from harness.faults.traits import Traits
from harness.model import Capability, Node, Remedy, Role
from harness.vitess.proto import vtctldata_pb2
from harness.vitess.vtctld import alias_message, vtctld_of

BACK = "back-at-its-ports"
ASK_WITHIN_S = 10.0
SERVE_WITHIN_S = 60.0
FIRST_REPLICAS = Targets(role=Role.VTTABLET, tablet_type="replica", number=1)
SECOND_REPLICAS = Targets(role=Role.VTTABLET, tablet_type="replica", number=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAddress(Traits):
    """A tablet's vttablet dies, and another tablet's is started at its host and port; leaving the block has both start
    again at their own. A unit file with a port from the line above, an address that is handed to somebody else.

    Both are killed, so that the topology keeps the record of the one whose address is taken. A vtgate whose health
    check finds another alias there forgets the tablet, and expects that the topology tells it a new address
    ("health stats mismatch", go/vt/discovery/tablet_health_check.go, checkConn, v0.24.3).
    """

    targets: Targets = FIRST_REPLICAS
    by: Targets = SECOND_REPLICAS
    serve_within_s: float = SERVE_WITHIN_S

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL, Capability.RESTART, Capability.PORTS})

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: it takes two different vttablets."""
        owners, takers = await self.targets.chosen(stage), await self.by.chosen(stage)
        (owner, taker), *more = zip(owners, takers, strict=False)
        if more or owner == taker or {owner.role, taker.role} != {Role.VTTABLET}:
            raise ClusterError(f"one vttablet takes another's address, not {self.by.text} that of {self.targets.text}")
        return Aim(
            targets=(owner.name, taker.name),
            details={"owner": owner.name, "taker": taker.name, "shard": owner.shard},
            undo=(Remedy(kind=BACK, target=taker.name, details={"owner": owner.name}),),
            claims=frozenset(f"process {node.name}" for node in (owner, taker)),
            recover_within_s=self.serve_within_s,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        owner, taker = (named(stage, name) for name in aim.targets)
        span.begin()
        await asyncio.gather(*(stage.cluster.signal(node, signal.SIGKILL) for node in (owner, taker)))
        await _starts_at(stage, taker, owner)
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The topology has the other tablet, by its own word, at this port."""
        owner, taker = (named(stage, name) for name in aim.targets)
        vtctld = await stage.shared(vtctld_of)
        request = vtctldata_pb2.GetTabletRequest(tablet_alias=alias_message(taker.tablet_alias))
        record = (await vtctld.call("GetTablet", request, timeout_s=ASK_WITHIN_S)).tablet
        return bool(record.port_map["grpc"] == stage.cluster.address(owner, "grpc")[1])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await service.missing(stage, nodes_of(stage, aim))


async def _starts_at(ground: Ground, node: Node, of: Node) -> None:
    """Raises ClusterError."""
    if not isinstance(ground.cluster, OffersPorts):
        raise ClusterError(f"this backend cannot start {node.name} at the ports of {of.name}")
    await ground.cluster.set_ports(node, of)
    await ground.cluster.start(node, timeout_s=process.START_WITHIN_S)


async def _back(ground: Ground, remedy: Remedy) -> None:
    """First the one that is in the other's way. One that answers at its own port never left it, or is back."""
    taker, owner = named(ground, remedy.target), named(ground, str(remedy.details["owner"]))
    if await evidence.refuses(ground, taker):
        with contextlib.suppress(ClusterError):  # it does not run
            await ground.cluster.signal(taker, signal.SIGKILL)
        if isinstance(ground.cluster, OffersPorts):
            await ground.cluster.set_ports(taker, taker)
    for node in (taker, owner):
        await process.REMEDIES[process.RUNS](ground, process.runs_again(node.name))


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {BACK: _back}
FAULTS: tuple[type[Fault], ...] = (TakenAddress,)
