"""What becomes of clients when a tablet's MySQL is not as Vitess left it.

Goal: Vitess watches its MySQL servers through their vttablets. What does an operator's client notice of what happens
on the servers themselves: read_only set by hand, a lock that somebody holds, connections that somebody else uses up,
replicas that no longer acknowledge, a transaction that one replica has alone?

Method: an open-loop load with a lane for every shard; a baseline; the fault; recovery; quiet. The first row is the
control: the same phases without a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from experiments.family import Family
from experiments.reparent import reparent_together
from experiments.serving import aftermath
from harness import anchors
from harness.checks import FAULTS, SAFETY, STANDARD
from harness.checks.assumptions import BufferingStarted
from harness.checks.results import Check
from harness.checks.tablets import ServesOn
from harness.contracts import Experiment, Stage
from harness.faults.mysql import ReadOnlyPrimary
from harness.faults.mysql_replication import ErrantTransaction, SemiSyncWithoutAck
from harness.faults.mysql_servers import PRIMARIES, REPLICAS, ask, servers
from harness.faults.mysql_sessions import ExhaustedConnections, HeldMetadataLock
from harness.faults.reparent import PlannedReparent
from harness.faults.slowness import Paused
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import CheckKind, ClusterSpec, KnownBug, LoadSpec, Node, Role, Suite
from harness.mysql.session import admin_session

BUFFERS_WITHIN_S = 10.0
BURST_WITHIN_S = 30.0
DEMOTES_WITHIN_S = 10.0
SERVES_WITHIN_S = 20.0
_DEMOTING = "SET GLOBAL super_read_only"
DEADLINE_S = 300.0
RESTORED = ("clients/served-again", "processes/crashes", "buffering/conservation")
BYSTANDER_SQL = "CREATE TABLE bystander (id BIGINT NOT NULL PRIMARY KEY)"  # a table that no client uses

CLUSTER = ClusterSpec(
    shards=2,
    tablets_per_shard=2,
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL, BYSTANDER_SQL),
    vschema=LEDGER_VSCHEMA,
)
PARAMS = {"baseline_s": 5.0, "recovery_s": 3.0, "quiet_s": 3.0}
PROMISED: tuple[Check, ...] = (*STANDARD, *FAULTS)
# A premature end leaves nothing to tell how long a shard was held for the others, which is not asked here.
SHARDS_APART: tuple[Check, ...] = tuple(check for check in PROMISED if check.name != "buffering/keyspace-consistency")
UNBUFFERED: tuple[Check, ...] = tuple(check for check in PROMISED if not isinstance(check, BufferingStarted))
# A reparent that fails costs clients more than the buffer promises: is nothing lost, and is everybody served again?
AFTERWARDS: tuple[Check, ...] = tuple(
    check for check in PROMISED if check in SAFETY or check.kind is not CheckKind.PROMISE or check.name in RESTORED
)


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the same phases, no fault."""
    await _baseline(stage)
    stage.phase("no-fault")
    await stage.hold(stage.plan.params["hold_s"])
    await aftermath(stage)


async def read_only_primaries(stage: Stage) -> None:
    """Two shards buffer because their primaries are read-only; then a third one is reparented, then they are.

    Upstream's own recipe: TestBufferingWithMultipleDisruptions (go/test/endtoend/tabletgateway/buffer, #17013).
    """
    await _baseline(stage)
    first, second, third = stage.cluster.spec.shard_names[:3]
    stage.phase("storm")
    begun = [await anchors.buffering(stage, shards=(shard,)) for shard in (first, second)]
    async with stage.inject(ReadOnlyPrimary(targets=replace(PRIMARIES, shards=(first, second)))):
        await asyncio.gather(*(anchor(timeout_s=BUFFERS_WITHIN_S) for anchor in begun))
        async with stage.inject(PlannedReparent(shard=third)):
            pass
        await stage.hold(stage.plan.params["between_s"])
        await reparent_together(stage, (first, second))
    await aftermath(stage)


async def read_only_for_a_moment(stage: Stage) -> None:
    """Somebody sets read_only on one primary, sees the mistake, and takes it back."""
    await _baseline(stage)
    stage.phase("read-only")
    async with stage.inject(ReadOnlyPrimary(targets=_primary_of_first(stage))):
        await stage.hold(stage.plan.params["read_only_s"])
    await aftermath(stage)


async def demotion_behind_a_lock(stage: Stage) -> None:
    """A session holds a lock on a table that no client uses; the reparent cannot demote the primary, and fails.
    Then the session ends."""
    await _baseline(stage)
    stage.phase("locked")
    lock = HeldMetadataLock(targets=_primary_of_first(stage), table="bystander")
    async with stage.inject(lock), stage.inject(PlannedReparent(shard=_first(stage))):
        pass
    await aftermath(stage)


