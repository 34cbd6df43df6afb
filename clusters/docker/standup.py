"""From a network to a cluster of containers that serves, and to nothing again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from clusters.common import commands, layout, links, mysqld
from clusters.common.bringup import Bringup
from clusters.common.cluster import NodesCluster
from clusters.common.images import DATA, Images
from clusters.common.layout import Layout
from clusters.docker import boxes, network, removal
from clusters.docker.boxes import Boxes, Ground, Making
from clusters.docker.engine import Engine
from clusters.docker.labels import RUN, Marks
from clusters.docker.processes import DockerProcesses, Outside
from harness.base.errors import ClusterError
from harness.contracts import Observer
from harness.model import ClusterSpec, Node, Placement

_INIT_SQL = Path(mysqld.__file__).with_name("init_db.sql")
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to stand up, and where its traces go."""

    spec: ClusterSpec
    place: Placement
    images: Images
    marks: Marks
    logs: Path
    in_memory: bool  # the nodes' folders
    publish: bool = False  # ports on the engine's machine, even where its network can be reached


@dataclass(slots=True)
class Site:
    """A cluster whose programs are not started yet. `stays`: they are not ended when the block is left."""

    cluster: NodesCluster
    processes: DockerProcesses
    stays: bool = False


@contextlib.asynccontextmanager
async def stood_up(engine: Engine, wanted: Wanted, *, observer: Observer) -> AsyncIterator[NodesCluster]:
    """Serving on entry; on exit nothing of it is left but the logs. Raises ClusterError."""
    try:
        async with opened(engine, wanted, observer=observer) as site:
            await Bringup(site.cluster, wanted.images.programs, observer).run()
            yield site.cluster
    finally:
        await gone(engine, wanted.marks)


async def gone(engine: Engine, marks: Marks) -> None:
    """Remove all of a run whose programs are not wanted any more. Raises ClusterError, WaitTimeout."""
    await engine.settled()
    await removal.removed(engine, f"{RUN}={marks.run}")


@contextlib.asynccontextmanager
async def opened(engine: Engine, wanted: Wanted, *, observer: Observer) -> AsyncIterator[Site]:
    """Network, first box, and ears. On leaving every program is ended, and its output is whole; nothing is removed."""
    now_s = (await engine.facts()).now_s
    wanted.logs.mkdir(parents=True, exist_ok=True)
    plan, made = await _founded(engine, wanted)
    made.warm()
    try:
        outside, no_links = await asyncio.gather(
            _outside(engine, made), why_no_links(made, has_nft=wanted.images.has_nft)
        )
    except BaseException:
        await made.close()
        raise
    references = {node.name: wanted.images.of(node, wanted.spec) for node in plan.nodes}
    processes = DockerProcesses(
        engine,
        plan,
        made,
        images=references,
        templates=wanted.images.templates,
        making=making_of(plan, wanted.images),
        outside=outside,
        no_links=no_links,
        observer=observer,
    )
    processes.listen(since_s=now_s)
    words = {node.name: commands.command(plan, wanted.images.programs, node) for node in plan.nodes}
    site = Site(NodesCluster(plan, words, processes, observer), processes)
    try:
        yield site
    finally:
        await processes.close(kill=not site.stays)


# ---------------------------------------------------------------- the ground


def planned(spec: ClusterSpec, images: Images, *, logs: Path) -> Layout:
    """Nodes, ports and folders; hosts are still to come (`addressed`)."""
    nodes = layout.nodes_of(spec, mysql=images.programs.mysql.version, etcd=images.programs.etcd.version)
    ports = layout.fixed_ports(nodes)
    return Layout(spec=spec, nodes=nodes, hosts={}, bind=EVERYWHERE, ports=ports, data=DATA, logs=logs.absolute())


def addressed(plan: Layout, net: network.Network) -> Layout:
    """Every box has an address of the network."""
    addresses = {name: net.address(index) for index, name in enumerate(box_names(plan.nodes))}
    return replace(plan, hosts={node.name: addresses[boxes.name_of(node)] for node in plan.nodes})


def box_names(nodes: Sequence[Node]) -> list[str]:
    return list(dict.fromkeys(boxes.name_of(node) for node in nodes))


async def _founded(engine: Engine, wanted: Wanted) -> tuple[Layout, Boxes]:
    """Network and first box; with published ports where the box cannot be reached otherwise."""
    plan = planned(wanted.spec, wanted.images, logs=wanted.logs)
    first = box_names(plan.nodes)[0]
    net = await network.made(engine, wanted.marks, boxes=len(box_names(plan.nodes)))
    plan = addressed(plan, net)
    ground = Ground(
        marks=wanted.marks,
        network=net,
        image=wanted.images.of_version[wanted.spec.vitess],
        user=wanted.images.user,
        place=wanted.place,
        in_memory=wanted.in_memory,
        template=not all(wanted.images.templates.values()),
    )
    if not wanted.publish and network.on_this_machine(net):
        made = Boxes(engine, plan, ground, standing={})
        container = await made.container(first)
        if await network.reaches(made.planned[first].address):
            return plan, made
        await engine.remove_container(container)
    ground = replace(ground, publish_on=LOOPBACK if engine.local else EVERYWHERE)
    return plan, Boxes(engine, plan, ground, standing={})


def making_of(plan: Layout, images: Images) -> Making:
    """How mysqld makes a data directory with Vitess's users."""
    mysql = images.programs.mysql
    text = mysqld.my_cnf(
        mysql=mysql, folder=boxes.TEMPLATE, server_id=1, address=LOOPBACK, port=0, overrides=plan.spec.mysqld_settings
    )
    files = {"my.cnf": text} if images.init_sql else {"my.cnf": text, _INIT_SQL.name: _INIT_SQL.read_text()}
    return Making(
        argv=(
            str(mysql.mysqld),
            f"--defaults-file={boxes.TEMPLATE / 'my.cnf'}",
            "--initialize-insecure",
            f"--init-file={images.init_sql or boxes.TEMPLATE / _INIT_SQL.name}",
        ),
        env={**mysql.env, "TMPDIR": str(boxes.TEMPLATE / "tmp")},
        files=files,
    )


async def _outside(engine: Engine, made: Boxes) -> Outside:
    """Where the boxes' ports are published; empty when their own addresses can be reached."""
    if not made.ground.publish_on:
        return {}
    host = LOOPBACK if engine.local else urlsplit(engine.where).hostname or LOOPBACK
    ports = await asyncio.gather(*(made.published(name) for name in made.planned))
    return {
        name: {inside: (host, number) for inside, number in row.items()}
        for name, row in zip(made.planned, ports, strict=True)
    }


async def why_no_links(made: Boxes, *, has_nft: bool) -> str:
    """ "" when links can be cut: tried, not guessed."""
    if not has_nft:
        return f"the image {made.ground.image} has no nft, which cuts links; images that vtchaos builds have it"
    try:
        await made.filter(next(iter(made.planned)), links.HEALED)
    except ClusterError as error:
        return f"links cannot be cut in containers of this engine: {error}"
    return ""
