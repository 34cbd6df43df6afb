"""Processes that end: killed, asked to, started anew, or killed again and again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults import evidence, service
from harness.faults.missing import Missing
from harness.faults.targets import Targets, nodes_of
from harness.faults.traits import Traits
from harness.model import Capability, Node, Remedy, Role
from harness.vitess.vtctld import TabletRecord, vtctld_of

RUNS = "runs"
START_WITHIN_S = 25.0
LIVES_S = 1.0
LIVES_WITHOUT_TOPOLOGY_S = 6.0
STOP_WITHIN_S = 40.0  # vtgate and vttablet take --onterm-timeout, 10 s, and more to drain (go/vt/servenv, v0.24.3)
SERVE_WITHIN_S = 60.0
SEEN_WITHIN_S = 3.0
MYSQLD_FIRST_S = 8.0
PRIMARY = Targets(role=Role.VTTABLET, tablet_type="primary")
STARTED = "started_s of "
KNOWN_TO_S: Mapping[Role, float] = {Role.MYSQLD: 2.0}  # `evidence.started_s`; of all others the kernel's hundredths


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended(Traits):
    """What the faults here have in common. Leaving the block starts every target again.

    A killed primary's vttablet comes back as primary, without a reparent, as long as the shard record still names it
    (go/vt/vttablet/tabletmanager/tm_init.go, checkPrimaryShip, v0.24.3), and its mysqld was never read-only. If
    somebody promoted another tablet meanwhile it comes back as that one's replica. Of a mysqld more has to be done:
    `harness.faults.service`.
    """

    targets: Targets = PRIMARY
    serve_within_s: float = SERVE_WITHIN_S

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL, Capability.RESTART})

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: nothing fits."""
        nodes = await self.targets.chosen(stage)
        mysqlds = [node for node in nodes if node.role is Role.MYSQLD]
        began = await ages(stage, nodes)
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={**whereabouts(nodes, self.targets), **began},
            undo=(
                *[await service.mysql_in_service(stage, server) for server in mysqlds],
                *self._running_again(nodes, began),
            ),
            claims=frozenset(f"process {node.name}" for node in nodes),
            recover_within_s=self.serve_within_s,
        )

    def _running_again(self, nodes: tuple[Node, ...], began: Mapping[str, float]) -> Iterable[Remedy]:
        return (runs_again(node.name) for node in nodes)

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The kernel refuses connections to the ports of all of them."""
        return await _all_refuse(stage, aim)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await service.missing(stage, nodes_of(stage, aim))


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed(_Ended):
    """kill -9: nobody is told, connections end with a reset."""

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        await asyncio.gather(*(stage.cluster.signal(node, signal.SIGKILL) for node in nodes_of(stage, aim)))
        span.active()
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated(_Ended):
    """SIGTERM, as a rollout does it: vtgate waits for its clients, vttablet says that it goes, and they end in order.

    In force when it has ended; one that does not end within `stop_within_s` is killed, and the span says so.
    """

    stop_within_s: float = STOP_WITHIN_S

    def _running_again(self, nodes: tuple[Node, ...], began: Mapping[str, float]) -> Iterable[Remedy]:
        return (runs_anew(node.name, began[f"{STARTED}{node.name}"]) for node in nodes)

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        await _stopped(stage, aim, span, self.stop_within_s)
        span.active()
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(_Ended):
    """Stopped and started again at once, as an operator does it. One-shot: what is left of it is a younger process.

    `abrupt`: with kill -9 instead of SIGTERM.
    """

    stop_within_s: float = STOP_WITHIN_S
    abrupt: bool = False

    @property
    def one_shot(self) -> bool:
        return True

    def _running_again(self, nodes: tuple[Node, ...], began: Mapping[str, float]) -> Iterable[Remedy]:
        return (runs_anew(node.name, began[f"{STARTED}{node.name}"]) for node in nodes)

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        nodes = nodes_of(stage, aim)
        span.begin()
        if self.abrupt:
            await asyncio.gather(*(stage.cluster.signal(node, signal.SIGKILL) for node in nodes))
        else:
            await _stopped(stage, aim, span, self.stop_within_s)
        try:
            await asyncio.gather(*(stage.cluster.start(node, timeout_s=START_WITHIN_S) for node in nodes))
        except ClusterError as error:
            span.failed(str(error))
        else:
            span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Every process is younger than the one that was there. A vtgate takes clients before it tells its age."""
        return await all_younger(stage, aim, nodes_of(stage, aim))


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashLoop(_Ended):
    """Killed as soon as it answers, but not more often than every `every_s`, until the block is left: a process whose
    supervisor starts it again and again."""

    every_s: float = 2.0

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        leaving, nodes = asyncio.Event(), nodes_of(stage, aim)
        span.begin()
        await asyncio.gather(*(stage.cluster.signal(node, signal.SIGKILL) for node in nodes))
        span.active()
        loops = [asyncio.ensure_future(self._loop(stage, node, leaving)) for node in nodes]
        try:
            yield
        finally:
            leaving.set()
            within_s = START_WITHIN_S + self.every_s + 5.0
            kills = await wait.through("the crash loops end", _all_of(loops), timeout_s=within_s)
            span.detail(kills=len(nodes) + sum(kills))

    async def _loop(self, stage: Stage, node: Node, leaving: asyncio.Event) -> int:
        """One that dies by itself before it answers is started again like any other."""
        kills = 0
        while not await set_within(leaving, self.every_s):
            with contextlib.suppress(ClusterError):
                await stage.cluster.start(node, timeout_s=START_WITHIN_S)
            if not leaving.is_set():
                with contextlib.suppress(ClusterError):
                    await stage.cluster.signal(node, signal.SIGKILL)
                    kills += 1
        return kills

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Again and again nobody listens there."""
        try:
            return await stage.until("refused connections", lambda: _all_refuse(stage, aim), timeout_s=SEEN_WITHIN_S)
        except WaitTimeout:
            return False


# ---------------------------------------------------------------- parts


def whereabouts(nodes: tuple[Node, ...], targets: Targets) -> Mapping[str, str]:
    """For the record: what the targets are, of tablets also whose they are; several with spaces in between."""
    tablets = [node for node in nodes if node.tablet_uid]
    words = {
        "role": [node.role.value for node in nodes],
        "keyspace": [node.keyspace for node in tablets],
        "shard": [node.shard for node in tablets],
        "alias": [node.tablet_alias for node in tablets],
    }
    said = {key: " ".join(dict.fromkeys(values)) for key, values in words.items() if values}
    return {**said, "tablet_type": targets.tablet_type} if targets.tablet_type else said


async def ages(ground: Ground, nodes: Iterable[Node]) -> dict[str, float]:
    """For an aim's details: when each of them began."""
    return {f"{STARTED}{node.name}": await evidence.started_s(ground, node) for node in nodes}


