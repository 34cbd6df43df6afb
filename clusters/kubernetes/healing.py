"""What dead harnesses left, in every Kubernetes where this host has made something and in the current one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from clusters.kubernetes import ground, names, records, removal
from clusters.kubernetes.api import Api
from clusters.kubernetes.names import OWNER, RUN
from clusters.kubernetes.resources import Manifest, annotations_of, labels_of, name_of
from harness.base.errors import ClusterError, PlanError
from harness.base.owner import owner_of
from harness.model import Placement


async def healed(run: str) -> Sequence[str]:
    """Remove everything of a run; what it was, in words.

    Raises ClusterError, PlanError when a cluster in which something may be left does not answer.
    """
    done: list[str] = []
    for record in records.of(run):
        done += await ground.removed(record)
    with contextlib.suppress(PlanError):  # no cluster is configured any more
        async with Api.open() as api:
            done += await removal.of_run(api, run)
    return done


async def left(run: str, place: Placement) -> Mapping[str, Sequence[str]]:
    """What is there of a run: where it stood, and as far as this host has it on record."""
    found = {"kind clusters": [record.kind for record in records.of(run) if record.kind]}
    if not place.kind:
        async with Api.open(place.context) as api:
            rows = await api.namespaces(labels=names.selector(run=names.label_of(run)))
        found["namespaces"] = [name_of(row) for row in rows]
    return found


async def orphans() -> Mapping[str, Sequence[str]]:
    """Run → what is left of it, where its maker is surely dead. Clusters that do not answer are left out."""
    found: dict[str, dict[str, None]] = {}
    for record in records.everything():
        if record.kind and _dead(record.owner):
            found.setdefault(record.run, {})[f"kind cluster {record.kind}"] = None
    where = {(row.context, row.kubeconfig) for row in records.everything() if not row.kind} | {("", "")}
    for context, kubeconfig in sorted(where):
        with contextlib.suppress(PlanError, ClusterError):
            async with Api.open(context, kubeconfig=kubeconfig) as api:
                for row in await api.namespaces(labels=RUN):
                    if _dead(annotations_of(row).get(OWNER, "")):
                        found.setdefault(_run_of(row), {})[removal.words(api, name_of(row))] = None
    return {run: tuple(rows) for run, rows in found.items()}


def _run_of(namespace: Manifest) -> str:
    return annotations_of(namespace).get(names.RUN, labels_of(namespace)[names.RUN])


def _dead(owner: str) -> bool:
    """A kept cluster that stands has no owner."""
    try:
        return owner_of(owner).dead
    except ValueError:
        return False
