"""What happens to a shard's clients and writes when its primary is lost, and replaced by EmergencyReparentShard.

Goal: under the durability policy semi_sync an acknowledged write is on a second tablet, so that no failover loses one.
Does that hold when a host dies under load, and when it only stood still and comes back? How long is the shard without
service, do the other shards notice, and does the old primary find its way back?

Method: an open-loop load on two shards of three tablets; a baseline; the first shard's primary is lost (vttablet and
mysqld at once); `noticed_s` later, as long as an operator or vtorc would need, EmergencyReparentShard; recovery; then
the host comes back, under load too; quiet. All rows are read through vtgate then, from whoever is primary: a host that
never came back is not asked. The first row of the family is the control.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from experiments.family import Family
from experiments.serving import SETTLED_WITHIN_S, aftermath, until_settled
from harness.base.errors import WaitTimeout
from harness.checks import EMERGENCY, STANDARD
from harness.checks.assumptions import JUDGES_EMERGENCIES
from harness.contracts import Check, Experiment, Stage
from harness.faults.emergency import EmergencyReparent
from harness.faults.hosts import LostHost
from harness.faults.mysql_appliers import BrokenApplier
from harness.faults.mysql_replication import SemiSyncWithoutAck
from harness.faults.mysql_servers import PRIMARIES, REPLICAS
from harness.faults.network import Partition
from harness.faults.reparent import LaggingReplicas
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, ConnectionMode, KnownBug, LoadSpec, Role, Suite
from harness.vitess.vtctld import vtctld_of

DEADLINE_S = 300.0

CLUSTER = ClusterSpec(
    shards=2, tablets_per_shard=3, vtgate_flags={"enable-buffer": ""}, schema=(LEDGER_SQL,), vschema=LEDGER_VSCHEMA
)
LOAD = LoadSpec(rate_per_shard=60.0, write_share=0.7, abrupt=True)
TRANSACTIONS = replace(LOAD, mode=ConnectionMode.TRANSACTION)
PARAMS = {
    "baseline_s": 5.0,
    "noticed_s": 2.0,
    "served_s": 5.0,
    "rejoin_within_s": 30.0,
    "recovery_s": 3.0,
    "quiet_s": 3.0,
    "reparents": 0.0,
}


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the same phases, nothing is lost and nobody is promoted."""
    await _baseline(stage)
    stage.phase("no-failover")
    await stage.hold(stage.plan.params["noticed_s"] + stage.plan.params["served_s"])
    await aftermath(stage)


async def gone(stage: Stage) -> None:
    """The primary's host dies."""
    await _failover(stage, how="gone")


async def still(stage: Stage) -> None:
    """The primary's host stands still, and goes on when another is primary already."""
    await _failover(stage, how="still")


async def healthy(stage: Stage) -> None:
    """EmergencyReparentShard while nothing is wrong, as a nervous operator calls it."""
    await _baseline(stage)
    stage.phase("failover")
    async with stage.inject(EmergencyReparent(shard=_shard(stage))):
        pass
    await until_settled(stage, timeout_s=SETTLED_WITHIN_S)
    await stage.hold(stage.plan.params["served_s"])
    await aftermath(stage)


async def lagging(stage: Stage) -> None:
    """One of the two replicas applies what it has an hour late; the call is repeated when it does not any more."""
    await _baseline(stage)
    stage.phase("failover")
    shard = _shard(stage)
    async with AsyncExitStack() as lost:
        async with stage.inject(LaggingReplicas(shard=shard, delay_s=3600, number=1)):
            await stage.hold(stage.plan.params["noticed_s"])
            await lost.enter_async_context(stage.inject(_lost(stage, "gone")))
            async with stage.inject(EmergencyReparent(shard=shard)) as first:
                pass
        vtctld = await stage.shared(vtctld_of)
        if await vtctld.shard_primary(stage.cluster.spec.keyspace, shard) == first.details["was_primary"]:
            async with stage.inject(EmergencyReparent(shard=shard)):
                pass
        await until_settled(stage, timeout_s=SETTLED_WITHIN_S)
        await stage.hold(stage.plan.params["served_s"])
        stage.phase("rejoin")
    await stage.hold(stage.plan.params["served_s"])
    await aftermath(stage)


async def cut_off(stage: Stage) -> None:
    """The primary's MySQL and its replicas' lose each other, and vtorc replaces it."""
    await _baseline(stage)
    stage.phase("failover")
    await _cut_off(stage)
    await stage.hold(stage.plan.params["served_s"])
    await aftermath(stage)


async def broken_appliers(stage: Stage) -> None:
    """The same, after the replicas have acknowledged for a while what they cannot apply."""
    await _baseline(stage)
    stage.phase("unapplied")
    async with stage.inject(BrokenApplier(shards=(_shard(stage),))):
        await stage.hold(stage.plan.params["unapplied_s"])
        stage.phase("failover")
        await _cut_off(stage)
    await stage.hold(stage.plan.params["served_s"])
    await aftermath(stage)