async def all_younger(stage: Stage, aim: Aim, nodes: Sequence[Node]) -> bool:
    """Than at the aim, which has their `ages`; waits until each of them says when it began."""

    async def all_say() -> bool:
        return all(await asyncio.gather(*(evidence.started_s(stage, node) for node in nodes)))

    with contextlib.suppress(WaitTimeout):
        await stage.until("the age of processes", all_say, timeout_s=SEEN_WITHIN_S)
    return all([await is_younger(stage, aim, node) for node in nodes])


async def is_younger(stage: Stage, aim: Aim, node: Node) -> bool:
    return await _began_after(stage, node, float(aim.details[f"{STARTED}{node.name}"]))


async def _began_after(ground: Ground, node: Node, than_s: float) -> bool:
    """Of a process that never said when it began nothing is known."""
    return 0 < than_s < await evidence.started_s(ground, node) - KNOWN_TO_S.get(node.role, 0.05)


async def _all_refuse(stage: Stage, aim: Aim) -> bool:
    return all(await asyncio.gather(*(evidence.refuses(stage, node) for node in nodes_of(stage, aim))))


async def _stopped(stage: Stage, aim: Aim, span: SpanRecorder, within_s: float) -> None:
    try:
        await asyncio.gather(*(stage.cluster.stop(node, timeout_s=within_s) for node in nodes_of(stage, aim)))
    except ClusterError as error:  # it was killed
        span.detail(not_stopped=str(error))


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await wait.finish("an event", event.wait(), timeout_s=seconds)
    except WaitTimeout:
        return False
    return True


async def _all_of(tasks: Iterable[Awaitable[int]]) -> list[int]:
    return await asyncio.gather(*tasks)


