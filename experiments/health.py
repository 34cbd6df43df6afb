"""Why buffering goes on although every new primary serves (vitess#17629), and what is left of it in 24.0.3.

Goal: the dropped health update that #17629 was closed with is one of three causes. The other two need no lost message,
only a late one, and no more than a shard or two. Each is made here on purpose, so that one run shows it.

Method: vtgate's keyspace event watcher keeps its own picture of who serves. What a primary says of itself and what it
answers to requests come to it over one connection, what its successor says over another: while the first is cut one way
the successor becomes known, and what comes when it is whole again is old. Row one is the control: the same
reparents, nothing held back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from experiments.family import Family
from experiments.reparent import reparent_together
from experiments.serving import SETTLED_WITHIN_S, aftermath, until_settled
from harness import anchors
from harness.checks import HEALTH as CHECKS
from harness.checks.promotions import BufferUpdates
from harness.contracts import Check, Experiment, Fault, Stage
from harness.faults.churn import RoutingRule
from harness.faults.logs import SlowLog
from harness.faults.network import Partition
from harness.faults.reparent import HeldTransaction, PlannedReparent
from harness.faults.slowness import Paused, Slowed
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite
from harness.vitess.debug_vars import flatten, vars_of
from harness.vitess.topology import rebuild_vschema
from harness.vitess.vtctld import vtctld_of

DEADLINE_S = 420.0
PROMOTED_WITHIN_S = 30.0
BUFFERS_WITHIN_S = 20.0
REQUESTS, ANSWERS = "there", "back"  # what vtgates send to a primary, what it sends to them
VTGATES = Targets(role=Role.VTGATE)
PROMOTED = "HealthcheckPrimaryPromoted"  # go/vt/discovery/healthcheck.go, v0.21 to v0.24

CLUSTER = ClusterSpec(
    shards=2,
    vtgate_flags={"enable-buffer": ""},
    # The demotion of the slow shard waits so long for the transaction that is held there; shorter than the window.
    vttablet_flags={"shutdown-grace-period": "8s"},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec(connections_per_shard=4)
PARAMS = {"baseline_s": 5.0, "stuck_s": 0.3, "recovery_s": 5.0, "quiet_s": 3.0}


# ---------------------------------------------------------------- timelines


async def two_shards(stage: Stage, direction: str) -> None:
    """The last shard's reparent takes its time. Meanwhile the first one's is over, then comes what was held back."""
    await _baseline(stage)
    stage.phase("storm")
    await _one_within_the_other(stage, direction)
    await aftermath(stage)


async def one_shard(stage: Stage) -> None:
    """What was held back comes when --buffer-min-time-between-failovers is over: buffering may begin again."""
    await _baseline(stage)
    stage.phase("storm")
    (shard,) = stage.cluster.spec.shard_names
    async with stage.inject(_held_back(shard, REQUESTS)):
        await stage.hold(stage.plan.params["stuck_s"])
        await _promoted_everywhere(stage, shard)
        await stage.hold(stage.plan.params["late_s"])
    await aftermath(stage)


async def afterwards(stage: Stage) -> None:
    """The other shard is reparented again and again, with nothing in the way; in between, the first one once."""
    await _baseline(stage)
    stage.phase("storm")
    await _one_within_the_other(stage, REQUESTS)
    first, last = stage.cluster.spec.shard_names
    for phase, shard in (("again", last), ("cure", first), ("cured", last)):
        await until_settled(stage, timeout_s=SETTLED_WITHIN_S)
        stage.phase("between")
        await stage.hold(stage.plan.params["between_s"])
        stage.phase(phase)
        await _promoted_everywhere(stage, shard)
    await aftermath(stage)


async def while_hindered(stage: Stage, fault: Fault) -> None:
    """Every vtgate is hindered while all shards are reparented: what old primaries and new ones say waits for it, over
    connections of their own, and comes in no order."""
    await _baseline(stage)
    stage.phase("storm")
    async with stage.inject(fault):
        await reparent_together(stage, stage.cluster.spec.shard_names)
        await stage.hold(stage.plan.params["late_s"])
    await aftermath(stage)


async def topology_slow(stage: Stage) -> None:
    """vtgates hear of a change of the routing rules, and what they ask the topology server for then is not answered.

    They had the rule before: a message whose receipt the cut hides is sent again and again, and nothing after it comes.
    """
    await _baseline(stage)
    async with stage.inject(RoutingRule()):
        await stage.hold(stage.plan.params["ruled_s"])
        stage.phase("storm")
        async with stage.inject(Partition(targets=Targets(role=Role.ETCD), direction=REQUESTS)):
            await rebuild_vschema(await stage.shared(vtctld_of))
            await stage.hold(stage.plan.params["stuck_s"])
            await reparent_together(stage, stage.cluster.spec.shard_names)
            await stage.hold(stage.plan.params["late_s"])
    await aftermath(stage)


async def _one_within_the_other(stage: Stage, direction: str) -> None:
    quick, slow = stage.cluster.spec.shard_names
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        await stack.enter_async_context(stage.inject(HeldTransaction(shard=slow)))
        buffers = await anchors.buffering(stage, shards=(slow,))
        group.create_task(stack.enter_async_context(stage.inject(PlannedReparent(shard=slow))))
        await buffers(timeout_s=BUFFERS_WITHIN_S)
        async with AsyncExitStack() as held:
            if direction:
                await held.enter_async_context(stage.inject(_held_back(quick, direction)))
                await stage.hold(stage.plan.params["stuck_s"])
            await _promoted_everywhere(stage, quick)


def _held_back(shard: str, direction: str) -> Partition:
    """TCP gives nothing up: what was sent waits in the sender's kernel and comes when the link is whole again, later by
    the pause between two tries, which doubles from 200 ms on (net/ipv4/tcp_timer.c)."""
    primary = Targets(role=Role.VTTABLET, tablet_type="primary", shards=(shard,))
    return Partition(targets=primary, direction=direction)


async def _promoted_everywhere(stage: Stage, shard: str) -> None:
    """A reparent, and every vtgate's health check has seen it."""
    before = await _promotions(stage, shard)
    async with stage.inject(PlannedReparent(shard=shard)):
        pass

    async def seen() -> bool:
        return all(now > was for now, was in zip(await _promotions(stage, shard), before, strict=True))

    await stage.until(f"every vtgate has counted {shard}'s promotion", seen, timeout_s=PROMOTED_WITHIN_S)


