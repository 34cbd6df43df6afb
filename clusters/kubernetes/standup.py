"""From a namespace to a cluster in pods that serves, and to nothing again."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clusters.common import commands
from clusters.common.bringup import Bringup
from clusters.common.cluster import NodesCluster
from clusters.common.commands import Command
from clusters.common.images import Images
from clusters.common.layout import Layout
from clusters.kubernetes import cpu, following, links, manifests, names, pods, reach
from clusters.kubernetes.api import Api
from clusters.kubernetes.cpu import CpuLimits
from clusters.kubernetes.following import Printed
from clusters.kubernetes.links import Links
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.pods import Pods
from clusters.kubernetes.processes import PodProcesses
from clusters.kubernetes.replacing import Replacing
from clusters.kubernetes.resources import Manifest
from clusters.kubernetes.shells import Shell
from harness.base import wait
from harness.base.errors import WaitTimeout
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement

PODS_TIMEOUT_S = 180.0
ENDS_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to stand up, and where its traces go."""

    spec: ClusterSpec
    place: Placement
    images: Images
    marks: Marks
    logs: Path
    in_memory: bool  # the tablets' data
    forward: bool = False  # reach the pods through port-forwards, even where it need not be


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What another process has left of a cluster that runs."""

    image: str  # for the containers that cut links
    no_links: str
    durable: bool  # the tablets' data is in volumes
    stamps: Mapping[str, str] | None  # node → the last line in its log; None: somebody else writes the logs


@dataclass(slots=True)
class Site:
    """A cluster in running pods. `stays`: its programs are not ended when the block is left."""

    cluster: NodesCluster
    processes: PodProcesses
    pods: Pods
    links: Links
    logs: Mapping[str, Printed]
    stays: bool = False

    def stamps(self) -> dict[str, str]:
        """The last line in each node's log."""
        return {node: printed.last for node, printed in self.logs.items()}


@contextlib.asynccontextmanager
async def stood_up(api: Api, wanted: Wanted, *, observer: Observer) -> AsyncIterator[Site]:
    """Serving on entry; on exit the programs are ended, unless the site stays. Raises ClusterError."""
    async with made(api, wanted, observer=observer) as site:
        await Bringup(site.cluster, wanted.images.programs, observer).run()
        yield site


@contextlib.asynccontextmanager
async def made(api: Api, wanted: Wanted, *, observer: Observer) -> AsyncIterator[Site]:
    """The objects, and all pods running with nothing started in them."""
    images, spec = wanted.images, wanted.spec
    plan = names.layout_of(
        spec, mysql=images.programs.mysql.version, etcd=images.programs.etcd.version, logs=wanted.logs
    )
    words = {node.name: commands.command(plan, images.programs, node) for node in plan.nodes}
    plan.logs.mkdir(parents=True, exist_ok=True)
    await _create(api, plan, wanted)
    main = images.of_version[spec.vitess]
    no_links = await links.why_not(
        api, wanted.marks.namespace, has_nft=images.has_nft, has_python=images.has_python, image=main
    )
    async with _heard(api, plan, wanted.marks, observer) as (seen, stack):
        cutter = Links(api, wanted.marks.namespace, plan, seen, image=main, why_not=no_links)
        processes = await _hands(api, wanted.marks, plan, images, seen, cutter, stack, forward=wanted.forward)
        cluster = NodesCluster(plan, words, processes, observer)
        logs = await _follow_all(api, wanted.marks, plan, seen, processes, stack, stamps=None)
        durable = bool(wanted.place.storage_class)
        space = wanted.marks.namespace
        cluster.pods = Replacing(api, space, plan, seen, processes, cutter, durable=durable)
        site = Site(cluster, processes, seen, cutter, logs)
        try:
            yield site
        finally:
            if not site.stays:
                await _end(processes)


@contextlib.asynccontextmanager
async def taken_over(
    api: Api, plan: Layout, words: Mapping[str, Command], taken: Taken, *, marks: Marks, observer: Observer
) -> AsyncIterator[Site]:
    """A cluster that another process has stood up; it stays."""
    async with _heard(api, plan, marks, observer) as (seen, stack):
        cutter = Links(api, marks.namespace, plan, seen, image=taken.image, why_not=taken.no_links)
        processes = await _hands(api, marks, plan, None, seen, cutter, stack, forward=False)
        running = await processes.adopt()
        cluster = NodesCluster(plan, words, processes, observer, running=running)
        cutter.adopt()
        await cutter.set(())
        write = taken.stamps is not None
        logs = await _follow_all(api, marks, plan, seen, processes, stack, stamps=taken.stamps or {}, write=write)
        space = marks.namespace
        cluster.pods = Replacing(api, space, plan, seen, processes, cutter, durable=taken.durable)
        yield Site(cluster, processes, seen, cutter, logs, stays=True)


