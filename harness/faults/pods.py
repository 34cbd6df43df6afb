"""Pods that are taken away with all that is in them: deleted, or evicted as a drain of their machine does it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.base.errors import ClusterError, PlanError
from harness.contracts import Aim, Fault, Ground, OffersPods, SpanRecorder, Stage, WholePods
from harness.faults import process, service
from harness.faults.targets import Targets, nodes_of
from harness.faults.traits import Traits
from harness.model import Capability, Node, Remedy, Role

POD = "pod"
CORDON = "cordon"
POD_WITHIN_S = 25.0  # less than a remedy may take
SERVE_WITHIN_S = 60.0
VTGATES = Targets(role=Role.VTGATE)
UID = "uid of "
_OURS = {Role.VTCTLD: "the harness speaks to vtctld at its pod's address, and the next pod has another one"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken(Traits):
    """What the faults here have in common.

    The pod that takes the name is empty and has another address: clients that know only the old one do not find it, and
    the load of a run is such a client. Its programs are started at once, as its workload
    would. Of a pod whose data goes with it the cluster would not be the same one: it is refused.
    """

    targets: Targets = VTGATES
    serve_within_s: float = SERVE_WITHIN_S

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.PODS})

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        """Raises PlanError: a pod would take its data with it; ClusterError: nothing fits."""
        pods = pods_of(stage)
        chosen = await self.targets.chosen(stage)
        nodes = tuple(dict.fromkeys(node for each in chosen for node in pods.inside(each)))
        reasons = dict.fromkeys(filter(None, (pods.why_not(node) or _OURS.get(node.role, "") for node in nodes)))
        if reasons:
            raise PlanError("; ".join(reasons))
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={**process.whereabouts(nodes, self.targets), **await _uids(pods, nodes)},
            undo=(
                *[await service.mysql_in_service(stage, node) for node in nodes if node.role is Role.MYSQLD],
                *(process.runs_again(node.name) for node in nodes),
                *(Remedy(kind=POD, target=node.name) for node in nodes),
            ),
            claims=frozenset(f"process {node.name}" for node in nodes),
            recover_within_s=self.serve_within_s,
        )

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The API server has another pod under every name, or none."""
        return await _others(stage, aim)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await service.missing(stage, nodes_of(stage, aim))


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledPod(_Taken):
    """The pod is deleted without a grace period, as when its machine is gone, and another takes its name. One-shot."""

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        pods, nodes = pods_of(stage), nodes_of(stage, aim)
        span.begin()
        await asyncio.gather(*(pods.take(node, evict=False) for node in _first_of_pods(pods, nodes)))
        await _replaced(stage, aim, span)
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictedPod(_Taken):
    """As a drain does it: the programs are asked to end (SIGTERM), the pod is evicted, and another takes its name.
    One-shot, unless `cordon`: its machine takes no pods while the block lasts, and the node stays away as long.

    A cordon keeps everybody's pods off the machine, not only ours.
    """

    cordon: bool = False
    stop_within_s: float = process.STOP_WITHIN_S

    @property
    def one_shot(self) -> bool:
        return not self.cordon

    async def aim(self, stage: Stage) -> Aim:
        """Raises PlanError, also where no machine can be cordoned; ClusterError: one is already."""
        aim = await _Taken.aim(self, stage)
        if not self.cordon:
            return aim
        machines = await _machines(stage, nodes_of(stage, aim))
        return Aim(
            targets=aim.targets,
            details={**aim.details, "machines": " ".join(machines)},
            undo=(*aim.undo, *(Remedy(kind=CORDON, target=machine) for machine in machines)),
            claims=aim.claims | {f"machine {machine}" for machine in machines},
            recover_within_s=aim.recover_within_s,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        pods, nodes = pods_of(stage), nodes_of(stage, aim)
        span.begin()
        for machine in _cordoned(aim):
            await pods.set_cordon(machine, True)
        await _asked_to_end(stage, nodes, span, self.stop_within_s)
        await asyncio.gather(*(pods.take(node, evict=True) for node in _first_of_pods(pods, nodes)))
        if self.cordon:
            await stage.until("evicted pods", lambda: _others(stage, aim), timeout_s=POD_WITHIN_S)
            span.active()
        else:
            await _replaced(stage, aim, span)
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The API server has another pod under every name, or none; machines are cordoned, if they should be."""
        closed = [await pods_of(stage).is_cordoned(machine) for machine in _cordoned(aim)]
        return all(closed) and await _others(stage, aim)


# ---------------------------------------------------------------- parts


def pods_of(ground: Ground) -> WholePods:
    """Raises ClusterError."""
    cluster = ground.cluster
    if not isinstance(cluster, OffersPods) or cluster.pods is None:
        raise ClusterError("this cluster's nodes do not live in pods that could be taken away")
    return cluster.pods


async def _uids(pods: WholePods, nodes: Sequence[Node]) -> Mapping[str, str]:
    return {f"{UID}{node.name}": (await pods.seen(node)).uid for node in nodes}


def _first_of_pods(pods: WholePods, nodes: Sequence[Node]) -> tuple[Node, ...]:
    return tuple(node for node in nodes if pods.inside(node)[0] == node)


async def _others(stage: Stage, aim: Aim) -> bool:
    uids = await _uids(pods_of(stage), nodes_of(stage, aim))
    return all(uid != aim.details[key] for key, uid in uids.items())


async def _asked_to_end(stage: Stage, nodes: Sequence[Node], span: SpanRecorder, within_s: float) -> None:
    try:
        await asyncio.gather(*(stage.cluster.stop(node, timeout_s=within_s) for node in nodes))
    except ClusterError as error:  # it was killed
        span.detail(not_stopped=str(error))


async def _machines(stage: Stage, nodes: Sequence[Node]) -> tuple[str, ...]:
    pods = pods_of(stage)
    if reason := await pods.why_no_cordon():
        raise PlanError(reason)
    machines = tuple(dict.fromkeys([(await pods.seen(node)).machine for node in nodes]))
    for machine in machines:
        if not machine or await pods.is_cordoned(machine):
            raise ClusterError(f"the machine {machine or 'of a pod'} takes no pods already")
    return machines


def _cordoned(aim: Aim) -> list[str]:
    return str(aim.details.get("machines", "")).split()


async def _replaced(stage: Stage, aim: Aim, span: SpanRecorder) -> None:
    """New pods, and their programs started: a mysqld before its vttablet."""
    pods, nodes = pods_of(stage), nodes_of(stage, aim)
    try:
        await asyncio.gather(
            *(
                pods.again(node, unlike=str(aim.details[f"{UID}{node.name}"]), timeout_s=POD_WITHIN_S)
                for node in _first_of_pods(pods, nodes)
            )
        )
        for some in ([n for n in nodes if n.role is Role.MYSQLD], [n for n in nodes if n.role is not Role.MYSQLD]):
            await asyncio.gather(*(stage.cluster.start(node, timeout_s=process.START_WITHIN_S) for node in some))
    except ClusterError as error:
        span.failed(str(error))
    else:
        span.active()


# ---------------------------------------------------------------- taking back


async def _pod_again(ground: Ground, remedy: Remedy) -> None:
    """Its programs are started by remedies of their own."""
    (node,) = [node for node in ground.cluster.nodes() if node.name == remedy.target]
    await pods_of(ground).again(node, unlike="", timeout_s=POD_WITHIN_S)


async def _uncordoned(ground: Ground, remedy: Remedy) -> None:
    await pods_of(ground).set_cordon(remedy.target, False)


PLACES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {CORDON: _uncordoned}
REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {POD: _pod_again}
FAULTS: tuple[type[Fault], ...] = (KilledPod, EvictedPod)
