"""The processes of a local cluster: children of its supervisor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clusters.common.commands import Command
from clusters.common.layout import Layout
from clusters.common.processes import Exit
from clusters.local.supervision import Supervisor
from harness.base.errors import ClusterError
from harness.model import Capability, LinkRule, Node

NO_LINKS = "the local backend cannot cut single links yet"


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

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return {
            Capability.SIGNAL: "",
            Capability.RESTART: "",
            Capability.LINKS: NO_LINKS,
            Capability.KERNEL_CLEANUP: self._kernel_cleanup,
        }

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        self.supervisor.on_exit(callback)

    async def prepare(self, node: Node, *, keyspace: str, files: Mapping[str, str]) -> None:
        template = self._templates[keyspace] if keyspace else None
        await self.supervisor.prepare(self._layout.folder(node), template=template, files=files)

    async def spawn(self, node: Node, command: Command) -> None:
        await self.supervisor.spawn(
            node.name, command.argv, cwd=command.cwd, env=command.env, log=self._layout.log(node)
        )

    async def signal(self, node: Node, signum: int, *, ends: bool = False) -> bool:
        return await self.supervisor.signal(node.name, signum, ends=ends)

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        if rules:
            raise ClusterError(NO_LINKS)

    def outside(self, node: Node, port: str) -> tuple[str, int]:
        return self._layout.address(node, port)
