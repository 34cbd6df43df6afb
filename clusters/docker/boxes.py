"""Boxes: what of a node must outlive its program. An address, a folder, and the rules of cut links.

A box is a container that does nothing. It holds a network namespace, which the containers of its nodes join, and the
volume with their folder, which they mount. So a tablet's mysqld and vttablet have one address and one socket, as in a
pod; a node's container can be thrown away and made anew; files are put into a folder, and links are cut, whatever
state the programs are in. It costs 0.1 s and 8 MB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.types import DriverConfig, Mount

from clusters.common.images import DATA
from clusters.common.layout import Layout
from clusters.common.links import TABLE
from clusters.docker.engine import Engine
from clusters.docker.labels import Marks
from clusters.docker.network import Network
from harness.model import Node, Placement, Role

WAITS = ("/bin/cat",)  # for a standard input on which nothing ever comes
LOGGED: dict[str, Any] = {"log_config": {"type": "json-file", "config": {}}}  # so that it can be read back
SHELL = "/bin/sh"
TEMPLATE = DATA / "template"
PARALLEL = 4
# As a cluster comes up.
_WANTED = (Role.ETCD, Role.VTCTLD, Role.MYSQLD, Role.VTTABLET, Role.VTORC, Role.VTGATE)
ROOT = "0:0"

# $1 the folder, $2 the data directory to start from or "", then pairs of a file's name and content.
_FILL = """
set -e; umask 027; cd "$1"; mkdir -p data tmp
if [ -n "$2" ]; then
  cp -R --sparse=always "$2/." data 2>/dev/null || cp -R "$2/." data