async def demotion_past_its_deadline(stage: Stage) -> None:
    """The same, but the session ends while the primary's vttablet stands still, and that goes on when vtctld has given
    up its call: what it was asked to do succeeds after all, and nobody waits for it any more."""
    await _baseline(stage)
    stage.phase("locked")
    (server,) = await servers(stage, _primary_of_first(stage))
    async with AsyncExitStack() as paused, asyncio.TaskGroup() as group:
        async with stage.inject(HeldMetadataLock(targets=_primary_of_first(stage), table="bystander")):
            group.create_task(_reparented(stage))
            demoting = partial(_demoting, stage, server)
            await stage.until("the demotion waits for the lock", demoting, timeout_s=DEMOTES_WITHIN_S)
            await stage.hold(stage.plan.params["waits_s"])
            vttablet = replace(_primary_of_first(stage), role=Role.VTTABLET)
            await paused.enter_async_context(stage.inject(Paused(targets=vttablet, serve_within_s=SERVES_WITHIN_S)))
        read_only = partial(_read_only, stage, server)
        await stage.until("the primary is read-only", read_only, timeout_s=DEMOTES_WITHIN_S)
    await aftermath(stage)


async def _reparented(stage: Stage) -> None:
    async with stage.inject(PlannedReparent(shard=_first(stage))):
        pass


async def _demoting(stage: Stage, server: Node) -> bool:
    return any(str(row["Info"]).startswith(_DEMOTING) for row in await ask(stage, server, "SHOW PROCESSLIST"))


async def _read_only(stage: Stage, server: Node) -> bool:
    (row,) = await ask(stage, server, "SELECT @@GLOBAL.super_read_only AS super")
    return bool(row["super"])


async def reparent_without_acknowledgements(stage: Stage) -> None:
    """No replica acknowledges any more, writers hang; an operator reparents."""
    await _baseline(stage)
    stage.phase("unacknowledged")
    silent = SemiSyncWithoutAck(shards=(_first(stage),), receiving=bool(stage.plan.params["receiving"]))
    async with stage.inject(silent):
        await stage.hold(stage.plan.params["unacknowledged_s"])
        async with stage.inject(PlannedReparent(shard=_first(stage))):
            pass
    await aftermath(stage)


async def connections_used_up(stage: Stage) -> None:
    """Somebody else takes every connection of a primary. vttablet's pools have some open, and clients go on; then a
    burst of slow queries makes a pool want one more."""
    await _baseline(stage)
    stage.phase("exhausted")
    async with stage.inject(ExhaustedConnections(targets=_primary_of_first(stage))):
        await stage.hold(stage.plan.params["calm_s"])
        stage.phase("burst")
        await _burst(stage)
    await aftermath(stage)


async def _burst(stage: Stage) -> None:
    """Slow queries on the first shard, all at once; they are no clients of the run, so their fate is not judged."""
    host, port = stage.cluster.address(stage.cluster.nodes(Role.VTGATE)[0], "mysql")
    target = f"{stage.cluster.spec.keyspace}:{_first(stage)}@primary"
    sleep = f"SELECT SLEEP({stage.plan.params['burst_s']:g})"
    async with AsyncExitStack() as stack:
        at_once = range(int(stage.plan.params["burst"]))
        sessions = [await stack.enter_async_context(admin_session(host, port, database=target)) for _ in at_once]
        await asyncio.gather(*(session.query(sleep, timeout_s=BURST_WITHIN_S) for session in sessions))


async def errant_candidate(stage: Stage) -> None:
    """A replica has a transaction of its own; an operator reparents and lets Vitess choose the new primary."""
    await _baseline(stage)
    stage.phase("storm")
    replica = replace(REPLICAS, shards=(_first(stage),), number=1)
    async with stage.inject(ErrantTransaction(targets=replica)), stage.inject(PlannedReparent(shard=_first(stage))):
        pass
    await aftermath(stage)


def _first(stage: Stage) -> str:
    return stage.cluster.spec.shard_names[0]


def _primary_of_first(stage: Stage) -> Targets:
    return replace(PRIMARIES, shards=(_first(stage),))


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- the family


