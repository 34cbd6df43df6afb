"""Removing what a run has made: its namespace with all that is in it. Idempotent and bounded."""

from __future__ import annotations

import asyncio
import contextlib

from clusters.kubernetes import cordons, names
from clusters.kubernetes.api import Api
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import (
    NAMESPACE,
    POD,
    STATEFUL_SET,
    Manifest,
    name_of,
)
from harness.base import wait

GONE_TIMEOUT_S = 90.0
POLL_S = 0.1
GRACE_S = 1


async def namespace_removed(api: Api, namespace: str, *, timeout_s: float = GONE_TIMEOUT_S) -> bool:
    """Gone on return with all that is in it; False when there was none. Raises ApiError, WaitTimeout.

    Kubernetes looks at a namespace's content 5 s after the order to remove it, and when it still finds pods then, again
    some seconds later. So the sets and the pods are told to go meanwhile.
    """
    await cordons.opened(api, namespace)
    if not await api.delete(NAMESPACE, namespace):
        return False
    for resource in (STATEFUL_SET, POD):
        with contextlib.suppress(ApiError):  # no right to delete all at once: then it only takes longer
            await api.delete_all(resource, namespace, grace_s=GRACE_S)

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


async def of_run(api: Api, run: str) -> list[str]:
    """The namespaces of a run are removed; in words. Raises ApiError, WaitTimeout."""
    rows = [name_of(row) for row in await api.namespaces(labels=names.selector(run=names.label_of(run)))]
    gone = await asyncio.gather(*(namespace_removed(api, name) for name in rows))
    return [words(api, name) for name, was_there in zip(rows, gone, strict=True) if was_there]


def words(api: Api, namespace: str) -> str:
    return f"namespace {namespace} in {api.context} ({api.server})"
