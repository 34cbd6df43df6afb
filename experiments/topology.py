"""What clients pay while the topology server is gone, stands still, is slow, or is out of vtgate's reach.

Goal: Vitess says that etcd is not needed to serve. It is needed to change who serves. What does an outage cost clients,
what becomes of a reparent that falls into it, and does a vtgate that alone has lost etcd learn of the new primary? (It
hears it from the tablets, over their health streams.)

Method: an open-loop load on two shards; a baseline; etcd is out of reach for `outage_s`, as the row says it, with or
without a reparent of the first shard in the middle; recovery; quiet. The first row of the family is the control: the
same without a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, nullcontext
from dataclasses import replace
from functools import partial

from experiments.family import Family
from experiments.serving import aftermath
from harness import anchors
from harness.checks import FAULTS, STANDARD
from harness.checks.elsewhere import ClientsElsewhere
from harness.checks.plans import WRITTEN_AFTER, WRITTEN_BEFORE, PlansKept, VSchemaHeard
from harness.contracts import Check, Experiment, Fault, Stage
from harness.faults.cells import LostCell, RenamedCell
from harness.faults.network import Partition, SlowLink
from harness.faults.process import Killed, Restarted
from harness.faults.reparent import Gate, HeldTransaction, PlannedReparent
from harness.faults.slowness import Paused
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite, VtgateSpec
from harness.vitess.etcd import compact, unreadable_for_a_moment
from harness.vitess.topology import rebuild_vschema, srv_vschema_record
from harness.vitess.vtctld import vtctld_of

DEADLINE_S = 300.0
BUFFERS_WITHIN_S = 20.0
ETCD = Targets(role=Role.ETCD)
ONE_VTGATE = Targets(names=("vtgate-1",))

CLUSTER = ClusterSpec(
    shards=2,
    vtgates=(VtgateSpec(), VtgateSpec()),
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec(rate_per_shard=20.0)
PARAMS = {
    "baseline_s": 5.0,
    "outage_s": 30.0,
    "into_s": 5.0,
    "alone_s": 0.0,
    "patience_s": 20.0,  # an operator's, with a reparent that does not get on
    "recovery_s": 8.0,
    "quiet_s": 3.0,
    "faults": 1.0,
    "reparents": 0.0,
}
# Whether anything is buffered is part of the question.
CHECKS = (*(check for check in STANDARD if check.name != "assumptions/buffering"), *FAULTS, ClientsElsewhere())

Making = Callable[[Stage], Fault]


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the same phases, no fault."""
    await _baseline(stage)
    stage.phase("no-outage")
    await stage.hold(stage.plan.params["outage_s"])
    await aftermath(stage)


async def outage(stage: Stage, making: Making) -> None:
    """Nobody changes anything meanwhile."""
    await _baseline(stage)
    stage.phase("outage")
    async with stage.inject(making(stage)):
        await stage.hold(stage.plan.params["outage_s"])
    await aftermath(stage)


async def cell_lost(stage: Stage) -> None:
    """The global topology server names another address for the cell's. Nobody notices who has a watch there; but etcd
    has thrown its history away, so that with its restart every watch is broken, and is begun anew at that address."""
    await _baseline(stage)
    stage.phase("outage")
    await compact(_etcd(stage))
    async with stage.inject(LostCell()):
        await _done(stage, Restarted(targets=ETCD, abrupt=True))
        await stage.hold(stage.plan.params["outage_s"])
    await aftermath(stage)


async def cell_strange(stage: Stage) -> None:
    """The same with somebody there who is no etcd; only the watches of SrvVSchema break. Had others broken with them,
    the first to ask for the cell would close the connection that the last still have to hear of it on."""
    await _baseline(stage)
    stage.phase("outage")
    async with stage.inject(LostCell(stranger=True)):
        cell = stage.cluster.nodes(Role.VTGATE)[0].cell
        record = await srv_vschema_record(await stage.shared(vtctld_of), cell)
        await unreadable_for_a_moment(_etcd(stage), record)
        await stage.hold(stage.plan.params["outage_s"])
    await aftermath(stage)


async def cell_renamed(stage: Stage, *, renamed: bool) -> None:
    """SrvVSchema is written anew before and after, so that every vtgate has something to hear."""
    await _baseline(stage)
    stage.phase(WRITTEN_BEFORE)
    await _written_anew(stage)
    async with stage.inject(RenamedCell()) if renamed else nullcontext():
        stage.phase("renamed" if renamed else "not-renamed")
        await stage.hold(stage.plan.params["renamed_s"])
        stage.phase(WRITTEN_AFTER)
        await _written_anew(stage)
    await aftermath(stage)


async def _written_anew(stage: Stage) -> None:
    await rebuild_vschema(await stage.shared(vtctld_of))
    await stage.hold(stage.plan.params["heard_s"])


def _etcd(stage: Stage) -> tuple[str, int]:
    (etcd,) = stage.cluster.nodes(Role.ETCD)
    return stage.cluster.address(etcd, "client")


