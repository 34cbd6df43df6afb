"""The processes of a Docker cluster: a container for every node, in the box of its address."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clusters.common import links
from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.common.processes import Exit
from clusters.docker import boxes
from clusters.docker.boxes import Boxes, Making
from clusters.docker.engine import Engine, Refused
from clusters.docker.following import EventFollower, LogFollower, Mark
from clusters.docker.labels import RUN
from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError, WaitTimeout
from harness.model import Capability, LinkRule, Node, Placement

Outside = Mapping[str, Mapping[int, tuple[str, int]]]
"""Box → port → where this process reaches it."""
CATCH_UP_TIMEOUT_S = 60.0
LOG_END_TIMEOUT_S = 5.0  # from the end of a program to the end of its output
_SIGNALLED = 128  # a program that ended by signal n is reported with exit status 128 + n
_LAST_SIGNAL = 64
NO_KERNEL_CLEANUP = (
    "containers belong to the Docker engine: when the harness is killed, its watchdog removes them a few seconds later"
)


class DockerProcesses:
    """`clusters.common.processes.Processes` over a Docker engine."""

    def __init__(
        self,
        engine: Engine,
        layout: Layout,
        ground: Boxes,
        place: Placement,
        *,
        images: Mapping[str, str],
        templates: Mapping[str, str],
        making: Making | None,
        outside: Outside,
        no_links: str,
    ) -> None:
        """`images`: node → reference. `templates`: keyspace → data directory in the boxes' image, "" where `making`
        makes one. `outside`: empty when the boxes' own addresses can be reached. `no_links`: why links cannot be cut,
        "" when they can."""
        self.boxes = ground
        self._engine = engine
        self._layout = layout
        self.images = images
        self.place = place
        self.no_links = no_links
        self.reached = outside
        self._templates = templates
        self._making = making
        self._template = ""
        self._one_makes = asyncio.Lock()
        self._on_follow: Callable[[], None] = lambda: None
        self._on_exit: Callable[[Exit], None] = _nobody
        self._containers: dict[str, str] = {}  # node → its container, running or not
        self._running: dict[str, str] = {}  # container → node
        self._asked: set[str] = set()  # containers
        self._logs: dict[str, LogFollower] = {}  # node → of its last container
        self._launched: dict[str, asyncio.Event] = {}  # node → its log is followed, or its start failed
        self._ends: set[asyncio.Task[None]] = set()
        self._filtered: dict[str, str] = {}  # box → script in force
        self._events: EventFollower | None = None
        self._lost = ""

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return {
            Capability.SIGNAL: "",
            Capability.RESTART: "",
            Capability.LINKS: self.no_links,
            Capability.KERNEL_CLEANUP: NO_KERNEL_CLEANUP,
        }

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self._on_exit = callback

    def on_follow(self, callback: Callable[[], None]) -> None:
        """Called when a log begins to follow a new container: `marks` has changed for good then."""
        self._on_follow = callback

    # ------------------------------------------------------------ its beginning and end

    def listen(self, *, since_s: float) -> None:
        """Begin to hear of ends, before anything is started; `since_s` is the engine's wall clock."""
        self._events = EventFollower(
            self._engine.api,
            label=f"{RUN}={self.boxes.ground.marks.run}",
            since_s=since_s,
            heard=self._heard,
            ended=self._lose,
        )

    def adopt(self, containers: Mapping[str, tuple[str, bool]]) -> None:
        """Containers that are there already: node → (id, whether it runs). Which links are cut is not known: the next
        `set_links` sets all of them."""
        for name, (container, runs) in containers.items():
            self._containers[name] = container
            if runs:
                self._running[container] = name
        self._filtered = dict.fromkeys(self.boxes.planned, "")

    async def follow_on(self, marks: Mapping[str, Mark]) -> None:
        """Go on with the logs of adopted containers (`marks`: node → how far they are); what there is already is in
        them on return."""
        for name, container in self._containers.items():
            mark = marks.get(name, Mark(container=container))
            here = mark if mark.container == container else Mark(container=container, size=mark.size)
            self._follow(name, here, catch_up=True)
        caught_up = asyncio.gather(*(log.caught_up.wait() for log in self._logs.values()))
        await wait.finish("the logs of the containers are read", caught_up, timeout_s=CATCH_UP_TIMEOUT_S)

    def marks(self) -> dict[str, Mark]:
        """Node → how far its log follows its last container."""
        return {name: log.mark for name, log in self._logs.items()}

    async def close(self, *, kill: bool) -> None:
        """Hear and follow no more. With `kill` every program is ended before, and its output is whole."""
        if self._events is not None:
            self._events.stop()
        await self.boxes.close()
        if kill:
            await asyncio.gather(*(self._kill(container) for container in list(self._running)))
            await asyncio.gather(*(self._log_ended(log) for log in self._logs.values()))
        for log in self._logs.values():
            log.stop()
        for end in self._ends:
            end.cancel()
        await asyncio.gather(*self._ends, return_exceptions=True)

    # ------------------------------------------------------------ the contract

    async def prepare(self, node: Node, *, keyspace: str, files: Mapping[str, str]) -> None:
        template = (self._templates[keyspace] or await self._made_template(node)) if keyspace else ""
        await self.boxes.fill(node, template=template, files=files)

    async def _made_template(self, node: Node) -> str:
        """In the first tablet's box, while the others wait: seconds of CPU, once a run."""
        async with self._one_makes:
            if not self._template and self._making is not None:
                self._template = await self.boxes.make_template(node, self._making)
        return self._template

    async def spawn(self, node: Node, command: Command) -> None:
        """A new container each time, so that the command may be another one than before; its folder is the box's."""
        self._check()
        container = self._containers.get(node.name, "")
        if container in self._running:
            raise ClusterError(f"{node.name} is already running")
        box = await self.boxes.ready(node)
        if container:
            await self._discard(node.name, container)
        api = self._engine.api
        made = await self._engine.call(
            f"make the container of {node.name}", api.create_container, **self._asked_for(node, command, box)
        )
        await self._launch(node.name, str(made["Id"]))

    async def signal(self, node: Node, signum: int, *, ends: bool = False) -> bool:
        """SIGKILL returns when the program is gone."""
        self._check()
        container = self._containers.get(node.name, "")
        if container not in self._running:
            return False
        if ends:
            self._asked.add(container)
        return await self._send(container, signum)

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        if self.no_links:
            if rules:
                raise ClusterError(self.no_links)
            return
        box_of = {box.address: name for name, box in self.boxes.planned.items()}
        scripts = links.scripts(self._layout, rules, address_of=lambda node: self._layout.hosts[node.name])
        wanted = {box_of[address]: script for address, script in scripts.items()}
        wanted |= {name: links.HEALED for name in self._filtered if name not in wanted}
        await asyncio.gather(*(self._filter(name, script) for name, script in wanted.items()))

    def outside(self, node: Node, port: str) -> tuple[str, int]:
        host, number = self._layout.address(node, port)
        return self.reached[boxes.name_of(node)][number] if self.reached else (host, number)

    # ------------------------------------------------------------ for people (clusters.common.hints)

    def enter(self, node: Node) -> tuple[str, ...]:
        return ("docker", "exec", "-it", boxes.container_name(self.boxes.ground.marks.run, node.name))

    def forward(self, node: Node, port: str) -> tuple[str, ...]:
        """Not needed: what `outside` says lasts as long as the cluster."""
        return ()

    # ------------------------------------------------------------ for faults to come

    async def exec(self, node: Node, argv: Sequence[str], *, user: str = boxes.ROOT) -> str:
        """What a program printed that ran beside the node's own. Raises ClusterError."""
        self._check()
        container = self._containers.get(node.name, "")
        if container not in self._running:
            raise ClusterError(f"{node.name} is not running")
        return await self._engine.exec(container, argv, user=user)

    async def freeze(self, node: Node, *, frozen: bool) -> None:
        """Stop or continue all of a node's threads with the kernel's freezer; thawing what is not frozen is nothing.
        An engine thaws a container itself when it sends it a signal (20.10, tried)."""
        self._check()
        function = self._engine.api.pause if frozen else self._engine.api.unpause
        what = f"{'freeze' if frozen else 'thaw'} {node.name}"
        try:
            await self._engine.call(what, function, self._containers.get(node.name, ""))
        except Refused as refused:
            if frozen or "not paused" not in str(refused):
                raise

    # ------------------------------------------------------------ containers

    def _asked_for(self, node: Node, command: Command, box: str) -> dict[str, Any]:
        api, ground, place = self._engine.api, self.boxes.ground, self.place
        limit = place.memory_mb << 20
        host = api.create_host_config(
            network_mode=f"container:{box}",
            mounts=[boxes.volume(self.boxes.planned[boxes.name_of(node)], ground)],
            mem_limit=limit or None,
            memswap_limit=limit or None,
            nano_cpus=int(place.cpus * 1e9) or None,
            log_config={"type": "json-file", "config": {}},  # one that can be read back
            restart_policy={"Name": "no"},
        )
        return {
            "image": self.images[node.name],
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
        """Its end may be heard before the engine's answer to its start."""
        self._containers[name] = container
        self._running[container] = name
        launched = self._launched[name] = asyncio.Event()
        try:
            await self._engine.call(f"start {name}", self._engine.api.start, container)
            path = self._layout.log(self._layout.node(name))
            self._follow(name, Mark(container=container, size=path.stat().st_size if path.exists() else 0))
        except ClusterError:
            self._running.pop(container, None)
            raise
        finally:
            launched.set()

    async def _discard(self, name: str, container: str) -> None:
        if name in self._logs:
            await self._log_ended(self._logs.pop(name))
        await self._engine.remove_container(container)
        self._asked.discard(container)

    async def _send(self, container: str, signum: int) -> bool:
        try:
            await self._engine.call("send a signal", self._engine.api.kill, container, signal=signum)
        except Refused as refused:
            if refused.gone or refused.unfitting:  # it has ended in between
                return False
            raise
        return True

    async def _kill(self, container: str) -> None:
        self._asked.add(container)
        await self._send(container, signal.SIGKILL)

    async def _filter(self, name: str, script: str) -> None:
        if self._filtered.get(name) == script:
            return
        await self.boxes.filter(name, script)
        self._filtered[name] = script

    # ------------------------------------------------------------ what the engine tells

    def _follow(self, name: str, mark: Mark, *, catch_up: bool = False) -> None:
        path = self._layout.log(self._layout.node(name))
        self._logs[name] = LogFollower(self._engine.api, path, mark, catch_up=catch_up)
        self._on_follow()

    async def _log_ended(self, log: LogFollower) -> None:
        try:
            await wait.finish("the end of a container's output", log.ended.wait(), timeout_s=LOG_END_TIMEOUT_S)
        except WaitTimeout:
            log.stop()

    def _heard(self, event: Mapping[str, Any]) -> None:
        container = str(event["Actor"]["ID"])
        if event.get("Action") != "die" or container not in self._running:
            self._heard_of_box(event, container)
            return
        name = self._running.pop(container)
        status = int(event["Actor"]["Attributes"].get("exitCode", 0))
        end = Exit(name=name, status=as_signal(status), asked=container in self._asked, at_ns=now_ns())
        task = asyncio.ensure_future(self._tell(end))
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    def _heard_of_box(self, event: Mapping[str, Any], container: str) -> None:
        name = self.boxes.holding(container)
        if event.get("Action") == "die" and name:
            self._lose(f"the container that holds the address of {name} was removed or killed by somebody else")

    async def _tell(self, end: Exit) -> None:
        """When its log is whole: who hears of an end reads the last lines."""
        if end.name in self._launched:
            await self._launched[end.name].wait()
        if end.name in self._logs:
            await self._log_ended(self._logs[end.name])
        self._on_exit(end)

    def _lose(self, why: str) -> None:
        self._lost = why

    def _check(self) -> None:
        if self._lost:
            raise ClusterError(self._lost)


def as_signal(status: int) -> int:
    """Docker's exit status as Exit has it: negative for a signal."""
    return _SIGNALLED - status if _SIGNALLED < status <= _SIGNALLED + _LAST_SIGNAL else status


def _nobody(_: Exit) -> None:
    return
