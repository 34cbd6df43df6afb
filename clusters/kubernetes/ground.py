"""The Kubernetes in which a cluster is to stand: one that a context names, or a kind cluster made for it.

What is made in it is on record before it is made (`clusters.kubernetes.records`), and until it is surely gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from clusters.kubernetes import kind as kinds
from clusters.kubernetes import names, records, removal
from clusters.kubernetes.api import Api
from clusters.kubernetes.kind import Kind
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.records import Record
from clusters.software import Sources
from harness.contracts import Observer
from harness.model import Placement


@dataclass(slots=True)
class Ground:
    """Where to make things. `stays`: they are not removed when the block is left."""

    api: Api
    record: Record
    stays: bool = False

    def keep(self) -> None:
        """It stays, and has no owner any more."""
        self.stays = True
        self.record = replace(self.record, owner="")
        records.save(self.record)


@contextlib.asynccontextmanager
async def opened(place: Placement, marks: Marks, *, observer: Observer) -> AsyncIterator[Ground]:
    """On leaving nothing of the run is left there, or no kind cluster. Raises PlanError, ClusterError."""
    opening = _in_kind(marks, observer) if place.kind else _in_context(place.context, marks)
    async with opening as ground:
        yield ground


@contextlib.asynccontextmanager
async def _in_context(context: str, marks: Marks) -> AsyncIterator[Ground]:
    async with Api.open(context) as api:
        ground = Ground(api, _record(api, marks))
        records.save(ground.record)
        try:
            yield ground
        finally:
            if not ground.stays:
                await removal.namespace_removed(api, marks.namespace)
                records.forget(marks.namespace)


@contextlib.asynccontextmanager
async def _in_kind(marks: Marks, observer: Observer) -> AsyncIterator[Ground]:
    kind = await kinds.kind(sources=Sources.of_environment(), progress=_Shown(observer))
    name = names.kind_of(marks.run)
    kubeconfig = records.kubeconfig_of(marks.namespace)
    context = kinds.context(name)
    record = Record(
        run=marks.run,
        namespace=marks.namespace,
        context=context,
        kubeconfig=str(kubeconfig),
        server="",
        kind=name,
        owner=marks.owner,
    )
    records.save(record)
    stays = False
    try:
        observer.on_progress("making a kind cluster", None, None)
        await kind.create(name, kubeconfig)
        async with Api.open(context, kubeconfig=kubeconfig) as api:
            ground = Ground(api, record)
            try:
                yield ground
            finally:
                stays = ground.stays
    finally:
        if not stays:
            await _kind_removed(kind, record)


async def removed(record: Record) -> list[str]:
    """Everything of a record, in words. Raises ClusterError, PlanError when where it stands does not answer."""
    if record.kind:
        kind = await kinds.kind(sources=Sources.of_environment())
        there = record.kind in await kind.names()
        await _kind_removed(kind, record)
        return [f"kind cluster {record.kind}"] if there else []
    async with Api.open(record.context, kubeconfig=record.kubeconfig) as api:
        done = await removal.of_run(api, record.run)
    records.forget(record.namespace)
    return done


async def _kind_removed(kind: Kind, record: Record) -> None:
    await kind.delete(record.kind)
    records.forget(record.namespace)


def _record(api: Api, marks: Marks) -> Record:
    where = api.context, api.kubeconfig, api.server
    return Record(
        run=marks.run,
        namespace=marks.namespace,
        context=where[0],
        kubeconfig=where[1],
        server=where[2],
        owner=marks.owner,
    )


class _Shown:
    """An installer's steps as progress of the run."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        self._observer.on_progress(what, done, total)