async def reparent_within(stage: Stage, making: Making) -> None:
    """The first shard is reparented `into_s` after the beginning. What vtctld would be asked for the intent is asked
    before: an operator who calls it then looks at nothing first."""
    await _baseline(stage)
    stage.phase("outage")
    shard, gate = stage.cluster.spec.shard_names[0], Gate(2)
    async with asyncio.TaskGroup() as group:
        reparent = PlannedReparent(shard=shard, gate=gate, timeout_s=stage.plan.params["patience_s"])
        group.create_task(_done(stage, reparent))
        await stage.until("the reparent is about to begin", lambda: _at(gate), timeout_s=BUFFERS_WITHIN_S)
        async with stage.inject(making(stage)):
            params = stage.plan.params
            await stage.hold(params["into_s"])
            await gate.passed()
            await stage.hold(params["outage_s"] - params["into_s"])
    await aftermath(stage)


async def amid_reparent(stage: Stage, making: Making) -> None:
    """The old primary has stopped serving and waits for a transaction when the outage begins. When it is over the shard
    is left alone for `alone_s`; then an operator reparents it once more, unless somebody else is there to do it."""
    await _baseline(stage)
    stage.phase("outage")
    shard = stage.cluster.spec.shard_names[0]
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        await stack.enter_async_context(stage.inject(HeldTransaction(shard=shard)))
        buffers = await anchors.buffering(stage, shards=(shard,))
        patience_s = stage.plan.params["patience_s"]
        group.create_task(_done(stage, PlannedReparent(shard=shard, timeout_s=patience_s)))
        await buffers(timeout_s=BUFFERS_WITHIN_S)
        async with stage.inject(making(stage)):
            await stage.hold(stage.plan.params["outage_s"])
    stage.phase("left-alone")
    await stage.hold(stage.plan.params["alone_s"])
    if stage.plan.params["reparents"] > 1:
        stage.phase("again")
        await _done(stage, PlannedReparent(shard=shard))
    await aftermath(stage)


async def _at(gate: Gate) -> bool:
    return gate.waiting == 1


async def _done(stage: Stage, operation: Fault) -> None:
    async with stage.inject(operation):
        pass


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- what is out of reach, and for whom


def killed(_: Stage) -> Fault:
    return Killed(targets=ETCD)


def paused(_: Stage) -> Fault:
    return Paused(targets=ETCD)


def slow(stage: Stage) -> Fault:
    everybody = tuple(
        node.name for node in stage.cluster.nodes() if node.role in (Role.VTCTLD, Role.VTTABLET, Role.VTGATE)
    )
    return SlowLink(sources=Targets(names=everybody), targets=ETCD, delay_ms=stage.plan.params["delay_ms"])


def for_one_vtgate(_: Stage) -> Fault:
    return Partition(sources=ONE_VTGATE, targets=ETCD)


# ---------------------------------------------------------------- the family


FAMILY = Family(name="topology", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    vttablet_flags: Mapping[str, str] | None = None,
    vtgate_flags: Mapping[str, str] | None = None,
    vtorc: bool = False,
    checks: tuple[Check, ...] = CHECKS,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=replace(
            CLUSTER,
            vtgate_flags={**CLUSTER.vtgate_flags, **(vtgate_flags or {})},
            vttablet_flags=vttablet_flags or {},
            vtorc=vtorc,
        ),
        checks=checks,
        suites=suites,
        params=params,
        known_bugs=known_bugs,
    )


