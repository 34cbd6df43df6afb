"""Random faults, one upon another, under load: what must hold whatever breaks?

Goal: an operator cannot choose what breaks together. Clients may see errors and wait; but an acknowledged write stays,
a refused one is not there, a transaction is whole, and when everything is over every client is served again, without
anybody's help.

Method: faults, targets and moments are drawn from the run's seed, of what this cluster can do; each holds for a while,
and they overlap where they do not have their hands on the same thing. What was drawn is a note of the run, also what
could not be injected (then another is drawn, from a child of the seed of its own, so that the others stay the same).
A plan with a schedule issues what an earlier run issued instead (`vtchaos replay`, harness/replay/schedule.py).
The control is the same run without a fault.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.serving import aftermath
from harness.base import rng
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, PlanError
from harness.checks import ASSUMPTIONS, SAFETY
from harness.checks.assumptions import BufferingStarted, ReparentsHappened
from harness.checks.faults import FaultsFelt, FaultsHealed, ServedAgain
from harness.checks.processes import NoCrash
from harness.contracts import Experiment, Fault, Stage
from harness.faults.catalogue import told
from harness.faults.churn import RoutingRule, RoutingRulesChurn, VSchemaChurn
from harness.faults.disk import FullDisk
from harness.faults.emergency import EmergencyReparent
from harness.faults.hosts import LostHost
from harness.faults.logs import SlowLog
from harness.faults.mysql import ReadOnlyPrimary, StatementTimeLimit
from harness.faults.mysql_replication import SemiSyncWithoutAck, StoppedReplication
from harness.faults.mysql_sessions import ExhaustedConnections, HeldMetadataLock
from harness.faults.network import HalfOpen, LossyLink, NarrowLink, Partition, ResetLink, SlowLink
from harness.faults.process import CrashLoop, Killed, Restarted, Terminated
from harness.faults.reparent import HeldTransaction, LaggingReplicas, PlannedReparent
from harness.faults.slowness import Paused, Slowed
from harness.faults.tablet_types import ChangedTabletType
from harness.faults.targets import TABLET_ROLES, Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import Capability, ClusterSpec, Drawn, LoadSpec, Role, Suite
from harness.probes import STANDARD as PROBES

SETTLED_WITHIN_S = 90.0
DEADLINE_S = 900.0
ATTEMPTS = 10  # draws for one fault, before it is given up


# ---------------------------------------------------------------- what is drawn


Make = Callable[[random.Random, ClusterSpec], Fault]
PRIMARY, REPLICA, BOTH = ("primary",), ("replica",), ("primary", "replica")
PROCESSES = (Role.VTTABLET, Role.VTTABLET, Role.MYSQLD, Role.VTGATE, Role.VTCTLD, Role.ETCD)
REPLICATION = (Role.MYSQLD, Role.MYSQLD)
LINKS = (
    (Role.VTGATE, Role.VTTABLET),
    (Role.VTTABLET, Role.ETCD),
    (Role.VTGATE, Role.ETCD),
    (Role.VTCTLD, Role.VTTABLET),
    (Role.VTCTLD, Role.ETCD),
    REPLICATION,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A fault that may be drawn, and how often; `make` draws who is hit."""

    weight: float
    make: Make


def _shard(dice: random.Random, spec: ClusterSpec) -> str:
    return dice.choice(spec.shard_names)


def _one_of(role: Role, dice: random.Random, spec: ClusterSpec, *, types: Sequence[str] = BOTH) -> Targets:
    """One process of a role; of a shard's tablets the primary's as often as all the others' together."""
    if role not in TABLET_ROLES:
        return Targets(role=role, count=1, draw=str(dice.random()))
    return Targets(role=role, shards=(_shard(dice, spec),), tablet_type=dice.choice(types), number=1)


