"""What concurrent PlannedReparentShard calls do to the clients of a sharded keyspace (vitess#17629).

Goal: vtgate promises to hide a failover by buffering. A rollout reparents many shards at once; does the
promise hold for every shard's clients, and for how long do they wait?

Method: an open-loop load with a lane of its own for every shard; a baseline; all reparents through one
gate; recovery; quiet. The first row of the family is the control: the same run without a reparent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from experiments.family import Family
from experiments.serving import SETTLED_WITHIN_S, aftermath, until_settled
from harness.checks import STANDARD as CHECKS
from harness.contracts import Experiment, Stage
from harness.faults.reparent import Gate, HeldTransaction, LaggingReplicas, PlannedReparent
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite

DEADLINE_S = 600.0

CLUSTER = ClusterSpec(
    shards=32,
    tablets_per_shard=2,
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec()
PARAMS = {"baseline_s": 10.0, "recovery_s": 8.0, "quiet_s": 3.0, "reparents": 0.0}


# ---------------------------------------------------------------- timelines


async def all_at_once(stage: Stage) -> None:
    """Every shard's PlannedReparentShard leaves through one gate."""
    await _baseline(stage)
    stage.phase("storm")
    await reparent_together(stage, _shards(stage))
    await aftermath(stage)


async def nothing(stage: Stage) -> None:
    """The control: the same phases, no reparent."""
    await _baseline(stage)
    stage.phase("no-storm")
    await stage.hold(stage.plan.params["hold_s"])
    await aftermath(stage)


async def staggered(stage: Stage) -> None:
    """The calls leave `stagger_s` apart; they may overlap."""
    await _baseline(stage)
    stage.phase("storm")
    async with AsyncExitStack() as storm, asyncio.TaskGroup() as group:
        for shard in _shards(stage):
            group.create_task(storm.enter_async_context(stage.inject(PlannedReparent(shard=shard))))
            await stage.hold(stage.plan.params["stagger_s"])
    await aftermath(stage)


async def rolling(stage: Stage) -> None:
    """One shard after the other, each when the one before has returned: a careful rollout."""
    await _baseline(stage)
    stage.phase("storm")
    for shard in _shards(stage):
        async with stage.inject(PlannedReparent(shard=shard)):
            pass
    await aftermath(stage)


async def twice(stage: Stage) -> None:
    """A second storm within --buffer-min-time-between-failovers, which vtgate does not buffer by design."""
    await _baseline(stage)
    stage.phase("storm")
    await reparent_together(stage, _shards(stage))
    await until_settled(stage, timeout_s=SETTLED_WITHIN_S)
    stage.phase("between")
    await stage.hold(stage.plan.params["between_s"])
    stage.phase("second-storm")
    await reparent_together(stage, _shards(stage))
    await aftermath(stage)


async def lagging_candidate(stage: Stage) -> None:
    """The candidate applies what it receives `delay_s` late: do the clients wait for it to catch up?"""
    await _baseline(stage)
    shard = stage.cluster.spec.shard_names[0]
    delay_s = int(stage.plan.params["delay_s"])
    async with stage.inject(LaggingReplicas(shard=shard, delay_s=delay_s)):
        stage.phase("storm")
        slow = PlannedReparent(shard=shard, wait_replicas_timeout_s=3.0 * delay_s)
        async with stage.inject(slow):
            pass
    await aftermath(stage)


async def slow_demotion(stage: Stage) -> None:
    """A transaction is open on the primary: its demotion waits for the grace period, beyond the buffer window."""
    await _baseline(stage)
    shard = stage.cluster.spec.shard_names[0]
    async with stage.inject(HeldTransaction(shard=shard)):
        stage.phase("storm")
        async with stage.inject(PlannedReparent(shard=shard)):
            pass
    await aftermath(stage)


async def one_held(stage: Stage) -> None:
    """All shards at once, and a transaction is open on the first one's primary: its demotion waits for the grace
    period, and vtgate ends no shard's buffering before the whole keyspace is consistent."""
    await _baseline(stage)
    shards = _shards(stage)
    async with stage.inject(HeldTransaction(shard=shards[0])):
        stage.phase("storm")
        await reparent_together(stage, shards)
    await aftermath(stage)


async def reparent_together(stage: Stage, shards: tuple[str, ...]) -> None:
    """All intents are on disk before the first call leaves; then all calls leave in one turn of the loop."""
    gate = Gate(len(shards))
    async with AsyncExitStack() as storm, asyncio.TaskGroup() as group:
        for shard in shards:
            fault = PlannedReparent(shard=shard, gate=gate)
            group.create_task(storm.enter_async_context(stage.inject(fault)))


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


