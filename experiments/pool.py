"""What a vttablet's connection pool does with requests whose time is up.

Goal: a request that has waited for a connection until its deadline can no longer use one. A connection that comes back
must go to one that can: where it goes from one dead request to the next, nobody is served although all connections are
there (vitess#20310, a tablet that had to be restarted).

Method: a pool of two connections and a query timeout of a second; slow queries keep both busy while reads queue up for
them; then vttablet stands still until everybody's time is up. When it goes on, timeouts and returned connections come
at the same moment: which requests get the connections? The control is the same without the standstill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from experiments.family import Family
from experiments.serving import aftermath
from harness.checks import FAULTS, SAFETY
from harness.checks.assumptions import ProbesAlive, RateReached, RunComplete
from harness.checks.host import HarnessFit, HostFit
from harness.checks.pools import PoolDeadlines
from harness.checks.processes import NoCrash
from harness.contracts import Check, Experiment, Stage
from harness.faults.slowness import Paused
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite
from harness.mysql.session import admin_session

DEADLINE_S = 240.0
CONNECTIONS = 2
BURST_WITHIN_S = 30.0
PRIMARIES = Targets(role=Role.VTTABLET, tablet_type="primary")

CLUSTER = ClusterSpec(
    shards=1,
    tablets_per_shard=2,
    vtgate_flags={"enable-buffer": ""},
    vttablet_flags={
        "queryserver-config-pool-size": str(CONNECTIONS),
        "queryserver-config-query-timeout": "1s",
    },
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
# Reads take the pool's connections, writes have the transaction pool's.
LOAD = LoadSpec(rate_per_shard=150.0, write_share=0.1, connections_per_shard=300)
PARAMS = {
    "baseline_s": 3.0,
    "storms": 3.0,
    "busy_s": 0.9,  # the slow queries; less than the query timeout
    "queue_s": 0.7,
    "still_s": 1.5,
    "between_s": 2.0,
    "faults": 3.0,
    "recovery_s": 2.0,
    "quiet_s": 2.0,
}
CHECKS: tuple[Check, ...] = (
    RunComplete(),
    HarnessFit(),
    HostFit(),
    RateReached(),
    ProbesAlive(),
    *SAFETY,
    *FAULTS,
    PoolDeadlines(),
    NoCrash(),
)


# ---------------------------------------------------------------- timelines


async def storms(stage: Stage, *, still: bool) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])
    stage.phase("storm")
    for _ in range(int(stage.plan.params["storms"])):
        await _storm(stage, still=still)
        await stage.hold(stage.plan.params["between_s"])
    await aftermath(stage)


async def _storm(stage: Stage, *, still: bool) -> None:
    params = stage.plan.params
    async with AsyncExitStack() as sessions, asyncio.TaskGroup() as group:
        await _keep_busy(stage, sessions, group)
        await stage.hold(params["queue_s"])
        if still:
            async with stage.inject(Paused(targets=PRIMARIES)):
                await stage.hold(params["still_s"])


async def _keep_busy(stage: Stage, sessions: AsyncExitStack, group: asyncio.TaskGroup) -> None:
    """A slow query for each connection of the pool; they are no clients of the run, so their fate is not judged."""
    host, port = stage.cluster.address(stage.cluster.nodes(Role.VTGATE)[0], "mysql")
    target = f"{stage.cluster.spec.keyspace}:{stage.cluster.spec.shard_names[0]}@primary"
    sleep = f"SELECT SLEEP({stage.plan.params['busy_s']:g})"
    for number in range(CONNECTIONS):
        session = await sessions.enter_async_context(admin_session(host, port, database=target))
        group.create_task(session.query(f"{sleep}, {number}", timeout_s=BURST_WITHIN_S))


# ---------------------------------------------------------------- the family


FAMILY = Family(name="pool", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)

# smartconnpool's waitlist hands a connection that comes back to whoever is in front, without asking whether his time is
# up (waitlist.go, tryReturnConnSlow). PR #20308.
EXPIRED = KnownBug(
    issue="vitess#20310",
    check="pool/deadlines",
    component=Role.VTTABLET,
    says="whose time was up",
    affected_from="19",
    fixed_in="23.0.5",
)
EXPIRED_24 = replace(EXPIRED, affected_from="24.0.0", fixed_in="24.0.2")


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    return FAMILY.member(name, why, timeline, suites=suites, params=params, known_bugs=known_bugs)


EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same slow queries and reads, and vttablet goes on: requests wait for a connection and get it.",
        partial(storms, still=False),
        params={"faults": 0.0},
    ),
    _member(
        "timeout-storm",
        "Requests wait for a connection, and all their deadlines pass at once: do connections that come back go to "
        "requests that can still use them (vitess#20310)? With the old vttablets: --vitess 24.0.0.",
        partial(storms, still=True),
        known_bugs=(EXPIRED, EXPIRED_24),
    ),
)
