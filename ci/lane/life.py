"""Up, down and status: what a lane is between commands.

FOLDER/kubeconfig      there while the lane is up
FOLDER/control.sock    its supervisor
FOLDER/logs            one file a program; kept when a start has failed
FOLDER/scratch         keys, configuration, and the data of etcd, containerd and the kubelet
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import psutil

from ci.lane import cgroups, configs, permits, standup
from ci.lane.place import Lane
from ci.lane.standup import Say, Standup
from ci.lane.tools import Tools
from clusters.local import supervision
from clusters.local.supervision import Supervisor
from clusters.local.supervisor import netlink
from harness.base import wait
from harness.base.errors import ClusterError, HarnessError

END_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`services` are the programs that run, with their process ids inside the lane; `left` is what `down` would
    remove."""

    services: dict[str, int]
    ready: bool
    left: tuple[str, ...]


async def up(lane: Lane, tools: Tools, *, say: Say) -> None:
    """A lane that outlives us; until it is ready it ends with us, and then only its logs stay.

    Raises PlanError, ClusterError, ProcessError.
    """
    with _alone(lane):
        if (await status(lane)).ready:
            say(f"a lane is up already: {lane.kubeconfig}")
            return
        await _cleared(lane)
        await permits.demand(lane)
        try:
            await standup.prepare(lane, tools)
            config = standup.supervisor_config(lane)
            await supervision.detached(config, socket_path=lane.control, log=lane.log("supervisor"))
            async with Supervisor.joined(supervision.connect(lane.control), lane.log("supervisor")) as supervisor:
                await supervisor.tie()
                await Standup(lane, tools, supervisor, say).run()
                _publish(lane)
                await supervisor.untie()
        except BaseException:
            await _removed(lane)
            raise


@contextlib.asynccontextmanager
async def standing(lane: Lane, tools: Tools, *, say: Say) -> AsyncIterator[None]:
    """A lane for as long as the block lasts; it ends with us however we end."""
    with _alone(lane):
        await _cleared(lane)
        await permits.demand(lane)
        try:
            await standup.prepare(lane, tools)
            config = standup.supervisor_config(lane)
            log = lane.log("supervisor")
            async with supervision.owned(config, log=log, end_timeout_s=END_TIMEOUT_S) as supervisor:
                await Standup(lane, tools, supervisor, say).run()
                _publish(lane)
                yield
        finally:
            await _removed(lane)


async def down(lane: Lane) -> list[str]:
    """Remove all that a lane made, logs too; returns what was there, in words. Twice without harm."""
    if not lane.folder.is_dir():
        return []
    with _alone(lane):
        removed = await _cleared(lane)
        with contextlib.suppress(OSError):  # there is something that is not ours
            lane.folder.rmdir()
    return removed


async def status(lane: Lane) -> Status:
    """What runs and what lies about."""
    services: dict[str, int] = {}
    with contextlib.suppress(OSError, HarnessError):
        async with Supervisor.joined(supervision.connect(lane.control), lane.log("supervisor")) as supervisor:
            services = await supervisor.running()
    ready = lane.kubeconfig.is_file() and services.keys() >= standup.SERVICES
    return Status(services=services, ready=ready, left=tuple(_left(lane)))


def _publish(lane: Lane) -> None:
    """The sign that the lane is ready."""
    text = configs.kubeconfig(lane, "admin")
    with open(lane.kubeconfig, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        out.write(text)


@contextlib.contextmanager
def _alone(lane: Lane) -> Iterator[None]:
    """One command at a time, by a lock that the kernel releases. Raises ClusterError."""
    lane.folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(lane.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ClusterError(f"another command is at work on the lane in {lane.folder}") from None
    finally:
        os.close(handle)


async def _cleared(lane: Lane) -> list[str]:
    removed = await _removed(lane)
    shutil.rmtree(lane.logs, ignore_errors=True)
    return removed


async def _removed(lane: Lane) -> list[str]:
    """Everything but the logs. Raises ClusterError for what does not go."""
    found = list(_left(lane))
    lane.kubeconfig.unlink(missing_ok=True)
    await _ended(lane)
    if lane.link in _interfaces():
        netlink.delete(lane.link)
    await cgroups.remove(lane)
    shutil.rmtree(lane.scratch, ignore_errors=True)
    lane.control.unlink(missing_ok=True)
    return found


def _left(lane: Lane) -> Iterator[str]:
    """What there is of a lane, in words."""
    found = supervisors(lane)
    if found:
        yield f"supervisor (process {', '.join(str(row.pid) for row in found)}) with all of the lane's processes"
    if lane.link in _interfaces():
        yield f"network interface {lane.link}"
    for path in cgroups.existing(lane):
        yield f"cgroup {path}"
    for path in (lane.scratch, lane.kubeconfig, lane.control):
        if path.exists():
            yield str(path)


def supervisors(lane: Lane) -> list[psutil.Process]:
    """Its two processes, outside and inside, told by their command line, which names the folder.

    They are looked for, not remembered: a process id in a file may be somebody else's by now. Which Python and
    which checkout started them does not matter.
    """
    program = slice(1, 5)
    genuine = supervision.command({})[program]
    rows = [(process, process.info["cmdline"] or [""]) for process in psutil.process_iter(["cmdline"])]
    return [process for process, words in rows if words[program] == genuine and f'"{lane.scratch}"' in words[-1]]


async def _ended(lane: Lane) -> None:
    """Kill the supervisor: the kernel ends every process of its namespaces first. Raises WaitTimeout."""
    found = supervisors(lane)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()

    async def gone() -> bool:
        return not any(_lives(process) for process in found)

    await wait.until("the lane's supervisor ends", gone, timeout_s=END_TIMEOUT_S)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}