async def _promotions(stage: Stage, shard: str) -> list[int]:
    client = await stage.shared(vars_of)
    label = f"{PROMOTED}:{stage.cluster.spec.keyspace}.{shard}"
    vtgates = stage.cluster.nodes(Role.VTGATE)
    read = [flatten(await client.read(stage.cluster.address(node, "web")), (PROMOTED,)) for node in vtgates]
    return [int(values.get(label, 0)) for values in read]


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- the family


FAMILY = Family(name="health", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    shards: int = 2,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (),
    vtgate_flags: Mapping[str, str] | None = None,
    checks: tuple[Check, ...] = CHECKS,
) -> Experiment:
    flags = {**CLUSTER.vtgate_flags, **(vtgate_flags or {})}
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=replace(CLUSTER, shards=shards, vtgate_flags=flags),
        checks=checks,
        suites=suites,
        params=params,
        known_bugs=known_bugs,
    )


# go/vt/discovery/keyspace_events.go: MarkShardNotServing and onHealthCheck take the word of whoever was primary once.
# The wait for a reparent is in 21.0.1 and later (#17013), the other one in every release that was looked at.
LATE = KnownBug(
    issue="vitess#17629 (late)",
    check="buffering/promotions",
    component=Role.VTGATE,
    says="(#17629)",
    also=(
        "buffering/stops",
        "buffering/evictions",
        "buffering/keyspace-consistency",
        "clients/stall",
    ),
    never=("cause_dropped", "cause_unheard"),
)
# The dropped update itself (PRs #17636 and #17821: a channel of 2048 instead of 2); 21.0.x says nothing of it.
DROPPED = replace(LATE, issue="vitess#17629", never=(), certain=False, fixed_in="21.0.3")
# onSrvVSchema holds the keyspace's state while getMoveTablesStatus asks for every shard, where there are routing rules.
TOPOLOGY = replace(
    LATE,
    issue="vitess#17629 (topology)",
    says="stood still",
    never=("cause_dropped", "cause_unheard", "cause_late-error", "cause_late-health"),
    affected_from="21.0.3",
)
UNCERTAIN = (replace(LATE, certain=False), DROPPED)
# How long the watcher itself stood still is not asked, nor how long clients wait: the cut lasts until the reparents are
# over, and nobody hears of a new primary before.
WAITED_FOR = ("buffering/promotions", "clients/stall")
# The same in the check that knows no other cause.
LOST = replace(
    DROPPED,
    check="buffering/updates",
    says="was dropped",
    also=(*(check for check in DROPPED.also if check not in WAITED_FOR), "clients/errors"),
    certain=True,
)
# A vtgate that is hindered throughout may find all reparents over. Then it has buffered nothing: an answer too.
HINDERED = tuple(check for check in CHECKS if check.name != "assumptions/buffering")
UPDATES = (*(check for check in HINDERED if check.name not in WAITED_FOR), BufferUpdates())

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same two reparents, one within the other, nothing is late: do clients wait for no longer than they take?",
        partial(two_shards, direction=""),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    _member(
        "late-request",
        "A demoted primary hears a request late, while another shard is being reparented: what do that shard's clients "
        "pay (#17629)?",
        partial(two_shards, direction=REQUESTS),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        known_bugs=(LATE,),
    ),
    _member(
        "late-answers",
        "All that a demoted primary says comes late, its own health too: what do another shard's clients pay (#17629)?",
        partial(two_shards, direction=ANSWERS),
        known_bugs=(LATE,),
    ),
    _member(
        "one-shard",
        "The smallest #17629: one shard, two tablets, one reparent, one late request.",
        one_shard,
        shards=1,
        params={"late_s": 1.5},
        vtgate_flags={"buffer-min-time-between-failovers": "1s"},
        known_bugs=(LATE,),
    ),
    _member(
        "afterwards",
        "Is it over when the buffering is? Later reparents of the other shard, with nothing in their way (#17629).",
        afterwards,
        params={"between_s": 21.0},
        vtgate_flags={"buffer-min-time-between-failovers": "20s"},
        known_bugs=(LATE,),
    ),
    *(
        _member(
            name,
            f"{what} while every shard is reparented: what do its clients pay (#17629)?",
            partial(while_hindered, fault=fault),
            shards=8,
            params={"late_s": late_s},
            known_bugs=UNCERTAIN,
            checks=HINDERED,
        )
        for name, what, fault, late_s in (
            ("stood-still", "A vtgate stands still", Paused(targets=VTGATES), 0.0),
            ("starved", "A vtgate has a fifth of a core", Slowed(targets=VTGATES, cpus=0.2), 5.0),
            ("log-stalled", "Nobody takes what a vtgate logs", SlowLog(), 2.0),
        )
    ),
    _member(
        "dropped",
        "Is a new primary lost between vtgate's health check and its buffer, while the watcher between them waits for "
        "etcd (#17629)?",
        topology_slow,
        params={"baseline_s": 3.0, "ruled_s": 1.0, "late_s": 0.5, "recovery_s": 2.0, "quiet_s": 2.0},
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        known_bugs=(LOST,),
        checks=UPDATES,
    ),
    _member(
        "topology-slow",
        "Routing rules exist, and vtgate's requests to etcd get no answer during a reparent: do its clients feel it?",
        topology_slow,
        params={"ruled_s": 1.0, "late_s": 10.0},
        known_bugs=(replace(DROPPED, certain=True, says="was dropped"), TOPOLOGY),
    ),
)