FAMILY = Family(name="mysql", cluster=CLUSTER, load=LoadSpec(), checks=PROMISED, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    shards: int = 2,
    tablets: int = 2,
    checks: tuple[Check, ...] = PROMISED,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: dict[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=replace(CLUSTER, shards=shards, tablets_per_shard=tablets),
        checks=checks,
        suites=suites,
        params=params,
        known_bugs=known_bugs,
    )


# Fixed in 19.0.8, 20.0.4, 21.0.1 and 22.0.0 (#17013); the oldest release that we build is 21.0.0.
DISRUPTED = KnownBug(
    issue="vitess#16438",
    check="clients/errors",
    component=Role.VTGATE,
    says="--read-only option",
    also=("clients/stall", "buffering/evictions", "buffering/stops"),
    affected_from="21.0.0",
    fixed_in="21.0.1",
)

# vtgate ends a buffering when a new primary serves; where the old one takes writes again nothing ends it but
# --buffer-max-failover-duration, by design ("a protection in case we don't observe the end of the failover", #2488).
NO_FAILOVER = KnownBug(
    issue="a buffering without a failover lasts --buffer-max-failover-duration, by design",
    check="buffering/stops",
    component=Role.VTGATE,
    says="although no reparent of the shard had begun",
    also=("clients/errors", "clients/stall", "buffering/evictions"),
)

# A connection that MySQL refuses makes vttablet ask whether MySQL is there, in vain, and shut its query service, with
# all the connections that it has ("Cannot connect to MySQL, shutting down query service: Too many connections (errno
# 1040)"). #7039 was to prevent that, but IsTooManyConnectionsErr knows errno 2012 only (go/mysql/sqlerror/constants.go,
# v0.24.3), and what MySQL says is 1040.
SHUT_DOWN = KnownBug(
    issue="vitess#7038",
    check="tablets/serve-on",
    component=Role.VTTABLET,
    also=("clients/errors", "clients/stall", "buffering/evictions", "buffering/stops"),
)

# vttablet has a connection killed whose statement outlasts its call; one that has succeeded by then is a success
# (executeFetchContext, go/vt/mysqlctl/query.go, v0.24.3). The next step fails, because the call's time is over, and so
# does taking it back, which has the same time ("RedoPreparedTransactionsAndSetReadWrite failed during revert",
# demotePrimary, rpc_replication.go); what needs none succeeds: the tablet serves again, and its MySQL is read-only.
# 25.0 can bound the wait for the lock (--demote-primary-lock-wait-timeout, off by default).
DEMOTED_LATE = KnownBug(
    issue="vitess#20160",
    check="faults/healed",
    component=Role.VTTABLET,
    says="(1, 1)",  # read_only and super_read_only of the primary that serves
    also=("clients/served-again",),
)

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load and phases without a fault: what the machine and the harness do on their own.",
        nothing,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"hold_s": 5.0},
    ),
    _member(
        "read-only-primaries",
        "Two shards buffer because their primaries are read-only: does the reparent of a third one end that "
        "(vitess#16438)? On vtgate 21.0.0 it does, and their clients get errno 1290; from 21.0.1 on they wait.",
        read_only_primaries,
        shards=3,
        checks=SHARDS_APART,
        params={"between_s": 1.0, "reparents": 3.0, "faults": 4.0},
        known_bugs=(DISRUPTED,),
    ),
    _member(
        "read-only-for-a-moment",
        "read_only was set on a primary and taken back after 2 s: for how long do its clients wait? 20 s, because "
        "vtgate waits for a failover that never comes.",
        read_only_for_a_moment,
        params={"read_only_s": 2.0, "faults": 1.0},
        known_bugs=(NO_FAILOVER,),
    ),
    _member(
        "demotion-behind-a-lock",
        "A reparent fails because a session holds a table lock: is the old primary as before when the lock is gone "
        "(vitess#20160)? On 24.0.3 it is: vttablet kills its own SET when the call is given up after 15 s, and serves "
        "again; vtgate buffers to the 20th second all the same.",
        demotion_behind_a_lock,
        checks=AFTERWARDS,
        params={"expect_reparent_errors": 1.0, "faults": 1.0},
    ),
    _member(
        "demotion-past-its-deadline",
        "The same lock is gone while the primary's vttablet stands still, which goes on when the reparent has failed: "
        "who takes the demotion back that has succeeded by then (vitess#20160)? On 24.0.3 nobody.",
        demotion_past_its_deadline,
        checks=AFTERWARDS,
        params={"expect_reparent_errors": 1.0, "faults": 2.0, "waits_s": 8.0},
        known_bugs=(DEMOTED_LATE,),
    ),
    _member(
        "unacknowledged",
        "No replica acknowledges and writers hang: does a planned reparent free them, and is nothing lost "
        "(vitess#17709)? On 24.0.3 it does: it begins by pointing its candidate at the primary anew.",
        reparent_without_acknowledgements,
        params={"unacknowledged_s": 2.0, "receiving": 0.0, "faults": 2.0},
    ),
    _member(
        "exhausted-connections",
        "Somebody else uses up every connection of a primary: do its clients go on with those that vttablet has? Only "
        "until it wants one more: then it shuts its query service.",
        connections_used_up,
        checks=(*PROMISED, ServesOn()),
        params={"calm_s": 2.0, "burst": 30.0, "burst_s": 2.0, "faults": 1.0},
        known_bugs=(SHUT_DOWN,),
    ),
    _member(
        "errant-candidate",
        "A replica has a transaction of its own: does PlannedReparentShard make it the primary? On 24.0.3 it chooses "
        "it, being ahead of the others, finds the errant GTID, and fails before clients notice.",
        errant_candidate,
        tablets=3,
        checks=UNBUFFERED,
        params={"expect_reparent_errors": 1.0, "faults": 1.0},
    ),
)
