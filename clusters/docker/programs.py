"""How the programs of nodes live in containers: each in one of its own, or a tablet's two in their box.

`clusters.docker.processes` is made of these. Both hear of ends from the engine's events.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.docker import boxes
from clusters.docker.boxes import Boxes
from clusters.docker.engine import Engine, Refused
from clusters.docker.following import LogFollower, Mark
from clusters.docker.others import Others
from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.model import Node

LOG_END_TIMEOUT_S = 5.0  # from the end of a program to the end of its output
CATCH_UP_TIMEOUT_S = 60.0
_SIGNALLED = 128  # a program that ended by signal n has exit status 128 + n


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program ended. `status` as the engine tells it: 128 + n for signal n."""

    name: str
    container: str
    status: int
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A program that was started by somebody before: `key` is the engine's name for it."""

    key: str
    runs: bool


class Programs(Protocol):
    """The programs of some nodes, by the nodes' names."""

    def container(self, name: str) -> str: ...  # where it runs; "" when it does not
    async def start(self, node: Node, command: Command) -> None: ...
    async def signal(self, name: str, signum: int, *, ends: bool) -> bool: ...  # False: it is not running
    def heard(self, event: Mapping[str, Any]) -> Ended | None: ...  # None: it is about something else
    async def missed(self) -> list[Mapping[str, Any]]: ...  # events of ends that were not heard, as of now
    async def written(self, name: str) -> None: ...  # all that an ended program has written is in its log
    def adopt(self, found: Mapping[str, Found]) -> None: ...
    async def close(self, *, kill: bool) -> None: ...  # follow no more; with `kill`, end all of them before

    @property
    def logs(self) -> Logs: ...


class Logs:
    """The log files that follow containers, one a node."""

    def __init__(self, engine: Engine, layout: Layout, *, streams: Callable[[Node], Mapping[str, bool]]) -> None:
        """`streams`: which of a container's outputs are a node's."""
        self.followers: dict[str, LogFollower] = {}
        self.on_follow: Callable[[], None] = lambda: None  # a log has begun to follow another container
        self.on_lost: Callable[[str, str], None] = lambda _node, _why: None  # a node's log cannot be followed on
        self._engine = engine
        self._layout = layout
        self._streams = streams

    def begin(self, name: str, container: str) -> None:
        """Follow a container from its beginning; what the file has already stays."""
        self._follow(name, Mark(container=container, size=_size(self._path(name))))

    async def go_on(self, containers: Mapping[str, str], marks: Mapping[str, Mark]) -> None:
        """Follow from where `marks` are; what there is already is in the files on return."""
        for name, container in containers.items():
            mark = marks.get(name, Mark(container=container))
            here = mark if mark.container == container else Mark(container=container, size=mark.size)
            self._follow(name, here, catch_up=True)
        caught_up = asyncio.gather(*(log.caught_up.wait() for log in self.followers.values()))
        await wait.finish("the logs of the containers are read", caught_up, timeout_s=CATCH_UP_TIMEOUT_S)

    async def ended(self, name: str) -> None:
        """Until all of a container that has ended is in the file."""
        follower = self.followers.get(name)
        await self._bounded(follower, follower.ended if follower is not None else asyncio.Event())

    def awaiting(self, name: str, text: bytes) -> Awaitable[None]:
        """Until a line that is written for this purpose has come, and be it before this is awaited; it is not kept."""
        follower = self.followers.get(name)
        return self._bounded(follower, follower.reached(text) if follower is not None else asyncio.Event())

    def stop(self) -> None:
        for follower in self.followers.values():
            follower.stop()

    def _follow(self, name: str, mark: Mark, *, catch_up: bool = False) -> None:
        streams = self._streams(self._layout.node(name))
        self.followers[name] = LogFollower(
            self._engine.api,
            self._path(name),
            mark,
            catch_up=catch_up,
            streams=streams,
            lost=lambda why: self.on_lost(name, why),
        )
        self.on_follow()

    def _path(self, name: str) -> Path:
        return self._layout.log(self._layout.node(name))

    async def _bounded(self, follower: LogFollower | None, event: asyncio.Event) -> None:
        if follower is None:
            return
        try:
            await wait.finish("the end of a container's output", event.wait(), timeout_s=LOG_END_TIMEOUT_S)
        except WaitTimeout:
            follower.stop()


