"""The backend "docker": containers on the Docker engine that the docker command would use."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from clusters.common import obtained, watchdog
from clusters.common.keeping import STATE
from clusters.common.processes import NOT_YET
from clusters.docker import capacity, engine, removal, standup
from clusters.docker.labels import RUN, Marks
from clusters.docker.processes import NEVER
from clusters.docker.standup import Wanted
from clusters.docker.store import DockerImageStore
from clusters.images import provided
from harness.base.clock import now_ns
from harness.base.errors import ClusterError, HarnessError
from harness.contracts import Cluster, Observer
from harness.model import Capability, ClusterSpec, Event, Placement

NAME = "docker"
WATCHDOG_LOG = "watchdog.log"


class DockerBackend:
    """Stands up clusters of containers, which can be found by their labels and are removed whoever dies."""

    def __init__(self, *, publish: bool = False) -> None:
        """`publish`: reach the nodes through published ports even where their own addresses can be reached."""
        self._publish = publish

    @property
    def name(self) -> str:
        return NAME

    @property
    def never(self) -> Mapping[Capability, str]:
        return NEVER

    async def refusals(self, spec: ClusterSpec, place: Placement) -> Sequence[str]:
        """No engine, what `clusters.common.obtained` finds wrong with the software, memory."""
        if spec.upgrade_to:
            return (f"nodes cannot be started again with another release (--upgrade-to): {NOT_YET}",)
        try:
            async with engine.connected() as docker:
                facts = await docker.facts()
        except ClusterError as error:
            return (str(error),)
        software = () if place.image else await obtained.refusals(spec)
        return (*software, *capacity.refusals(spec, place, facts))

    def cluster(
        self, spec: ClusterSpec, place: Placement, *, run: str, folder: Path, logs: Path, observer: Observer
    ) -> AbstractAsyncContextManager[Cluster]:
        """Everything lives on the engine; `folder` is not used. Logs go to `logs`."""
        return self._cluster(spec, place, run, logs, observer)

    async def heal(self, run: str) -> Sequence[str]:
        async with engine.connected() as docker:
            return await removal.removed(docker, f"{RUN}={run}", quiet_s=removal.QUIET_S)

    async def left(self, run: str, place: Placement) -> Mapping[str, Sequence[str]]:
        async with engine.connected() as docker:
            found = await removal.labelled(docker, f"{RUN}={run}")
        kinds = {"containers": found.containers, "networks": found.networks, "volumes": found.volumes}
        return {kind: [thing.name for thing in things] for kind, things in kinds.items()}

    async def orphans(self) -> Mapping[str, Sequence[str]]:
        """Raises ClusterError when no engine answers."""
        async with engine.connected() as docker:
            return await removal.orphans(docker, state=STATE)

    @contextlib.asynccontextmanager
    async def _cluster(
        self, spec: ClusterSpec, place: Placement, run: str, logs: Path, observer: Observer
    ) -> AsyncIterator[Cluster]:
        marks = Marks(run=run)
        logs.mkdir(parents=True, exist_ok=True)
        async with engine.connected() as docker, guarded(docker, marks, log=logs / WATCHDOG_LOG):
            observer.on_event(Event(at_ns=now_ns(), kind="engine", subject=docker.where))
            plan = await wanted(docker, spec, place, marks, logs=logs, observer=observer, publish=self._publish)
            async with standup.stood_up(docker, plan, observer=observer) as cluster:
                yield cluster


@contextlib.asynccontextmanager
async def guarded(docker: engine.Engine, marks: Marks, *, log: Path) -> AsyncIterator[None]:
    """The watchdog's guard, which has nothing to do when a failed block has removed everything itself."""
    async with watchdog.guarding(NAME, marks.run, log=log) as guard:
        try:
            yield
        except BaseException:
            with contextlib.suppress(HarnessError):  # then the watchdog looks
                await docker.settled()  # what a call makes whose caller was cancelled is there then
                if not (await removal.labelled(docker, f"{RUN}={marks.run}")).all:
                    guard.release()
            raise


async def wanted(
    docker: engine.Engine,
    spec: ClusterSpec,
    place: Placement,
    marks: Marks,
    *,
    logs: Path,
    observer: Observer,
    publish: bool = False,
) -> Wanted:
    """With the images on the engine. Raises PlanError, SoftwareError, ClusterError."""
    images = await provided(spec, place, store=DockerImageStore(docker, marks, observer), observer=observer)
    in_memory = capacity.data_fits_in_memory(spec, place, await docker.facts())
    return Wanted(spec=spec, place=place, images=images, marks=marks, logs=logs, in_memory=in_memory, publish=publish)
