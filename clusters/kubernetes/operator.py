"""A cluster that vitess-operator stands up: a VitessCluster in a namespace of the run, attached to like any other."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clusters.common import serving
from clusters.common.cluster import NodesCluster
from clusters.kubernetes import attach, attach_keeper, attach_permits, manifests, operator_manifest, rbac
from clusters.kubernetes.api import Api
from clusters.kubernetes.attach_processes import attached_to
from clusters.kubernetes.attach_reach import Reach
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import POD, SECRET, VITESS_CLUSTER
from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement
from harness.vitess.vtctld import VtctldClient, vtctld_of

SEEN_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 600.0
SERVING_TIMEOUT_S = 120.0
SCHEMA_TIMEOUT_S = 120.0
_WHERE = "see the vitess-operator's releases for its operator.yaml"
RIGHTS = tuple(right for right in rbac.OWN if right.resource in (VITESS_CLUSTER, SECRET))


async def refusals(api: Api, spec: ClusterSpec, place: Placement) -> tuple[str, ...]:
    """What cannot be expressed, no such kind of object, no operator that would act. Raises ApiError."""
    reasons = operator_manifest.refusals(spec, place)
    try:
        await api.list(VITESS_CLUSTER, "default")
    except ApiError as error:
        if error.status == 404:
            return (*reasons, f"{api.context} does not know VitessCluster (planetscale.com/v2): {_WHERE}")
        if error.status != 403:
            raise
        return (*reasons, *await rbac.lacking(api, "vtchaos-any", RIGHTS))
    try:
        pods = await api.list(POD)
    except ApiError as error:
        if error.status != 403:
            raise
        return reasons  # whether it acts will show
    problem = problem_of(pods)
    return (*reasons, f"{api.context}: {problem}") if problem else reasons


def problem_of(pods: Iterable[Mapping[str, Any]]) -> str:
    """Why no operator among these pods would act in a new namespace; "" when one would.

    Its own deploy/operator.yaml lets it watch its own namespace only.
    """
    found = [(pod, container) for pod in pods for container in _operators(pod)]
    if not found:
        return f"no vitess-operator runs there; {_WHERE}"
    for pod, container in found:
        watched = _watched(container, str(pod["metadata"].get("namespace", "")))
        if not watched:
            return ""
    return (
        f"the vitess-operator there acts only in the namespace {watched}, and a run has one of its own: "
        "let it watch all, with WATCH_NAMESPACE empty"
    )


def lacking(manifest: Mapping[str, Any], spec: ClusterSpec) -> str:
    """What the VitessCluster's status says is not ready yet; "" when everything is."""
    status = manifest.get("status") or {}
    missing: list[str] = []
    for keyspace in spec.keyspaces:
        row = (status.get("keyspaces") or {}).get(keyspace.name) or {}
        ready, wanted = int(row.get("readyShards", 0)), keyspace.shards
        tablets, all_tablets = int(row.get("readyTablets", 0)), keyspace.shards * keyspace.tablets_per_shard
        if ready < wanted or tablets < all_tablets:
            missing.append(f"{keyspace.name}: {ready} of {wanted} shards, {tablets} of {all_tablets} tablets ready")
    cell = (status.get("cells") or {}).get(spec.cell) or {}
    if cell.get("gatewayAvailable") != "True":
        missing.append("no vtgate available")
    if (status.get("vitessDashboard") or {}).get("available") != "True":
        missing.append("no vtctld available")
    return "; ".join(missing)


# ---------------------------------------------------------------- standing up


