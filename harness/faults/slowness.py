"""Processes that live and do not get on: paused, or short of CPU."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import Aim, Fault, OffersLimits, SpanRecorder, Stage
from harness.faults import evidence, limits, process, service
from harness.faults.targets import Targets, nodes_of
from harness.faults.traits import Traits
from harness.model import Capability, Node, Remedy, Role

SERVE_WITHIN_S = 60.0
HELD_BACK_WITHIN_S = 2.5  # 25 periods of the kernel; seen within 0.6 s for every role (local)
CPUS = "cpus"
VTGATES = Targets(role=Role.VTGATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Traits):
    """SIGSTOP: the process is there, its connections stay open, and nothing is answered until it goes on."""

    targets: Targets = process.PRIMARY
    serve_within_s: float = SERVE_WITHIN_S

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL})

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: nothing fits."""
        nodes = await self.targets.chosen(stage)
        return _aim(nodes, self.targets, tuple(process.runs_again(node.name) for node in nodes), self.serve_within_s)

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        await asyncio.gather(*(stage.cluster.signal(node, signal.SIGSTOP) for node in nodes_of(stage, aim)))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Connections are accepted and nothing is answered, while some other node answers: then it is not the host that
        stands still."""
        nodes = nodes_of(stage, aim)
        others = [node for node in stage.cluster.nodes() if node not in nodes]
        hanging = all(await asyncio.gather(*(evidence.stands_still(stage, node) for node in nodes)))
        return hanging and (not others or not all([await evidence.hangs(stage, node) for node in others[:2]]))

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await service.missing(stage, nodes_of(stage, aim))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowed(Traits):
    """No more than `cpus` cores, as a Kubernetes CPU limit gives them: so much of every 100 ms, and in the rest of it
    all threads of the process stand still."""

    targets: Targets = VTGATES
    cpus: float = 0.1
    serve_within_s: float = SERVE_WITHIN_S

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.CPU})

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: nothing fits."""
        nodes = await self.targets.chosen(stage)
        aim = _aim(nodes, self.targets, tuple(limits.unlimited(node.name, CPUS) for node in nodes), self.serve_within_s)
        claims = frozenset(limits.claim(node.name, CPUS) for node in nodes)
        return Aim(
            targets=aim.targets,
            details={**aim.details, CPUS: self.cpus},
            undo=aim.undo,
            claims=claims,
            recover_within_s=self.serve_within_s,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        table = await stage.shared(limits.limits_of)
        span.begin()
        for node in nodes_of(stage, aim):
            await table.change(node, cpus=self.cpus)
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The kernel counts that it has stopped them. They are given work meanwhile: who rests uses up nothing."""

        async def held_back() -> bool:
            return all(await asyncio.gather(*(_held_back(stage, node) for node in nodes_of(stage, aim))))

        try:
            return await stage.until("processes held back", held_back, timeout_s=HELD_BACK_WITHIN_S)
        except WaitTimeout:
            return False

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await service.missing(stage, nodes_of(stage, aim))


def _aim(nodes: tuple[Node, ...], targets: Targets, undo: tuple[Remedy, ...], recover_within_s: float) -> Aim:
    return Aim(
        targets=tuple(node.name for node in nodes),
        details=process.whereabouts(nodes, targets),
        undo=undo,
        claims=frozenset(f"process {node.name}" for node in nodes),
        recover_within_s=recover_within_s,
    )


async def _held_back(stage: Stage, node: Node) -> bool:
    if not isinstance(stage.cluster, OffersLimits):
        raise ClusterError("this backend counts nothing of the kind")
    times = (await stage.cluster.held_back(node)).times
    if times == 0:
        await evidence.busied(stage, node)
    return times > 0


FAULTS: tuple[type[Fault], ...] = (Paused, Slowed)