async def _cut_off(stage: Stage) -> None:
    """When vtorc has not replaced the primary within its time, an operator does."""
    vtctld, shard = await stage.shared(vtctld_of), _shard(stage)
    keyspace = stage.cluster.spec.keyspace
    was = await vtctld.shard_primary(keyspace, shard)

    async def replaced() -> bool:
        return await vtctld.shard_primary(keyspace, shard) != was

    cut = Partition(
        sources=replace(REPLICAS, shards=(shard,)),
        targets=replace(PRIMARIES, shards=(shard,)),
        recover_within_s=stage.plan.params["rejoin_within_s"],
    )
    async with stage.inject(cut):
        try:
            await stage.until("vtorc replaces the primary", replaced, timeout_s=stage.plan.params["replaced_within_s"])
        except WaitTimeout as error:
            stage.note("not replaced by vtorc", why=str(error))
            async with stage.inject(EmergencyReparent(shard=shard)):
                pass
        await until_settled(stage, timeout_s=SETTLED_WITHIN_S)
        await stage.hold(stage.plan.params["served_s"])


async def unacknowledged(stage: Stage) -> None:
    """No replica acknowledges any more, writers hang, and an operator fails the shard over."""
    await _baseline(stage)
    stage.phase("failover")
    async with stage.inject(SemiSyncWithoutAck(shards=(_shard(stage),))):
        await stage.hold(stage.plan.params["noticed_s"])
        async with stage.inject(EmergencyReparent(shard=_shard(stage))):
            pass
        await until_settled(stage, timeout_s=SETTLED_WITHIN_S)
        await stage.hold(stage.plan.params["served_s"])
    await aftermath(stage)


async def _failover(stage: Stage, *, how: str) -> None:
    await _baseline(stage)
    stage.phase("failover")
    async with stage.inject(_lost(stage, how)):
        await stage.hold(stage.plan.params["noticed_s"])
        async with stage.inject(EmergencyReparent(shard=_shard(stage))):
            pass
        await until_settled(stage, timeout_s=SETTLED_WITHIN_S)
        await stage.hold(stage.plan.params["served_s"])
        stage.phase("rejoin")
    await stage.hold(stage.plan.params["served_s"])
    await aftermath(stage)


def _lost(stage: Stage, how: str) -> LostHost:
    primary = Targets(role=Role.VTTABLET, tablet_type="primary", shards=(_shard(stage),))
    return LostHost(targets=primary, how=how, rejoin_within_s=stage.plan.params["rejoin_within_s"])


def _shard(stage: Stage) -> str:
    """The one that is hit."""
    return stage.cluster.spec.shard_names[0]


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- the family


