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
from dataclasses import dataclass, replace

from harness.base.errors import WaitTimeout
from harness.checks import WORKFLOW as CHECKS
from harness.checks import WORKFLOW_CLIENTS
from harness.contracts import Check, Experiment, Stage
from harness.facts.workflows import BEHIND, CAUGHT_UP, DIFF_BEGINS, DIFFED, NOT_CREATED, RUNNING, TERMINAL
from harness.faults.limits import StatementTimeLimit
from harness.faults.process import KilledVttablet
from harness.faults.reparent import PlannedReparent
from harness.items import ItemsSpec, vschema
from harness.model import ClusterSpec, KeyspaceSpec, KnownBug, LoadSpec, Role, Suite, Workload
from harness.probes import STANDARD, WorkflowProbe
from harness.vitess import workflows
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of
from harness.vitess.workflows import MoveTables, StreamRow

DEADLINE_S = 300.0
WORKFLOW = "move"
TARGET = KeyspaceSpec(name="target", shards=2, tablets_per_shard=2)
NEVER = "1h"  # vttablet's default
CLUSTER = ClusterSpec(shards=2, tablets_per_shard=2, vtgate_flags={"enable-buffer": ""}, others=(TARGET,))
ITEMS = ItemsSpec(tables=1, rows=200_000)
LOAD = LoadSpec(rate_per_shard=20.0, connections_per_shard=2, workload=Workload.ITEMS)
PROBES = (*STANDARD, WorkflowProbe(keyspace=TARGET.name, workflow=WORKFLOW))
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
    if await _created(stage):
        await _until_copied(stage)
    await _replicate(stage)


async def reparent_target(stage: Stage) -> None:
    """Every target shard is reparented while it is copied into, one after the other."""
    await _baseline(stage)
    if await _created(stage):
        for shard in _target_shards(stage):
            await _until_rows(stage, shard, 2_000)
            async with stage.inject(PlannedReparent(keyspace=TARGET.name, shard=shard)):
                pass
        await _until_copied(stage)
    await _replicate(stage)


async def reparent_source(stage: Stage) -> None:
    """Every source shard is reparented while it is copied from; the workflow asks for the primary."""
    await _baseline(stage)
    if await _created(stage):
        for shard in stage.cluster.spec.shard_names:
            await _until_rows(stage, _target_shards(stage)[0], 2_000)
            async with stage.inject(PlannedReparent(shard=shard)):
                pass
        await _until_copied(stage)
    await _replicate(stage)


async def reparent_source_late(stage: Stage) -> None:
    """The source shards are reparented when everything is copied and replicates."""
    await _baseline(stage)
    if await _created(stage):
        await _until_copied(stage)
        for shard in stage.cluster.spec.shard_names:
            async with stage.inject(PlannedReparent(shard=shard)):
                pass
    await _replicate(stage)


async def kill_target(stage: Stage) -> None:
    """The vttablet of a target primary is killed while it copies, and comes back."""
    await _baseline(stage)
    if await _created(stage):
        shard = _target_shards(stage)[0]
        await _until_rows(stage, shard, 2_000)
        async with stage.inject(KilledVttablet(keyspace=TARGET.name, shard=shard)):
            pass
        await _until_copied(stage)
    await _replicate(stage)


async def limited_source(stage: Stage) -> None:
    """The source's primaries end every SELECT that takes longer than `limit_ms`."""
    await _baseline(stage)
    limit_ms = int(stage.plan.params["limit_ms"])
    async with AsyncExitStack() as limits:
        for shard in stage.cluster.spec.shard_names:
            await limits.enter_async_context(stage.inject(StatementTimeLimit(shard=shard, limit_ms=limit_ms)))
        if await _created(stage):
            await _until_copied(stage)
    await _replicate(stage)


async def settle(stage: Stage) -> None:
    """The clients have stopped: the target reaches the source's position, then VDiff compares, too."""
    stage.phase("settle")
    if await _caught_up(stage) and stage.plan.params["diffed_within_s"]:
        await _diffed(stage)
    stage.phase("quiet")
    await stage.hold(stage.plan.params["quiet_s"])


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


async def _replicate(stage: Stage) -> None:
    stage.phase("replicate")
    await stage.hold(stage.plan.params["replicate_s"])


# ---------------------------------------------------------------- the workflow


def _target_shards(stage: Stage) -> tuple[str, ...]:
    return stage.cluster.spec.others[0].shard_names


