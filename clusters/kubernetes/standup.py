"""From a namespace to a cluster in pods that serves, and to nothing again."""

from __future__ import annotations

import asyncio
import contextlib
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
from clusters.kubernetes import following, links, manifests, names, pods, reach, records, removal
from clusters.kubernetes.api import Api
from clusters.kubernetes.links import Links
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.pods import Pods
from clusters.kubernetes.processes import PodProcesses
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


@dataclass(slots=True)
class Site:
    """A cluster in running pods. `stays`: its programs are not ended when the block is left."""

    api: Api
    namespace: str
    cluster: NodesCluster
    processes: PodProcesses
    pods: Pods
    links: Links
    stays: bool = False


@contextlib.asynccontextmanager
async def stood_up(api: Api, wanted: Wanted, *, observer: Observer) -> AsyncIterator[Site]:
    """Serving on entry; on exit nothing of it is left but the logs. Raises ClusterError."""
    records.save(removal.record_of(api, wanted.marks))
    try:
        async with made(api, wanted, observer=observer) as site:
            await Bringup(site.cluster, wanted.images.programs, observer).run()
            yield site
    finally:
        await gone(api, wanted.marks)


async def gone(api: Api, marks: Marks) -> None:
    """Remove all of a run. Raises ApiError, WaitTimeout."""
    await removal.namespace_removed(api, marks.namespace)
    records.forget(marks.namespace)


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
    async with opened(
        api,
        plan,
        words,
        namespace=wanted.marks.namespace,
        run=wanted.marks.run,
        images=images,
        forward=wanted.forward,
        observer=observer,
    ) as site:
        yield site


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
async def opened(
    api: Api,
    plan: Layout,
    words: Mapping[str, Command],
    *,
    namespace: str,
    run: str,
    images: Images | None,
    image: str = "",
    no_links: str = "",
    forward: bool,
    observer: Observer,
    adopt: bool = False,
) -> AsyncIterator[Site]:
    """Ears, hands and ways of a cluster whose objects are there. `images` None: of another process (`adopt`), with
    `image` and `no_links` for its links. On leaving, programs are ended unless it stays; objects are not removed."""
    if images is not None:
        image = images.of_version[plan.spec.vitess]
        no_links = await links.why_not(api, namespace, has_nft=images.has_nft, image=image)
    selector = names.selector(run=names.label_of(run))
    boxes = {node.name: names.box_of(node) for node in plan.nodes}
    async with pods.watched(api, namespace, labels=selector) as seen, contextlib.AsyncExitStack() as stack:
        await _all_run(seen, list(boxes.values()), observer)
        cutter = Links(api, namespace, plan, seen, image=image, why_not=no_links)
        stack.push_async_callback(cutter.close)
        shells = _shells(api, namespace, plan)
        stack.push_async_callback(_close, tuple(shells.values()))
        ways = await stack.enter_async_context(reach.opened(api, namespace, plan, seen, forward=forward))
        processes = PodProcesses(plan, images, shells, links=cutter, reach=ways)
        running = await processes.adopt() if adopt else ()
        cluster = NodesCluster(plan, words, processes, observer, running=running)
        if adopt:
            cutter.adopt()
            await cutter.set(())
        await _follow_all(api, namespace, plan, seen, processes, stack, anew=adopt)
        site = Site(api, namespace, cluster, processes, seen, cutter)
        try:
            yield site
        finally:
            if not site.stays:
                await _end(processes)


async def _follow_all(
    api: Api,
    namespace: str,
    plan: Layout,
    seen: Pods,
    processes: PodProcesses,
    stack: contextlib.AsyncExitStack,
    *,
    anew: bool,
) -> None:
    for node in plan.nodes:
        await stack.enter_async_context(
            following.followed(
                api,
                namespace,
                names.box_of(node),
                seen,
                log=plan.log(node),
                anew=anew,
                on_end=partial(processes.ended, node),
            )
        )


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
