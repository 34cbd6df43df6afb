"""What the clients of a vttablet pay when tens of thousands of others had waited for a connection of its pool, and are
gone.

Goal: a pool that is too small for its clients makes them wait in a line. When they have given up (a vtgate that dies
takes all its queries along, or the deadline of all is over at once) the line is worth nothing. Are those who come now
served, or does the pool first go through all who are gone (vitess#20310: "it stopped serving all queries and required a
restart")?

Method: an open-loop load on one shard; every connection of the primary's pool for reads is taken, and `queries` more
wait over one gRPC connection, which is closed. That clients wait until then is the run's doing, and not judged. The
first row is the control: the same without a fault.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.family import Family
from experiments.serving import aftermath
from harness.checks import FAULTS, SAFETY
from harness.checks.assumptions import ProbesAlive, RateReached, RunComplete
from harness.checks.host import HarnessFit, HostFit
from harness.checks.pools import PoolServes
from harness.checks.processes import NoCrash
from harness.contracts import Check, Experiment, Stage
from harness.faults.pools import AbandonedQueries
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role

DEADLINE_S = 300.0
CLUSTER = ClusterSpec(
    shards=1,
    tablets_per_shard=2,
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec(rate_per_shard=30.0)
PARAMS = {"baseline_s": 5.0, "hold_s": 0.5, "recovery_s": 5.0, "quiet_s": 3.0, "reparents": 0.0, "faults": 1.0}
CHECKS: tuple[Check, ...] = (
    RunComplete(),
    HarnessFit(),
    HostFit(),
    RateReached(),
    ProbesAlive(),
    *SAFETY,
    *FAULTS,
    PoolServes(),
    NoCrash(),
)


async def nothing(stage: Stage) -> None:
    """The control: the same phases, no fault."""
    await _baseline(stage)
    stage.phase("no-fault")
    await stage.hold(stage.plan.params["hold_s"])
    await aftermath(stage)


async def abandoned(stage: Stage) -> None:
    """A line as long as it is to be, and gone."""
    await _baseline(stage)
    stage.phase("fault")
    async with stage.inject(AbandonedQueries(queries=int(stage.plan.params["queries"]))):
        await stage.hold(stage.plan.params["hold_s"])
    await aftermath(stage)


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# Since #18713 (21.0.6, 22.0.2, 23.0.0) who gave up waiting takes the list's lock and walks the list to leave it, and a
# connection that is given back goes to the first in the list all the same, until that one has come to it
# (go/pools/smartconnpool/waitlist.go, waitForConn and tryReturnConnSlow, v0.24.0). #20308 lets who gives one back take
# those off the list who have given up. Before #18713 a worker cleared the list ten times a second: 21.0.3 and 22.0.0
# serve (measured), though they too hand connections to those who have given up.
EXPIRED_FIRST = KnownBug(issue="vitess#20310", check="tablets/pool", component=Role.VTTABLET, says="(#20310)")
KNOWN = tuple(
    replace(EXPIRED_FIRST, affected_from=since, fixed_in=until)
    for since, until in (("21.0.6", "22.0.0"), ("22.0.2", "23.0.5"), ("24.0.0", "24.0.2"))
)

FAMILY = Family(name="pools", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)
EXPERIMENTS: tuple[Experiment, ...] = (
    FAMILY.member(
        "control",
        "The same load and phases without a fault: what the machine and the harness do on their own.",
        nothing,
        params={"faults": 0.0},
    ),
    FAMILY.member(
        "abandoned",
        "30,000 queries wait for a connection of a vttablet's pool and are given up at once: when are others served "
        "(vitess#20310)?",
        abandoned,
        params={"queries": 30_000.0},
        known_bugs=KNOWN,
    ),
)
