"""Clusters for manual work: they outlive the command that stood them up.

    CACHE/clusters/NAME/state.json     what stands where; complete once the cluster serves
    CACHE/clusters/NAME/control.sock   the supervisor
    CACHE/clusters/NAME/logs, data

A cluster is alive as long as its supervisor answers; a folder without one is a leftover (the machine was
restarted), and is shown as such until `stop` or the next `start` of that name removes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusters.common import obtained
from clusters.common.bringup import Bringup
from clusters.common.cluster import NodesCluster
from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.local import capacity, host, standup, supervision, template
from clusters.local.network import Network
from clusters.local.processes import SupervisedProcesses
from clusters.local.supervision import Supervisor
from clusters.software import Sources
from harness.base import jsonio, wait
from harness.base.errors import ClusterError, PlanError
from harness.contracts import Observer
from harness.model import ClusterSpec, Node, Role

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
STOP_TIMEOUT_S = 15.0
_STATE = "state.json"
_SOCKET = "control.sock"
_LOGS = "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCommand:
    """How a node is started, as state.json keeps it."""

    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]


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

    def layout(self) -> Layout:
        return Layout(
            spec=self.spec,
            hosts={node.name: self.address for node in self.nodes},
            nodes=self.nodes,
            ports=self.ports,
            data=Path(self.data),
            logs=Path(self.logs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of `vtchaos status`. `stopped` are nodes that are not running; `alive` False: a leftover."""

    name: str
    alive: bool
    serving: bool
    folder: Path
    state: State | None
    stopped: tuple[str, ...] = ()


async def start(name: str, spec: ClusterSpec, *, observer: Observer, isolation: str = "") -> State:
    """Stand up a cluster that stays. Until it serves it ends with us; a failed start leaves only its logs, a
    cancelled one leaves nothing.

    Raises PlanError (bad name, exists already), ClusterError, SoftwareError.
    """
    folder = await _claim(name)
    try:
        return await _started(name, folder, spec, observer=observer, isolation=isolation)
    except asyncio.CancelledError:
        await _withdraw(name, folder)
        raise
    except BaseException:
        if not (folder / _LOGS).exists():  # it failed before anything was started: there is nothing to look at
            await asyncio.to_thread(shutil.rmtree, folder)
        raise


async def _started(name: str, folder: Path, spec: ClusterSpec, *, observer: Observer, isolation: str) -> State:
    kept_apart = await host.isolation(isolation)
    programs = await obtained.programs_for(spec, observer=observer)
    sources = await template.ready(spec, programs, isolation=kept_apart, observer=observer)
    plan, link = standup.planned(spec, programs, kept_apart, folder=folder, logs=folder / _LOGS)
    for path in (plan.logs, plan.data):
        path.mkdir(parents=True)
    in_memory = capacity.data_fits_in_memory(spec, kept_apart)
    config = standup.supervisor_config(plan, link, kept_apart, in_memory=in_memory)
    log = plan.logs / standup.SUPERVISOR_LOG
    await _to_its_end(supervision.detached(config, socket_path=folder / _SOCKET, log=log))
    async with _joined(folder, log) as supervisor:
        await supervisor.tie()
        cluster = standup.assembled(plan, programs, kept_apart, supervisor, observer, templates=sources)
        await Bringup(cluster, programs, observer).run()
        state = _state(name, cluster, link, kept_apart.kernel_cleanup)
        jsonio.save(folder / _STATE, state)
        await supervisor.untie()
    return state


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what is bounded and must not be cut short, and be cancelled only then: who has made a supervisor can end
    it; half a supervisor stays."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _withdraw(name: str, folder: Path) -> None:
    """End what was started of a cluster, and remove its folder. Raises WaitTimeout."""
    if (folder / _SOCKET).exists():
        with contextlib.suppress(OSError):  # it ends already, because we have left it
            await _shut_down(name, folder, supervision.connect(folder / _SOCKET))
        await _until_gone(name, folder)
    await asyncio.to_thread(shutil.rmtree, folder)


@contextlib.asynccontextmanager
async def attached(name: str, *, observer: Observer) -> AsyncIterator[NodesCluster]:
    """A cluster that stands already; leaving the block leaves it standing. Raises PlanError when there is none."""
    folder = _folder(name)
    state = _load(folder)
    if state is None:
        raise PlanError(f"there is no cluster {name!r} that serves; {await _known()}")
    logs = Path(state.logs)
    try:
        channel = supervision.connect(folder / _SOCKET)
    except OSError:
        raise PlanError(f"the cluster {name!r} is gone (only its folder {folder} is left); {await _known()}") from None
    async with Supervisor.joined(channel, logs / standup.SUPERVISOR_LOG) as supervisor:
        commands = {
            node: Command(argv=row.argv, cwd=Path(row.cwd), env=row.env) for node, row in state.commands.items()
        }
        running = await supervisor.running()
        plan = state.layout()
        processes = SupervisedProcesses(plan, supervisor, kernel_cleanup=state.kernel_cleanup, templates={})
        yield NodesCluster(plan, commands, processes, observer, running=tuple(running))


async def listed() -> tuple[Row, ...]:
    """All named clusters, leftovers included."""
    root = _root()
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return tuple(await asyncio.gather(*(_row(folder) for folder in folders)))


async def stop(name: str) -> None:
    """End a cluster and remove its folder; also a leftover's. Raises PlanError when there is none."""
    folder = _folder(name)
    if not folder.is_dir():
        raise PlanError(f"there is no cluster {name!r}; {await _known()}")
    with contextlib.suppress(OSError):
        await _shut_down(name, folder, supervision.connect(folder / _SOCKET))
    await asyncio.to_thread(shutil.rmtree, folder)