async def tablet_of(stage: Stage, keyspace: str, shard: str, *, tablet_type: str, number: int = 1) -> TabletRecord:
    """The `number`th tablet of a type in a shard, in the order of the aliases. Raises ClusterError: there is none.

    The shard record, not the tablet's, says who the primary is: a killed primary's tablet record keeps its type.
    """
    vtctld = await stage.shared(vtctld_of)
    primary = await vtctld.shard_primary(keyspace, shard)
    tablets = sorted(await vtctld.tablets(keyspace, shard), key=lambda tablet: tablet.alias)
    if tablet_type == "primary":
        found = [tablet for tablet in tablets if tablet.alias == primary]
    else:
        found = [tablet for tablet in tablets if tablet.type == tablet_type and tablet.alias != primary]
    if not 1 <= number <= len(found):
        has = ", ".join(f"{tablet.alias} {tablet.type}" for tablet in tablets) or "no tablets"
        raise ClusterError(f"{keyspace}/{shard} has no {tablet_type} tablet number {number}: {has}")
    return found[number - 1]


# ---------------------------------------------------------------- taking back


def runs_again(node: str) -> Remedy:
    """A process continues if it is stopped, and is started if it does not run."""
    return Remedy(kind=RUNS, target=node)


def runs_anew(node: str, began_s: float) -> Remedy:
    """The same for one that was asked to end (SIGTERM). It may still be at it for ten seconds when the harness dies,
    and end when it was already found running: the process that began at `began_s` (0 = it did not say) is killed."""
    return Remedy(kind=RUNS, target=node, details={"began_s": began_s})


async def _run_again(ground: Ground, remedy: Remedy) -> None:
    """Raises WaitTimeout: it cannot be started, or dies again and again."""
    (node,) = [node for node in ground.cluster.nodes() if node.name == remedy.target]
    if await _runs(ground, node):
        if not await _was_asked_to_end(ground, node, remedy):
            await ground.cluster.signal(node, signal.SIGCONT)
            return
        with contextlib.suppress(ClusterError):  # it has ended by itself
            await ground.cluster.signal(node, signal.SIGKILL)
    with contextlib.suppress(WaitTimeout):
        await ground.until(
            f"the mysqld of {node.name} answers", lambda: _may_start(ground, node), timeout_s=MYSQLD_FIRST_S
        )
    await _started(ground, node)


async def _started(ground: Ground, node: Node) -> None:
    """Again when it dies, as a supervisor would: every program of Vitess gives up when no topology server answers for
    5 s (go/vt/topo/etcd2topo/server.go, v0.24.3), which another fault may be the cause of.

    A vtgate opens its ports only when it has found tablets of every shard, or after 30 s
    (--gateway-initial-tablet-timeout, vtgate/tabletgateway.go, v0.24.3). What they lack may be given back after this,
    so it has only to live.
    """
    vtgate = node.role is Role.VTGATE
    lives_s = LIVES_S if ground.quiet else LIVES_WITHOUT_TOPOLOGY_S

    async def runs() -> object:
        try:
            await ground.cluster.start(node, timeout_s=lives_s if vtgate else START_WITHIN_S)
        except ClusterError as error:
            return (vtgate and await _runs(ground, node)) or Missing(str(error))
        return True

    await ground.until(f"{node.name} runs", runs, timeout_s=START_WITHIN_S)


async def _was_asked_to_end(ground: Ground, node: Node, remedy: Remedy) -> bool:
    """One that tells its age no more is about to end, or has just been started: then it may be started once more."""
    began_s = float(remedy.details.get("began_s", -1.0))
    return began_s == 0 or (began_s > 0 and not await _began_after(ground, node, began_s))


async def _may_start(ground: Ground, node: Node) -> bool:
    """A vttablet that finds no mysqld ends at once (go/cmd/vttablet, v0.24.3); somebody may be about to start that."""
    mysqlds = [each for each in ground.cluster.nodes(Role.MYSQLD) if each.tablet_uid == node.tablet_uid]
    return node.role is not Role.VTTABLET or not any([await evidence.refuses(ground, each) for each in mysqlds])


async def _runs(ground: Ground, node: Node) -> bool:
    """Signal 0 asks only whether somebody could be signalled."""
    try:
        await ground.cluster.signal(node, 0)
    except ClusterError:
        return False
    return True


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {RUNS: _run_again}
FAULTS: tuple[type[Fault], ...] = (Killed, Terminated, Restarted, CrashLoop)
