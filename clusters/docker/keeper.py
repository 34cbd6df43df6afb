"""Clusters of containers that outlive the command that stood them up.

FOLDER/state.json      what stands where; everything on the engine has the folder's path as a label
FOLDER/logs            the containers' output: who attaches adds what has come since the last one left
FOLDER/followed.json   how far that is
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from clusters.common.bringup import Bringup
from clusters.common.cluster import NodesCluster
from clusters.common.images import DATA
from clusters.common.keeping import FOLLOWED, STATE, Kept, SavedCommand, restored, saved, writing_logs
from clusters.common.layout import Layout
from clusters.docker import backend, engine, removal, standup
from clusters.docker.boxes import Boxes, Ground, name_of
from clusters.docker.engine import Engine
from clusters.docker.following import Mark
from clusters.docker.labels import BOX, FOLDER, NODE, RUN, Marks
from clusters.docker.network import Network
from clusters.docker.processes import DockerProcesses
from clusters.docker.programs import Found
from clusters.docker.removal import Left, Thing
from clusters.docker.standup import Site
from clusters.docker.together import running_in
from harness.base import jsonio
from harness.base.errors import ClusterError
from harness.contracts import Observer
from harness.model import ClusterSpec, Node, Placement

LOGS = "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """state.json: enough to talk to the cluster and to restart its nodes."""

    engine: str  # its address
    name: str
    run: str
    spec: ClusterSpec
    place: Placement
    nodes: tuple[Node, ...]
    hosts: dict[str, str]
    ports: dict[str, dict[str, int]]
    network: str
    subnet: str
    image: str  # of the boxes
    images: dict[str, str]  # node → reference
    user: int
    in_memory: bool
    publish_on: str
    outside: dict[str, dict[int, tuple[str, int]]]
    no_links: str
    commands: dict[str, SavedCommand]

    def layout(self, folder: Path) -> Layout:
        return Layout(
            spec=self.spec,
            nodes=self.nodes,
            hosts=self.hosts,
            bind=standup.EVERYWHERE,
            ports=self.ports,
            data=DATA,
            logs=folder / LOGS,
        )

    def ground(self, folder: Path) -> Ground:
        return Ground(
            marks=Marks(run=self.run, kept=self.name, folder=str(folder)),
            network=Network(name=self.network, subnet=ipaddress.IPv4Network(self.subnet)),
            image=self.image,
            user=self.user,
            place=self.place,
            in_memory=self.in_memory,
            publish_on=self.publish_on,
        )


class DockerKeeper:
    """`clusters.common.keeping.Keeper` of containers."""

    async def start(self, name: str, spec: ClusterSpec, place: Placement, *, folder: Path, observer: Observer) -> None:
        """Until it serves it ends with us. Raises ClusterError, SoftwareError, PlanError."""
        marks = Marks(run=f"kept-{name}-{secrets.token_hex(3)}", kept=name, folder=str(folder))
        async with (
            engine.connected() as docker,
            backend.guarded(docker, marks, log=folder / backend.WATCHDOG_LOG),
        ):
            wanted = await backend.wanted(docker, spec, place, marks, logs=folder / LOGS, observer=observer)
            try:
                async with standup.opened(docker, wanted, observer=observer) as site:
                    await Bringup(site.cluster, wanted.images.programs, observer).run()
                    jsonio.save(folder / STATE, _state(docker, name, site))
                    site.stays = True
                jsonio.save(folder / FOLLOWED, site.processes.marks())
            except BaseException:
                await standup.gone(docker, marks)
                raise

    def attached(self, folder: Path, *, observer: Observer) -> AbstractAsyncContextManager[NodesCluster]:
        return _attached(folder, observer)

    async def look(self, folder: Path) -> Kept:
        """Raises ClusterError when its engine does not answer."""
        state = _load(folder)
        if state is None:
            return Kept(backend=backend.NAME, spec=None, place=Placement(), alive=False)
        async with _engine_of(state) as docker:
            left = await removal.labelled(docker, f"{RUN}={state.run}")
            running = await _running(docker, state, left)
        alive = _stands(state, left)
        return Kept(
            backend=backend.NAME,
            spec=state.spec,
            place=state.place,
            alive=alive,
            stopped=tuple(node.name for node in state.nodes if alive and node.name not in running),
        )

    async def stop(self, folder: Path) -> None:
        """Raises ClusterError, WaitTimeout."""
        state = _load(folder)
        async with engine.connected() if state is None else _engine_of(state) as docker:
            quiet_s = 0.0 if state is not None else removal.QUIET_S  # its start may have been killed just now
            await removal.removed(docker, f"{FOLDER}={folder}", quiet_s=quiet_s)


@contextlib.asynccontextmanager
async def _attached(folder: Path, observer: Observer) -> AsyncIterator[NodesCluster]:
    state = _load(folder)
    if state is None:
        raise ClusterError(f"{folder} holds no cluster that serves")
    async with _engine_of(state) as docker:
        left = await removal.labelled(docker, f"{RUN}={state.run}")
        if not _stands(state, left):
            raise ClusterError(f"the containers of {folder.name} are gone, or some of them")
        facts = await docker.facts()
        plan = state.layout(folder)
        standing = {name: thing.key for name, thing in _by(BOX, left).items()}
        processes = DockerProcesses(
            docker,
            plan,
            Boxes(docker, plan, state.ground(folder), standing=standing),
            images=state.images,
            templates={},
            making=None,
            outside=state.outside,
            no_links=state.no_links,
            observer=observer,
        )
        processes.listen(since_s=facts.now_s)
        found = _found(state, left)
        running = await processes.adopt(found)
        try:
            async with _following(folder, processes, found):
                yield NodesCluster(plan, restored(state.commands), processes, observer, running=running)
        finally:
            await processes.close(kill=False)


@contextlib.asynccontextmanager
async def _following(folder: Path, processes: DockerProcesses, found: Mapping[str, Found]) -> AsyncIterator[None]:
    """The logs go on, unless somebody else is attached already, who writes them."""
    with writing_logs(folder) as mine:
        if not mine:
            yield
            return
        processes.on_follow(lambda: jsonio.save(folder / FOLLOWED, processes.marks()))
        try:
            await processes.follow_on(found, _followed(folder))
            yield
        finally:
            jsonio.save(folder / FOLLOWED, processes.marks())


@contextlib.asynccontextmanager
async def _engine_of(state: State) -> AsyncIterator[Engine]:
    """Raises ClusterError when the docker command would use another engine now."""
    async with engine.connected() as docker:
        if docker.where != state.engine:
            raise ClusterError(
                f"the cluster stands on the Docker engine at {state.engine}, and {docker.where} is the current one: "
                f"set DOCKER_HOST={state.engine}"
            )
        yield docker


def _stands(state: State, left: Left) -> bool:
    """All addresses and folders are there; what was in memory went with its box."""
    found = _by(BOX, left)
    return all(_runs(found.get(box)) for box in standup.box_names(state.nodes))


def _found(state: State, left: Left) -> dict[str, Found]:
    """Node → its container: its own, or its box where its program is to run there."""
    own, found = _by(NODE, left), _by(BOX, left)
    crowded = {node.name: found.get(name_of(node)) for node in state.nodes if state.place.together and node.tablet_uid}
    things = {**own, **crowded}
    return {name: Found(key=thing.key, runs=thing.runs) for name, thing in things.items() if thing is not None}


async def _running(docker: Engine, state: State, left: Left) -> set[str]:
    """The nodes whose programs run."""
    names = {name for name, thing in _by(NODE, left).items() if thing.runs}
    if state.place.together:
        for box in (thing for thing in _by(BOX, left).values() if thing.runs):
            names |= set((await running_in(docker, box.key)).values())
    return names


def _by(label: str, left: Left) -> dict[str, Thing]:
    return {thing.labels[label]: thing for thing in left.containers if label in thing.labels}


def _runs(thing: Thing | None) -> bool:
    return thing is not None and thing.runs


def _load(folder: Path) -> State | None:
    return jsonio.load_if_whole(folder / STATE, State)


def _followed(folder: Path) -> dict[str, Mark]:
    return jsonio.load_if_whole(folder / FOLLOWED, dict[str, Mark]) or {}


def _state(docker: Engine, name: str, site: Site) -> State:
    plan, processes = site.cluster.layout, site.processes
    ground = processes.boxes.ground
    return State(
        engine=docker.where,
        name=name,
        run=ground.marks.run,
        spec=plan.spec,
        place=ground.place,
        nodes=plan.nodes,
        hosts=dict(plan.hosts),
        ports={node: dict(ports) for node, ports in plan.ports.items()},
        network=ground.network.name,
        subnet=str(ground.network.subnet),
        image=ground.image,
        images=dict(processes.images),
        user=ground.user,
        in_memory=ground.in_memory,
        publish_on=ground.publish_on,
        outside={box: dict(ports) for box, ports in processes.reached.items()},
        no_links=processes.no_links,
        commands=saved(site.cluster.commands),
    )