async def _created(stage: Stage) -> bool:
    """That vtctld refuses is for the checks to judge."""
    stage.phase("copy")
    vtctld = await stage.shared(vtctld_of)
    items = stage.plan.items or ITEMS
    atomic = bool(stage.plan.params["atomic_copy"])
    move = MoveTables(
        workflow=WORKFLOW,
        source=stage.cluster.spec.keyspace,
        target=TARGET.name,
        tables=() if atomic else items.names,
        atomic_copy=atomic,
    )
    try:
        if stage.cluster.spec.others[0].shards > 1:  # tables of an unsharded keyspace need no vindex
            await vtctld.apply_vschema(TARGET.name, vschema(items.names))
        await workflows.create(vtctld, move)
    except VtctldError as error:
        stage.note(NOT_CREATED, why=str(error))
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Seen:
    """The streams of all target shards, as a condition of a wait."""

    streams: Mapping[str, tuple[StreamRow, ...]]
    good: bool
    why: str = ""

    def __bool__(self) -> bool:
        return self.good

    def __repr__(self) -> str:
        if self.why:
            return self.why
        return "; ".join(
            f"{TARGET.name}/{shard} #{row.number} {row.state}"
            + (f", left {', '.join(row.tables)}" if row.tables else "")
            + (f", {row.message[:200]}" if row.message else "")
            for shard, rows in self.streams.items()
            for row in rows
        )


async def _streams(stage: Stage, vtctld: VtctldClient) -> dict[str, tuple[StreamRow, ...]]:
    found = {}
    for shard in _target_shards(stage):
        primary = await vtctld.shard_primary(TARGET.name, shard)
        found[shard] = await workflows.streams(vtctld, primary, WORKFLOW)
    return found


def _done(row: StreamRow) -> bool:
    return row.state == RUNNING and not row.tables and bool(row.position)


async def _until_copied(stage: Stage) -> None:
    """Until every stream has copied everything or is over. That it does not is for the checks to judge."""
    vtctld = await stage.shared(vtctld_of)

    async def copied() -> _Seen:
        try:
            found = await _streams(stage, vtctld)
        except VtctldError as error:
            return _Seen({}, False, str(error))
        rows = [row for rows in found.values() for row in rows]
        return _Seen(found, all(found.values()) and all(_done(row) or row.state in TERMINAL for row in rows))

    try:
        await stage.until("every stream has copied its tables", copied, timeout_s=stage.plan.params["copied_within_s"])
    except WaitTimeout as error:
        stage.note("the copy did not come to its end", why=str(error))


async def _until_rows(stage: Stage, shard: str, more: int) -> None:
    """Until a target shard has received `more` rows from now on, or copies no more."""
    vtctld = await stage.shared(vtctld_of)
    before: list[int] = []

    async def received() -> _Seen:
        try:
            found = await _streams(stage, vtctld)
        except VtctldError as error:
            return _Seen({}, False, str(error))
        copied = sum(_copied(row) for row in found[shard])
        before.append(copied)
        over = all(_done(row) or row.state in TERMINAL for row in found[shard])
        return _Seen(found, over or copied >= before[0] + more)

    try:
        await stage.until(f"{more} more rows in {shard}", received, timeout_s=stage.plan.params["copied_within_s"])
    except WaitTimeout as error:
        stage.note("the copy did not go on", why=str(error))


def _copied(row: StreamRow) -> int:
    """Rows by the last key of each table: `rows_copied` is written only once in a copy phase. Keys count on from
    their shard's and table's first one (harness.items)."""
    return sum(key & ((1 << 47) - 1) for key in row.tables.values())


# ---------------------------------------------------------------- afterwards


async def _caught_up(stage: Stage) -> bool:
    """Whether every stream has reached what its source had executed when the clients had stopped; noted."""
    vtctld = await stage.shared(vtctld_of)
    reached: dict[str, str] = {}

    async def behind() -> _Seen:
        try:
            if not reached:
                reached.update(await _executed(stage, vtctld))
            found = await _streams(stage, vtctld)
            rows = [(shard, row) for shard, rows in found.items() for row in rows]
            if not rows or any(row.state in TERMINAL for _, row in rows):
                return _Seen(found, True)
            for shard, row in rows:
                primary = await vtctld.shard_primary(TARGET.name, shard)
                inner, outer = reached[row.source_shard], workflows.gtid_set(row.position)
                if not _done(row) or not await workflows.contains(vtctld, primary, outer, inner):
                    return _Seen(found, False)
        except VtctldError as error:
            return _Seen({}, False, str(error))
        return _Seen(found, True)

    try:
        seen = await stage.until(
            "the target has reached the source's position", behind, timeout_s=stage.plan.params["settled_within_s"]
        )
    except WaitTimeout as error:
        stage.note(BEHIND, why=str(error))
        return False
    if not seen.streams or not all(_done(row) for rows in seen.streams.values() for row in rows):
        stage.note(BEHIND, why=repr(seen) or "there is no stream")
        return False
    stage.note(CAUGHT_UP)
    return True


