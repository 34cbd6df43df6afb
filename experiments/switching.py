"""What the clients of a table notice while MoveTables moves its traffic to another keyspace, and back.

Goal: vtgate promises to hide the switch: it buffers between the moment at which the old side denies the table and the
new routing rules. Does it, at load, again and again, and when something dies in the middle?

Method: the load's own table is moved into a second keyspace with the same shards; when it is copied and replicates,
traffic is switched and switched back while the clients go on. They end where they began, so that their rows are read
back as always: none that was acknowledged on either side may be missing. The control copies, and does not switch.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

import aiohttp

from clusters.common.commands import TOPO_ROOT
from experiments.family import Family
from experiments.serving import aftermath
from harness.checks import FAULTS, STANDARD
from harness.contracts import Experiment, Stage
from harness.faults.missing import Missing
from harness.faults.process import Killed
from harness.faults.switching import SwitchedTraffic
from harness.faults.targets import Targets
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.model import ClusterSpec, KeyspaceSpec, KnownBug, LoadSpec, Role, Suite
from harness.vitess import workflows
from harness.vitess.vtctld import VtctldError, vtctld_of
from harness.vitess.workflows import MoveTables

DEADLINE_S = 400.0
CHECKS = (*STANDARD, *FAULTS)
COPIED_WITHIN_S = 60.0
DENIED_WITHIN_S = 20.0
THROUGH_WITHIN_S = 60.0
REMOVED_WITHIN_S = 5.0
WORKFLOW = "move"
TARGET = "target"
MOVE = MoveTables(workflow=WORKFLOW, source="ks", target=TARGET, tables=("ledger",))
TARGETS = KeyspaceSpec(name=TARGET, shards=2, tablets_per_shard=2, vschema=LEDGER_VSCHEMA)
CLUSTER = ClusterSpec(
    shards=2,
    tablets_per_shard=2,
    vtgate_flags={"enable-buffer": "", "buffer-min-time-between-failovers": "1s"},
    vttablet_flags={"vreplication-heartbeat-update-interval": "1"},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
    others=(TARGETS,),
)
LOAD = LoadSpec()
PARAMS = {"baseline_s": 5.0, "there_s": 5.0, "recovery_s": 5.0, "quiet_s": 3.0, "times": 1.0}


# ---------------------------------------------------------------- timelines


async def nothing(stage: Stage) -> None:
    """The control: the copy and its replication, no switch."""
    await _copied(stage)
    stage.phase("no-switch")
    await stage.hold(stage.plan.params["there_s"])
    await aftermath(stage)


async def over_and_back(stage: Stage) -> None:
    """SwitchTraffic, a while on the other side, ReverseTraffic; so many times."""
    await _copied(stage)
    for _ in range(int(stage.plan.params["times"])):
        for back in (False, True):
            stage.phase("back" if back else "over")
            async with stage.inject(SwitchedTraffic(back=back)):
                await stage.hold(stage.plan.params["there_s"])
    await aftermath(stage)


async def killed_on_the_way_back(stage: Stage) -> None:
    """The vttablet of a primary that is left dies while ReverseTraffic is at work, and comes back; then an operator
    reverses once more, if the first try did not get through."""
    await _copied(stage)
    stage.phase("over")
    async with stage.inject(SwitchedTraffic()):
        await stage.hold(stage.plan.params["there_s"])
    stage.phase("back")
    dying = Targets(role=Role.VTTABLET, keyspace=TARGET, tablet_type="primary", shards=TARGETS.shard_names[:1])
    async with asyncio.TaskGroup() as group:
        group.create_task(_switched_back(stage))
        await stage.hold(stage.plan.params["into_s"])
        async with stage.inject(Killed(targets=dying)):
            await stage.hold(stage.plan.params["dead_s"])
    stage.phase("again")
    await stage.hold(stage.plan.params["there_s"])
    await _switched_back(stage)
    await aftermath(stage)


async def vtctld_killed(stage: Stage) -> None:
    """vtctld dies in the middle of SwitchTraffic, when the table is denied where it still is, and is back at once. An
    operator calls again, in vain; then the locks are removed from etcd by hand, and the next call gets through."""
    await _copied(stage)
    stage.phase("over")
    vtctld = await stage.shared(vtctld_of)
    async with asyncio.TaskGroup() as group:
        group.create_task(_switched_over(stage))
        denied = partial(workflows.denied, vtctld, MOVE.source)
        await stage.until("the table is denied where it is", denied, timeout_s=DENIED_WITHIN_S)
        async with stage.inject(Killed(targets=Targets(role=Role.VTCTLD))):
            pass
    await stage.hold(stage.plan.params["denied_s"])
    stage.phase("again")
    stage.note("a second call", missing=repr(await _through(stage)))
    stage.phase("by-hand")
    await _remove_locks(stage)
    await stage.until("a call gets through", partial(_through, stage), timeout_s=THROUGH_WITHIN_S)
    await stage.hold(stage.plan.params["there_s"])
    stage.phase("back")
    await _switched_back(stage)
    await aftermath(stage)


async def _remove_locks(stage: Stage) -> None:
    """Of the workflow and both keyspaces; etcd's own API, as `etcdctl del --prefix` asks it."""
    host, port = stage.cluster.address(stage.cluster.nodes(Role.ETCD)[0], "client")
    names = (f"internal/named_locks/{TARGET}/{WORKFLOW}", f"keyspaces/{MOVE.source}", f"keyspaces/{TARGET}")
    timeout = aiohttp.ClientTimeout(total=REMOVED_WITHIN_S)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
        for key in (f"{TOPO_ROOT}/{name}/locks/" for name in names):
            last = key[:-1] + chr(ord(key[-1]) + 1)
            span = {name: b64encode(text.encode()).decode() for name, text in (("key", key), ("range_end", last))}
            async with session.post(f"http://{host}:{port}/v3/kv/deleterange", json=span) as answer:
                stage.note("locks removed", key=key, number=(await answer.json()).get("deleted", "0"))


