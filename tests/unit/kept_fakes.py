"""Backends and keepers that stand nothing up, and say what was asked of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from clusters.common.cluster import NodesCluster
from clusters.common.keeping import STATE, Kept
from harness.base.errors import ClusterError
from harness.contracts import Cluster, Observer
from harness.model import Capability, ClusterSpec, LinkRule, Node, Placement, Role
from tests.unit.run_fakes import NODES

SPEC = ClusterSpec(shards=2)


@dataclass
class FakeBackend:
    """`left`: run → what is left of it; `broken`: what every question is answered with."""

    name: str = "docker"
    left: dict[str, list[str]] = field(default_factory=dict)
    dead: tuple[str, ...] = ()
    broken: str = ""
    why_not: tuple[str, ...] = ()
    never: Mapping[Capability, str] = field(default_factory=dict)

    async def refusals(self, spec: ClusterSpec, place: Placement) -> Sequence[str]:
        return self.why_not

    def cluster(
        self, spec: ClusterSpec, place: Placement, *, run: str, folder: Path, logs: Path, observer: Observer
    ) -> AbstractAsyncContextManager[Cluster]:
        raise NotImplementedError

    async def heal(self, run: str) -> Sequence[str]:
        if self.broken:
            raise ClusterError(self.broken)
        return self.left.pop(run, [])

    async def orphans(self) -> Mapping[str, Sequence[str]]:
        if self.broken:
            raise ClusterError(self.broken)
        return {run: things for run, things in self.left.items() if run in self.dead}


@dataclass
class MendedCluster:
    """Nodes that run or not, and what was done to them. `die`: who dies at its next start."""

    running: set[str] = field(default_factory=lambda: {node.name for node in NODES})
    links: str = ""
    done: list[str] = field(default_factory=list)
    die: list[str] = field(default_factory=list)

    @property
    def capabilities(self) -> Mapping[Capability, str]:
        return {Capability.LINKS: self.links}

    def nodes(self, role: Role | None = None) -> tuple[Node, ...]:
        return tuple(node for node in NODES if role in (None, node.role))

    async def start(self, node: Node, *, timeout_s: float) -> None:
        self.done.append(f"start {node.name}")
        if node.name in self.die:
            self.die.remove(node.name)
            raise ClusterError(f"{node.name} ended (exit status 1)")
        self.running.add(node.name)

    async def signal(self, node: Node, signum: int) -> None:
        if node.name not in self.running:
            raise ClusterError(f"{node.name} is not running")
        self.done.append(f"signal {signum} {node.name}")

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        self.done.append(f"links {list(rules)}")


@dataclass
class FakeKeeper:
    """Keeps a state file in the folder, and the living ones in `alive`. `hangs`: a start never comes to its end."""

    backend: str = "docker"
    alive: set[str] = field(default_factory=set)
    ours: bool = True
    broken: str = ""
    fails: str = ""
    hangs: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    place: Placement = field(default_factory=Placement)
    cluster: MendedCluster = field(default_factory=MendedCluster)
    stopped: list[str] = field(default_factory=list)

    async def start(self, name: str, spec: ClusterSpec, place: Placement, *, folder: Path, observer: Observer) -> None:
        (folder / "logs").mkdir()
        self.begun.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise ClusterError(self.fails)
        self.place = place
        (folder / STATE).write_text("{}")
        self.alive.add(name)

    @contextlib.asynccontextmanager
    async def attached(self, folder: Path, *, observer: Observer) -> AsyncIterator[NodesCluster]:
        yield cast(NodesCluster, self.cluster)

    async def look(self, folder: Path) -> Kept:
        if self.broken:
            raise ClusterError(self.broken)
        seen = Kept(backend=self.backend, spec=None, place=self.place, alive=folder.name in self.alive, ours=self.ours)
        return replace(seen, spec=SPEC) if (folder / STATE).is_file() else seen

    async def stop(self, folder: Path) -> None:
        if self.broken:
            raise ClusterError(self.broken)
        self.stopped.append(folder.name)
        self.alive.discard(folder.name)


def node(name: str) -> Any:
    return next(each for each in NODES if each.name == name)