REPARENT: Mapping[str, float] = {"faults": 2.0, "reparents": 1.0}
# When the old primary is demoted vtctld asks whether it still has the shard's lock, before it promotes the new one. It
# gets no answer, says "lost topology lock, aborting", and does not take the demotion back (seen with 24.0.3). The shard
# takes no writes for as long as etcd is away, and after that until somebody reparents it again, which takes a second.
UNSERVED = KnownBug(
    issue="a reparent that etcd's death cuts short leaves its shard without a primary until it is repeated",
    check="clients/errors",
    component=Role.VTGATE,
    says="reparent-in-progress",
    also=("clients/stall", "buffering/stops", "buffering/evictions", "clients/served-again"),
)
# A watch of SrvVSchema that failed is begun anew every --srv-topo-cache-refresh (a second), and each time that this
# fails all who listen are told so, with the VSchema that is known: vtgate builds it again and clears all plans
# (srvtopo/watch.go, update; vschema_manager.go, VSchemaUpdate; PR #18434). An etcd that merely dies does not break a
# watch: etcd's client waits for it and resumes.
PLANS_CLEARED = KnownBug(
    issue="vitess#18433", check="plans/kept", component=Role.VTGATE, says="cleared its query plans", fixed_in="21.0.6"
)
PLANS_CLEARED_22 = replace(PLANS_CLEARED, affected_from="22.0.0", fixed_in="22.0.2")
# ConnForCell closes the connection to the old address, and keeps it when there is none to the new one: who asks next
# closes it again, and a channel that is closed twice ends the process ("panic: close of closed channel", go/vt/topo/
# server.go and etcd2topo/server.go, v0.22.0 to v0.24.3). vttablets ask as well. The issue has another panic, of consul.
CLOSED_TWICE = KnownBug(
    issue="vitess#17560",
    check="faults/healed",  # what ended is not running afterwards; the rows cannot be read back then
    component=Role.VTGATE,
    says="is not running: it ended",
    also=(
        "processes/crashes",
        "clients/errors",
        "clients/stall",
        "clients/served-again",
        "clients/elsewhere",
        "clients/explained",
    ),
)
# ConnForCell closes the connection to the old address under all who watch something over it. With etcd their channel
# ends without an error (etcd2topo/watch.go), and a watch that ended so is not begun again (srvtopo/watch.go). vtgate
# asks for the cell every --tablet-refresh-interval (1 m; 3 s here), and says nothing of it (seen with 21.0.2, 22.0.0,
# 24.0.3).
DEAF = KnownBug(
    issue="vitess#17560 (etcd)",
    check="plans/heard",
    component=Role.VTGATE,
    says="did not hear",
)
REFUSED: Mapping[str, float] = {"reparents": 1.0, "expect_reparent_errors": 1.0}

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load and phases with etcd in reach: what the machine and the harness do on their own.",
        nothing,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"faults": 0.0},
    ),
    _member(
        "killed",
        "etcd is dead for half a minute, and nobody changes anything: do clients notice?",
        partial(outage, making=killed),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    _member(
        "paused",
        "etcd hangs for half a minute with its connections open: do clients notice?",
        partial(outage, making=paused),
    ),
    _member(
        "cell-strange",
        "The cell's topology server answers every question with an error, and nobody changes anything: does a vtgate "
        "keep its query plans (#18433)?",
        cell_strange,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"outage_s": 15.0, "recovery_s": 2.0},
        checks=(*CHECKS, PlansKept()),
        known_bugs=(PLANS_CLEARED, PLANS_CLEARED_22),
    ),
    _member(
        "cell-unreachable",
        "At the address that the topology names for the cell nobody listens: what becomes of those who have to ask?",
        cell_lost,
        suites=frozenset({Suite.MANUAL}),
        params={"outage_s": 15.0, "recovery_s": 2.0, "faults": 2.0},
        known_bugs=(CLOSED_TWICE,),
    ),
    _member(
        "cell-renamed",
        "The cell's topology server gets another address that leads to the same server: does a vtgate still hear of a "
        "new VSchema (#17560)?",
        partial(cell_renamed, renamed=True),
        params={"renamed_s": 8.0, "heard_s": 4.0, "recovery_s": 2.0},
        vtgate_flags={"tablet-refresh-interval": "3s"},
        checks=(*CHECKS, VSchemaHeard()),
        known_bugs=(DEAF,),
    ),
    _member(
        "cell-as-it-was",
        "The control of cell-renamed: the same VSchemas are written, and the address stays.",
        partial(cell_renamed, renamed=False),
        params={"renamed_s": 8.0, "heard_s": 4.0, "recovery_s": 2.0, "faults": 0.0},
        vtgate_flags={"tablet-refresh-interval": "3s"},
        checks=(*CHECKS, VSchemaHeard()),
    ),
    _member(
        "killed-with-reparent",
        "A shard is to be reparented while etcd is dead: does the reparent fail before it takes the primary away?",
        partial(reparent_within, making=killed),
        params=REFUSED,
    ),
    _member(
        "paused-with-reparent",
        "A shard is to be reparented while etcd hangs: does the reparent fail before it takes the primary away?",
        partial(reparent_within, making=paused),
        params=REFUSED,
    ),
    _member(
        "killed-amid-reparent",
        "etcd dies when a reparent has stopped the old primary: when is the shard served again?",
        partial(amid_reparent, making=killed),
        params={**REFUSED, "faults": 3.0, "reparents": 2.0, "alone_s": 20.0},
        vttablet_flags={"shutdown-grace-period": "8s"},
        known_bugs=(UNSERVED,),
    ),
    _member(
        "killed-amid-reparent-vtorc",
        "The same with a vtorc: does it finish what the reparent left, and when?",
        partial(amid_reparent, making=killed),
        params={**REFUSED, "faults": 2.0, "alone_s": 30.0},
        vttablet_flags={"shutdown-grace-period": "8s"},
        vtorc=True,
        known_bugs=(UNSERVED,),
    ),
    _member(
        "slow-with-reparent",
        "etcd is 100 ms away from everybody, each way: how long is a reparent, and does buffering still hide it?",
        partial(reparent_within, making=slow),
        params={**REPARENT, "delay_ms": 100.0, "outage_s": 60.0, "into_s": 8.0, "patience_s": 50.0},
    ),
    _member(
        "cut-from-vtgate",
        "One of two vtgates alone has lost etcd when a shard is reparented: does it learn of the new primary?",
        partial(reparent_within, making=for_one_vtgate),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params=REPARENT,
    ),
)
