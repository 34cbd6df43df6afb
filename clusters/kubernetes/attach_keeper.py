"""The keeper of clusters that are not ours: what was agreed to is looked for again at every use, and taken back at the
end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from clusters.common.cluster import NodesCluster
from clusters.common.commands import Command
from clusters.common.images import DATA
from clusters.common.keeping import Kept
from clusters.kubernetes import attach_permits, attach_schema, safety
from clusters.kubernetes.api import Api
from clusters.kubernetes.attach import (
    LOGS,
    State,
    cluster_of,
    found_in,
    load_state,
    programs_of,
    target_of,
    uid_of,
    vtctld_of,
)
from clusters.kubernetes.attach_processes import attached_to
from clusters.kubernetes.attach_reach import Reach
from clusters.kubernetes.discovery_layout import Found
from clusters.kubernetes.safety import Target
from harness.base.errors import ClusterError, PlanError
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement


class AttachedKeeper:
    """`clusters.common.keeping.Keeper` of clusters that are not ours."""

    async def start(self, name: str, spec: ClusterSpec, place: Placement, *, folder: Path, observer: Observer) -> None:
        """It is `vtchaos attach` that does it, after it has shown what it would do."""
        raise PlanError(f"{name}: `vtchaos attach` attaches to a cluster that is there; `up` cannot")

    def attached(self, folder: Path, *, observer: Observer) -> contextlib.AbstractAsyncContextManager[NodesCluster]:
        """Raises PlanError: it is not what was agreed to any more; ClusterError: it has changed too much."""
        return _attached(folder, observer)

    async def look(self, folder: Path) -> Kept:
        state = load_state(folder)
        if state is None:
            return Kept(backend="kubernetes", spec=None, place=Placement(), alive=False, ours=False)
        async with Api.open(state.target.context) as api:
            alive = await still_there(api, state.target)
        place = Placement(context=state.target.context)
        spec = state.spec if state.done else None
        return Kept(backend="kubernetes", spec=spec, place=place, alive=alive, ours=False)

    async def stop(self, folder: Path) -> None:
        """Drop what we put into it. Where its namespace is gone there is nothing of ours any more.

        Raises PlanError, ClusterError: it does not answer, or the context leads to another cluster by now, so that it
        cannot be told, let alone taken back.
        """
        state = load_state(folder)
        if state is None:
            return
        target = state.target
        async with Api.open(target.context) as api:
            if not await still_there(api, target):
                return
            programs = await programs_of(api, target.namespace, target.vitess_cluster)
            async with Reach.opened(api, target.namespace, programs) as reach, vtctld_of(reach, programs) as vtctld:
                await attach_schema.drop(vtctld, state.spec.keyspace, state.spec.shard_names, state.added)


@contextlib.asynccontextmanager
async def _attached(folder: Path, observer: Observer) -> AsyncIterator[NodesCluster]:
    state = load_state(folder)
    if state is None or not state.done:
        raise ClusterError(f"{folder} does not say what was attached to")
    target = state.target
    async with Api.open(target.context) as api:
        safety.same(target, await target_of(api, target.namespace, target.vitess_cluster), when="it was attached")
        programs = await programs_of(api, target.namespace, target.vitess_cluster)
        async with Reach.opened(api, target.namespace, programs) as reach:
            found = await found_in(reach, programs, keyspace=state.spec.keyspace, logs=folder / LOGS)
            refuse_changed(state, found)
            async with vtctld_of(reach, programs) as vtctld:
                keyspace, shards = state.spec.keyspace, state.spec.shard_names
                await attach_schema.require_ours(vtctld, keyspace, shards, state.added)
            permits = await attach_permits.asked(api, target.namespace, found.programs)
            async with attached_to(api, target.namespace, found.layout, found.programs, permits, reach) as processes:
                names = [node.name for node in found.layout.nodes]
                yield NodesCluster(found.layout, commands_of(names), processes, observer, running=names)


def commands_of(names: Sequence[str]) -> dict[str, Command]:
    """What starts a node is its owner's: nothing is started with these."""
    return {name: Command(argv=(), cwd=DATA, env={}) for name in names}


def refuse_changed(state: State, found: Found) -> None:
    """Raises ClusterError when it is no longer what experiments were planned for."""
    now, before = replace(found.layout.spec, vschema=""), replace(state.spec, vschema="")
    different = [key for key in ClusterSpec.__dataclass_fields__ if getattr(now, key) != getattr(before, key)]
    if different:
        raise ClusterError(
            f"{state.name} has changed since it was attached ({', '.join(different)}): `vtchaos down {state.name}`, "
            "and attach again"
        )


async def still_there(api: Api, target: Target) -> bool:
    """The namespace of that time is there. False: its cluster is, and the namespace is not any more.

    Raises PlanError when the context leads to another cluster by now, or that cannot be told; ApiError.
    """
    if await uid_of(api, target.namespace) == target.namespace_uid:
        return True
    before, now = target.cluster_uid, await cluster_of(api)
    if before and now == before:
        return False
    if not before and api.server == target.server:  # its kube-system could not be read: the address is all we have
        return False
    raise PlanError(
        f"the context {target.context} leads to another cluster by now, or to one that cannot be told: to "
        f"{now or '(unknown)'} at {api.server}; at the attach it was {before or '(unknown)'} at {target.server}"
    )
