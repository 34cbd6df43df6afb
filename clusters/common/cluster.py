"""A running cluster: the contract's Cluster over the processes of any backend."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clusters import flags
from clusters.common import answers
from clusters.common.commands import Command, at_ports_of
from clusters.common.layout import Layout
from clusters.common.processes import Exit, Processes
from harness.base import procs, wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import LoadPlace, Observer, WholePods
from harness.model import Capability, ClusterSpec, Event, HeldBack, Knock, Limits, LinkRule, Node, Role

_DEADLY = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGHUP, signal.SIGSEGV)
KILL_TIMEOUT_S = 10.0


class NodesCluster:
    """Nodes of one layout, each a process of the backend."""

    def __init__(
        self,
        layout: Layout,
        commands: Mapping[str, Command],
        processes: Processes,
        observer: Observer,
        *,
        running: Sequence[str] = (),
        load_place: LoadPlace | None = None,
        upgraded: Mapping[str, Command] | None = None,
    ) -> None:
        """`running`: names of the nodes that run already. `load_place`: where load can run beside them. `upgraded`: how
        nodes are started with the spec's second release."""
        self.load_place = load_place
        self.pods: WholePods | None = None
        self.layout = layout
        self.processes = processes
        self.commands = commands
        self.upgraded = upgraded or {}
        self._next_start: dict[str, Command] = {}  # where it is another one than `commands` says
        self._ports_of: dict[str, Node] = {}  # where it is another one's
        self._observer = observer
        self._running = set(running)
        self._ended = {name: asyncio.Event() for name in running}
        self._last_exit: dict[str, Exit] = {}
        self._exit_watchers: list[Callable[[Exit], None]] = []
        processes.on_exit(self._on_exit)

    # ------------------------------------------------------------ the contract

    @property
    def spec(self) -> ClusterSpec:
        return self.layout.spec

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return self.processes.capabilities

    def nodes(self, role: Role | None = None) -> tuple[Node, ...]:
        return self.layout.nodes if role is None else self.layout.of(role)

    def address(self, node: Node, port: str) -> tuple[str, int]:
        """Raises ClusterError for a port that the node does not have."""
        self.layout.port(node, port)
        return self.processes.outside(node, port)

    def log_path(self, node: Node) -> Path:
        return self.layout.log(node)

    async def start(self, node: Node, *, timeout_s: float) -> None:
        """Start a stopped node with the command line of before; returns when it answers.

        A vttablet that answers need not serve: it may wait for its mysqld or for a primary.
        Raises ClusterError when it runs already or dies, WaitTimeout.
        """
        await self.launch(node)
        await self.until_answers(node, timeout_s=timeout_s)

    async def stop(self, node: Node, *, timeout_s: float) -> None:
        """Ask a node to end (SIGTERM) and wait until it has; nothing happens when it is not running.

        Raises ClusterError when it does not end in time; it has been killed then.
        """
        if node.name not in self._running:
            return
        ended = self._ended[node.name]
        await self.processes.signal(node, signal.SIGTERM, ends=True)
        await self.processes.signal(node, signal.SIGCONT)  # a paused process would never notice
        try:
            await wait.finish(f"{node.name} ends after SIGTERM", ended.wait(), timeout_s=timeout_s)
        except WaitTimeout as error:
            await self.processes.signal(node, signal.SIGKILL, ends=True)
            await wait.finish(f"{node.name} ends after SIGKILL", ended.wait(), timeout_s=KILL_TIMEOUT_S)
            raise ClusterError(f"{error}; it was killed") from None

    async def signal(self, node: Node, signum: int) -> None:
        """SIGKILL returns when the node is gone, any other signal at once. Raises ClusterError: it is not running."""
        if not await self.processes.signal(node, signum, ends=signum in _DEADLY):
            raise ClusterError(f"{node.name} is not running{self._how_it_ended(node)}")
        if signum == signal.SIGKILL:
            ended = self._ended[node.name]
            await wait.finish(f"{node.name} ends after SIGKILL", ended.wait(), timeout_s=KILL_TIMEOUT_S)

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        """Raises ClusterError when a link cannot be cut, e.g. because it is no network link."""
        await self.processes.set_links(rules)

    async def set_limits(self, node: Node, limits: Limits) -> None:
        """Raises ClusterError when it cannot be done (see `capabilities`)."""
        await self.processes.set_limits(node, limits)

    async def set_version(self, node: Node, version: str) -> None:
        """Of its next start. Raises ClusterError: it can be started with its own release and `spec.upgrade_to` only."""
        if version == node.version:
            self._next_start.pop(node.name, None)
        elif version == self.spec.upgrade_to and node.name in self.upgraded:
            self._next_start[node.name] = self.upgraded[node.name]
        else:
            has = " and ".join(filter(None, (node.version, self.spec.upgrade_to)))
            raise ClusterError(f"{node.name} can be started with {has}, not with {version or 'no release'}")

    async def set_ports(self, node: Node, of: Node) -> None:
        """Of its next start: those of another node of its role, or its own. Raises ClusterError."""
        why = self.capabilities[Capability.PORTS]
        if why or of.role is not node.role:
            raise ClusterError(f"{node.name} cannot be started at the ports of {of.name}{why and f': {why}'}")
        self._ports_of[node.name] = of

    async def held_back(self, node: Node) -> HeldBack:
        """What its limits do to it."""
        return await self.processes.held_back(node)

    async def knock(self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float) -> Sequence[Knock]:
        """What a process in the source's place finds at the target's door. Raises ClusterError."""
        return await self.processes.knock(source, target, times=times, kbytes=kbytes, within_s=within_s)

    async def traces(self) -> Sequence[str]:
        """What faults left in force, as seen on the processes themselves."""
        return (*await self.processes.traces(), *(await self.pods.traces() if self.pods else ()))

    # ------------------------------------------------------------ for the start

    def watch_exits(self, watcher: Callable[[Exit], None]) -> None:
        self._exit_watchers.append(watcher)

    async def launch(self, node: Node) -> None:
        """Start a node without waiting for anything. Raises ClusterError."""
        command = self._next_start.get(node.name, self.commands[node.name])
        if node.name in self._ports_of:
            command = at_ports_of(self.layout, command, node, self._at(node))
        self._ended[node.name] = asyncio.Event()
        self._running.add(node.name)
        try:
            await self.processes.spawn(node, command)
        except ClusterError as error:
            if "already running" not in str(error):
                self._running.discard(node.name)
            raise ClusterError(f"{node.name} could not be started: {error}") from None

    async def until_answers(self, node: Node, *, timeout_s: float) -> None:
        """Wait until a node answers on its ports. Raises ClusterError (it died; tail of its log), WaitTimeout."""

        async def answered() -> bool:
            if node.name not in self._running:
                raise ClusterError(self.obituary(self._last_exit[node.name]))
            return await self._answers(self._at(node))

        try:
            await wait.until(f"{node.name} answers", answered, timeout_s=timeout_s)
        except WaitTimeout as error:
            raise ClusterError(f"{error}; its log ends with:\n{self._tail(node)}") from None

    def obituary(self, end: Exit) -> str:
        node = self.layout.node(end.name)
        return f"{end.name} ended ({end.how}); its log {self.layout.log(node)} ends with:\n{self._tail(node)}"

    async def _answers(self, node: Node) -> bool:
        match node.role:
            case Role.ETCD:
                return b"true" in (await answers.get(self.address(node, "client"), "/health") or b"")
            case Role.MYSQLD:
                return bool(await answers.greets(self.address(node, "mysql")))
            case Role.VTGATE:
                return bool(await answers.greets(self.address(node, "mysql")))
            case _:
                return await answers.get(self.address(node, "web"), "/debug/vars") is not None

    def _at(self, node: Node) -> Node:
        """Whose ports it listens on."""
        return self._ports_of.get(node.name, node)

    def _on_exit(self, end: Exit) -> None:
        self._running.discard(end.name)
        self._last_exit[end.name] = end
        if end.name in self._ended:
            self._ended[end.name].set()
        details: dict[str, str | int | float | bool] = {"how": end.how, "status": end.status, "asked": end.asked}
        if end.cause:
            details["cause"] = end.cause
        self._observer.on_event(Event(at_ns=end.at_ns, kind="exit", subject=end.name, details=details))
        for watcher in self._exit_watchers:
            watcher(end)

    def _how_it_ended(self, node: Node) -> str:
        end = self._last_exit.get(node.name)
        return f": it ended ({end.how})" if end else ""

    def _tail(self, node: Node) -> str:
        """The end of its log, or what it said of a flag: the usage text around that fills the end alone."""
        tail = procs.tail_of(self.layout.log(node)).rstrip()
        return flags.complaint(tail) or tail
