"""The processes of a cluster in pods: each is started and signalled by the agent of its container."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clusters.common import knocks, mysqld
from clusters.common.commands import Command
from clusters.common.images import Images
from clusters.common.layout import Layout
from clusters.common.links import NO_DELAY
from clusters.common.processes import NOT_YET, OWN_ADDRESSES, Exit, refused
from clusters.kubernetes import knocking, manifests, names, orders
from clusters.kubernetes.cpu import CpuLimits
from clusters.kubernetes.following import Ended
from clusters.kubernetes.links import Links
from clusters.kubernetes.reach import Reach
from clusters.kubernetes.shells import Shell
from harness.base.clock import now_ns
from harness.base.errors import ClusterError
from harness.model import Capability, HeldBack, Knock, Limits, LinkRule, Node

COPY_TIMEOUT_S = 60.0
INITIALIZE_TIMEOUT_S = 180.0
CLEANUP = (
    "pods outlive a harness that is killed: its watchdog removes them, and `vtchaos heal` where the watchdog was "
    "killed too"
)
NO_DISK = "a pod may not resize the volume that its data is in, and has not the node to itself to fill it"
NO_LOG_SINK = "the node's container runtime takes what a pod logs, and cannot be told to take it slowly"
NEVER: Mapping[Capability, str] = {
    Capability.DELAY: NO_DELAY,
    Capability.DISK: NO_DISK,
    Capability.LOG_SINK: NO_LOG_SINK,
    Capability.VERSIONS: NOT_YET,
    Capability.PORTS: OWN_ADDRESSES,
    Capability.KERNEL_CLEANUP: CLEANUP,
}
_INIT_SQL = Path(mysqld.__file__).with_name("init_db.sql")


class PodProcesses:
    """`clusters.common.processes.Processes` over agents in pods."""

    def __init__(
        self,
        layout: Layout,
        images: Images | None,
        shells: Mapping[str, Shell],
        *,
        links: Links,
        cpu: CpuLimits,
        reach: Reach,
    ) -> None:
        """`shells`: of every pod. `images` None: nothing is prepared any more."""
        self._layout = layout
        self._images = images
        self._shells = shells
        self._links = links
        self._cpu = cpu
        self._reach = reach
        self._numbers: dict[str, int] = {}  # node → the order with which its program was started
        self._asked: set[str] = set()
        self._on_exit: Callable[[Exit], None] = lambda _: None

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return {
            Capability.SIGNAL: "",
            Capability.RESTART: "",
            Capability.LINKS: self._links.why_not,
            Capability.CPU: self._cpu.why_not,
            Capability.PODS: "",
            **NEVER,
        }

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self._on_exit = callback

    async def prepare(self, node: Node, *, keyspace: str, files: Mapping[str, str]) -> None:
        """A mysqld's data directory is a copy of the image's; where it has none, mysqld makes it."""
        path = str(self._layout.folder(node))
        if not keyspace:
            await self._shell(node).order(orders.folder(path, files))
            return
        assert self._images is not None
        template = self._images.templates[keyspace]
        if template:
            await self._shell(node).order(orders.folder(path, files, template=template), timeout_s=COPY_TIMEOUT_S)
        else:
            script = orders.folder(path, files) + "\n" + self._initialize(path)
            await self._shell(node).order(script, timeout_s=INITIALIZE_TIMEOUT_S)

    async def spawn(self, node: Node, command: Command) -> None:
        number = secrets.randbelow(1 << 31) + 1
        before = self._numbers.get(node.name, 0), node.name in self._asked
        self._numbers[node.name] = number  # first: it may end before the answer comes
        self._asked.discard(node.name)
        try:
            await self._shell(node).order(orders.start(manifests.state_of(node), number, command))
        except ClusterError as error:
            if orders.ALREADY_RUNNING in str(error):
                self._numbers[node.name] = before[0]
                self._asked |= {node.name} if before[1] else set()
            raise

    async def signal(self, node: Node, signum: int, *, ends: bool = False) -> bool:
        asked_before = node.name in self._asked
        if ends:
            self._asked.add(node.name)
        number = secrets.randbelow(1 << 31) + 1
        said = await self._shell(node).order(orders.signal(manifests.state_of(node), number, signum))
        sent = orders.NOT_RUNNING not in said
        if not sent and not asked_before:
            self._asked.discard(node.name)
        return sent

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        await self._links.set(rules)

    async def set_limits(self, node: Node, limits: Limits) -> None:
        why = refused(self.capabilities, limits)
        if why:
            raise ClusterError(why)
        if not self._cpu.why_not:
            await self._cpu.set(node, limits.cpus)

    async def knock(self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float) -> Sequence[Knock]:
        address = self._links.address(target), self._layout.port(target, knocks.port_of(target))
        says = knocks.says(target, kbytes)
        return await knocking.knocked(self._shell(source), address, says, times=times, within_s=within_s)

    async def held_back(self, node: Node) -> HeldBack:
        return HeldBack(times=await self._cpu.held_back(node))

    async def traces(self) -> Sequence[str]:
        states = await asyncio.gather(*(self._seen(node) for node in self._layout.nodes))
        still = [node.name for node, state in zip(self._layout.nodes, states, strict=True) if state in orders.STOPPED]
        return (
            *(f"{name} is stopped" for name in still),
            *(f"link {rule}" for rule in await self._links.seen()),
            *await self._cpu.traces(),
        )

    def outside(self, node: Node, port: str) -> tuple[str, int]:
        return self._reach.outside(node, port)

    # ------------------------------------------------------------ for people (clusters.common.hints.Boxes)

    def enter(self, node: Node) -> tuple[str, ...]:
        box = names.box_of(node)
        return (*self._shell(node).kubectl(), "exec", "-it", box.pod, "-c", box.container, "--")

    def forward(self, node: Node, port: str) -> tuple[str, ...]:
        if self._reach.directly:
            return ()
        number = self._layout.port(node, port)
        pod = f"pod/{names.box_of(node).pod}"
        return (*self._shell(node).kubectl(), "port-forward", pod, f"{number}:{number}")

    # ------------------------------------------------------------ beside the Protocol

    def ended(self, node: Node, end: Ended) -> None:
        """What was read in a container's log. An end that somebody knows already, or of an earlier harness, is none."""
        number = self._numbers.get(node.name, 0)
        if number == 0 or end.number not in (0, number):
            return
        self._numbers[node.name] = 0
        asked = node.name in self._asked
        cause = "" if asked else end.cause
        self._on_exit(Exit(name=node.name, status=end.negative, asked=asked, at_ns=now_ns(), cause=cause))

    def expect_end(self, nodes: Sequence[Node]) -> None:
        """Their ends are asked for: their pod is about to go."""
        self._asked.update(node.name for node in nodes)

    async def reopened(self, node: Node) -> Shell:
        """The shell of the node's pod, which is another pod now."""
        shell = self._shell(node)
        await shell.close()
        return shell

    async def limited_again(self, nodes: Sequence[Node]) -> None:
        """Their pod was replaced, and the new one has no limit of ours."""
        await self._cpu.again(nodes)

    async def adopt(self) -> tuple[str, ...]:
        """The nodes that run already, of a cluster that another process has started."""
        said = await asyncio.gather(
            *(self._shell(node).order(orders.running(manifests.state_of(node))) for node in self._layout.nodes)
        )
        for node, text in zip(self._layout.nodes, said, strict=True):
            if text.strip():
                self._numbers[node.name] = int(text.split()[0])
        return tuple(name for name, number in self._numbers.items() if number)

    async def kill_all(self) -> None:
        """SIGKILL for every program; those that do not hear it go with their pods."""
        await asyncio.gather(
            *(self.signal(node, 9, ends=True) for node in self._layout.nodes if self._numbers.get(node.name)),
            return_exceptions=True,
        )

    @property
    def running(self) -> frozenset[str]:
        return frozenset(name for name, number in self._numbers.items() if number)

    def _shell(self, node: Node) -> Shell:
        """The first container's: it reaches the agents of the others too."""
        return self._shells[names.box_of(node).pod]

    async def _seen(self, node: Node) -> str:
        number = secrets.randbelow(1 << 31) + 1
        return (await self._shell(node).order(orders.seen(manifests.state_of(node), number))).strip()

    def _initialize(self, path: str) -> str:
        """A data directory of mysqld's own making."""
        assert self._images is not None
        mysql = self._images.programs.mysql
        env = {"PATH": "/usr/bin:/bin", "HOME": path, "TMPDIR": f"{path}/tmp", **mysql.env}
        brought = [] if self._images.init_sql else orders.file(f"{path}/init.sql", _INIT_SQL.read_text())
        words = (
            str(mysql.mysqld),
            f"--defaults-file={path}/my.cnf",
            "--initialize-insecure",
            f"--init-file={self._images.init_sql or f'{path}/init.sql'}",
        )
        make = orders.program(Command(argv=words, cwd=Path(path), env=env)).strip()
        said = f'{{ tail -n 20 {path}/initialize.log; echo "mysqld --initialize-insecure failed"; exit 1; }}'
        return "\n".join(
            (f"mkdir -p {path}/data {path}/tmp", *brought, f"( {make} ) > {path}/initialize.log 2>&1 || {said}")
        )
