"""The processes of somebody else's Vitess: looked at, and touched only as far as it is permitted."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.common.processes import Exit, refused
from clusters.kubernetes import attach_permits, attach_watch
from clusters.kubernetes.api import Api
from clusters.kubernetes.attach_permits import NO_LINKS, Permits
from clusters.kubernetes.attach_reach import Address, Reach
from clusters.kubernetes.attach_watch import Begun, Ended, Life, Lives
from clusters.kubernetes.discovery import Program
from clusters.kubernetes.following import Printed
from clusters.kubernetes.requests import ApiError
from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError
from harness.model import Capability, HeldBack, Knock, Limits, LinkRule, Node

EXEC_TIMEOUT_S = 15.0
START_TIMEOUT_S = 120.0
FIRST_LOOK_S = 30.0
FOLLOW_AGAIN_S = 0.5


class AttachedProcesses:
    """`clusters.common.processes.Processes` over pods that are not ours. Made by `attached_to`."""

    def __init__(self, api: Api, namespace: str, layout: Layout, permits: Permits, reach: Reach, lives: Lives) -> None:
        self._api = api
        self._namespace = namespace
        self._layout = layout
        self._permits = permits
        self._reach = reach
        self._lives = lives
        self._addresses: dict[tuple[str, str], Address] = {}
        self._asked: set[str] = set()
        self._news = asyncio.Event()
        self._on_exit: Callable[[Exit], None] = lambda _: None

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return self._permits.capabilities

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self._on_exit = callback

    async def prepare(self, node: Node, *, keyspace: str, files: Mapping[str, str]) -> None:
        raise ClusterError(f"{node.name} is not ours: no files are put into it")

    async def spawn(self, node: Node, command: Command) -> None:
        """The workload's one pod, again. `command` is not ours to give: it starts as its owner has it."""
        if self._lives.now(node.name) is not None:
            raise ClusterError("it is already running")
        await self._scale(node, 1)

        async def back() -> None:
            while self._lives.now(node.name) is None:
                await self.changed()

        await wait.finish(f"{node.name} runs again", back(), timeout_s=START_TIMEOUT_S)
        await self.find_addresses(node)

    async def signal(self, node: Node, signum: int, *, ends: bool = False) -> bool:
        """A SIGTERM stops the node for good, where that is permitted: else Kubernetes would start it again at once."""
        life = self._lives.now(node.name)
        if life is None:
            return False
        if ends:
            self._asked |= self._ended_by(node, signum)
        if signum == signal.SIGTERM and ends and not self._permits.restarts:
            await self._scale(node, 0)
            return True
        if self._permits.signals:
            raise ClusterError(f"no signal can be sent to {node.name}: {self._permits.signals}")
        words = attach_permits.signal_words(node.role, signum)
        program = life.program
        ran = await self._api.exec(self._namespace, program.pod, program.container, words, timeout_s=EXEC_TIMEOUT_S)
        return bool(ran.stdout.split())

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        if rules:
            raise ClusterError(NO_LINKS)

    async def set_limits(self, node: Node, limits: Limits) -> None:
        why = refused(self.capabilities, limits)
        if why:
            raise ClusterError(why)

    async def knock(self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float) -> Sequence[Knock]:
        raise ClusterError(NO_LINKS)

    async def held_back(self, node: Node) -> HeldBack:
        return HeldBack()

    async def traces(self) -> Sequence[str]:
        """Where no signal may be sent, none of ours can have stopped anything."""
        if self._permits.signals:
            return ()
        nodes = [node for node in self._layout.nodes if self._lives.now(node.name) is not None]
        states = await asyncio.gather(*(self._states(node) for node in nodes))
        still = (node for node, seen in zip(nodes, states, strict=True) if attach_permits.STOPPED & seen)
        return tuple(f"{node.name} is stopped" for node in still)

    async def _states(self, node: Node) -> frozenset[str]:
        program, words = self._program(node), attach_permits.state_words(node.role)
        ran = await self._api.exec(self._namespace, program.pod, program.container, words, timeout_s=EXEC_TIMEOUT_S)
        return frozenset(ran.stdout.decode().split())

    def outside(self, node: Node, port: str) -> Address:
        return self._addresses[node.name, port]

    # ------------------------------------------------------------ for people (clusters.common.hints.Boxes)

    def enter(self, node: Node) -> tuple[str, ...]:
        program = self._program(node)
        return (*self._kubectl(), "exec", "-it", program.pod, "-c", program.container, "--")

    def forward(self, node: Node, port: str) -> tuple[str, ...]:
        if self._reach.direct:
            return ()
        number = self._layout.port(node, port)
        return (*self._kubectl(), "port-forward", f"pod/{self._program(node).pod}", f"{number}:{number}")

    def _kubectl(self) -> tuple[str, ...]:
        return ("kubectl", "--context", self._api.context, "--namespace", self._namespace)

    # ------------------------------------------------------------ for `attached_to`

    async def find_addresses(self, node: Node) -> None:
        """Raises ApiError."""
        program = self._program(node)
        for port, number in self._layout.ports[node.name].items():
            self._addresses[node.name, port] = await self._reach.address(program.pod, program.ip, number)

    def take(self, change: Ended | Begun) -> None:
        """A word of the watch."""
        if isinstance(change, Ended):
            asked = change.node in self._asked
            self._asked.discard(change.node)
            cause = "" if asked else change.cause
            self._on_exit(Exit(name=change.node, status=change.status, asked=asked, at_ns=now_ns(), cause=cause))
        elif self._reach.direct:
            for port, number in self._layout.ports[change.node].items():
                self._addresses[change.node, port] = (change.life.program.ip, number)
        self._news.set()

    async def changed(self) -> None:
        """The next word of the watch; the caller bounds this wait."""
        self._news.clear()
        await self._news.wait()

    def life(self, node: str) -> Life | None:
        return self._lives.now(node)

    def _program(self, node: Node) -> Program:
        life = self._lives.now(node.name)
        if life is None:
            raise ClusterError(f"{node.name} does not run at the moment")
        return life.program

    def _ended_by(self, node: Node, signum: int) -> set[str]:
        """The nodes that such a signal ends: where a pod is taken away, all that live in it."""
        if signum != signal.SIGTERM or self._permits.restarts:
            return {node.name}
        pod = self._program(node).pod
        lives = ((each.name, self._lives.now(each.name)) for each in self._layout.nodes)
        return {name for name, life in lives if life is not None and life.program.pod == pod}

    async def _scale(self, node: Node, replicas: int) -> None:
        if self._permits.restarts:
            raise ClusterError(f"{node.name} cannot be stopped and started: {self._permits.restarts}")
        await attach_permits.scale(self._api, self._namespace, self._permits.scales[node.name], replicas)