def _several(role: Role, dice: random.Random, spec: ClusterSpec, *, types: Sequence[str] = BOTH) -> Targets:
    """Mostly one process; now and then half of the role's, or all of a shard."""
    match dice.choices(("one", "half", "shard"), weights=(6, 1, 1)):
        case ["half"]:
            return Targets(role=role, share=0.5, draw=str(dice.random()))
        case ["shard"] if role in TABLET_ROLES:
            return Targets(role=role, shards=(_shard(dice, spec),))
    return _one_of(role, dice, spec, types=types)


def _hits(kind: Callable[..., Fault], *roles: Role, types: Sequence[str] = BOTH, **more: object) -> Make:
    """One process of one of these roles."""
    return lambda dice, spec: kind(targets=_one_of(dice.choice(roles), dice, spec, types=types), **more)


def _strikes(kind: Callable[..., Fault], *roles: Role) -> Make:
    """One or several processes of one of these roles."""
    return lambda dice, spec: kind(targets=_several(dice.choice(roles), dice, spec))


def _link(kind: Callable[..., Fault], **more: object) -> Make:
    """Between two processes that talk to each other, in one direction or both."""

    def made(dice: random.Random, spec: ClusterSpec) -> Fault:
        ends = dice.choice(LINKS)
        source, target = (_one_of(role, dice, spec) for role in ends)
        if ends == REPLICATION:  # within a shard
            source = replace(source, tablet_type="replica")
            target = replace(target, shards=source.shards, tablet_type="primary")
        return kind(sources=source, targets=target, **{"direction": dice.choice(("both", "there", "back")), **more})

    return made


def _in_shard(kind: Callable[..., Fault], **more: object) -> Make:
    return lambda dice, spec: kind(shard=_shard(dice, spec), **more)


KINDS: tuple[Kind, ...] = (
    Kind(weight=4, make=_strikes(Killed, *PROCESSES)),
    Kind(weight=2, make=_strikes(Terminated, *PROCESSES)),
    Kind(weight=1, make=_strikes(Restarted, *PROCESSES)),
    Kind(weight=1, make=_hits(CrashLoop, Role.VTTABLET, Role.VTGATE)),
    Kind(weight=3, make=_strikes(Paused, *PROCESSES)),
    Kind(weight=2, make=_strikes(Slowed, *PROCESSES)),
    Kind(weight=1, make=_hits(LostHost, Role.VTTABLET)),
    Kind(weight=1, make=_hits(LostHost, Role.VTTABLET, how="still")),
    Kind(weight=4, make=_in_shard(PlannedReparent)),
    Kind(weight=1, make=_in_shard(EmergencyReparent)),
    Kind(weight=1, make=_in_shard(HeldTransaction)),
    Kind(weight=1, make=_in_shard(LaggingReplicas, delay_s=3)),
    Kind(weight=1, make=_in_shard(StatementTimeLimit, limit_ms=50)),
    Kind(weight=1, make=_hits(ReadOnlyPrimary, Role.MYSQLD, types=PRIMARY)),
    Kind(weight=1, make=_hits(StoppedReplication, Role.MYSQLD, types=REPLICA)),
    Kind(weight=1, make=_hits(ChangedTabletType, Role.VTTABLET, types=REPLICA)),
    Kind(weight=1, make=lambda dice, spec: SemiSyncWithoutAck(shards=(_shard(dice, spec),))),
    Kind(weight=1, make=_hits(HeldMetadataLock, Role.MYSQLD, types=PRIMARY)),
    Kind(weight=1, make=_hits(ExhaustedConnections, Role.MYSQLD, types=PRIMARY)),
    Kind(weight=1, make=_hits(FullDisk, Role.MYSQLD)),
    Kind(weight=1, make=_hits(SlowLog, Role.VTGATE, Role.VTTABLET)),
    Kind(weight=1, make=lambda dice, spec: VSchemaChurn()),
    Kind(weight=1, make=lambda dice, spec: RoutingRulesChurn()),
    Kind(weight=1, make=lambda dice, spec: RoutingRule()),
    Kind(weight=2, make=_link(Partition)),
    Kind(weight=1, make=_link(LossyLink)),
    Kind(weight=1, make=_link(ResetLink)),
    Kind(weight=1, make=_link(SlowLink)),
    Kind(weight=1, make=_link(NarrowLink)),
    Kind(weight=1, make=_link(HalfOpen, direction="both")),
)
NOT_DRAWN: Mapping[str, str] = {  # and why
    "TabletExternallyReparented": "what another tool promotes is that tool's promise, not Vitess's",
    "WrongCandidate": "it is refused: nothing happens",
    "SwitchedTraffic": "it needs a workflow",
    "RollingRestart": "it claims every process: hardly anything else could be drawn",
    "RollingUpgrade": "it claims every process, and needs a second release",
    **dict.fromkeys(
        ("KilledPod", "EvictedPod"), "the new pod has another address, where the load does not look for it"
    ),
    "LostCell": "who asks for the cell meanwhile loses its watches, and does not notice (topo.Server.ConnForCell)",
    "RenamedCell": "the same",
    "PurgedBinlogs": "who needs the purged logs never catches up: it does not heal",
    "AbandonedQueries": "its tens of thousands of queries take the host for seconds, from whatever is beside them",
    "TakenAddress": "vtgate forgets the tablet until it is started anew (vitess#20315)",
    "BrokenApplier": "a failover beside it may lose acknowledged writes on 24.0.3 (vitess#21092)",
    "ErrantTransaction": "its row is one that no client wrote, which the checks must call a phantom",
}


