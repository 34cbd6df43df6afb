"""What a faulty network between Vitess's parts costs the clients, and whom.

Goal: networks fail in one direction, lose some packets, become slow, or swallow a host whole. Who needs the link pays
for it: how much? Who does not need it should notice nothing. And when it is whole again: how soon does Vitess notice?

Method: an open-loop load on two shards through two vtgates; a baseline; the links of the first shard, or of the first
vtgate to it, are faulty for `faulty_s`; recovery; quiet. The clients of the other shard, and those of the other vtgate,
are bystanders. The first row of the family is the control: the same without a fault.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from experiments.family import Family
from experiments.serving import aftermath
from harness.checks import LINKS as CHECKS
from harness.contracts import Experiment, Fault, Stage
from harness.faults.emergency import EmergencyReparent
from harness.faults.network import HalfOpen, LossyLink, Partition, ResetLink, SlowLink
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite, VtgateSpec
from harness.vitess.vtctld import vtctld_of

DEADLINE_S = 300.0

CLUSTER = ClusterSpec(
    shards=2,
    vtgates=(VtgateSpec(), VtgateSpec()),
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec(abrupt=True)
PARAMS = {"baseline_s": 5.0, "faulty_s": 10.0, "recovery_s": 8.0, "quiet_s": 3.0, "faults": 1.0}
ONE_VTGATE = Targets(names=("vtgate-1",))


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the same phases, every link whole."""
    await _baseline(stage)
    stage.phase("no-fault")
    await stage.hold(stage.plan.params["faulty_s"])
    await aftermath(stage)


async def faulty(stage: Stage, fault: Callable[[Stage], Fault]) -> None:
    await _baseline(stage)
    stage.phase("faulty")
    async with stage.inject(fault(stage)):
        await stage.hold(stage.plan.params["faulty_s"])
    await aftermath(stage)


async def vanished(stage: Stage) -> None:
    """Nobody hears the first shard's primary host any more, and it hears nobody; it is replaced, and comes back."""
    await _baseline(stage)
    stage.phase("faulty")
    shard = stage.cluster.spec.shard_names[0]
    async with stage.inject(Partition(sources=await _host(stage, shard), shape="isolate")):
        await stage.hold(stage.plan.params["noticed_s"])
        async with stage.inject(EmergencyReparent(shard=shard)):
            pass
        await stage.hold(stage.plan.params["faulty_s"])
    await aftermath(stage)


def answers_lost(stage: Stage) -> Fault:
    return Partition(sources=ONE_VTGATE, targets=_primary(stage), direction="back")


def reset(stage: Stage) -> Fault:
    return ResetLink(sources=ONE_VTGATE, targets=_primary(stage))


def late(stage: Stage) -> Fault:
    return SlowLink(sources=ONE_VTGATE, targets=_primary(stage), delay_ms=stage.plan.params["delay_ms"])


def lossy_replication(stage: Stage) -> Fault:
    shard = stage.cluster.spec.shard_names[:1]
    return LossyLink(
        sources=Targets(role=Role.MYSQLD, tablet_type="replica", shards=shard, number=1),
        targets=Targets(role=Role.MYSQLD, tablet_type="primary", shards=shard),
        share=stage.plan.params["loss"],
    )


def without_mysql(stage: Stage) -> Fault:
    shard = stage.cluster.spec.shard_names[:1]
    return Partition(sources=_primary(stage), targets=Targets(role=Role.MYSQLD, tablet_type="primary", shards=shard))


def half_open(stage: Stage) -> Fault:
    return HalfOpen(sources=Targets(role=Role.VTGATE), targets=_primary(stage))


def _primary(stage: Stage) -> Targets:
    return Targets(role=Role.VTTABLET, tablet_type="primary", shards=stage.cluster.spec.shard_names[:1])


