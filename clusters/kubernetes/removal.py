"""Removing what a run has made: its namespace with all that is in it. Idempotent and bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from clusters.kubernetes import names, records
from clusters.kubernetes.api import Api
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.names import OWNER, RUN
from clusters.kubernetes.records import Record
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import (
    NAMESPACE,
    POD,
    STATEFUL_SET,
    Manifest,
    annotations_of,
    labels_of,
    name_of,
)
from harness.base import wait
from harness.base.errors import ClusterError, PlanError
from harness.base.owner import owner_of

GONE_TIMEOUT_S = 90.0
POLL_S = 0.1
GRACE_S = 1


async def namespace_removed(api: Api, namespace: str, *, timeout_s: float = GONE_TIMEOUT_S) -> bool:
    """Gone on return with all that is in it; False when there was none. Raises ApiError, WaitTimeout.

    Kubernetes looks at a namespace's content 5 s after the order to remove it, and when it still finds pods then, again
    some seconds later. So the sets and the pods are told to go meanwhile.
    """
    if not await api.delete(NAMESPACE, namespace):
        return False
    with contextlib.suppress(ApiError):  # no right to delete all at once: then it only takes longer
        await api.delete_all(STATEFUL_SET, namespace)
        await api.delete_all(POD, namespace, grace_s=GRACE_S)

    async def gone() -> _Left:
        return _Left(await api.get(NAMESPACE, namespace))

    await wait.until(f"the namespace {namespace} is gone", gone, timeout_s=timeout_s, poll_s=POLL_S)
    return True


class _Left:
    """What is left of a namespace; true when nothing is."""

    def __init__(self, manifest: Manifest | None) -> None:
        self._manifest = manifest

    def __bool__(self) -> bool:
        return self._manifest is None

    def __repr__(self) -> str:
        rows = (self._manifest or {}).get("status", {}).get("conditions", ())
        return "; ".join(row["message"] for row in rows if row["status"] == "True") or "it is being removed"


async def healed(run: str) -> Sequence[str]:
    """Everything of a run, in every cluster where this host has made something for it and in the current one.

    Raises ClusterError, PlanError when a cluster in which something may be left does not answer.
    """
    removed: list[str] = []
    for record in [row for row in records.all_records() if row.run == run]:
        async with Api.open(record.context, kubeconfig=record.kubeconfig) as api:
            removed += await _removed(api, run)
        records.forget(record.namespace)
    with contextlib.suppress(PlanError):  # no cluster is configured any more
        async with Api.open() as api:
            removed += await _removed(api, run)
    return removed


async def orphans() -> Mapping[str, Sequence[str]]:
    """Run → namespaces whose makers are surely dead, in the clusters of `healed`; those that do not answer are left
    out."""
    found: dict[str, dict[str, None]] = {}
    where = {(row.context, row.kubeconfig) for row in records.all_records()} | {("", "")}
    for context, kubeconfig in sorted(where):
        with contextlib.suppress(PlanError, ClusterError):
            async with Api.open(context, kubeconfig=kubeconfig) as api:
                for row in await api.namespaces(labels=RUN):
                    if _abandoned(row):
                        run = annotations_of(row).get(RUN, labels_of(row)[RUN])
                        found.setdefault(run, {})[_words(api, name_of(row))] = None
    return {run: tuple(rows) for run, rows in found.items()}


def record_of(api: Api, marks: Marks) -> Record:
    where = api.context, api.kubeconfig, api.server
    return Record(run=marks.run, namespace=marks.namespace, context=where[0], kubeconfig=where[1], server=where[2])


async def _removed(api: Api, run: str) -> list[str]:
    selector = names.selector(run=names.label_of(run))
    rows = [name_of(row) for row in await api.namespaces(labels=selector)]
    gone = await asyncio.gather(*(namespace_removed(api, name) for name in rows))
    return [_words(api, name) for name, was_there in zip(rows, gone, strict=True) if was_there]


def _abandoned(namespace: Manifest) -> bool:
    try:
        return owner_of(annotations_of(namespace)[OWNER]).dead
    except (KeyError, ValueError):  # a kept cluster's has no owner
        return False


def _words(api: Api, namespace: str) -> str:
    return f"namespace {namespace} in {api.context} ({api.server})"