async def _shut_down(name: str, folder: Path, channel: socket.socket) -> None:
    """The outer supervisor removes the data as its last act."""
    async with Supervisor.joined(channel, folder / "logs" / standup.SUPERVISOR_LOG) as supervisor:
        await supervisor.shutdown()
    await _until_gone(name, folder)


async def _until_gone(name: str, folder: Path) -> None:
    async def gone() -> bool:
        return not _alive(folder) and not (folder / standup.DATA).exists()

    await wait.until(f"the supervisor of {name} ends", gone, timeout_s=STOP_TIMEOUT_S)


def connect_hints(cluster: NodesCluster) -> tuple[str, ...]:
    """Lines that tell a person how to reach the cluster, with programs that are there."""
    mysql_client, vtctl_client = _clients(cluster)
    rows = []
    for vtgate in cluster.nodes(Role.VTGATE):
        mysql, web = cluster.address(vtgate, "mysql"), cluster.address(vtgate, "web")
        rows.append(
            f"{vtgate.name} ({vtgate.version}): {mysql_client} -h {mysql[0]} -P {mysql[1]} {cluster.spec.keyspace}"
        )
        rows.append(f"{vtgate.name}: http://{web[0]}:{web[1]}/debug/status")
    (vtctld,) = cluster.nodes(Role.VTCTLD)
    grpc, web = cluster.address(vtctld, "grpc"), cluster.address(vtctld, "web")
    if vtctl_client:
        rows.append(f"vtctld: {vtctl_client} --server {grpc[0]}:{grpc[1]} GetTablets")
    rows.append(f"vtctld: gRPC {grpc[0]}:{grpc[1]}, http://{web[0]}:{web[1]}/debug/status")
    mysqlds = cluster.nodes(Role.MYSQLD)
    if mysqlds:
        direct = cluster.address(mysqlds[0], "mysql")
        rows.append(f"{mysqlds[0].name} itself: {mysql_client} -h {direct[0]} -P {direct[1]} -u vtchaos")
    rows.append(f"logs: {cluster.log_path(vtctld).parent}")
    return tuple(rows)


def _clients(cluster: NodesCluster) -> tuple[str, str]:
    """A mysql client and a vtctldclient: those on PATH, else those beside the cluster's own programs; "" for none.

    The client of an unpacked MySQL looks for its plugins in a folder that is not there, so it is told.
    """
    mysql, vtctl = shutil.which("mysql") or "", shutil.which("vtctldclient") or ""
    mysqld = next(Path(cluster.commands[node.name].argv[0]) for node in cluster.nodes(Role.MYSQLD))
    beside = mysqld.parent.parent / "bin" / "mysql"
    if not mysql and beside.is_file():
        plugins = beside.parent.parent / "lib" / "mysql" / "plugin"
        mysql = f"{beside} --plugin-dir={plugins}" if plugins.is_dir() else str(beside)
    vtctld = Path(cluster.commands[cluster.nodes(Role.VTCTLD)[0].name].argv[0])
    near = vtctld.with_name("vtctldclient")
    return mysql or "mysql", vtctl or (str(near) if near.is_file() else "")


# ---------------------------------------------------------------- folders and state


def _root() -> Path:
    return Sources.of_environment().cache_dir / "clusters"


def _folder(name: str) -> Path:
    if not NAME.fullmatch(name):
        raise PlanError(f"{name!r} is no name for a cluster: lower-case letters, digits and dashes, at most 31")
    return _root() / name


async def _claim(name: str) -> Path:
    """The empty folder of a new cluster."""
    folder = _folder(name)
    if _alive(folder):
        raise PlanError(f"a cluster {name!r} stands already; `vtchaos down {name}` ends it")
    if folder.is_dir():
        await asyncio.to_thread(shutil.rmtree, folder)
    folder.mkdir(parents=True)
    return folder


@contextlib.asynccontextmanager
async def _joined(folder: Path, log: Path) -> AsyncIterator[Supervisor]:
    try:
        channel = supervision.connect(folder / _SOCKET)
    except OSError as error:
        raise ClusterError(f"the supervisor in {folder} does not answer: {error}") from None
    async with Supervisor.joined(channel, log) as supervisor:
        yield supervisor


def _alive(folder: Path) -> bool:
    try:
        supervision.connect(folder / _SOCKET).close()
    except OSError:
        return False
    return True


async def _row(folder: Path) -> Row:
    state = _load(folder)
    stopped: Sequence[str] = ()
    alive = False
    with contextlib.suppress(OSError, ClusterError):
        async with Supervisor.joined(supervision.connect(folder / _SOCKET), folder / "supervisor.log") as supervisor:
            running: Mapping[str, int] = await supervisor.running()
            alive = True
            stopped = [node.name for node in state.nodes if node.name not in running] if state else ()
    serving = alive and state is not None
    return Row(name=folder.name, alive=alive, serving=serving, folder=folder, state=state, stopped=tuple(stopped))


def _load(folder: Path) -> State | None:
    try:
        return jsonio.load(folder / _STATE, State)
    except (FileNotFoundError, ValueError):
        return None


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
        commands={
            node: SavedCommand(argv=row.argv, cwd=str(row.cwd), env=dict(row.env))
            for node, row in cluster.commands.items()
        },
    )


async def _known() -> str:
    names = [row.name for row in await listed() if row.alive]
    return f"there are: {', '.join(names)}" if names else "there are none: `vtchaos up NAME` stands one up"