async def _through(stage: Stage) -> Missing:
    """What the routing rules say after another call."""
    try:
        async with stage.inject(SwitchedTraffic()) as aim:
            routed = await SwitchedTraffic().observed(stage, aim)
    except VtctldError as error:  # it may just have been started
        return Missing(str(error))
    return Missing() if routed else Missing("the table is where it was")


async def _switched_over(stage: Stage) -> None:
    async with stage.inject(SwitchedTraffic()):
        pass


async def _switched_back(stage: Stage) -> None:
    async with stage.inject(SwitchedTraffic(back=True)):
        pass


async def _copied(stage: Stage) -> None:
    """The workflow replicates, before the baseline begins: copying is no part of the question."""
    stage.phase("copy")
    vtctld = await stage.shared(vtctld_of)
    await workflows.create(vtctld, MOVE)

    async def copied() -> bool:
        primaries = [await vtctld.shard_primary(TARGET, shard) for shard in TARGETS.shard_names]
        found = [await workflows.streams(vtctld, primary, WORKFLOW) for primary in primaries]
        return all(rows and all(row.state == "Running" and not row.tables for row in rows) for rows in found)

    await stage.until("every stream has copied its table", copied, timeout_s=COPIED_WITHIN_S)
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])


# ---------------------------------------------------------------- the family


FAMILY = Family(name="switching", cluster=CLUSTER, load=LOAD, checks=CHECKS, params=PARAMS, timeout_s=DEADLINE_S)


def _member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]] = over_and_back,
    *,
    load: LoadSpec = LOAD,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    params: Mapping[str, float] | None = None,
    switches: int = 2,
    known_bugs: tuple[KnownBug, ...] = (),
) -> Experiment:
    return FAMILY.member(
        name,
        why,
        timeline,
        load=load,
        suites=suites,
        params={"faults": float(switches), **(params or {})},
        known_bugs=(*known_bugs, HELD_ON, HELD_ON_EVICTED, ENDED_EARLY) if switches else (),
    )


