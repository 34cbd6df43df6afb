"""What the clients of a shard notice when a MySQL server's data directory is full.

Goal: a full disk is no dead server. MySQL waits for room, its vttablet answers, replicas hear nothing wrong: who
notices, and what do the clients get? And a replica's full disk: does it stop the primary, whose commits wait for it?

Method: an open-loop load on two shards; the first one's disk is full for `full_s`, then has room again. The other shard
must not notice. The first row is the control. No acknowledged write may be missing afterwards, whatever happened.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from experiments.family import Family
from experiments.serving import aftermath
from harness.checks import ASSUMPTIONS, FAULTS, PROMISES, SAFETY
from harness.contracts import Experiment, Stage
from harness.faults.disk import FullDisk
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite

DEADLINE_S = 400.0
CLUSTER = ClusterSpec(
    shards=2,
    tablets_per_shard=2,
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
LOAD = LoadSpec(abrupt=True)
CHECKS = (*ASSUMPTIONS, *SAFETY, *FAULTS, *PROMISES)
PARAMS = {"baseline_s": 5.0, "full_s": 40.0, "recovery_s": 8.0, "quiet_s": 3.0}


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: every disk has room."""
    await _baseline(stage)
    stage.phase("room")
    await stage.hold(10.0)
    await aftermath(stage)


async def full_primary(stage: Stage) -> None:
    await _full(stage, "primary")


async def full_replica(stage: Stage) -> None:
    await _full(stage, "replica")


async def _full(stage: Stage, tablet_type: str) -> None:
    shard = stage.cluster.spec.shard_names[0]
    await _baseline(stage)
    stage.phase("full")
    server = Targets(role=Role.MYSQLD, tablet_type=tablet_type, shards=(shard,), number=1)
    async with stage.inject(FullDisk(targets=server)):
        await stage.hold(stage.plan.params["full_s"])
        stage.phase("room-again")
    await aftermath(stage)


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- known bugs

# MySQL waits inside of the write of its binary log, and every commit of the shard with it. The vttablet answers, the
# replicas' threads run: vtorc says UnreachablePrimary and does nothing, until the patience of a client has MySQL abort
# (measured, 24.0.3: after the load's 30 s); then it fails over. vtorc can act on a disk that stalls, since 22, with
# vttablet's --disk-write-dir and its own --enable-primary-disk-stalled-recovery, which are off by default.
WAITS = KnownBug(
    issue="vitess#20334",
    check="clients/stall",
    component=Role.VTTABLET,
    # When there is room again its mysqld is started anew: the primary comes back with the term that it had, and vtgate
    # buffers on, waiting for another one, to --buffer-max-failover-duration.
    also=("clients/errors", "buffering/evictions", "buffering/stops", "processes/crashes"),
)
# A replica that waits for room in its relay log acknowledges nothing, and goes on waiting for up to 60 s when there is
# room again. Without another one that acknowledges, commits wait with it: that is what semi-sync is for.
NOBODY_ACKNOWLEDGES = KnownBug(
    issue="commits wait for the only semi-sync replica, by design",
    check="clients/stall",
    component=Role.VTTABLET,
    also=("clients/errors", "buffering/evictions"),
)


# ---------------------------------------------------------------- the family


FAMILY = Family(name="disk", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    vtorc: bool = False,
    tablets: int = 2,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    faults = {"faults": 0.0 if timeline is nothing else 1.0}
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=replace(CLUSTER, vtorc=vtorc, tablets_per_shard=tablets),
        suites=suites,
        params={**faults, **(params or {})},
        known_bugs=known_bugs,
    )


EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load on disks that have room.",
        nothing,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    _member(
        "primary",
        "A primary's disk is full: what do its clients get, and what is left afterwards?",
        full_primary,
        known_bugs=(WAITS,),
    ),
    _member(
        "primary-vtorc",
        "The same with vtorc: is a primary whose disk is full failed over (vitess#20334)?",
        full_primary,
        vtorc=True,
        tablets=3,
        known_bugs=(WAITS,),
    ),
    _member(
        "replica",
        "The disk of a shard's only replica is full: do the primary's commits wait for it (semi-sync)?",
        full_replica,
        known_bugs=(NOBODY_ACKNOWLEDGES,),
    ),
    _member(
        "one-of-two-replicas",
        "The disk of one of two replicas is full: the other one acknowledges.",
        full_replica,
        tablets=3,
    ),
)