FAMILY = Family(name="emergency", cluster=CLUSTER, load=LOAD, checks=EMERGENCY, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    durability: str = "semi_sync",
    shards: int = 2,
    vtorc: bool = False,
    load: LoadSpec | None = None,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    checks: tuple[Check, ...] = EMERGENCY,
    params: Mapping[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=replace(CLUSTER, shards=shards, durability_policy=durability, vtorc=vtorc),
        load=load,
        checks=checks,
        suites=suites,
        params={"reparents": 1.0, **(params or {})},
        known_bugs=known_bugs,
    )


# The policy `none` asks no replica before it acknowledges; whether one is late at that moment is a race.
MAY_LOSE = KnownBug(
    issue="durability_policy none may lose acknowledged writes, by design",
    check="durability/acknowledged",
    component=Role.VTTABLET,
    says="are missing",
    never=("twice", "wrong"),
    also=("reads/acknowledged",),
    certain=False,
)
# The kernel of a host that stands still keeps its connections. vtgate waits for the answers to what it has sent there,
# without a bound of its own (--query-timeout, 0 by default, v0.24.3), whoever is primary by then.
WAITS_FOR_EVER = KnownBug(
    issue="requests on their way to a host that stands still wait until it goes on or their client gives up, by design",
    check="emergency/service",
    component=Role.VTGATE,
    says="after its reparent had returned",
    # A demotion that was begun by then fails at its end and is taken back: the old primary serves once more, beside the
    # new one, until it tries again to end its term (--shard-sync-retry-delay, 30 s).
    also=("emergency/one-primary",),
)
# What was in its binary log and on no replica are errant GTIDs of the old primary; it stays out of the shard until
# somebody rebuilds it (errantGTIDDetection, go/vt/vttablet/tabletmanager, v0.24.3). A race where it died at once.
STAYS_OUT = KnownBug(
    issue="an old primary with transactions that no replica got does not replicate again, by design",
    check="faults/healed",
    component=Role.VTTABLET,
    says="replica NOT_SERVING",
    certain=False,
)
# vtctld asks all tablets to stop, waits for all but one, and cancels the last call (stopReplicationAndBuildStatusMaps,
# go/vt/vtctl/reparentutil, v0.24.3). Of a healthy shard that is often its primary's DemotePrimary, which takes longest:
# the tablet takes its demotion back and says for 0.1 s that it serves as primary. With that buffering ends, and what
# comes then is not buffered, the last failover being too recent.
DEMOTION_UNDONE = KnownBug(
    issue="EmergencyReparentShard breaks off the demotion of a healthy primary, which serves once more",
    check="clients/errors",
    component=Role.VTGATE,
    says="not-serving",
    also=("buffering/evictions",),
    certain=False,
)
# Every candidate must have applied its whole relay log (reparentutil, waitForAllRelayLogsToApply, v0.24.3).
LAGGARD_DECIDES = KnownBug(
    issue="vitess#18529",
    check="emergency/reparents",
    component=Role.VTCTLD,
    says="could not apply all relay logs",
)
# The same where the links were cut: its MySQL has never been away, and says so of itself.
STAYS_OUT_ALIVE = replace(STAYS_OUT, says="does not replicate")
# What vtorc does is no call of ours, which those three judge.
BY_VTORC: tuple[Check, ...] = tuple(
    check for check in EMERGENCY if check.name not in (JUDGES_EMERGENCIES, "emergency/service", "emergency/bystanders")
)
# A replica whose SQL thread has stopped is repaired by vtorc again and again, and with its IO thread running, every
# repair begins with CHANGE REPLICATION SOURCE, which empties its relay log (setReplicationSourceLocked with a heartbeat
# interval, rpc_replication.go; fixReplica, vtorc/logic, v0.24.3). Who cannot fetch it anew lacks what it acknowledged,
# and looks as if it had applied all that it ever received.
PURGED = KnownBug(
    issue="vitess#21092",
    check="durability/acknowledged",
    component=Role.VTORC,
    says="are missing",
    never=("twice", "wrong"),
    also=("reads/acknowledged",),
    affected_from="23.0.4",
)
# After its grace period of 3 s vttablet kills what runs in a transaction, but no COMMIT, which is in no list of queries
# (tx_engine.go, shutdownLocked; state_manager.go, terminateAllQueries, v0.24.3). Its client, and whoever needs the lock
# of the tablet's manager, waits for --queryserver-config-query-timeout (30 s). Then the tablet follows nobody.
COMMIT_HELD = KnownBug(
    issue="vitess#20003",
    check="emergency/service",
    component=Role.VTTABLET,
    says="after its reparent had returned",
)

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load and phases without a lost primary: what the machine and the harness do on their own.",
        nothing,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        checks=STANDARD,
        params={"reparents": 0.0},
    ),
    _member(
        "host-gone",
        "A primary's host dies under load: is an acknowledged write lost, and how long is the shard without service?",
        gone,
        known_bugs=(STAYS_OUT,),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    _member(
        "host-gone-async",
        "The same without semi-sync: how many acknowledged writes does it cost?",
        gone,
        durability="none",
        known_bugs=(MAY_LOSE, STAYS_OUT),
    ),
    _member(
        "host-still",
        "A primary stands still, is replaced, and goes on: two primaries? Stale reads? Lost writes?",
        still,
        params={"served_s": 12.0},
        known_bugs=(WAITS_FOR_EVER, STAYS_OUT),
    ),
    _member(
        "host-still-async",
        "The same without semi-sync: the old primary may acknowledge what it had begun.",
        still,
        durability="none",
        params={"served_s": 12.0},
        known_bugs=(MAY_LOSE, WAITS_FOR_EVER, STAYS_OUT),
    ),
    _member(
        "lagging-replica",
        "One replica lags by an hour when the primary's host dies: is the shard saved (vitess#18529)?",
        lagging,
        known_bugs=(LAGGARD_DECIDES, STAYS_OUT),
    ),
    _member(
        "replicas-cut-off",
        "Both replicas lose their primary's MySQL, and vtorc replaces it: is an acknowledged write lost?",
        cut_off,
        shards=1,
        vtorc=True,
        checks=BY_VTORC,
        params={"reparents": 0.0, "replaced_within_s": 90.0, "rejoin_within_s": 15.0},
        known_bugs=(STAYS_OUT_ALIVE,),
    ),
    _member(
        "broken-applier",
        "The same when both have stopped applying a while ago, and vtorc repairs them in vain (vitess#21092): each "
        "repair of 24.0.3 throws away what they have acknowledged.",
        broken_appliers,
        shards=1,
        vtorc=True,
        checks=BY_VTORC,
        params={"reparents": 0.0, "replaced_within_s": 90.0, "rejoin_within_s": 15.0, "unapplied_s": 10.0},
        known_bugs=(PURGED, STAYS_OUT_ALIVE),
    ),
    _member(
        "writes-in-flight",
        "No replica acknowledges, writes hang, and the shard is failed over: when are their clients free again?",
        unacknowledged,
        shards=1,
        params={"served_s": 12.0},
        known_bugs=(STAYS_OUT,),
    ),
    _member(
        "commits-in-flight",
        "The same when what hangs is the COMMIT of a transaction (vitess#20003): nobody ends it for half a minute, and "
        "meanwhile the old primary's vttablet takes no order.",
        unacknowledged,
        shards=1,
        load=TRANSACTIONS,
        params={"served_s": 50.0},
        known_bugs=(COMMIT_HELD, STAYS_OUT),
    ),
    _member(
        "nothing-wrong",
        "EmergencyReparentShard while nothing is wrong: does buffering hide it from clients?",
        healthy,
        checks=STANDARD,
        known_bugs=(DEMOTION_UNDONE,),
    ),
)