# The error "enforce denied tables" begins buffering, and with it vtgate marks the old side's shard as not serving
# (MarkShardNotServing, go/vt/discovery/keyspace_events.go, v0.21.1 to v0.24.3). That writes have been switched is heard
# (onSrvVSchema) and ends nothing, because a shard does not serve: ensureConsistentLocked waits for its primary's next
# health message, which comes every 20 s (--health-check-interval). Vitess's own test of it sets that to 1 s. Whether it
# comes within the window is chance; a switch after which no request met the denied table is not buffered at all.
HELD_ON = KnownBug(
    issue="a MoveTables switch is buffered until the old side's primaries send their next health message",
    check="clients/stall",
    component=Role.VTGATE,
    says="stalled for longer than the buffer window",
    also=("buffering/evictions", "buffering/stops"),
    certain=False,
    affected_from="21.0.1",
)
# The same where a request that was evicted when the window was over is answered when it is tried again: no shard stalls
# for as long as the window then.
HELD_ON_EVICTED = replace(
    HELD_ON,
    issue=f"{HELD_ON.issue}: requests are evicted",
    check="buffering/evictions",
    says="requests evicted",
    also=("clients/stall", "buffering/stops"),
)
# The old side's tablets send such a message when they learn of the denied table, and it may come when the first request
# has met it: buffering that has just begun ends ("a primary promotion has been detected", after 0.0 s), and begins
# again no sooner than --buffer-min-time-between-failovers later (1 s here, 1 m by default). Who comes in between gets
# the error when --retry-count is through.
ENDED_EARLY = KnownBug(
    issue="a MoveTables switch is no longer buffered when a health message comes in its middle",
    check="clients/errors",
    component=Role.VTGATE,
    says="denied-by-rule",
    also=("buffering/evictions", "buffering/stops"),
    certain=False,
)
# SwitchTraffic takes back what it has begun when a step fails, and nobody does when vtctld is no more: the table is
# denied where the routing rules send it. No other call gets through: each waits --lock-timeout (45 s) for the lock of
# the workflow, which the dead vtctld holds for 24 hours (NamedLockTTL, go/vt/topo/locks.go, v0.24.3).
DENIED_FOR_LONG = KnownBug(
    issue="vitess#17326",
    check="clients/stall",
    component=Role.VTCTLD,
    says="stalled for longer than the buffer window",
    also=("clients/errors", "buffering/evictions", "buffering/stops", "buffering/keyspace-consistency"),
)

EXPERIMENTS: tuple[Experiment, ...] = (
    _member(
        "control",
        "The same load on a table that is copied and replicated, without a switch.",
        nothing,
        switches=0,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    _member(
        "over-and-back",
        "Do clients notice when MoveTables switches their table's traffic, and switches it back?",
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    _member(
        "at-load",
        "The same at 600 operations a second (vitess#13507, #15707): a second buffering after the switch?",
        load=replace(LOAD, rate_per_shard=300.0, connections_per_shard=32),
    ),
    _member(
        "loop",
        "Over and back five times: does every switch find its way?",
        params={"times": 5.0, "there_s": 2.0},
        switches=10,
    ),
    _member(
        "vtctld-killed",
        "vtctld dies in the middle of SwitchTraffic (vitess#17326) and is back at once: is the table denied where it "
        "still is, and does another call get through? Not for 24 hours, unless a lock is removed by hand.",
        vtctld_killed,
        load=replace(LOAD, rate_per_shard=5.0),
        params={"denied_s": 15.0},
        switches=3,
        known_bugs=(DENIED_FOR_LONG,),
    ),
    _member(
        "killed-on-the-way-back",
        "A tablet dies in the middle of ReverseTraffic (vitess#17326): is the table denied on both sides for good?",
        killed_on_the_way_back,
        load=replace(LOAD, abrupt=True),
        params={"into_s": 0.3, "dead_s": 3.0},
    ),
)
