"""The backend "kubernetes": pods in a namespace of their own, on any cluster that a kubeconfig names."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from clusters.common import obtained, watchdog
from clusters.common.processes import NOT_YET
from clusters.images import provided
from clusters.kubernetes import capacity, ground, healing, load_job, names, operator, rbac, records, standup
from clusters.kubernetes import kind as kinds
from clusters.kubernetes.api import Api
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.processes import NEVER
from clusters.kubernetes.rbac import Right
from clusters.kubernetes.resources import (
    JOB,
    NAMESPACE,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    STORAGE_CLASS,
    Resource,
)
from clusters.kubernetes.standup import Wanted
from clusters.kubernetes.store import NodeImages
from clusters.software import Sources
from harness.base.errors import ClusterError, PlanError, SoftwareError
from harness.base.owner import this_process
from harness.contracts import Cluster, Observer
from harness.model import Capability, ClusterSpec, Placement

NAME = "kubernetes"
WATCHDOG_LOG = "watchdog.log"
_NEEDED = (NAMESPACE, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET, POD)
_NEEDED_OF_PODS = ("", "exec", "log")


class KubernetesBackend:
    """Stands up clusters in pods, which can be found by their labels and are removed whoever dies."""

    def __init__(self, *, forward: bool = False) -> None:
        """`forward`: reach the nodes through port-forwards even where their own addresses can be reached."""
        self._forward = forward

    @property
    def name(self) -> str:
        return NAME

    @property
    def never(self) -> Mapping[Capability, str]:
        return NEVER

    async def refusals(self, spec: ClusterSpec, place: Placement) -> Sequence[str]:
        """No cluster, rights that are missing, what is wrong with the software, memory."""
        if spec.upgrade_to:
            return (f"nodes cannot be started again with another release (--upgrade-to): {NOT_YET}",)
        try:
            if place.operator:
                return await _with_operator(spec, place)
            if place.kind:
                return await _without_kind(spec, place)
            async with Api.open(place.context) as api:
                software = () if place.image else await obtained.refusals(spec)
                return (
                    *await _lacking(api, (*_NEEDED, JOB) if place.load_pods else _NEEDED),
                    *await _no_such_class(api, place.storage_class),
                    *software,
                    *await capacity.refusals(api, spec, place),
                )
        except (PlanError, SoftwareError, ClusterError) as error:
            return (str(error),)

    def cluster(
        self, spec: ClusterSpec, place: Placement, *, run: str, folder: Path, logs: Path, observer: Observer
    ) -> AbstractAsyncContextManager[Cluster]:
        """Everything lives in the cluster; `folder` is not used. Logs go to `logs`."""
        return self._cluster(spec, place, run, logs, observer)

    async def heal(self, run: str) -> Sequence[str]:
        return await healing.healed(run)

    async def left(self, run: str, place: Placement) -> Mapping[str, Sequence[str]]:
        return await healing.left(run, place)

    async def orphans(self) -> Mapping[str, Sequence[str]]:
        return await healing.orphans()

    @contextlib.asynccontextmanager
    async def _cluster(
        self, spec: ClusterSpec, place: Placement, run: str, logs: Path, observer: Observer
    ) -> AsyncIterator[Cluster]:
        marks = marks_of(run)
        logs.mkdir(parents=True, exist_ok=True)
        async with guarded(marks, log=logs / WATCHDOG_LOG), ground.opened(place, marks, observer=observer) as there:
            if place.operator:
                async with operator.stood_up(there.api, spec, place, marks, logs=logs, observer=observer) as cluster:
                    yield cluster
                return
            plan = await wanted(there.api, spec, place, marks, logs=logs, observer=observer, forward=self._forward)
            async with standup.stood_up(there.api, plan, observer=observer) as site:
                layout = site.cluster.layout
                site.cluster.load_place = load_job.beside(there.api, layout, marks, user=plan.images.user)
                yield site.cluster


def marks_of(run: str, *, kept: str = "") -> Marks:
    return Marks(run=run, namespace=names.namespace_of(run), owner=this_process().text, kept=kept)


@contextlib.asynccontextmanager
async def guarded(marks: Marks, *, log: Path) -> AsyncIterator[None]:
    """The watchdog's guard, which has nothing to do when a failed block has removed everything itself."""
    async with watchdog.guarding(NAME, marks.run, log=log) as guard:
        try:
            yield
        except BaseException:
            if not records.of(marks.run):
                guard.release()
            raise


async def wanted(
    api: Api,
    spec: ClusterSpec,
    place: Placement,
    marks: Marks,
    *,
    logs: Path,
    observer: Observer,
    forward: bool = False,
) -> Wanted:
    """With the images where the nodes find them. Raises PlanError, SoftwareError, ClusterError."""
    images = await provided(spec, place, store=NodeImages(api, marks), observer=observer)
    in_memory = await capacity.data_fits_in_memory(api, spec, place)
    return Wanted(spec=spec, place=place, images=images, marks=marks, logs=logs, in_memory=in_memory, forward=forward)


# ---------------------------------------------------------------- refusals


async def _with_operator(spec: ClusterSpec, place: Placement) -> Sequence[str]:
    """What vitess-operator cannot do, or is not there for."""
    if place.kind:
        return ("a kind cluster that is made for the run has no vitess-operator: use --context instead of --kind",)
    if place.load_pods:
        return ("load pods are offered beside our own manifests only: leave --load-pods or --create out",)
    async with Api.open(place.context) as api:
        return (
            *await _lacking(api, (NAMESPACE, POD)),
            *await _no_such_class(api, place.storage_class),
            *await operator.refusals(api, spec, place),
        )


async def _without_kind(spec: ClusterSpec, place: Placement) -> Sequence[str]:
    """What shows before the kind cluster is made."""
    kind = await kinds.kind(sources=Sources.of_environment())
    refusal = await kind.refusal()
    return (*((refusal,) if refusal else ()), *(() if place.image else await obtained.refusals(spec)))


async def _lacking(api: Api, resources: Collection[Resource]) -> list[str]:
    """A sentence for every right without which nothing can be stood up."""
    needed = [right for right in rbac.OWN if right.resource in resources and right.subresource in _NEEDED_OF_PODS]
    each = await asyncio.gather(*(_missing(api, right) for right in needed))
    return [sentence for sentence in each if sentence]


async def _missing(api: Api, right: Right) -> str:
    namespace = "" if right.resource is NAMESPACE else "vtchaos-any"
    answers = await asyncio.gather(
        *(api.can(verb, right.resource, namespace, subresource=right.subresource) for verb in right.verbs)
    )
    missing = [verb for verb, may in zip(right.verbs, answers, strict=True) if not may]
    if not missing:
        return ""
    return f"the context {api.context} may not {' and '.join(missing)} {right.what} ({right.why})"


async def _no_such_class(api: Api, storage_class: str) -> list[str]:
    if not storage_class or await api.get(STORAGE_CLASS, storage_class) is not None:
        return []
    there = [row["metadata"]["name"] for row in await api.list(STORAGE_CLASS)]
    return [f"{api.context} has no storage class {storage_class!r}; it has {', '.join(there) or 'none'}"]
