"""What MoveTables does while vreplication_copy_phase_duration cuts its copy again and again, and tablets change.

Goal: VReplication promises that a copy goes on where it was cut, and that a target which says Running has the
source's rows. Does it keep that under repeated cuts, through reparents and crashes on either side, with and without
--atomic-copy? And when it does not, does it say so?

Method: item tables whose content is a function of key and version (harness.items) are filled in the main keyspace;
clients change them there; MoveTables copies them into the keyspace `target`. When the clients have stopped, the
target gets time to reach the source's position; then the tables of both keyspaces are read and compared row by row,
and vtctld's status, `_vt.vreplication`, the vttablets' metrics and a VDiff must tell the same story. The first rows
of the family are the controls: the same runs with a copy that is never cut.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from experiments.moving import TARGET, WORKFLOW, created, settle, target_shards, until_copied, until_rows
from harness.checks import WORKFLOW as CHECKS
from harness.checks import WORKFLOW_CLIENTS
from harness.contracts import Check, Experiment, Stage
from harness.faults.mysql import StatementTimeLimit
from harness.faults.process import Killed
from harness.faults.reparent import PlannedReparent
from harness.faults.targets import Targets
from harness.items import ItemsSpec
from harness.model import ClusterSpec, KeyspaceSpec, KnownBug, LoadSpec, Role, Suite, Workload
from harness.probes import STANDARD, WorkflowProbe

DEADLINE_S = 300.0
TARGETS = KeyspaceSpec(name=TARGET, shards=2, tablets_per_shard=2)
NEVER = "1h"  # vttablet's default
CLUSTER = ClusterSpec(shards=2, tablets_per_shard=2, vtgate_flags={"enable-buffer": ""}, others=(TARGETS,))
ITEMS = ItemsSpec(tables=1, rows=200_000)
LOAD = LoadSpec(rate_per_shard=20.0, connections_per_shard=2, workload=Workload.ITEMS)
PROBES = (*STANDARD, WorkflowProbe(keyspace=TARGET, workflow=WORKFLOW))
PARAMS = {
    "baseline_s": 2.0,
    "copied_within_s": 90.0,
    "replicate_s": 2.0,
    "settled_within_s": 30.0,
    "diffed_within_s": 60.0,
    "quiet_s": 2.0,
    "atomic_copy": 0.0,
}


# ---------------------------------------------------------------- timelines


async def copy(stage: Stage) -> None:
    """Nothing but the copy, and a while of replication."""
    await _baseline(stage)
    if await created(stage):
        await until_copied(stage)
    await _replicate(stage)


async def reparent_target(stage: Stage) -> None:
    """Every target shard is reparented while it is copied into, one after the other."""
    await _baseline(stage)
    if await created(stage):
        for shard in target_shards(stage):
            await until_rows(stage, shard, 2_000)
            async with stage.inject(PlannedReparent(keyspace=TARGET, shard=shard)):
                pass
        await until_copied(stage)
    await _replicate(stage)


async def reparent_source(stage: Stage) -> None:
    """Every source shard is reparented while it is copied from; the workflow asks for the primary."""
    await _baseline(stage)
    if await created(stage):
        for shard in stage.cluster.spec.shard_names:
            await until_rows(stage, target_shards(stage)[0], 2_000)
            async with stage.inject(PlannedReparent(shard=shard)):
                pass
        await until_copied(stage)
    await _replicate(stage)


async def reparent_source_late(stage: Stage) -> None:
    """The source shards are reparented when everything is copied and replicates."""
    await _baseline(stage)
    if await created(stage):
        await until_copied(stage)
        for shard in stage.cluster.spec.shard_names:
            async with stage.inject(PlannedReparent(shard=shard)):
                pass
    await _replicate(stage)


async def kill_target(stage: Stage) -> None:
    """The vttablet of a target primary is killed while it copies, and comes back."""
    await _baseline(stage)
    if await created(stage):
        shard = target_shards(stage)[0]
        await until_rows(stage, shard, 2_000)
        async with stage.inject(
            Killed(targets=Targets(role=Role.VTTABLET, keyspace=TARGET, shards=(shard,), tablet_type="primary"))
        ):
            pass
        await until_copied(stage)
    await _replicate(stage)


async def limited_source(stage: Stage) -> None:
    """The source's primaries end every SELECT that takes longer than `limit_ms`."""
    await _baseline(stage)
    limit_ms = int(stage.plan.params["limit_ms"])
    async with AsyncExitStack() as limits:
        for shard in stage.cluster.spec.shard_names:
            await limits.enter_async_context(stage.inject(StatementTimeLimit(shard=shard, limit_ms=limit_ms)))
        if await created(stage):
            await until_copied(stage)
    await _replicate(stage)


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


