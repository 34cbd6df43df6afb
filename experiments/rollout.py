"""What a rolling restart and a rolling upgrade cost the clients.

Goal: who runs Vitess restarts every process of it some day, and upgrades it a few times a year. A primary is drained by
a planned reparent first, which vtgate promises to hide. Does it hide a whole rollout? And while two releases run side
by side?

Method: an open-loop load on two shards through one vtgate; a baseline; all vttablets, or all vtgates, are restarted one
after another, as the row says with another release; recovery; quiet. The first row of the family is the control: the
same without a rollout.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from experiments.family import Family
from experiments.serving import aftermath
from harness.checks import FAULTS, STANDARD
from harness.contracts import Check, Experiment, Fault, Stage
from harness.faults.rollout import RollingRestart, RollingUpgrade
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite, VtgateSpec

DEADLINE_S = 400.0
OLD, NEW = "23.0.5", "24.0.3"
CLUSTER = ClusterSpec(
    shards=2,
    vtgate_flags={"enable-buffer": ""},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
UPGRADED = replace(CLUSTER, vitess=OLD, upgrade_to=NEW)
LOAD = LoadSpec(rate_per_shard=20.0, abrupt=True)
PARAMS = {"baseline_s": 5.0, "calm_s": 20.0, "recovery_s": 5.0, "quiet_s": 3.0, "faults": 3.0, "reparents": 2.0}
CHECKS = (*STANDARD, *FAULTS)


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the same phases, no rollout."""
    await _baseline(stage)
    stage.phase("no-rollout")
    await stage.hold(stage.plan.params["calm_s"])
    await aftermath(stage)


async def rolled(stage: Stage, rollout: Fault) -> None:
    await _baseline(stage)
    stage.phase("rollout")
    async with stage.inject(rollout):
        pass
    await aftermath(stage)


async def _baseline(stage: Stage) -> None:
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- the family


FAMILY = Family(name="rollout", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]],
    *,
    cluster: ClusterSpec = CLUSTER,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    checks: tuple[Check, ...] = CHECKS,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    return FAMILY.member(
        name,
        why,
        timeline,
        cluster=cluster,
        checks=checks,
        suites=suites,
        params=params,
        known_bugs=known_bugs,
    )


# By design: who rolls vtgates out takes them out of the load balancer first, which our clients have none of.
VTGATE_GOES = KnownBug(
    issue="a vtgate that ends takes its clients' connections along, by design",
    check="clients/errors",
    component=Role.VTGATE,
)
# A vttablet that starts stops its replication and begins it anew, and nobody else acknowledges what its primary writes
# (two tablets, semi-sync). A commit that began just before waits, past the reparent that comes next, and is cancelled
# after the grace period ("QueryList.TerminateAll()"; tm_init.go, rpc_replication.go, v0.24.3). Its client cannot know
# whether it was applied. With a third tablet somebody acknowledges.
NOBODY_ACKNOWLEDGES = KnownBug(
    issue="a reparent just after the restart of a shard's only replica may cancel a write that waits for it, by design",
    check="clients/errors",
    component=Role.VTTABLET,
    says="deadline-or-cancelled",
    certain=False,
)
# A restarted vtgate's counters begin anew.
WITHOUT_COUNTERS = tuple(check for check in CHECKS if "buffering" not in check.name)

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load and phases without a rollout: what the machine and the harness do on their own.",
        nothing,
        params={"faults": 0.0, "reparents": 0.0},
    ),
    _member(
        "restart-vttablets",
        "Every vttablet is restarted, primaries after a reparent: does buffering hide the whole of it?",
        partial(rolled, rollout=RollingRestart(order="vttablet")),
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        known_bugs=(NOBODY_ACKNOWLEDGES,),
    ),
    _member(
        "restart-vtgates",
        "Two vtgates are restarted one after the other: what do clients without a load balancer see?",
        partial(rolled, rollout=RollingRestart(order="vtgate")),
        cluster=replace(CLUSTER, vtgates=(VtgateSpec(), VtgateSpec())),
        params={"faults": 1.0, "reparents": 0.0},
        checks=WITHOUT_COUNTERS,
        known_bugs=(VTGATE_GOES,),
    ),
    _member(
        "upgrade-vttablets",
        f"Every vttablet is upgraded from {OLD} to {NEW}, the vtgate not yet: do clients notice?",
        partial(rolled, rollout=RollingUpgrade(order="vttablet")),
        cluster=UPGRADED,
        known_bugs=(NOBODY_ACKNOWLEDGES,),
    ),
    _member(
        "upgrade",
        f"From {OLD} to {NEW}, vttablets first, as Vitess recommends: is everything there and served afterwards?",
        partial(rolled, rollout=RollingUpgrade(order="vttablet,vtgate")),
        cluster=UPGRADED,
        checks=WITHOUT_COUNTERS,
        known_bugs=(VTGATE_GOES,),
    ),
)