def draw(seed: int, number: int, attempt: int, spec: ClusterSpec, kinds: Sequence[Kind]) -> Fault:
    """The fault with this number. Each attempt has a child of the seed: what one draws shifts no other."""
    dice = rng.child(seed, f"fault {number}.{attempt}")
    (kind,) = dice.choices(kinds, weights=[kind.weight for kind in kinds])
    return kind.make(dice, spec)


def possible(spec: ClusterSpec, capabilities: Mapping[Capability, str]) -> tuple[tuple[Kind, ...], tuple[str, ...]]:
    """What this cluster can do, and why not the rest."""
    can, cannot = [], []
    for kind in KINDS:
        sample = kind.make(random.Random(0), spec)
        reasons = [capabilities.get(need, f"{need.value} is unknown here") for need in sorted(sample.needs)]
        if any(reasons):
            cannot.append(f"{sample.name}: {'; '.join(filter(None, reasons))}")
        else:
            can.append(kind)
    return tuple(can), tuple(cannot)


# ---------------------------------------------------------------- timelines


async def drawn(stage: Stage) -> None:
    """`faults` of them, about `gap_s` apart, each in force for about `hold_s`."""
    await _baseline(stage)
    kinds, cannot = possible(stage.cluster.spec, stage.cluster.capabilities)
    for why in cannot:
        stage.note("not drawn here", why=why)
    stage.phase("faults")
    async with asyncio.TaskGroup() as group:
        await (_issue_again(stage, kinds, group) if stage.plan.schedule else _issue(stage, kinds, group))
    await aftermath(stage, settled_within_s=SETTLED_WITHIN_S)


async def nothing(stage: Stage) -> None:
    """The control: as long, and no fault."""
    await _baseline(stage)
    stage.phase("no-faults")
    await stage.hold(stage.plan.params["length_s"])
    await aftermath(stage, settled_within_s=SETTLED_WITHIN_S)


async def _issue(stage: Stage, kinds: Sequence[Kind], group: asyncio.TaskGroup) -> None:
    """New faults, at drawn moments."""
    for number in range(1, int(stage.plan.params["faults"]) + 1):
        dice = rng.child(stage.plan.seed, f"times of fault {number}")
        await stage.hold(dice.uniform(0.2, 1.8) * stage.plan.params["gap_s"])
        hold_s = dice.uniform(0.5, 1.5) * stage.plan.params["hold_s"]
        group.create_task(_one(stage, kinds, number, hold_s))