class OwnContainers:
    """A container for every node, a new one for every start: its box keeps what is to stay."""

    def __init__(
        self, engine: Engine, layout: Layout, made: Boxes, images: Mapping[str, str], *, others: Others
    ) -> None:
        """`images`: node → reference. `others` hears of our signals."""
        self._others = others
        self.logs = Logs(engine, layout, streams=lambda _: {"stdout": True, "stderr": True})
        self._engine = engine
        self._boxes = made
        self._images = images
        self._containers: dict[str, str] = {}  # node → its container, running or not
        self._running: dict[str, str] = {}  # container → node
        self._asked: set[str] = set()  # containers
        self._launched: dict[str, asyncio.Event] = {}  # node → its log is followed, or its start failed

    def container(self, name: str) -> str:
        found = self._containers.get(name, "")
        return found if found in self._running else ""

    async def start(self, node: Node, command: Command) -> None:
        box = await self._boxes.ready(node)
        if node.name in self._containers:
            await self._discard(node.name)
        api = self._engine.api
        made = await self._engine.call(
            f"make the container of {node.name}", api.create_container, **self._wanted(node, command, box)
        )
        await self._launch(node.name, str(made["Id"]))

    def node_of(self, container: str) -> str:
        """Whose program runs in it; "" for nobody's."""
        return self._running.get(container, "")

    async def signal(self, name: str, signum: int, *, ends: bool) -> bool:
        """SIGKILL returns when the program is gone. Signal 0, which only asks, the engine refuses as invalid."""
        container = self.container(name)
        if not container or signum == 0:
            return bool(container)
        if ends:
            self._asked.add(container)
        return await self._send(container, signum)

    def heard(self, event: Mapping[str, Any]) -> Ended | None:
        container = str(event["Actor"]["ID"])
        if event.get("Action") != "die" or container not in self._running:
            return None
        status = int(event["Actor"]["Attributes"].get("exitCode", 0))
        name, asked = self._running.pop(container), container in self._asked
        return Ended(name=name, container=container, status=status, asked=asked)

    async def missed(self) -> list[Mapping[str, Any]]:
        return await missed(self._engine, list(self._running))

    async def written(self, name: str) -> None:
        """The end may be heard before the engine's answer to the start, after which the log is followed."""
        if name in self._launched:
            await self._launched[name].wait()
        await self.logs.ended(name)

    def adopt(self, found: Mapping[str, Found]) -> None:
        for name, each in found.items():
            self._containers[name] = each.key
            if each.runs:
                self._running[each.key] = name

    async def close(self, *, kill: bool) -> None:
        if kill:
            await asyncio.gather(*(self._send(container, signal.SIGKILL) for container in list(self._running)))
            await asyncio.gather(*(self.logs.ended(name) for name in self.logs.followers))
        self.logs.stop()

    def _wanted(self, node: Node, command: Command, box: str) -> dict[str, Any]:
        ground = self._boxes.ground
        host = self._engine.api.create_host_config(
            network_mode=f"container:{box}",
            mounts=[boxes.volume(self._boxes.planned[boxes.name_of(node)], ground)],
            restart_policy={"Name": "no"},
            **boxes.limits(ground),
            **boxes.LOGGED,
        )
        return {
            "image": self._images[node.name],
            "name": boxes.container_name(ground.marks.run, node.name),
            "entrypoint": list(command.argv),
            "working_dir": str(command.cwd),
            "environment": dict(command.env),
            "user": f"{ground.user}:{ground.user}",
            "labels": ground.marks.of_node(node.name),
            "host_config": host,
            "use_config_proxy": False,
        }

    async def _launch(self, name: str, container: str) -> None:
        self._containers[name] = container
        self._running[container] = name
        launched = self._launched[name] = asyncio.Event()
        try:
            await self._engine.call(f"start {name}", self._engine.api.start, container)
            self.logs.begin(name, container)
        except ClusterError:
            self._running.pop(container, None)
            raise
        finally:
            launched.set()

    async def _discard(self, name: str) -> None:
        container = self._containers.pop(name)
        await self.logs.ended(name)
        await self._engine.remove_container(container)
        self._asked.discard(container)

    async def _send(self, container: str, signum: int) -> bool:
        try:
            with self._others.ours(container, "kill", signum):
                await self._engine.call("send a signal", self._engine.api.kill, container, signal=signum)
        except Refused as refused:
            if refused.gone or refused.unfitting:  # it has ended in between
                return False
            raise
        return True


async def missed(engine: Engine, containers: Sequence[str]) -> list[Mapping[str, Any]]:
    """The ends of those that are not running any more, as events."""
    found = await asyncio.gather(*(_end_of(engine, container) for container in containers))
    return [event for event in found if event]


async def _end_of(engine: Engine, container: str) -> Mapping[str, Any]:
    """{} for one that runs, or is yet to be started."""
    try:
        said = (await engine.call("describe a container", engine.api.inspect_container, container))["State"]
    except Refused as refused:
        if not refused.gone:
            raise
        said = {"Status": "removed", "ExitCode": _SIGNALLED + signal.SIGKILL}
    if said.get("Running") or said.get("Status") == "created":
        return {}
    return {"Action": "die", "Actor": {"ID": container, "Attributes": {"exitCode": str(said.get("ExitCode", 0))}}}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
