"""What the end, the standstill or the slowness of one process costs the clients of a sharded keyspace.

Goal: vtgate buffers for the failovers that it hears of. A process that dies, hangs or starves announces nothing. Who
notices it, for how long, and is what was acknowledged still there?

Method: an open-loop load on two shards; a baseline; one fault on one process of the first shard, or on a vtgate, held
for `hold_s`; it is taken back; recovery; quiet. The first row of the family is the control: the same without a fault.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from experiments.family import Family
from experiments.serving import aftermath
from harness import anchors
from harness.base.errors import WaitTimeout
from harness.checks import FAULTS, STANDARD
from harness.checks.elsewhere import ClientsElsewhere
from harness.checks.tablets import KnownToAll
from harness.contracts import Check, Experiment, Fault, Stage
from harness.faults.addresses import FIRST_REPLICAS, TakenAddress
from harness.faults.process import PRIMARY, CrashLoop, Killed, Restarted
from harness.faults.slowness import Paused, Slowed
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite, VtgateSpec

DEADLINE_S = 300.0
CLUSTER = ClusterSpec(
    shards=2,
    tablets_per_shard=2,
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec(rate_per_shard=30.0, abrupt=True)
PARAMS = {"baseline_s": 5.0, "hold_s": 3.0, "recovery_s": 5.0, "quiet_s": 3.0, "reparents": 0.0, "faults": 1.0}
CHECKS = (*STANDARD, *FAULTS, ClientsElsewhere())

NOT_COUNTED = tuple(check for check in CHECKS if not check.name.startswith("buffering/"))  # counters that begin anew

Making = Callable[[Stage], Fault]


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the same phases, no fault."""
    await _baseline(stage)
    stage.phase("no-fault")
    await stage.hold(stage.plan.params["hold_s"])
    await aftermath(stage)


def during(making: Making) -> Callable[[Stage], Awaitable[None]]:
    """One fault, in force for `hold_s`."""

    async def timeline(stage: Stage) -> None:
        await _baseline(stage)
        stage.phase("fault")
        async with stage.inject(making(stage)):
            await stage.hold(stage.plan.params["hold_s"])
        await aftermath(stage)

    return timeline


def while_taken(fault: TakenAddress) -> Callable[[Stage], Awaitable[None]]:
    """For so long that every vtgate has asked at that address, and heard of another tablet."""

    async def timeline(stage: Stage) -> None:
        await _baseline(stage)
        stage.phase("fault")
        said = [anchors.log_says(stage, "health stats mismatch", node) for node in stage.cluster.nodes(Role.VTGATE)]
        async with stage.inject(fault):
            for anchor in said:
                try:
                    await anchor(timeout_s=stage.plan.params["heard_within_s"])
                except WaitTimeout as error:
                    stage.note("a vtgate did not ask there", why=str(error))
        await aftermath(stage)

    return timeline


async def vtgates_anew(stage: Stage) -> None:
    """What an operator would do, so that the rows can be read back."""
    stage.phase("anew")
    async with stage.inject(Restarted(targets=Targets(role=Role.VTGATE))):
        pass


def both_replicas(stage: Stage) -> Fault:
    """The vttablets that are killed where a replica's address is taken."""
    return Killed(targets=replace(FIRST_REPLICAS, number=0))


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


def _of_first_shard(stage: Stage, role: Role, tablet_type: str) -> Targets:
    return Targets(role=role, shards=stage.cluster.spec.shard_names[:1], tablet_type=tablet_type, number=1)


def _primary_vttablet(stage: Stage) -> Targets:
    return _of_first_shard(stage, Role.VTTABLET, "primary")


def _primary_mysqld(stage: Stage) -> Targets:
    return _of_first_shard(stage, Role.MYSQLD, "primary")


# ---------------------------------------------------------------- the family


FAMILY = Family(name="process", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    cluster: ClusterSpec = CLUSTER,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (),
    checks: tuple[Check, ...] = CHECKS,
    after_load: Callable[[Stage], Awaitable[None]] | None = None,
) -> Experiment:
    member = FAMILY.member(
        name,
        why,
        timeline,
        cluster=cluster,
        checks=checks,
        suites=suites,
        params=params,
        known_bugs=known_bugs,
    )
    return replace(member, after_load=after_load)


