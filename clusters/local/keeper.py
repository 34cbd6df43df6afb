"""Local clusters that outlive the command that stood them up.

    FOLDER/state.json     what stands where; complete once the cluster serves
    FOLDER/control.sock   the supervisor
    FOLDER/logs, data

A cluster is alive as long as its supervisor answers; a folder without one is a leftover (the machine was restarted).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusters.common import obtained
from clusters.common.bringup import Bringup
from clusters.common.cluster import NodesCluster
from clusters.common.keeping import STATE, Kept, SavedCommand, restored, saved
from clusters.common.layout import Layout
from clusters.local import capacity, host, links, standup, supervision, template
from clusters.local.network import Network
from clusters.local.processes import SupervisedProcesses
from clusters.local.supervision import Supervisor
from harness.base import jsonio, wait
from harness.base.errors import ClusterError
from harness.contracts import Observer
from harness.model import ClusterSpec, Node, Placement

STOP_TIMEOUT_S = 15.0
_SOCKET = "control.sock"
_LOGS = "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """state.json: enough to talk to the cluster and to restart its nodes."""

    name: str
    started_s: float  # wall clock, for people
    spec: ClusterSpec
    nodes: tuple[Node, ...]
    address: str
    ports: dict[str, dict[str, int]]
    data: str
    logs: str
    kernel_cleanup: str
    commands: dict[str, SavedCommand]
    upgraded: dict[str, SavedCommand] = field(default_factory=dict)

    def layout(self) -> Layout:
        return Layout(
            spec=self.spec,
            hosts={node.name: self.address for node in self.nodes},
            nodes=self.nodes,
            ports=self.ports,
            data=Path(self.data),
            logs=Path(self.logs),
        )


class LocalKeeper:
    """`clusters.common.keeping.Keeper` of local clusters."""

    def __init__(self, *, isolation: str = "") -> None:
        """`isolation`: as for LocalBackend."""
        self._isolation = isolation

    async def start(self, name: str, spec: ClusterSpec, place: Placement, *, folder: Path, observer: Observer) -> None:
        """Until it serves it ends with us. Raises ClusterError, SoftwareError, PlanError."""
        try:
            await _started(name, folder, spec, observer=observer, isolation=self._isolation)
        except asyncio.CancelledError:
            await _withdraw(folder)
            raise

    def attached(self, folder: Path, *, observer: Observer) -> AbstractAsyncContextManager[NodesCluster]:
        return _attached(folder, observer)

    async def look(self, folder: Path) -> Kept:
        state = _load(folder)
        alive, running = False, dict[str, int]()
        with contextlib.suppress(OSError, ClusterError):
            async with _joined(folder) as supervisor:
                running, alive = await supervisor.running(), True
        nodes = state.nodes if alive and state is not None else ()
        return Kept(
            backend="local",
            spec=state.spec if state is not None else None,
            place=Placement(),
            alive=alive,
            stopped=tuple(node.name for node in nodes if node.name not in running),
        )

    async def stop(self, folder: Path) -> None:
        """Raises WaitTimeout."""
        with contextlib.suppress(OSError):
            await _shut_down(folder, supervision.connect(folder / _SOCKET))


async def _started(name: str, folder: Path, spec: ClusterSpec, *, observer: Observer, isolation: str) -> None:
    kept_apart = await host.isolation(isolation)
    programs = await obtained.programs_for(spec, observer=observer)
    sources = await template.ready(spec, programs, isolation=kept_apart, observer=observer)
    plan, link = standup.planned(spec, programs, kept_apart, folder=folder, logs=folder / _LOGS)
    cutting = await links.means(plan, kept_apart, observer)
    for path in (plan.logs, plan.data):
        path.mkdir(parents=True)
    in_memory = capacity.data_fits_in_memory(spec, kept_apart)
    config = standup.supervisor_config(plan, link, kept_apart, in_memory=in_memory, links=cutting, run=name)
    log = plan.logs / standup.SUPERVISOR_LOG
    await _to_its_end(supervision.detached(config, socket_path=folder / _SOCKET, log=log))
    async with _joined(folder) as supervisor:
        await supervisor.tie()
        cluster = standup.assembled(plan, programs, kept_apart, supervisor, observer, templates=sources)
        await Bringup(cluster, programs, observer).run()
        jsonio.save(folder / STATE, _state(name, cluster, link, kept_apart.kernel_cleanup))
        await supervisor.untie()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what is bounded and must not be cut short, and be cancelled only then: who has made a supervisor can end
    it; half a supervisor stays."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _withdraw(folder: Path) -> None:
    """End what was started of a cluster. Raises WaitTimeout."""
    if (folder / _SOCKET).exists():
        with contextlib.suppress(OSError):  # it ends already, because we have left it
            await _shut_down(folder, supervision.connect(folder / _SOCKET))
        await _until_gone(folder)


@contextlib.asynccontextmanager
async def _attached(folder: Path, observer: Observer) -> AsyncIterator[NodesCluster]:
    state = _load(folder)
    if state is None:
        raise ClusterError(f"there is no cluster in {folder} that serves")
    async with _joined(folder) as supervisor:
        running = await supervisor.running()
        plan = state.layout()
        processes = SupervisedProcesses(plan, supervisor, kernel_cleanup=state.kernel_cleanup, templates={})
        commands, upgraded = restored(state.commands), restored(state.upgraded)
        yield NodesCluster(plan, commands, processes, observer, running=tuple(running), upgraded=upgraded)


async def _shut_down(folder: Path, channel: socket.socket) -> None:
    """The outer supervisor removes the data as its last act."""
    async with Supervisor.joined(channel, folder / _LOGS / standup.SUPERVISOR_LOG) as supervisor:
        await supervisor.shutdown()
    await _until_gone(folder)


async def _until_gone(folder: Path) -> None:
    async def gone() -> bool:
        return not _alive(folder) and not (folder / standup.DATA).exists()

    await wait.until(f"the supervisor of {folder.name} ends", gone, timeout_s=STOP_TIMEOUT_S)


# ---------------------------------------------------------------- folder and state


@contextlib.asynccontextmanager
async def _joined(folder: Path) -> AsyncIterator[Supervisor]:
    try:
        channel = supervision.connect(folder / _SOCKET)
    except OSError as error:
        raise ClusterError(f"the supervisor in {folder} does not answer: {error}") from None
    async with Supervisor.joined(channel, folder / _LOGS / standup.SUPERVISOR_LOG) as supervisor:
        yield supervisor


def _alive(folder: Path) -> bool:
    try:
        supervision.connect(folder / _SOCKET).close()
    except OSError:
        return False
    return True


def _load(folder: Path) -> State | None:
    return jsonio.load_if_whole(folder / STATE, State)


def _state(name: str, cluster: NodesCluster, link: Network, kernel_cleanup: str) -> State:
    plan = cluster.layout
    return State(
        name=name,
        started_s=time.time(),
        spec=plan.spec,
        nodes=plan.nodes,
        address=link.cluster,
        ports={node: dict(ports) for node, ports in plan.ports.items()},
        data=str(plan.data),
        logs=str(plan.logs),
        kernel_cleanup=kernel_cleanup,
        commands=saved(cluster.commands),
        upgraded=saved(cluster.upgraded),
    )
