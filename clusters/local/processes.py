"""The processes of a local cluster: children of its supervisor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.common.processes import NO_PODS, ONE_RELEASE, Exit, refused
from clusters.local import cpu, links, shortages
from clusters.local.faulty_links import FaultyLinks
from clusters.local.supervision import Supervisor
from harness.base.errors import ClusterError
from harness.model import Capability, HeldBack, Knock, Limits, LinkRule, Node

NEVER: Mapping[Capability, str] = {Capability.PODS: NO_PODS}


class SupervisedProcesses:
    """`clusters.common.processes.Processes` over a supervisor."""

    def __init__(
        self, layout: Layout, supervisor: Supervisor, *, kernel_cleanup: str, templates: Mapping[str, Path]
    ) -> None:
        """`templates`: keyspace → the data directory that its tablets start from."""
        self.supervisor = supervisor
        self._layout = layout
        self._kernel_cleanup = kernel_cleanup
        self._templates = templates
        self._groups = links.groups(layout)
        self._links = FaultyLinks(layout, supervisor)

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return {
            Capability.SIGNAL: "",
            Capability.RESTART: "",
            Capability.LINKS: self.supervisor.no_links,
            Capability.DELAY: self.supervisor.no_proxy,
            Capability.CPU: self.supervisor.no_cpu,
            Capability.DISK: self.supervisor.no_disks,
            Capability.LOG_SINK: self.supervisor.no_sinks,
            Capability.VERSIONS: "" if self._layout.spec.upgrade_to else ONE_RELEASE,
            Capability.PORTS: "",
            Capability.KERNEL_CLEANUP: self._kernel_cleanup,
            **NEVER,
        }

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self.supervisor.on_exit(lambda end: None if self._links.ended(end) else callback(end))

    async def prepare(self, node: Node, *, keyspace: str, files: Mapping[str, str]) -> None:
        template = self._templates[keyspace] if keyspace else None
        await self.supervisor.prepare(self._layout.folder(node), template=template, files=files)

    async def spawn(self, node: Node, command: Command) -> None:
        group = 0 if self.supervisor.no_links else self._groups[node.name]
        await self.supervisor.spawn(
            node.name, command.argv, cwd=command.cwd, env=command.env, log=self._layout.log(node), gid=group
        )

    async def signal(self, node: Node, signum: int, *, ends: bool = False) -> bool:
        return await self.supervisor.signal(node.name, signum, ends=ends)

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        await self._links.set(rules)

    async def knock(self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float) -> Sequence[Knock]:
        return await self._links.knock(source, target, times=times, kbytes=kbytes, within_s=within_s)

    async def set_limits(self, node: Node, limits: Limits) -> None:
        why = refused(self.capabilities, limits)
        if why:
            raise ClusterError(why)
        if not self.supervisor.no_cpu:
            await self.supervisor.limit_cpu(node.name, limits.cpus)
        await shortages.set_disk_and_log(self.supervisor, self._layout, node, limits)

    async def traces(self) -> Sequence[str]:
        return (
            *await self._standing_still(),
            *await self._links.traces(),
            *await shortages.limited(self.supervisor, self._layout),
            *await self._cpu_limits(),
        )

    async def held_back(self, node: Node) -> HeldBack:
        cpu_seen = {} if self.supervisor.no_cpu else (await self.supervisor.cpu_seen()).get(node.name, {})
        writers = await shortages.writers(self.supervisor, node)
        return HeldBack(times=int(cpu_seen.get("held_back", 0)), writers=writers)

    async def _cpu_limits(self) -> Sequence[str]:
        return () if self.supervisor.no_cpu else cpu.traces(await self.supervisor.cpu_seen())

    async def _standing_still(self) -> Sequence[str]:
        states = await self.supervisor.states()
        strays = (f"a process belongs to no node: {stray}" for stray in states["strays"])
        return (*(f"{name} is stopped" for name in states["stopped"]), *strays)

    def outside(self, node: Node, port: str) -> tuple[str, int]:
        return self._layout.address(node, port)