async def _replicate(stage: Stage) -> None:
    stage.phase("replicate")
    await stage.hold(stage.plan.params["replicate_s"])


# ---------------------------------------------------------------- known bugs

ATOMIC_ENDS = "an atomic copy cannot be resumed: what ends it ends the workflow, by design (vitess#13137)"
ATOMIC_CUT = KnownBug(
    issue=ATOMIC_ENDS,
    check="workflow/state",
    component=Role.VTTABLET,
    says="is Error: terminal error",
    also=("workflow/copied", "workflow/errors"),
)
# The target's new (or restarted) primary takes the tables in _vt.copy_state for tables that nobody has begun, and
# inserts their first rows again (vcopier_atomic.go, copyAll; controller.go asks for a state that copyAll never sets).
ATOMIC_RESTARTS = KnownBug(
    issue="vitess#17864",
    check="workflow/errors",
    component=Role.VTTABLET,
    says="Duplicate entry",
    never=("time-limit", "other"),
    also=("workflow/state", "workflow/copied"),
)
# The hint MAX_EXECUTION_TIME is in rowStreamer.sendQuery, but the atomic copy sends rowStreamer.query (rowstreamer.go,
# streamQuery), so that the server's own limit holds. 3024 is told since; it was taken for the end of the copy.
ATOMIC_LIMITED = KnownBug(
    issue="vitess#17862",
    check="workflow/errors",
    component=Role.VTTABLET,
    says="errno 3024",
    never=("duplicate-key", "other"),
    also=("workflow/state", "workflow/copied"),
)
# A copy phase that is over before the first packet has arrived at the target is begun again from the same place, again
# and again: because the phase is too short for a packet, or because the stream's rules leave few of the rows read.
NO_PROGRESS = KnownBug(
    issue="vitess#10012",
    check="workflow/copied",
    component=Role.VTTABLET,
    says="never came to its end",
    also=("workflow/state",),
)
# Found here. The atomic copy streams `select * from` each table and ignores the rules of the workflow
# (tablestreamer.go, streamTable), so that in_keyrange is not applied: every target shard gets every row.
ATOMIC_UNFILTERED = KnownBug(
    issue="an atomic copy into a sharded keyspace copies every row to every shard",
    check="workflow/rows",
    component=Role.VTTABLET,
    says="in the wrong shard",
    never=("missing",),
    also=("workflow/agree",),
)
# Found here, a race: the source's gRPC server sees the deadline before the target, which asks its own context only
# (vcopier.go, copyTable); the stream is called Error for the 5 s of a retry.
CUT_TOLD = KnownBug(
    issue="a cut of a resumable copy may be told as an error",
    check="workflow/cuts",
    component=Role.VTTABLET,
    certain=False,
)


# ---------------------------------------------------------------- the family

DISTURBED = (reparent_target, reparent_source, kill_target)  # a fault belongs into the copy


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]] = copy,
    *,
    copy_phase: str = "300ms",
    atomic: bool = False,
    shards: int = 2,
    target_shards: int = 2,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    items: ItemsSpec = ITEMS,
    params: Mapping[str, float] | None = None,
    clients: bool = True,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    """`clients`: whether the load must not feel anything; a reparent of its own shards ends transactions."""
    checks: tuple[Check, ...] = (*CHECKS, *(WORKFLOW_CLIENTS if clients else ()))
    defaults = {
        **PARAMS,
        "atomic_copy": float(atomic),
        "cuts": 0.0 if copy_phase == NEVER else 1.0,
        "faults_in_copy": float(timeline in DISTURBED),
    }
    return Experiment(
        name=f"movetables/{name}",
        why=why,
        suites=suites,
        timeout_s=DEADLINE_S,
        cluster=replace(
            CLUSTER,
            shards=shards,
            others=(replace(TARGETS, shards=target_shards),),
            vttablet_flags={"vreplication-copy-phase-duration": copy_phase},
        ),
        load=LOAD,
        probes=PROBES,
        checks=checks,
        timeline=timeline,
        after_load=settle,
        items=items,
        params={**defaults, **(params or {})},
        known_bugs=known_bugs if atomic or copy_phase == NEVER else (*known_bugs, CUT_TOLD),
    )


EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same tables and writers with a copy that is never cut.",
        copy_phase=NEVER,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    _member("control-atomic", "The same with --atomic-copy.", copy_phase=NEVER, atomic=True),
    _member(
        "cut-300ms",
        "Does every row arrive when the copy is cut every 300 ms?",
        suites=frozenset({Suite.SMOKE, Suite.CI}),
    ),
    _member("cut-1s", "The copy is cut every second.", copy_phase="1s", items=replace(ITEMS, rows=400_000)),
    _member(
        "cut-many-tables",
        "Ten tables instead of a large one, each cut on its way.",
        copy_phase="200ms",
        items=ItemsSpec(tables=10, rows=20_000),
    ),
    _member("cut-merge", "Two source shards into one target shard: two streams in one vttablet.", target_shards=1),
    _member(
        "cut-without-rows",
        "A target shard gets no row of a table: is its copy ever over, when each cut begins it from the top?",
        copy_phase="200ms",
        shards=1,  # its keys all belong to the first of the two target shards
        items=replace(ITEMS, rows=300_000),
        params={"copied_within_s": 20.0, "settled_within_s": 3.0},
        known_bugs=(NO_PROGRESS,),
    ),
    _member(
        "cut-before-first-row",
        "The copy is cut before a row has arrived: does the workflow ever say so (vitess#10012)?",
        copy_phase="5ms",
        params={"copied_within_s": 20.0, "settled_within_s": 3.0},
        known_bugs=(NO_PROGRESS,),
    ),
    _member(
        "cut-atomic",
        "An atomic copy that is cut: it cannot go on, but does it say so?",
        atomic=True,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        known_bugs=(ATOMIC_CUT,),
    ),
    _member("reparent-target", "The target's primaries change while the copy is cut.", reparent_target),
    _member(
        "reparent-source",
        "The source's primaries change while the copy is cut.",
        reparent_source,
        clients=False,
    ),
    _member(
        "reparent-target-atomic",
        "The target's primaries change during an atomic copy (vitess#17864).",
        reparent_target,
        copy_phase=NEVER,
        atomic=True,
        known_bugs=(ATOMIC_RESTARTS,),
    ),
    _member(
        "reparent-source-atomic",
        "The source's primaries change during an atomic copy: the old ones, replicas now, go on sending it.",
        reparent_source,
        copy_phase=NEVER,
        atomic=True,
        clients=False,
    ),
    _member(
        "reparent-source-atomic-copied",
        "The source's primaries change after an atomic copy: it replicates, and must try again (vitess#18438).",
        reparent_source_late,
        copy_phase=NEVER,
        atomic=True,
        items=replace(ITEMS, rows=50_000),
        clients=False,
    ),
    _member("kill-target", "A target primary's vttablet is killed while the copy is cut.", kill_target),
    _member(
        "kill-target-atomic",
        "A target primary's vttablet is killed during an atomic copy (vitess#17864).",
        kill_target,
        copy_phase=NEVER,
        atomic=True,
        known_bugs=(ATOMIC_RESTARTS,),
    ),
    _member(
        "limited-source",
        "The source's MySQL limits the time of a SELECT: the copy brings a limit of its own (vitess#17862).",
        limited_source,
        copy_phase=NEVER,
        params={"limit_ms": 100.0},
    ),
    _member(
        "limited-source-atomic",
        "The same with --atomic-copy: is errno 3024 noticed (vitess#17862)?",
        limited_source,
        copy_phase=NEVER,
        atomic=True,
        params={"limit_ms": 100.0},
        known_bugs=(ATOMIC_LIMITED,),
    ),
    _member(
        "atomic-split",
        "An atomic copy of one shard into two: does each get its own rows?",
        copy_phase=NEVER,
        atomic=True,
        shards=1,
        items=replace(ITEMS, rows=20_000),
        known_bugs=(ATOMIC_UNFILTERED,),
    ),
)