async def _host(stage: Stage, shard: str) -> Targets:
    """Both processes of the shard's primary."""
    vtctld = await stage.shared(vtctld_of)
    primary = await vtctld.shard_primary(stage.cluster.spec.keyspace, shard)
    return Targets(names=tuple(node.name for node in stage.cluster.nodes() if node.tablet_alias == primary))


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- the family


FAMILY = Family(name="network", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    tablets_per_shard: int = 2,
    mysql_over_tcp: bool = False,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=replace(CLUSTER, tablets_per_shard=tablets_per_shard, mysql_over_tcp=mysql_over_tcp),
        suites=suites,
        params=params,
        known_bugs=known_bugs,
    )


# vtgate retries on the broken connection, tells itself "primary is not serving, there may be a reparent operation in
# progress" and marks the shard as waiting for a new primary (vtgate/buffer/shard_buffer.go;
# discovery/keyspace_events.go, MarkShardNotServing, v0.24.3). The health check says 0.2 s later that the old one
# serves, which ends nothing: no term is newer. It depends on a request that is on its way at that moment.
BUFFERED_AS_REPARENT = "a broken connection to a primary is buffered as a reparent, until the window ends"
SERVED_LATE = KnownBug(
    issue=BUFFERED_AS_REPARENT,
    check="links/served-again",
    component=Role.VTGATE,
    says="was not served for",
    certain=False,
)

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load and phases with every link whole: what the machine and the harness do on their own.",
        nothing,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"faults": 0.0},
    ),
    _member(
        "answers-lost",
        "A vtgate reaches a primary, and hears nothing of it: who waits, and how soon is it over when it is over?",
        partial(faulty, fault=answers_lost),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        known_bugs=(SERVED_LATE,),
    ),
    _member(
        "reset-once",
        "A vtgate's connections to a primary break, which serves on: are they made anew before clients notice?",
        partial(faulty, fault=reset),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        params={"faulty_s": 0.2, "recovery_s": 15.0},
        known_bugs=(SERVED_LATE,),
    ),
    _member(
        "primary-far",
        "A vtgate is 100 ms away from a primary, each way: how many round trips does a statement pay for?",
        partial(faulty, fault=late),
        # The connections are made anew when it begins, which may be buffered: that is not the question here.
        params={"delay_ms": 100.0, "faulty_s": 35.0, "recovery_s": 15.0, "p50_at_most_ms": 300.0},
        known_bugs=(SERVED_LATE,),
    ),
    _member(
        "lossy-replication",
        "The only replica's link loses a tenth of its packets: do writers feel it, who wait for its acknowledgement?",
        partial(faulty, fault=lossy_replication),
        params={"loss": 0.1, "errors_at_most": 0.0, "stall_at_most_s": 5.0},
    ),
    _member(
        "lossy-replica-of-two",
        "The same with a second replica, which may acknowledge as well: do writers still feel it?",
        partial(faulty, fault=lossy_replication),
        tablets_per_shard=3,
        params={"loss": 0.1, "errors_at_most": 0.0, "stall_at_most_s": 1.0},
    ),
    _member(
        "without-mysql",
        "A primary's vttablet does not reach its mysqld, which is somewhere else: do its clients get an answer?",
        partial(faulty, fault=without_mysql),
        mysql_over_tcp=True,
    ),
    _member(
        "half-open",
        "A primary's vttablet is restarted behind a dead link: do vtgates find out when the link is whole again?",
        partial(faulty, fault=half_open),
        known_bugs=(SERVED_LATE,),
    ),
    _member(
        "vanished-host",
        "A primary's host vanishes without a word and is replaced: when do clients whose requests were there go on?",
        vanished,
        tablets_per_shard=3,
        # A request that is on its way to the vanished host waits for vtgate's --grpc-keepalive-timeout of 10 s, which
        # gRPC makes the connection's TCP_USER_TIMEOUT; that the new primary is known long before helps only new ones.
        params={"noticed_s": 2.0, "faulty_s": 25.0, "faults": 2.0, "errors_at_most": 0.0, "stall_at_most_s": 13.0},
    ),
)