async def _issue_again(stage: Stage, kinds: Sequence[Kind], group: asyncio.TaskGroup) -> None:
    """Those of an earlier run, at its moments. One that cannot be injected this time is left out: another in its
    place would be another run."""
    begin_ns = now_ns()
    for each in sorted(stage.plan.schedule, key=lambda drawn: (drawn.at_s, drawn.number)):
        await stage.hold(max(0.0, each.at_s - (now_ns() - begin_ns) / 1e9))
        group.create_task(_once_more(stage, kinds, each))


async def _once_more(stage: Stage, kinds: Sequence[Kind], each: Drawn) -> None:
    now = told(draw(stage.plan.seed, each.number, each.attempt, stage.cluster.spec, kinds))
    if each.fault and now != each.fault:
        stage.note(f"fault {each.number} is another than it was", was=each.fault, now=now)
    why = await _attempted(stage, kinds, each.number, each.attempt, each.hold_s)
    if why:
        stage.note(f"fault {each.number} could not be injected this time", attempt=each.attempt, why=why)


async def _one(stage: Stage, kinds: Sequence[Kind], number: int, hold_s: float) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        why = await _attempted(stage, kinds, number, attempt, hold_s)
        if not why:
            return
        stage.note(f"fault {number} could not be injected, another is drawn", attempt=attempt, why=why)
    stage.note(f"fault {number} given up", attempts=ATTEMPTS)


async def _attempted(stage: Stage, kinds: Sequence[Kind], number: int, attempt: int, hold_s: float) -> str:
    """Why it did not come into force; "" when it did."""
    fault = draw(stage.plan.seed, number, attempt, stage.cluster.spec, kinds)
    stage.note(f"fault {number} drawn", attempt=attempt, fault=told(fault), hold_s=round(hold_s, 3))
    return await _injected(stage, fault, hold_s)


async def _injected(stage: Stage, fault: Fault, hold_s: float) -> str:
    """Why it did not come into force; "" when it did. Others may have taken what it needs: its target, or who would
    tell where that is. Once in force, an error of its healing is the run's."""
    entered = False
    try:
        async with stage.inject(fault):
            entered = True
            if not fault.one_shot:
                await stage.hold(hold_s)
    except (PlanError, HarnessError) as error:
        if entered:
            raise
        return str(error)
    return ""


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- the family

CLUSTER = ClusterSpec(
    shards=2,
    tablets_per_shard=3,
    vtgates=ClusterSpec().vtgates,
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
# What random faults leave no promise about: errors, waits, the buffer. A reparent may fail because of another fault.
CHECKS = (
    *(check for check in ASSUMPTIONS if not isinstance(check, ReparentsHappened | BufferingStarted)),
    FaultsFelt(),
    *SAFETY,
    FaultsHealed(),
    ServedAgain(),
    NoCrash(),
)
PARAMS = {"baseline_s": 5.0, "recovery_s": 10.0, "quiet_s": 3.0}

FAULTS = Experiment(
    name="faults/random",
    why="Whatever breaks together: is an acknowledged write ever lost, and is every client served again afterwards?",
    suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    timeout_s=DEADLINE_S,
    cluster=CLUSTER,
    load=LoadSpec(abrupt=True),
    probes=PROBES,
    checks=CHECKS,
    timeline=drawn,
    params={**PARAMS, "faults": 8.0, "gap_s": 3.0, "hold_s": 4.0},
)

EXPERIMENTS: tuple[Experiment, ...] = (
    FAULTS,
    replace(
        FAULTS,
        name="faults/none",
        why="The same load and phases without a fault: what the machine and the harness do on their own.",
        timeline=nothing,
        params={**PARAMS, "length_s": 30.0},
    ),
)