@contextlib.asynccontextmanager
async def stood_up(
    api: Api, spec: ClusterSpec, place: Placement, marks: Marks, *, logs: Path, observer: Observer
) -> AsyncIterator[NodesCluster]:
    """Serving on entry. Its objects stay when the block is left: they are in the run's namespace, which the caller
    removes. Raises PlanError, ClusterError, WaitTimeout."""
    await api.apply(manifests.namespace(marks))
    for manifest in operator_manifest.manifests(spec, place, namespace=marks.namespace, labels=marks.labels()):
        await api.apply(manifest)
    await _until_ready(api, spec, marks.namespace, observer)
    async with attached(api, spec, marks.namespace, logs=logs, observer=observer) as cluster:
        async with vtctld_of(cluster) as vtctld:
            await _schema(spec, vtctld)
        await serving.until_serving(cluster, timeout_s=SERVING_TIMEOUT_S, observer=observer)
        yield cluster


@contextlib.asynccontextmanager
async def attached(
    api: Api, spec: ClusterSpec, namespace: str, *, logs: Path, observer: Observer
) -> AsyncIterator[NodesCluster]:
    """The cluster that the operator made of our VitessCluster; the spec is ours and not what is read off it."""
    logs.mkdir(parents=True, exist_ok=True)
    programs = await attach.programs_of(api, namespace, operator_manifest.NAME)
    async with Reach.opened(api, namespace, programs) as reach:
        others = tuple(each.name for each in spec.others)
        found = await attach.found_in(reach, programs, keyspace=spec.keyspace, others=others, logs=logs)
        layout = replace(found.layout, spec=spec)
        permits = await attach_permits.asked(api, namespace, found.programs)
        async with attached_to(api, namespace, layout, found.programs, permits, reach) as processes:
            names = [node.name for node in layout.nodes]
            yield NodesCluster(layout, attach_keeper.commands_of(names), processes, observer, running=names)


async def _until_ready(api: Api, spec: ClusterSpec, namespace: str, observer: Observer) -> None:
    async def now() -> Mapping[str, Any]:
        return await api.get(VITESS_CLUSTER, operator_manifest.NAME, namespace) or {}

    async def seen() -> bool:
        return bool(((await now()).get("status") or {}).get("observedGeneration"))

    try:
        await wait.until("vitess-operator sees the VitessCluster", seen, timeout_s=SEEN_TIMEOUT_S, poll_s=0.5)
    except WaitTimeout:
        raise ClusterError(
            f"no vitess-operator acts in the namespace {namespace}: the VitessCluster has no status after "
            f"{SEEN_TIMEOUT_S:g} s; does the operator run, and watch all namespaces (WATCH_NAMESPACE empty)?"
        ) from None

    async def ready() -> _Ready:
        return _Ready(lacking(await now(), spec))

    observer.on_progress("vitess-operator stands it up", None, None)
    await wait.until("the VitessCluster is ready", ready, timeout_s=READY_TIMEOUT_S, poll_s=1.0)


class _Ready:
    """True when nothing is missing."""

    def __init__(self, missing: str) -> None:
        self._missing = missing

    def __bool__(self) -> bool:
        return not self._missing

    def __repr__(self) -> str:
        return self._missing


async def _schema(spec: ClusterSpec, vtctld: VtctldClient) -> None:
    for keyspace in spec.keyspaces:
        if keyspace.schema:
            await vtctld.apply_schema(keyspace.name, keyspace.schema, timeout_s=SCHEMA_TIMEOUT_S)
        if keyspace.vschema:
            await vtctld.apply_vschema(keyspace.name, keyspace.vschema)


def _operators(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    containers: Sequence[Mapping[str, Any]] = (pod.get("spec") or {}).get("containers") or ()
    labelled = (pod["metadata"].get("labels") or {}).get("app") == "vitess-operator"
    return [each for each in containers if labelled or "vitess-operator" in str(each.get("image", ""))]


def _watched(container: Mapping[str, Any], namespace: str) -> str:
    """The namespaces in which it acts; "" = all."""
    rows: Sequence[Mapping[str, Any]] = container.get("env") or ()
    row = next((each for each in rows if each["name"] == "WATCH_NAMESPACE"), {})
    if ((row.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") == "metadata.namespace":
        return namespace
    return str(row.get("value", ""))