async def _executed(stage: Stage, vtctld: VtctldClient) -> dict[str, str]:
    """Source shard → the GTID set that its primary has executed."""
    spec = stage.cluster.spec
    primaries = {shard: await vtctld.shard_primary(spec.keyspace, shard) for shard in spec.shard_names}
    return {shard: await workflows.executed(vtctld, primary) for shard, primary in primaries.items()}


async def _diffed(stage: Stage) -> None:
    """Vitess's own comparison, noted beside ours."""
    vtctld = await stage.shared(vtctld_of)
    stage.note(DIFF_BEGINS)

    async def finished() -> tuple[workflows.DiffRow, ...]:
        rows = await workflows.diff(vtctld, TARGET.name, WORKFLOW, uuid)
        return rows if rows and all(row.state in ("completed", "error", "stopped") for row in rows) else ()

    try:
        uuid = await workflows.start_diff(vtctld, TARGET.name, WORKFLOW)
        rows = await stage.until("VDiff is complete", finished, timeout_s=stage.plan.params["diffed_within_s"])
    except (VtctldError, WaitTimeout) as error:
        stage.note("VDiff did not come to its end", why=str(error))
        return
    if any(row.state != "completed" for row in rows):
        stage.note("VDiff did not come to its end", why=next(row.error for row in rows if row.state != "completed"))
        return
    stage.note(DIFFED, mismatch=any(row.mismatch for row in rows), compared=sum(row.compared for row in rows))


# ---------------------------------------------------------------- known bugs

ATOMIC_ENDS = "an atomic copy cannot be resumed: what ends it ends the workflow, by design (vitess#13137)"
ATOMIC_CUT = KnownBug(
    issue=ATOMIC_ENDS,
    check="workflow/state",
    component=Role.VTTABLET,
    also=("workflow/copied", "workflow/errors"),
)
# The target's new (or restarted) primary takes the tables in _vt.copy_state for tables that nobody has begun, and
# inserts their first rows again (vcopier_atomic.go, copyAll; controller.go asks for a state that copyAll never sets).
ATOMIC_RESTARTS = KnownBug(
    issue="vitess#17864",
    check="workflow/errors",
    component=Role.VTTABLET,
    also=("workflow/state", "workflow/copied"),
)
# The hint MAX_EXECUTION_TIME is in rowStreamer.sendQuery, but the atomic copy sends rowStreamer.query (rowstreamer.go,
# streamQuery), so that the server's own limit holds. 3024 is told since; it was taken for the end of the copy.
ATOMIC_LIMITED = KnownBug(
    issue="vitess#17862",
    check="workflow/errors",
    component=Role.VTTABLET,
    also=("workflow/state", "workflow/copied"),
)
# A copy phase that is over before the first packet has arrived at the target is begun again from the same place, again
# and again: because the phase is too short for a packet, or because the stream's rules leave few of the rows read.
NO_PROGRESS = KnownBug(
    issue="vitess#10012",
    check="workflow/copied",
    component=Role.VTTABLET,
    also=("workflow/state", "workflow/errors"),
)
# Found here. The atomic copy streams `select * from` each table and ignores the rules of the workflow
# (tablestreamer.go, streamTable), so that in_keyrange is not applied: every target shard gets every row.
ATOMIC_UNFILTERED = KnownBug(
    issue="an atomic copy into a sharded keyspace copies every row to every shard",
    check="workflow/rows",
    component=Role.VTTABLET,
    also=("workflow/agree",),
)


# ---------------------------------------------------------------- the family


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
    defaults = {**PARAMS, "atomic_copy": float(atomic), "cuts": 0.0 if copy_phase == NEVER else 1.0}
    return Experiment(
        name=f"movetables/{name}",
        why=why,
        suites=suites,
        timeout_s=DEADLINE_S,
        cluster=replace(
            CLUSTER,
            shards=shards,
            others=(replace(TARGET, shards=target_shards),),
            vttablet_flags={"vreplication-copy-phase-duration": copy_phase},
        ),
        load=LOAD,
        probes=PROBES,
        checks=checks,
        timeline=timeline,
        after_load=settle,
        items=items,
        params={**defaults, **(params or {})},
        known_bugs=known_bugs,
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