@contextlib.asynccontextmanager
async def attached_to(
    api: Api, namespace: str, layout: Layout, programs: Mapping[str, Program], permits: Permits, reach: Reach
) -> AsyncIterator[AttachedProcesses]:
    """Watches the pods and follows their logs as long as the block lasts. Raises ClusterError, WaitTimeout."""
    lives = Lives(programs)
    processes = AttachedProcesses(api, namespace, layout, permits, reach, lives)
    tasks = [asyncio.create_task(attach_watch.watch(api, namespace, lives, processes.take), name="watch pods")]
    try:
        await wait.finish("all pods of Vitess are seen", _all_seen(processes, layout), timeout_s=FIRST_LOOK_S)
        for node in layout.nodes:
            await processes.find_addresses(node)
            tasks.append(asyncio.create_task(_follow(api, namespace, node, processes, layout), name=f"log {node.name}"))
        yield processes
    finally:
        await _ended(tasks)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raises what one of them ended with before its time."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def _all_seen(processes: AttachedProcesses, layout: Layout) -> None:
    while any(processes.life(node.name) is None for node in layout.nodes):
        await processes.changed()


async def _follow(api: Api, namespace: str, node: Node, processes: AttachedProcesses, layout: Layout) -> None:
    """What the node's container prints from now on, over all its lives, into its log."""
    with layout.log(node).open("ab") as out:
        printed = Printed(out, lambda _: None)
        since = _now_text()
        while True:
            life = processes.life(node.name)
            if life is not None:
                program = life.program
                with contextlib.suppress(ApiError):  # it is away: it will be followed again
                    stream = api.log(
                        namespace, program.pod, program.container, follow=True, stamps=True, since=printed.last or since
                    )
                    async for piece in stream:
                        printed.take(piece)
                printed.again()
            await wait.hold(FOLLOW_AGAIN_S)


def _now_text() -> str:
    return datetime.datetime.now(tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