async def _create(api: Api, plan: Layout, wanted: Wanted) -> None:
    """The namespace first; the sets together. The images may have been tried in the namespace already."""
    marks = wanted.marks
    for manifest in (manifests.namespace(marks), manifests.account(marks), manifests.service(marks)):
        await api.apply(manifest)
    sets = manifests.sets(plan, wanted.images, wanted.place, marks, in_memory=wanted.in_memory)
    async with asyncio.TaskGroup() as group:
        for manifest in sets:
            group.create_task(_created(api, manifest))


async def _created(api: Api, manifest: Manifest) -> None:
    await api.create(manifest)


@contextlib.asynccontextmanager
async def _heard(
    api: Api, plan: Layout, marks: Marks, observer: Observer
) -> AsyncIterator[tuple[Pods, contextlib.AsyncExitStack]]:
    """All pods run and are watched; the stack is for what is opened in them, and is left first."""
    selector = names.selector(run=names.label_of(marks.run))
    async with pods.watched(api, marks.namespace, labels=selector) as seen, contextlib.AsyncExitStack() as stack:
        await _all_run(seen, [names.box_of(node) for node in plan.nodes], observer)
        yield seen, stack


async def _hands(
    api: Api,
    marks: Marks,
    plan: Layout,
    images: Images | None,
    seen: Pods,
    cutter: Links,
    stack: contextlib.AsyncExitStack,
    *,
    forward: bool,
) -> PodProcesses:
    """Shells in the pods, and ways to their ports."""
    stack.push_async_callback(cutter.close)
    limits = CpuLimits(api, marks.namespace, plan, why_not=await cpu.why_not(api, marks.namespace))
    stack.push_async_callback(limits.close)
    shells = _shells(api, marks.namespace, plan)
    stack.push_async_callback(_close, tuple(shells.values()))
    ways = await stack.enter_async_context(reach.opened(api, marks.namespace, plan, seen, forward=forward))
    return PodProcesses(plan, images, shells, links=cutter, cpu=limits, reach=ways)


async def _follow_all(
    api: Api,
    marks: Marks,
    plan: Layout,
    seen: Pods,
    processes: PodProcesses,
    stack: contextlib.AsyncExitStack,
    *,
    stamps: Mapping[str, str] | None,
    write: bool = True,
) -> dict[str, Printed]:
    """Not `write`: only the ends are heard of."""
    logs = {}
    for node in plan.nodes:
        following_it = following.followed(
            api,
            marks.namespace,
            names.box_of(node),
            seen,
            log=plan.log(node) if write else Path(os.devnull),
            since=None if stamps is None else stamps.get(node.name, ""),
            on_end=partial(processes.ended, node),
        )
        logs[node.name] = await stack.enter_async_context(following_it)
    return logs


async def _all_run(seen: Pods, boxes: Sequence[names.Box], observer: Observer) -> None:
    """Raises ClusterError, WaitTimeout."""
    wanted = {box.pod for box in boxes}

    told = -1

    def tell(running: int) -> None:
        nonlocal told
        if running != told:
            told = running
            observer.on_progress("pods", running, len(wanted))

    await seen.until_running(boxes, timeout_s=PODS_TIMEOUT_S, tell=tell)


async def _end(processes: PodProcesses) -> None:
    """End the programs, so that their logs are whole; what does not answer ends with its pod."""
    processes.on_exit(lambda _: None)  # the removal is no part of the run: an exit would cost its counters
    await processes.kill_all()

    async def ended() -> bool:
        return not processes.running

    with contextlib.suppress(WaitTimeout):
        await wait.until("all programs end", ended, timeout_s=ENDS_TIMEOUT_S)


def _shells(api: Api, namespace: str, plan: Layout) -> dict[str, Shell]:
    """One a pod, in the container of its first node."""
    found: dict[str, Shell] = {}
    for node in plan.nodes:
        box = names.box_of(node)
        if box.pod not in found:
            found[box.pod] = Shell(api, namespace, box)
    return found


async def _close(shells: Sequence[Shell]) -> None:
    await asyncio.gather(*(shell.close() for shell in shells))