fi
shift 2
while [ $# -gt 0 ]; do printf %s "$2" > "$1"; shift 2; done
"""
# $1 the folder, $2 a name and $3 its content, …, then -- and a program that fills data.
_MAKE = """
set -e; umask 027; cd "$1"; shift; mkdir -p data tmp
while [ "$1" != -- ]; do printf %s "$2" > "$1"; shift 2; done
shift; "$@"; rm -f data/auto.cnf
"""
_FEED = """printf %s "$1" | nft -f -"""
_LIST = f"nft list table inet {TABLE} 2>/dev/null || :"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Plan of one box."""

    name: str
    address: str
    folder: Path
    nodes: tuple[Node, ...]


def name_of(node: Node) -> str:
    """A tablet's two nodes share a box, every other node has its own."""
    return f"tablet-{node.tablet_uid}" if node.tablet_uid else node.name


def planned(layout: Layout) -> dict[str, Box]:
    """Name → box."""
    together: dict[str, list[Node]] = {}
    for node in layout.nodes:
        together.setdefault(name_of(node), []).append(node)
    return {
        name: Box(
            name=name,
            address=layout.hosts[nodes[0].name],
            folder=layout.folder(nodes[0]),
            nodes=tuple(nodes),
        )
        for name, nodes in together.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a data directory is made in `TEMPLATE` where the image brings none."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all boxes of a run stand on."""

    marks: Marks
    network: Network
    image: str
    user: int  # uid and gid of the programs
    place: Placement
    in_memory: bool  # the folders; otherwise they are on the engine's disk
    template: bool = False  # all boxes share a folder for a data directory that is yet to be made
    publish_on: str = ""  # ports, at this address of the engine's machine; "" = its network is reached from here


class Boxes:
    """The boxes of one cluster, each made when it is first wanted."""

    def __init__(self, engine: Engine, layout: Layout, ground: Ground, *, standing: Mapping[str, str]) -> None:
        """`standing`: box name → container id of those that are there already."""
        self.planned = planned(layout)
        self.ground = ground
        self._engine = engine
        self._layout = layout
        self._made: dict[str, asyncio.Future[str]] = {}
        self._warming: asyncio.Task[None] | None = None
        for name, container in standing.items():
            self._made[name] = asyncio.get_running_loop().create_future()
            self._made[name].set_result(container)

    async def ready(self, node: Node) -> str:
        """The id of a node's box. Raises ClusterError."""
        return await self.container(name_of(node))

    def holding(self, container: str) -> str:
        """The name of the box that a container is; "" for none."""
        return next((name for name, made in self.made().items() if made == container), "")

    def made(self) -> dict[str, str]:
        """Name → container of those that are there."""
        done = {name: future for name, future in self._made.items() if future.done() and not future.cancelled()}
        return {name: future.result() for name, future in done.items() if not future.exception()}

    async def container(self, name: str) -> str:
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(self._make(self.planned[name]))
        return await asyncio.shield(self._made[name])

    def warm(self) -> None:
        """Make all of them, a few at a time: an engine connects one to its bridge after the other, 0.1 s each."""

        async def one(name: str) -> None:
            async with few:
                await self.container(name)

        async def all_of_them() -> None:
            in_order = sorted(self.planned.values(), key=lambda box: _WANTED.index(box.nodes[0].role))
            await asyncio.gather(*(one(box.name) for box in in_order), return_exceptions=True)  # whoever needs it hears

        few = asyncio.Semaphore(PARALLEL)
        self._warming = asyncio.create_task(all_of_them(), name="boxes")

    async def fill(self, node: Node, *, template: str, files: Mapping[str, str]) -> None:
        """The node's folder: `template` is a data directory in the image, or ""."""
        container, folder = await self.ready(node), self.planned[name_of(node)].folder
        user = f"{self.ground.user}:{self.ground.user}"
        if not self.ground.in_memory:  # a new volume belongs to root
            await self._engine.exec(container, ("/bin/chown", user, str(folder)), user=ROOT)
        if template or files:
            words = [str(folder), template, *(word for pair in files.items() for word in pair)]
            await self._engine.exec(container, (SHELL, "-c", _FILL, "fill", *words), user=user)

    async def make_template(self, node: Node, making: Making) -> str:
        """The data directory that all tablets start from, made in a node's box. Raises ClusterError."""
        container, user = await self.ready(node), f"{self.ground.user}:{self.ground.user}"
        if not self.ground.in_memory:
            await self._engine.exec(container, ("/bin/chown", user, str(TEMPLATE)), user=ROOT)
        files = [word for pair in making.files.items() for word in pair]
        words = (SHELL, "-c", _MAKE, "make", str(TEMPLATE), *files, "--", *making.argv)
        await self._engine.exec(container, words, user=user, env=making.env)
        return str(TEMPLATE / "data")

    async def filter(self, name: str, script: str) -> None:
        """Feed `nft` in a box's network namespace. Raises ClusterError."""
        await self._engine.exec(await self.container(name), (SHELL, "-c", _FEED, "filter", script), user=ROOT)

    async def filtered(self, name: str) -> str:
        """What `nft` lists there of ours; "" = nothing. Raises ClusterError."""
        return await self._engine.exec(await self.container(name), (SHELL, "-c", _LIST), user=ROOT)

    async def published(self, name: str) -> dict[int, int]:
        """Port of a box → port of the engine's machine."""
        container = await self.container(name)
        said = await self._engine.call("describe a container", self._engine.api.inspect_container, container)
        bound: Mapping[str, Sequence[Mapping[str, str]] | None] = said["NetworkSettings"]["Ports"]
        return {int(inside.partition("/")[0]): int(rows[0]["HostPort"]) for inside, rows in bound.items() if rows}

    async def close(self) -> None:
        """No further box is made. What the engine is making already is there when `Engine.settled` returns."""
        making: list[asyncio.Future[Any]] = [future for future in self._made.values() if not future.done()]
        if self._warming is not None:
            making.append(self._warming)
        for future in making:
            future.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    async def _make(self, box: Box) -> str:
        api = self._engine.api
        made = await self._engine.call(f"make the box of {box.name}", api.create_container, **self._asked(box))
        await self._engine.call(f"start the box of {box.name}", api.start, made["Id"])
        return str(made["Id"])

    def _asked(self, box: Box) -> dict[str, Any]:
        api, ground = self._engine.api, self.ground
        labels = ground.marks.of_box(box.name)
        ports = sorted({port for node in box.nodes for port in self._layout.ports[node.name].values()})
        crowded = any(holds_programs(node, ground) for node in box.nodes)
        host = api.create_host_config(
            cap_add=["NET_ADMIN"],
            mounts=[volume(box, ground), *([_template(ground)] if ground.template else [])],
            port_bindings=dict.fromkeys(ports, (ground.publish_on, None)) if ground.publish_on else None,
            **(limits(ground) if crowded else {}),
            **LOGGED,
        )
        endpoint = api.create_endpoint_config(ipv4_address=box.address)
        return {
            "image": ground.image,
            "name": container_name(ground.marks.run, f"box-{box.name}"),
            "entrypoint": list(WAITS),
            "hostname": box.name,
            "user": f"{ground.user}:{ground.user}" if crowded else ROOT,  # programs there write to its outputs
            "stdin_open": True,
            "labels": labels,
            "ports": ports if ground.publish_on else None,
            "host_config": host,
            "networking_config": api.create_networking_config({ground.network.name: endpoint}),
            "use_config_proxy": False,
        }


def holds_programs(node: Node, ground: Ground) -> bool:
    """Whether a node's program runs in its box, not in a container of its own."""
    return ground.place.together and bool(node.tablet_uid)


def limits(ground: Ground) -> dict[str, Any]:
    """Of a container with programs. No swapping: what is beyond memory ends the program at once."""
    memory, cpus = ground.place.memory_mb << 20, ground.place.cpus
    return {
        **({"mem_limit": memory, "memswap_limit": memory} if memory else {}),
        **({"nano_cpus": int(cpus * 1e9)} if cpus else {}),
    }


def volume(box: Box, ground: Ground) -> Any:
    """A box's folder; the first container that mounts it makes it. In memory it lives as long as the box."""
    return _volume(str(box.folder), box.name, ground.marks.of_box(box.name), ground)


def _template(ground: Ground) -> Any:
    return _volume(str(TEMPLATE), TEMPLATE.name, ground.marks.plain(), ground)


def _volume(target: str, name: str, labels: Mapping[str, str], ground: Ground) -> Any:
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"uid={ground.user},gid={ground.user},mode=0755"}
    return Mount(
        target=target,
        source=container_name(ground.marks.run, name),
        type="volume",
        no_copy=True,
        labels=dict(labels),
        driver_config=DriverConfig("local", options if ground.in_memory else {}),
    )


def container_name(run: str, what: str) -> str:
    """Also of volumes; unique on an engine."""
    return f"vtchaos-{run}-{what}"