def _shards(stage: Stage) -> tuple[str, ...]:
    """All shards, or the first `reparents` of them."""
    names = stage.cluster.spec.shard_names
    return names[: int(stage.plan.params["reparents"])] if stage.plan.params["reparents"] else names


# ---------------------------------------------------------------- the family


FAMILY = Family(name="reparent", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


# Found here, a race (9 of 12 storms of 32 shards, one of some 15 of two; vtgate 24.0.3). A request found no tablet, and
# the next moment its primary serves: TabletGateway.withRetry tries again at once, --retry-count times, and then tells
# the client (go/vt/vtgate/tabletgateway.go, v0.24.3). With any other error beside it it stays a finding.
GIVES_UP = KnownBug(
    issue="vtgate gives up a request that meets its new primary too early",
    check="clients/errors",
    component=Role.VTGATE,
    says=": inconsistent-state.",
    certain=False,
)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]] = all_at_once,
    *,
    shards: int = 32,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: dict[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (GIVES_UP,),
    vtgate_flags: dict[str, str] | None = None,
    vttablet_flags: dict[str, str] | None = None,
) -> Experiment:
    flags = {**CLUSTER.vtgate_flags, **(vtgate_flags or {})}
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=replace(CLUSTER, shards=shards, vtgate_flags=flags, vttablet_flags=vttablet_flags or {}),
        suites=suites,
        params=params,
        known_bugs=known_bugs,
    )


# By design since buffering exists, and what operators ask about most (go/vt/vtgate/buffer/shard_buffer.go).
TOO_SOON = KnownBug(
    issue="no second buffering within --buffer-min-time-between-failovers, by design",
    check="clients/errors",
    component=Role.VTGATE,
    also=("clients/stall", "buffering/evictions", "buffering/keyspace-consistency"),
)
WINDOW_SHORTER = KnownBug(
    issue="vitess#9433",
    check="buffering/evictions",
    component=Role.VTGATE,
    also=("clients/errors", "clients/stall", "buffering/stops"),
)
SWITCHED_OFF = KnownBug(
    issue="errors without buffering (a test of the checks)",
    check="clients/errors",
    component=Role.VTGATE,
    also=("clients/stall",),
)

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load and phases without a reparent: what the machine and the harness do on their own.",
        nothing,
        shards=8,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"hold_s": 5.0},
        known_bugs=(),
    ),
    _member(
        "storm",
        "Do clients notice when every shard of a keyspace is reparented at once (vitess#17629)?",
    ),
    *(
        _member(
            f"storm-{shards}",
            f"The storm with {shards} shard{'s' if shards > 1 else ''}, all reparented at once.",
            shards=shards,
            suites=frozenset({Suite.SMOKE, Suite.CI}) if shards == 2 else frozenset({Suite.NIGHTLY}),
        )
        for shards in (1, 2, 8, 16, 32)
    ),
    _member(
        "staggered",
        "Does it help to start the reparents a little apart?",
        staggered,
        params={"stagger_s": 0.5},
    ),
    _member("rolling", "The careful rollout: one shard after the other.", rolling),
    _member(
        "second-storm",
        "A second reparent within --buffer-min-time-between-failovers is not buffered: what do clients see?",
        twice,
        shards=2,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"between_s": 3.0},
        known_bugs=(TOO_SOON,),
    ),
    _member(
        "lagging-candidate",
        "Do clients wait while a candidate that lags catches up?",
        lagging_candidate,
        shards=2,
        params={"delay_s": 14.0},
    ),
    _member(
        "slow-demotion",
        "A reparent that takes longer than the buffer window (vitess#9433): requests are evicted.",
        slow_demotion,
        shards=2,
        vttablet_flags={"shutdown-grace-period": "13s"},  # beyond the window, within vtctld's 15 s for DemotePrimary
        known_bugs=(WINDOW_SHORTER,),
    ),
    _member(
        "one-held",
        "One of all shards' reparents is slow: do the clients of the others wait for it (vitess#17629)?",
        one_held,
        vttablet_flags={"shutdown-grace-period": "8s"},  # within the window of 10 s
    ),
    _member(
        "unbuffered",
        "The storm with buffering switched off: clients must see errors, or the checks are blind.",
        shards=2,
        suites=frozenset({Suite.SMOKE, Suite.CI}),
        vtgate_flags={"enable-buffer": "false"},
        known_bugs=(SWITCHED_OFF,),
    ),
)
