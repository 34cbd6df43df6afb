"""The backend "local": real processes on this host, nothing to install by hand."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from clusters.common import obtained
from clusters.local import capacity, cpu, host, standup, template
from clusters.local.processes import NEVER
from clusters.local.supervisor import cgroups
from harness.contracts import Cluster, Observer
from harness.model import Capability, ClusterSpec, Placement

PLACE = Placement()  # this host: nothing of it applies


class LocalBackend:
    """Stands up clusters in namespaces of their own where the host permits it."""

    def __init__(self, *, isolation: str = "") -> None:
        """`isolation`: "" for the best that works, or one of clusters.local.host.ISOLATIONS."""
        self._isolation = isolation

    @property
    def name(self) -> str:
        return "local"

    @property
    def never(self) -> Mapping[Capability, str]:
        return NEVER

    async def refusals(self, spec: ClusterSpec, place: Placement = PLACE) -> Sequence[str]:
        """Unknown releases, unknown flags (where the programs are there already), memory, rights."""
        return (*await obtained.refusals(spec), *await capacity.refusals(spec, isolation=self._isolation))

    def cluster(
        self,
        spec: ClusterSpec,
        place: Placement = PLACE,
        *,
        run: str = "",
        folder: Path,
        logs: Path,
        observer: Observer,
    ) -> AbstractAsyncContextManager[Cluster]:
        """Processes and data live in `folder`, which must not hold a `data` folder yet; logs in `logs`."""
        return self._cluster(spec, run, folder, logs, observer)

    async def heal(self, run: str) -> Sequence[str]:
        """The kernel removes processes, network and mounts when the harness ends, and the supervisor the rest, unless
        it was killed too."""
        return cpu.removed(run)

    async def left(self, run: str, place: Placement = PLACE) -> Mapping[str, Sequence[str]]:
        return {"control groups": [str(home) for home in cgroups.homes() if f"{run}." in home.name]}

    async def orphans(self) -> Mapping[str, Sequence[str]]:
        return cpu.orphans()

    @contextlib.asynccontextmanager
    async def _cluster(
        self, spec: ClusterSpec, run: str, folder: Path, logs: Path, observer: Observer
    ) -> AsyncIterator[Cluster]:
        isolation = await host.isolation(self._isolation)
        programs = await obtained.programs_for(spec, observer=observer)
        sources = await template.ready(spec, programs, isolation=isolation, observer=observer)
        async with standup.stood_up(
            spec,
            programs,
            templates=sources,
            folder=folder,
            logs=logs,
            isolation=isolation,
            in_memory=capacity.data_fits_in_memory(spec, isolation),
            observer=observer,
            run=run,
        ) as cluster:
            yield cluster
