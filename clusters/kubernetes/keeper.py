"""Clusters in pods that outlive the command that stood them up.

FOLDER/state.json      what stands where
FOLDER/logs            the containers' output: who attaches adds what has come since the last one left
FOLDER/followed.json   how far that is; it is not there while somebody is attached
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from clusters.common.cluster import NodesCluster
from clusters.common.images import DATA
from clusters.common.keeping import FOLLOWED, STATE, Kept, SavedCommand, restored, saved, writing_logs
from clusters.common.layout import Layout
from clusters.kubernetes import backend, cordons, ground, healing, load_job, names, pods, records, standup
from clusters.kubernetes.api import Api
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.names import OWNER
from clusters.kubernetes.records import Record
from clusters.kubernetes.resources import NAMESPACE, POD, name_of
from clusters.kubernetes.standup import Site, Taken
from harness.base import jsonio
from harness.base.errors import ClusterError
from harness.contracts import Observer
from harness.model import ClusterSpec, Node, Placement, Role

LOGS = "logs"
ASK_TIMEOUT_S = 20.0
_RUNNING = f"cd {DATA}/.agent && for node in *; do [ -s $node/pid ] && echo $node; done; true"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """state.json: enough to talk to the cluster and to restart its nodes."""

    name: str
    record: Record
    spec: ClusterSpec
    place: Placement
    nodes: tuple[Node, ...]
    hosts: dict[str, str]
    ports: dict[str, dict[str, int]]
    pods: dict[str, str]  # pod → uid: one that was replaced has lost its data, unless that is in a volume
    image: str  # the main one
    no_links: str
    user: int
    commands: dict[str, SavedCommand]

    @property
    def marks(self) -> Marks:
        return Marks(run=self.record.run, namespace=self.record.namespace, kept=self.name)

    def layout(self, folder: Path) -> Layout:
        return Layout(
            spec=self.spec,
            nodes=self.nodes,
            hosts=self.hosts,
            bind=names.EVERYWHERE,
            ports=self.ports,
            data=DATA,
            logs=folder / LOGS,
        )


class KubernetesKeeper:
    """`clusters.common.keeping.Keeper` of pods."""

    async def start(self, name: str, spec: ClusterSpec, place: Placement, *, folder: Path, observer: Observer) -> None:
        """Until it serves it ends with us. Raises ClusterError, SoftwareError, PlanError."""
        marks = backend.marks_of(f"kept-{name}-{secrets.token_hex(3)}", kept=name)
        log = folder / backend.WATCHDOG_LOG
        async with backend.guarded(marks, log=log), ground.opened(place, marks, observer=observer) as there:
            wanted = await backend.wanted(there.api, spec, place, marks, logs=folder / LOGS, observer=observer)
            async with standup.stood_up(there.api, wanted, observer=observer) as site:
                jsonio.save(folder / STATE, _state(name, there.record, wanted, site))
                change = {"metadata": {"annotations": {OWNER: None}}}
                await there.api.patch(NAMESPACE, marks.namespace, change)
                site.stays = True
                there.keep()
            jsonio.save(folder / FOLLOWED, site.stamps())

    def attached(self, folder: Path, *, observer: Observer) -> AbstractAsyncContextManager[NodesCluster]:
        return _attached(folder, observer)

    async def look(self, folder: Path) -> Kept:
        """Raises PlanError, ClusterError when its Kubernetes does not answer."""
        state = _load(folder)
        if state is None:
            return Kept(backend=backend.NAME, spec=None, place=Placement(), alive=False)
        async with _api_of(state) as api:
            alive = await _stands(api, state)
            running = await _running(api, state) if alive else frozenset()
        stopped = tuple(node.name for node in state.nodes if alive and node.name not in running)
        return Kept(backend=backend.NAME, spec=state.spec, place=state.place, alive=alive, stopped=stopped)

    async def stop(self, folder: Path) -> None:
        """Raises PlanError, ClusterError, WaitTimeout."""
        state = _load(folder)
        if state is not None:
            await healing.healed(state.record.run)
            return
        begun = re.compile(rf"kept-{re.escape(folder.name)}-[0-9a-f]{{6}}")  # its start was killed, or failed
        for record in records.everything():
            if begun.fullmatch(record.run):
                await healing.healed(record.run)


@contextlib.asynccontextmanager
async def _attached(folder: Path, observer: Observer) -> AsyncIterator[NodesCluster]:
    state = _load(folder)
    if state is None:
        raise ClusterError(f"{folder} holds no cluster that serves")
    async with _api_of(state) as api:
        if not await _stands(api, state):
            raise ClusterError(f"the pods of {folder.name} are gone, or some of them")
        await cordons.opened(api, state.marks.namespace)  # a dead harness's: its pods would have no place
        with writing_logs(folder) as mine:
            taken = Taken(
                image=state.image,
                no_links=state.no_links,
                durable=bool(state.place.storage_class),
                stamps=_followed(folder) if mine else None,
            )
            commands = restored(state.commands)
            taking = standup.taken_over(
                api, state.layout(folder), commands, taken, marks=state.marks, observer=observer
            )
            async with taking as site:
                site.stays = True
                site.cluster.load_place = load_job.beside(api, site.cluster.layout, state.marks, user=state.user)
                yield site.cluster
            if mine:
                jsonio.save(folder / FOLLOWED, site.stamps())


@contextlib.asynccontextmanager
async def _api_of(state: State) -> AsyncIterator[Api]:
    async with Api.open(state.record.context, kubeconfig=state.record.kubeconfig) as api:
        yield api


async def _stands(api: Api, state: State) -> bool:
    """Its namespace is there, and the pods in which the data is run; the others are nothing but their programs."""
    found = {name_of(row): pods.read(row) for row in await api.list(POD, state.record.namespace)}
    return await api.get(NAMESPACE, state.record.namespace) is not None and all(
        pod in found and found[pod].uid == state.pods[pod] and bool(found[pod].running) for pod in _with_data(state)
    )


def _with_data(state: State) -> frozenset[str]:
    """The pods whose data goes with them."""
    in_volumes = bool(state.place.storage_class)
    holds = (node for node in state.nodes if node.role is Role.ETCD or (node.tablet_uid and not in_volumes))
    return frozenset(names.box_of(node).pod for node in holds)


async def _running(api: Api, state: State) -> frozenset[str]:
    """The nodes whose programs run."""
    boxes = {names.box_of(node).pod: names.box_of(node) for node in reversed(state.nodes)}

    there = {name_of(row): pods.read(row) for row in await api.list(POD, state.record.namespace)}

    async def of(box: names.Box) -> str:
        if box.pod not in there or box.container not in there[box.pod].running:
            return ""
        argv = ("/bin/sh", "-c", _RUNNING)
        ran = await api.exec(state.record.namespace, box.pod, box.container, argv, timeout_s=ASK_TIMEOUT_S)
        return ran.stdout.decode()

    said = await asyncio.gather(*map(of, boxes.values()))
    return frozenset(" ".join(said).split())


def _load(folder: Path) -> State | None:
    return jsonio.load_if_whole(folder / STATE, State)


def _followed(folder: Path) -> dict[str, str]:
    """Taken away: who does not come to his end leaves none, and the logs are then read anew."""
    found = jsonio.load_if_whole(folder / FOLLOWED, dict[str, str])
    (folder / FOLLOWED).unlink(missing_ok=True)
    return found or {}


def _state(name: str, record: Record, wanted: standup.Wanted, site: Site) -> State:
    plan = site.cluster.layout
    return State(
        name=name,
        record=replace(record, owner=""),
        spec=plan.spec,
        place=wanted.place,
        nodes=plan.nodes,
        hosts=dict(plan.hosts),
        ports={node: dict(ports) for node, ports in plan.ports.items()},
        pods={pod.name: pod.uid for pod in site.pods.all()},
        image=wanted.images.of_version[plan.spec.vitess],
        no_links=site.links.why_not,
        user=wanted.images.user,
        commands=saved(site.cluster.commands),
    )
