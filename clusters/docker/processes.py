"""The processes of a Docker cluster: programs in containers, in the box of their address."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from clusters.common import knocks, links
from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.common.links import NO_DELAY
from clusters.common.processes import NO_PODS, NOT_YET, OWN_ADDRESSES, Exit, refused
from clusters.docker import boxes, knocking, states
from clusters.docker.boxes import Boxes, Making
from clusters.docker.engine import Engine, Refused
from clusters.docker.following import EventFollower, Mark
from clusters.docker.limits import LIMITED, TOGETHER, CpuLimits
from clusters.docker.others import ACTIONS, Others
from clusters.docker.programs import Ended, Found, OwnContainers, Programs, missed
from clusters.docker.together import InBoxes
from harness.base.clock import now_ns
from harness.base.errors import ClusterError
from harness.contracts import Observer
from harness.model import Capability, Event, HeldBack, Knock, Limits, LinkRule, Node

Outside = Mapping[str, Mapping[int, tuple[str, int]]]
"""Box → port → where this process reaches it."""
_SIGNALLED = 128  # a program that ended by signal n is reported with exit status 128 + n
_LAST_SIGNAL = 64
HEARD = ["die", "exec_die", *ACTIONS, "disconnect"]
NO_DISK = "a container may not resize the file system that its data is in: that takes CAP_SYS_ADMIN"
NO_LOG_SINK = "the engine takes what a container logs, and cannot be told to take it slowly"
NO_KERNEL_CLEANUP = (
    "containers belong to the Docker engine: when the harness is killed, its watchdog removes them a few seconds later"
)
NEVER: Mapping[Capability, str] = {
    Capability.DELAY: NO_DELAY,
    Capability.DISK: NO_DISK,
    Capability.LOG_SINK: NO_LOG_SINK,
    Capability.VERSIONS: NOT_YET,
    Capability.PORTS: OWN_ADDRESSES,
    Capability.PODS: NO_PODS,
    Capability.KERNEL_CLEANUP: NO_KERNEL_CLEANUP,
}


class DockerProcesses:
    """`clusters.common.processes.Processes` over a Docker engine."""

    def __init__(
        self,
        engine: Engine,
        layout: Layout,
        ground: Boxes,
        *,
        images: Mapping[str, str],
        templates: Mapping[str, str],
        making: Making | None,
        outside: Outside,
        no_links: str,
        observer: Observer,
    ) -> None:
        """`images`: node → reference. `templates`: keyspace → data directory in the boxes' image, "" where `making`
        makes one. `outside`: empty when the boxes' own addresses can be reached. `no_links`: why links cannot be cut,
        "" when they can. `observer` hears at once what spoils the run."""
        self.boxes = ground
        self.images = images
        self.reached = outside
        self.no_links = no_links
        self._observer = observer
        self._engine = engine
        self._layout = layout
        self._others = Others()
        self._own = OwnContainers(engine, layout, ground, images, others=self._others)
        self._in_boxes = InBoxes(engine, layout, ground)
        self._cpu = CpuLimits(engine)
        self._templates = templates
        self._making = making
        self._template = ""
        self._one_makes = asyncio.Lock()
        self._on_exit: Callable[[Exit], None] = _nobody
        self._ends: set[asyncio.Task[None]] = set()
        self._filtered: dict[str, str] = {}  # box → script in force
        self._events: EventFollower | None = None
        self._lost = ""
        for programs in (self._own, self._in_boxes):
            programs.logs.on_lost = self._lose_log

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return {
            Capability.SIGNAL: "",
            Capability.RESTART: "",
            Capability.LINKS: self.no_links,
            Capability.CPU: self._no_cpu,
            **NEVER,
        }

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self._on_exit = callback

    # ------------------------------------------------------------ its beginning and end

    def listen(self, *, since_s: float) -> None:
        """Begin to hear of ends, before anything is started; `since_s` is the engine's wall clock."""
        self._events = EventFollower(
            self._engine.api,
            wanted={"type": ["container", "network"], "event": HEARD},  # a network's events have no labels
            since_s=since_s,
            heard=self._heard,
            again=lambda: self._soon(self._look_again()),
            ended=self._deaf,
        )

    async def adopt(self, found: Mapping[str, Found]) -> tuple[str, ...]:
        """Programs of before, by their containers: node → container. Which of them run. Which links are cut is not
        known: the next `set_links` sets all of them."""
        for node in self._layout.nodes:
            if node.name in found:
                self._programs(node).adopt({node.name: found[node.name]})
        await self._in_boxes.look()
        self._filtered = dict.fromkeys(self.boxes.planned, "")
        return tuple(node.name for node in self._layout.nodes if self._programs(node).container(node.name))

    async def follow_on(self, found: Mapping[str, Found], marks: Mapping[str, Mark]) -> None:
        """Go on with the logs of adopted programs (`marks`: node → how far they are); what there is already is in
        them on return."""
        for programs in (self._own, self._in_boxes):
            names = [node.name for node in self._layout.nodes if self._programs(node) is programs]
            await programs.logs.go_on({name: found[name].key for name in names if name in found}, marks)

    def on_follow(self, callback: Callable[[], None]) -> None:
        """Called when a log begins to follow a new container: `marks` has changed for good then."""
        for programs in (self._own, self._in_boxes):
            programs.logs.on_follow = callback

    def marks(self) -> dict[str, Mark]:
        """Node → how far its log follows its last container."""
        both = (*self._own.logs.followers.items(), *self._in_boxes.logs.followers.items())
        return {name: log.mark for name, log in both}

    async def close(self, *, kill: bool) -> None:
        """Hear and follow no more. With `kill` every program is ended before, and its output is whole."""
        if self._events is not None:
            self._events.stop()
        await self.boxes.close()
        await asyncio.gather(self._own.close(kill=kill), self._in_boxes.close(kill=kill))
        for end in self._ends:
            end.cancel()
        await asyncio.gather(*self._ends, return_exceptions=True)

    # ------------------------------------------------------------ the contract

    async def prepare(self, node: Node, *, keyspace: str, files: Mapping[str, str]) -> None:
        template = (self._templates[keyspace] or await self._made_template(node)) if keyspace else ""
        await self.boxes.fill(node, template=template, files=files)

    async def spawn(self, node: Node, command: Command) -> None:
        self._check()
        programs = self._programs(node)
        if programs.container(node.name):
            raise ClusterError(f"{node.name} is already running")
        await programs.start(node, command)
        await self._cpu.begun(node.name, programs.container(node.name))

    async def signal(self, node: Node, signum: int, *, ends: bool = False) -> bool:
        self._check()
        return await self._programs(node).signal(node.name, signum, ends=ends)

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

    async def set_limits(self, node: Node, limits: Limits) -> None:
        why = refused(self.capabilities, limits)
        if why:
            raise ClusterError(why)
        if not self._no_cpu:
            await self._cpu.set(node.name, self._programs(node).container(node.name), limits.cpus)

    async def knock(self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float) -> Sequence[Knock]:
        """From this machine's side, in the network of the source's box: its image has nothing that could connect."""
        box = await self.boxes.container(boxes.name_of(source))
        pid = await knocking.place_of(self._engine, box)
        address = self._layout.address(target, knocks.port_of(target))
        return await knocking.knocked(pid, address, knocks.says(target, kbytes), times=times, within_s=within_s)

    async def held_back(self, node: Node) -> HeldBack:
        container = self._programs(node).container(node.name)
        return HeldBack(times=await self._cpu.held_back(container) if container and not self._no_cpu else 0)

    async def traces(self) -> Sequence[str]:
        running = {node.name: self._own.container(node.name) for node in self._layout.nodes}
        limited = await self._cpu.traces({name: container for name, container in running.items() if container})
        found = {node: self._programs(node).container(node.name) for node in self._layout.nodes}
        still = await states.standing_still(self._engine, {node: key for node, key in found.items() if key})
        return (*still, *limited, *await self._faulty_links())

    async def _faulty_links(self) -> Sequence[str]:
        """As the kernel lists them, of the boxes that have ever had any."""
        listings = await asyncio.gather(*(self.boxes.filtered(name) for name in self._filtered))
        return tuple(f"link {each}" for listing in listings for each in links.seen(listing))

    def outside(self, node: Node, port: str) -> tuple[str, int]:
        host, number = self._layout.address(node, port)
        return self.reached[boxes.name_of(node)][number] if self.reached else (host, number)

    # ------------------------------------------------------------ for faults to come

    async def exec(self, node: Node, argv: Sequence[str], *, user: str = boxes.ROOT) -> str:
        """What a program printed that ran beside the node's own. Raises ClusterError."""
        return await self._engine.exec(self._container(node), argv, user=user)

    async def freeze(self, node: Node, *, frozen: bool) -> None:
        """Stop or continue all that runs in a node's container with the kernel's freezer; thawing what is not frozen is
        nothing. An engine thaws a container itself when it sends it a signal (20.10, tried)."""
        function = self._engine.api.pause if frozen else self._engine.api.unpause
        what = f"{'freeze' if frozen else 'thaw'} {node.name}"
        container = self._container(node)
        try:
            with self._others.ours(container, "pause") if frozen else contextlib.nullcontext():
                await self._engine.call(what, function, container)
        except Refused as refused:
            if frozen or "not paused" not in str(refused):
                raise

    # ------------------------------------------------------------ parts

    @property
    def _no_cpu(self) -> str:
        if self.boxes.ground.place.together:
            return TOGETHER
        return LIMITED if self.boxes.ground.place.cpus else ""

    def _programs(self, node: Node) -> Programs:
        return self._in_boxes if boxes.holds_programs(node, self.boxes.ground) else self._own

    def _container(self, node: Node) -> str:
        self._check()
        container = self._programs(node).container(node.name)
        if not container:
            raise ClusterError(f"{node.name} is not running")
        return container

    async def _made_template(self, node: Node) -> str:
        """In the first tablet's box, while the others wait: seconds of CPU, once a run."""
        async with self._one_makes:
            if not self._template and self._making is not None:
                self._template = await self.boxes.make_template(node, self._making)
        return self._template

    async def _filter(self, name: str, script: str) -> None:
        if self._filtered.get(name) == script:
            return
        await self.boxes.filter(name, script)
        self._filtered[name] = script

    # ------------------------------------------------------------ what the engine tells

    def _heard(self, event: Mapping[str, Any]) -> None:
        if event.get("Action") == "disconnect":
            cut_off = self.boxes.holding(str(event["Actor"]["Attributes"].get("container", "")))
            if cut_off:
                self._spoil(cut_off, f"somebody else has taken {cut_off} off its network")
            return
        container = str(event["Actor"]["ID"])
        box = self.boxes.holding(container)
        name = box or self._own.node_of(container)
        did = self._others.heard(event)
        if did and name:
            self._spoil(name, f"somebody else has {did} {name}")
        for programs in (self._own, self._in_boxes):
            ended = programs.heard(event)
            if ended is not None:
                self._soon(self._tell(programs, ended, now_ns()))
                return
        if event.get("Action") == "die" and box:
            self._lose(box, f"the container that holds the address of {box} was removed or killed by somebody else")

    async def _tell(self, programs: Programs, ended: Ended, at_ns: int) -> None:
        """When its log is whole: who hears of an end reads the last lines."""
        cause = "killed by somebody else" if not ended.asked and self._others.killed(ended.container) else ""
        with contextlib.suppress(ClusterError):  # the box may be gone too
            await programs.written(ended.name)
            cause = cause or await self._memory(ended)
        status = as_signal(ended.status)
        self._on_exit(Exit(name=ended.name, status=status, asked=ended.asked, at_ns=at_ns, cause=cause))

    async def _memory(self, ended: Ended) -> str:
        """Whether a limit of memory ended it, as a cause; in its log too: the program could not say it, and a kill by
        the kernel looks like any other."""
        limit = self.boxes.ground.place.memory_mb
        if not limit or ended.asked or ended.status != _SIGNALLED + signal.SIGKILL:
            return ""
        api = self._engine.api
        said = await self._engine.call("describe a container", api.inspect_container, ended.container)
        if not said["State"].get("OOMKilled"):
            return ""
        why = f"its container reached its limit of {limit} MB of memory"
        with self._layout.log(self._layout.node(ended.name)).open("a") as log:
            log.write(f"vtchaos: the kernel killed it: {why}\n")
        return f"killed by the kernel: {why}"

    async def _look_again(self) -> None:
        """The events had broken off: what they may have told in between is asked for."""
        try:
            ends = [*await self._own.missed(), *await self._in_boxes.missed()]
            ends += await missed(self._engine, list(self.boxes.made().values()))
        except ClusterError as error:
            self._deaf(str(error))
            return
        for event in ends:
            self._heard(event)

    def _deaf(self, why: str) -> None:
        self._lose("the Docker engine", f"the ends of processes could not be heard any more: {why}")

    def _lose_log(self, name: str, why: str) -> None:
        self._spoil(name, f"the output of {name} could not be followed any more: {why}")

    def _lose(self, subject: str, why: str) -> None:
        """No call can be trusted from now on."""
        self._lost = self._lost or why
        self._spoil(subject, why)

    def _spoil(self, subject: str, why: str) -> None:
        self._observer.on_event(Event(at_ns=now_ns(), kind="spoiled", subject=subject, details={"why": why}))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    def _check(self) -> None:
        if self._lost:
            raise ClusterError(self._lost)


def as_signal(status: int) -> int:
    """Docker's exit status as Exit has it: negative for a signal."""
    return _SIGNALLED - status if _SIGNALLED < status <= _SIGNALLED + _LAST_SIGNAL else status


def _nobody(_: Exit) -> None:
    return