# By design: a health stream that is silent counts as broken after a minute (DefaultHealthCheckTimeout,
# go/vt/discovery/healthcheck.go, v0.24.3). Until then nothing is buffered, and every client waits for its answer.
HANGS = KnownBug(
    issue="a vttablet that stands still is noticed only after --healthcheck-timeout (1 min), by design",
    check="clients/stall",
    component=Role.VTGATE,
)
# By design: who rolls vtgates out takes them out of the load balancer first.
VTGATE_GOES = KnownBug(
    issue="a vtgate that ends takes its clients' connections along, by design",
    check="clients/errors",
    component=Role.VTGATE,
    certain=False,  # not on the vtgate that stays: an error there is one of clients/elsewhere too
)
# vtgate forgets the tablet, and the topology watcher, whose own list has it at the same address before and after, sees
# nothing to tell (topology_watcher.go, storeTabletInfos, v0.24.3). The issue's race is another way to the same end.
FORGOTTEN = KnownBug(
    issue="vitess#20315 (given back)",
    check="tablets/known",
    component=Role.VTGATE,
    says="knows 2 of the 3 tablets",
)
FORGOTTEN_PRIMARY = replace(
    FORGOTTEN,
    says="knows 1 of the 2 tablets",
    also=(
        "clients/errors",
        "clients/stall",
        "clients/served-again",
        "faults/healed",
    ),
)
ONE_SHARD = replace(
    CLUSTER, shards=1, tablets_per_shard=3, vtgate_flags={"enable-buffer": "", "tablet-refresh-interval": "2s"}
)

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load and phases without a fault: what the machine and the harness do on their own.",
        nothing,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"faults": 0.0},
    ),
    _member(
        "killed-primary-vttablet",
        "A primary's vttablet dies and is back after three seconds, without a reparent: does buffering hide it?",
        during(lambda stage: Killed(targets=_primary_vttablet(stage))),
    ),
    _member(
        "paused-primary-vttablet",
        "A primary's vttablet stands still for twelve seconds with its connections open: does buffering help?",
        during(lambda stage: Paused(targets=_primary_vttablet(stage))),
        params={"hold_s": 12.0},  # beyond the buffer window
        known_bugs=(HANGS,),
    ),
    _member(
        "killed-primary-mysqld",
        "A primary's mysqld dies, nobody reparents, and an operator starts it again and makes it writable.",
        during(lambda stage: Killed(targets=_primary_mysqld(stage))),
    ),
    _member(
        "killed-primary-mysqld-vtorc",
        "A primary's mysqld dies for half a minute while vtorc watches: when is the shard served again?",
        during(lambda stage: Killed(targets=_primary_mysqld(stage))),
        cluster=replace(CLUSTER, vtorc=True, tablets_per_shard=3),
        params={"hold_s": 30.0},
    ),
    _member(
        "restarted-vtgate",
        "One of two vtgates is restarted as in a rollout: what do its clients see, and those of the other?",
        during(lambda _: Restarted(targets=Targets(names=("vtgate-1",)))),
        cluster=replace(CLUSTER, vtgates=(VtgateSpec(), VtgateSpec())),
        known_bugs=(VTGATE_GOES,),
        checks=NOT_COUNTED,
    ),
    _member(
        "crash-looping-replica",
        "A replica's vttablet dies again and again: do the clients of the primary notice?",
        during(lambda stage: CrashLoop(targets=_of_first_shard(stage, Role.VTTABLET, "replica"))),
        params={"hold_s": 15.0},
    ),
    _member(
        "killed-replicas",
        "Both replicas' vttablets die and are back after three seconds: does vtgate find them again?",
        during(both_replicas),
        cluster=ONE_SHARD,
        checks=(*CHECKS, KnownToAll()),
        params={"recovery_s": 12.0},
    ),
    _member(
        "taken-address",
        "Both die, and one is started at the other's port for a while, by mistake: does vtgate find both when each is "
        "back at its own (vitess#20315)? One is forgotten until it is moved or vtgate is restarted.",
        while_taken(TakenAddress()),
        cluster=ONE_SHARD,
        checks=(*CHECKS, KnownToAll()),
        params={"recovery_s": 12.0, "heard_within_s": 30.0},
        known_bugs=(FORGOTTEN,),
    ),
    _member(
        "taken-primary-address",
        "The same with a primary's address, which a tablet of another shard takes for a while: the primary is back and "
        "serves, and vtgate has nobody to send writes to.",
        while_taken(
            TakenAddress(
                targets=replace(PRIMARY, shards=("-80",)),
                by=replace(FIRST_REPLICAS, shards=("80-",)),
                serve_within_s=20.0,
            )
        ),
        cluster=replace(ONE_SHARD, shards=2, tablets_per_shard=2),
        checks=(*NOT_COUNTED, KnownToAll()),
        after_load=vtgates_anew,
        params={"recovery_s": 12.0, "heard_within_s": 30.0},
        known_bugs=(FORGOTTEN_PRIMARY,),
    ),
    _member(
        "starved-vtgate",
        "A vtgate has next to no CPU: do its clients only wait, or do they get errors?",
        during(lambda stage: Slowed(targets=Targets(names=("vtgate-1",)), cpus=stage.plan.params["cpus"])),
        params={"hold_s": 10.0, "cpus": 0.03},
    ),
)
