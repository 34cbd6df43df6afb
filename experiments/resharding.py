"""What the clients of a shard notice while Reshard moves its traffic to the shards that it was split into, and back.

Goal: vtgate promises to hide the switch: it buffers between the moment at which the old shard refuses queries and the
new partition of the keyspace. Does it, at load, again and again? And do the clients of the other shard notice?

Method: the first of two shards is split in two; when they have copied it and replicate, traffic is switched and
switched back while the clients go on. They end where they began, so that their rows are read back as always: none that
was acknowledged by either side may be missing. The control copies, and does not switch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from experiments.family import Family
from experiments.serving import aftermath
from harness.checks import FAULTS, STANDARD
from harness.contracts import Experiment, Stage
from harness.faults.reparent import PlannedReparent
from harness.faults.switching import SwitchedTraffic
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, ConnectionMode, KnownBug, LoadSpec, Role
from harness.vitess import workflows
from harness.vitess.vtctld import vtctld_of
from harness.vitess.workflows import Reshard

DEADLINE_S = 400.0
COPIED_WITHIN_S = 60.0
SPLIT = Reshard(workflow="split", keyspace="ks", sources=("-80",), targets=("-40", "40-80"))
CLUSTER = ClusterSpec(
    shards=2,
    further_shards=SPLIT.targets,
    tablets_per_shard=2,
    vtgate_flags={
        "enable-buffer": "",
        "buffer-min-time-between-failovers": "1s",
        "gateway-initial-tablet-timeout": "2s",  # it waits in vain: see NEVER_CONSISTENT
    },
    vttablet_flags={"vreplication-heartbeat-update-interval": "1"},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec()
PARAMS = {"baseline_s": 5.0, "there_s": 5.0, "recovery_s": 5.0, "quiet_s": 3.0, "times": 1.0}


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the copy and its replication, no switch."""
    await _replicating(stage)
    stage.phase("no-switch")
    await stage.hold(stage.plan.params["there_s"])
    await aftermath(stage)


async def over_and_back(stage: Stage) -> None:
    """SwitchTraffic, a while on the other side, ReverseTraffic; so many times."""
    await _replicating(stage)
    for _ in range(int(stage.plan.params["times"])):
        for back in (False, True):
            stage.phase("back" if back else "over")
            async with stage.inject(switch(back=back)):
                await stage.hold(stage.plan.params["there_s"])
    await aftermath(stage)


def switch(*, back: bool) -> SwitchedTraffic:
    return SwitchedTraffic(workflow=SPLIT.workflow, keyspace=SPLIT.keyspace, reshard=True, back=back)


async def reparent_meanwhile(stage: Stage) -> None:
    """The shard beside the one that is split gets a new primary, while the new shards replicate and do not serve."""
    await _replicating(stage)
    stage.phase("reparent")
    async with stage.inject(PlannedReparent(shard=CLUSTER.shard_names[-1])):
        pass
    await aftermath(stage)


async def _replicating(stage: Stage) -> None:
    """The workflow replicates, before the baseline begins: copying is no part of the question."""
    stage.phase("copy")
    await copied(stage)
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


async def copied(stage: Stage) -> None:
    """Reshard create, until every stream replicates."""
    vtctld = await stage.shared(vtctld_of)
    await workflows.reshard(vtctld, SPLIT)

    async def every_stream() -> bool:
        primaries = [await vtctld.shard_primary(SPLIT.keyspace, shard) for shard in SPLIT.targets]
        found = [await workflows.streams(vtctld, primary, SPLIT.workflow) for primary in primaries]
        return all(rows and all(row.state == "Running" and not row.tables for row in rows) for rows in found)

    await stage.until("every stream has copied its shard", every_stream, timeout_s=COPIED_WITHIN_S)


# ---------------------------------------------------------------- the family


FAMILY = Family(
    name="resharding",
    cluster=CLUSTER,
    load=LOAD,
    checks=(*STANDARD, *FAULTS),
    params=PARAMS,
    timeout_s=DEADLINE_S,
)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]] = over_and_back,
    *,
    load: LoadSpec = LOAD,
    faults: int = 2,
    bug: KnownBug | None = None,
) -> Experiment:
    return FAMILY.member(
        name, why, timeline, load=load, params={"faults": float(faults)}, known_bugs=(bug,) if bug else ()
    )


# The first try has spent the session's one autocommit approval when its shard turns out to be gone (ShardMissingError);
# ExecutePrimitive (vcursor_impl.go) tries the primitive again, which gets no approval and begins a transaction on the
# new shard; AppendOrUpdate (safe_session.go) refuses to keep it. Nobody ends that transaction: it holds its row until
# its timeout, and the tablet's next shutdown for its grace period (a switch back of 3.7 s instead of 0.8 s; measured).
AUTOCOMMIT_SPENT = KnownBug(
    issue="an autocommit write that waits for a Reshard's switch ends with VT13001",
    check="clients/errors",
    component=Role.VTGATE,
    says="autocommit-spent",
    affected_from="21.0.0",
)
# A vttablet that is primary of a shard which does not serve says that it serves (v0.24.3), from its first
# PlannedReparentShard on. ensureConsistentLocked (keyspace_events.go) returns while such a shard is not in the
# partition, so that no reparent of the keyspace is ever over. A vtgate that starts waits for it in vain, too: all of
# --gateway-initial-tablet-timeout ("keyspace ks didn't become consistent").
NEVER_CONSISTENT = KnownBug(
    issue="a reparent is buffered to the maximum while the targets of a Reshard stand by",
    check="buffering/stops",
    component=Role.VTGATE,
    says="hit its maximum duration",
    also=("clients/stall", "clients/errors", "buffering/evictions"),
    affected_from="21.0.0",
)


EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load on a shard that is copied and replicated into two, without a switch.",
        nothing,
        faults=0,
    ),
    _member(
        "over-and-back",
        "Do clients notice when Reshard switches their shard's traffic to its two halves, and switches it back?",
        bug=AUTOCOMMIT_SPENT,
    ),
    _member(
        "in-transactions",
        "The same where every write is a transaction of its own: is it the autocommit that fails?",
        load=replace(LOAD, mode=ConnectionMode.TRANSACTION),
    ),
    _member(
        "at-load",
        "The same at 600 operations a second.",
        load=replace(LOAD, rate_per_shard=300.0, connections_per_shard=32),
        bug=AUTOCOMMIT_SPENT,
    ),
    _member(
        "reparent-meanwhile",
        "Another shard is reparented while a Reshard replicates: do its clients notice more than without one?",
        reparent_meanwhile,
        faults=1,
        bug=NEVER_CONSISTENT,
    ),
)
