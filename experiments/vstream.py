"""What a VStream client gets while vreplication_copy_phase_duration cuts the copy again and again (vitess#17778).

Goal: vtgate promises at-least-once delivery of every row and every change, in order, through copy, catch-up and
replication. Vttablet ends a copy that takes longer than --vreplication-copy-phase-duration (errno 3024; for VStream
on all releases 18 to 24.0.x), and vtgate, from 22.0.0 on, goes on with the next copy cycle. Does every row arrive,
exactly as the tables have it?

Method: item tables whose content is a function of key and version (harness.items) are filled; clients change them;
streams copy them through vtgate while the copy is cut; when the clients have stopped, a mark is written to every
shard, and a stream that has seen all marks must have rebuilt the tables exactly. The first row of the family is the
control: the same run with a copy that is never cut.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from harness.base.errors import PlanError, WaitTimeout
from harness.checks import VSTREAM as CHECKS
from harness.contracts import Experiment, Stage
from harness.faults.process import Killed
from harness.faults.reparent import PlannedReparent
from harness.faults.targets import Targets
from harness.items import ItemsSpec
from harness.load.marks import write_marks
from harness.load.targets import targets_of
from harness.model import ClusterSpec, KnownBug, LoadSpec, Role, Suite, VtgateSpec, Workload
from harness.probes import STANDARD as PROBES
from harness.streams import Resume, StreamSpec, StreamState

DEADLINE_S = 300.0
MARKS_WITHIN_S = 20.0
MARK = 1

CLUSTER = ClusterSpec(shards=2, tablets_per_shard=2, vtgate_flags={"enable-buffer": ""})
ITEMS = ItemsSpec(tables=1, rows=200_000)
LOAD = LoadSpec(rate_per_shard=20.0, connections_per_shard=2, workload=Workload.ITEMS)
STREAM = StreamSpec()
PARAMS = {"baseline_s": 1.0, "copied_within_s": 90.0, "replicate_s": 2.0, "settled_within_s": 60.0, "quiet_s": 1.0}
NEVER = "1h"  # vttablet's default


# ---------------------------------------------------------------- timelines


async def copy(stage: Stage) -> None:
    """All streams begin together and copy; then they replicate for a while."""
    await begin_copy(stage)
    await until_copied(stage)
    await replicate(stage)


async def reparents(stage: Stage) -> None:
    """Every shard is reparented while it is being copied, one after the other."""
    await begin_copy(stage)
    for shard in stage.cluster.spec.shard_names:
        await until_rows(stage, 2_000)
        async with stage.inject(PlannedReparent(shard=shard)):
            pass
    await until_copied(stage)
    await replicate(stage)


async def killed(stage: Stage) -> None:
    """The vttablet that streams the first shard is killed in the middle of its copy and started again."""
    await _killed_after(stage, int(stage.plan.params["after_rows"]))


async def killed_between_tables(stage: Stage) -> None:
    """The same in the second that vttablet waits between two tables (CatchupRetryTime, vstreamer/copy.go)."""
    assert stage.plan.items is not None
    if stage.plan.cluster.shards != 1 or stage.plan.items.tables < 2:
        raise PlanError(f"{stage.plan.experiment} needs one shard and at least two tables to know when one is complete")
    await _killed_after(stage, stage.plan.items.rows)  # one shard, no writers: so many are exactly the first table


async def _killed_after(stage: Stage, rows: int) -> None:
    await begin_copy(stage)
    await until_rows(stage, rows)
    shard, kind = stage.cluster.spec.shard_names[0], stage.plan.streams[0].tablet_type
    read = Targets(role=Role.VTTABLET, shards=(shard,), tablet_type=kind, number=1)
    async with stage.inject(Killed(targets=read)):
        await stage.hold(stage.plan.params["down_s"])
    await until_copied(stage)
    await replicate(stage)


async def caught_up(stage: Stage) -> None:
    """The clients have stopped: what a stream must have seen now is written behind everything else."""
    stage.phase("settle")
    spec = stage.cluster.spec
    await write_marks(
        targets_of(stage.cluster)[-1],
        keyspace=spec.keyspace,
        shards=spec.shard_names,
        number=MARK,
        timeout_s=MARKS_WITHIN_S,
    )

    async def seen() -> bool:
        return all(status.marked or status.over for status in stage.streams.status())

    try:
        await stage.until(
            "every stream has seen every shard's mark", seen, timeout_s=stage.plan.params["settled_within_s"]
        )
    except WaitTimeout as error:
        stage.note("streams have not caught up", why=str(error))
    stage.phase("quiet")
    await stage.hold(stage.plan.params["quiet_s"])


async def until_copied(stage: Stage) -> None:
    """Until every stream has copied everything or is over. That it does not is for the checks to judge."""

    async def copied() -> bool:
        return all(status.state is StreamState.COPIED or status.over for status in stage.streams.status())

    try:
        await stage.until("every stream has copied its tables", copied, timeout_s=stage.plan.params["copied_within_s"])
    except WaitTimeout as error:
        stage.note("not every stream has copied its tables", why=str(error))


async def until_rows(stage: Stage, more: int) -> None:
    """Until every stream that is still copying has received `more` rows from now on."""
    before = {status.number: status.rows for status in stage.streams.status()}

    async def received() -> bool:
        return all(
            status.over or status.state is StreamState.COPIED or status.rows >= before[status.number] + more
            for status in stage.streams.status()
        )

    try:
        await stage.until(f"{more} more rows in every stream", received, timeout_s=stage.plan.params["copied_within_s"])
    except WaitTimeout as error:
        stage.note("the copy did not go on", why=str(error))


async def begin_copy(stage: Stage) -> None:
    """After the baseline all streams begin together."""
    stage.phase("baseline")
    await stage.hold(stage.plan.params["baseline_s"])
    stage.phase("copy")
    await stage.streams.begin()


async def replicate(stage: Stage) -> None:
    stage.phase("replicate")
    await stage.hold(stage.plan.params["replicate_s"])


# ---------------------------------------------------------------- known bugs

# PR #17783, 22.0.0: vtgate tries again after an ephemeral error of the copy; before, the client's stream ends.
COPY_CUT = KnownBug(
    issue="vitess#17778",
    check="vstream/uninterrupted",
    says="errno 3024",
    component=Role.VTGATE,
    affected_from="18",
    fixed_in="22.0.0",
)
# PR #18119, 21.0.4 and 22.0.0: a catch-up stops where an earlier fast-forward was to stop (vstreamer/copy.go).
STALE_STOP = KnownBug(
    issue="vitess#18119",
    check="vstream/uninterrupted",
    says="EOF",
    component=Role.VTTABLET,
    affected_from="21.0.0",
    fixed_in="21.0.4",
)
# Found here. The BEGIN and FIELD events of a copy that is cut before its first packet reset vtgate's count of
# consecutive failures (vstream_manager.go, streamFromTablet: "We received a valid event. Reset error count"), so that
# the limit of three is never reached: vtgate starts the copy again, some 50 times a second, for ever; the client
# gets neither a row nor an error.
NO_PROGRESS = KnownBug(
    issue="vtgate retries a copy for ever that is cut before its first packet",
    check="vstream/completed",
    component=Role.VTGATE,
    affected_from="22.0.0",
)
# Found here. A table that is complete has no last key in the VGTID, and neither has one that was never begun: on a
# resume in the middle of a later table (vtgate's own after a cut, or a client's) it is copied again from its start,
# and its changes until then are dropped (vstreamer/uvstreamer.go buildTablePlan, shouldSendEventForTable; 21.0 to
# 24.0.3). A deleted row stays with the client for ever.
COPIED_AGAIN = KnownBug(
    issue="completed tables are copied again after a cut, and their changes are lost",
    check="vstream/unique",
    component=Role.VTGATE,  # the tablet's, but only a vtgate that tries again lets it show
    also=("vstream/reliable", "vstream/resumable", "vstream/ordered"),
    never=("missing", "newer"),  # every row comes, and nothing that the table does not have yet
    affected_from="22.0.0",
)
# Found here. Between the end of a table and the first rows of the next one a VGTID has a GTID set and no last key:
# who resumes there replicates, and the other tables are never copied; there is no COPY_COMPLETED and no error
# (vstreamer/uvstreamer.go init; 21.0 to 24.0.3).
NEVER_COPIED = KnownBug(
    issue="a stream that is resumed between two tables never copies the rest",
    check="vstream/completed",
    component=Role.VTTABLET,
    also=("vstream/reliable", "vstream/resumable"),
    never=("gaps", "extra", "older", "newer"),  # whole tables never come; what comes is right
    affected_from="21.0.0",
)

# On a slow host a table is cut, or the time between two: 132,183 of 200,000 rows never came in a soak.
MAY_BE_CUT = tuple(replace(bug, certain=False) for bug in (NEVER_COPIED, COPIED_AGAIN))


# ---------------------------------------------------------------- the family


def member(
    name: str,
    why: str,
    timeline: Callable[[Stage], Awaitable[None]] = copy,
    *,
    copy_phase: str = "300ms",
    shards: int = 2,
    suites: frozenset[Suite] = frozenset({Suite.NIGHTLY}),
    items: ItemsSpec = ITEMS,
    load: LoadSpec | None = LOAD,
    stream: StreamSpec = STREAM,
    vtgates: tuple[VtgateSpec, ...] = CLUSTER.vtgates,
    vttablet_flags: Mapping[str, str] | None = None,
    params: Mapping[str, float] | None = None,
    known_bugs: tuple[KnownBug, ...] = (COPY_CUT,),
    must_be_cut: bool = True,
) -> Experiment:
    """`must_be_cut`: a run whose copy was never cut proves nothing (of a copy phase of an hour: one that was cut)."""
    cuts = {"cuts": 0.0} if copy_phase == NEVER else {"cuts": 1.0} if must_be_cut else {}
    flags = {"vreplication-copy-phase-duration": copy_phase, **(vttablet_flags or {})}
    return Experiment(
        name=f"vstream/{name}",
        why=why,
        suites=suites,
        timeout_s=DEADLINE_S,
        cluster=replace(CLUSTER, shards=shards, vtgates=vtgates, vttablet_flags=flags),
        load=load,
        probes=PROBES,
        checks=CHECKS,
        timeline=timeline,
        after_load=caught_up,
        items=items,
        streams=(stream,),
        params={**PARAMS, **cuts, **(params or {})},
        known_bugs=tuple(_expected(bug, copy_phase, must_be_cut) for bug in known_bugs),
    )


def _expected(bug: KnownBug, copy_phase: str, must_be_cut: bool) -> KnownBug:
    """What only a cut can show need not show where a copy need not be cut."""
    return replace(bug, certain=False) if bug is COPY_CUT and (copy_phase == NEVER or not must_be_cut) else bug


OLD_AND_NEW = (
    VtgateSpec(version="21.0.2"),
    VtgateSpec(version="24.0.3"),
)  # where the bug is, and beside it what is right

EXPERIMENTS: tuple[Experiment, ...] = (
    member(
        "control",
        "The same streams, tables and writers with a copy that is never cut.",
        copy_phase=NEVER,
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
    ),
    member(
        "copy-cycles",
        "Does a client get every row when its copy is cut every 300 ms (vitess#17778)?",
        suites=frozenset({Suite.SMOKE, Suite.CI}),
    ),
    member(
        "copy-5s",
        "The copy is cut every 5 s; a slow reader makes it last longer than that.",
        copy_phase="5s",
        stream=replace(STREAM, pause_ms=50.0),
        load=replace(LOAD, rate_per_shard=1.0),
    ),
    member("copy-1s", "The copy is cut every second.", copy_phase="1s", items=replace(ITEMS, rows=600_000)),
    member("copy-50ms", "The copy is cut every 50 ms.", copy_phase="50ms"),
    member(
        "copy-shorter-than-packet",
        "The copy is cut before its first packet is full: does vtgate's limit of three failures end the stream?",
        copy_phase="5ms",
        vttablet_flags={"vstream-packet-size": "20000000"},
        params={"copied_within_s": 20.0, "settled_within_s": 5.0},
        known_bugs=(COPY_CUT, NO_PROGRESS),
    ),
    member(
        "slow-reader",
        "A slow reader: MySQL's clock runs while the rows wait to be read.",
        stream=replace(STREAM, pause_ms=50.0),
        load=replace(LOAD, rate_per_shard=1.0),  # more, and the reader could not even keep up with the changes
    ),
    member("shards-1", "The same with one shard.", shards=1),
    member("shards-8", "The same with eight shards.", shards=8, items=replace(ITEMS, rows=800_000)),
    member(
        "many-tables",
        "Twenty small tables: none is large enough to be cut.",
        items=ItemsSpec(tables=20, rows=10_000),
        must_be_cut=False,
        known_bugs=(COPY_CUT, *MAY_BE_CUT),
    ),
    member(
        "catch-up",
        "Several tables are copied while they are changed, and never cut: does a catch-up end the stream "
        "(vitess#18119)? Old vttablets: --vitess 21.0.3 --mysql 8.0 --durability none.",
        copy_phase=NEVER,
        items=ItemsSpec(tables=4, rows=20_000),
        known_bugs=(STALE_STOP,),
    ),
    member(
        "tables-cut",
        "Two tables, each cut in its middle: is what was complete left alone?",
        items=ItemsSpec(tables=2, rows=60_000),
        stream=replace(STREAM, pause_ms=10.0),  # so that a table outlasts the copy phase on any host
        load=replace(LOAD, rate_per_shard=10.0),
        known_bugs=(COPY_CUT, COPIED_AGAIN),
    ),
    member("many-streams", "Eight clients at once.", stream=replace(STREAM, count=8)),
    member("idle", "The same without writers: nothing but the copy itself.", load=None),
    member("from-replicas", "The streams are read from replicas.", stream=replace(STREAM, tablet_type="replica")),
    member(
        "small-packets",
        "Packets of 2 kB: a response for every dozen rows.",
        vttablet_flags={"vstream-packet-size": "2000"},
        items=replace(ITEMS, rows=100_000),
    ),
    member("reparent", "Every shard is reparented while it is copied.", reparents, copy_phase="1s", must_be_cut=False),
    member(
        "killed-vttablet",
        "The vttablet that is read is killed in the middle of the copy and started again.",
        killed,
        load=replace(LOAD, abrupt=True),
        params={"after_rows": 20_000.0, "down_s": 2.0, "faults": 1.0},
    ),
    member(
        "killed-replica",
        "The streams are read from replicas, and one is killed in the middle of the copy.",
        killed,
        stream=replace(STREAM, tablet_type="replica"),
        load=replace(LOAD, abrupt=True),
        params={"after_rows": 20_000.0, "down_s": 2.0, "faults": 1.0},
    ),
    member(
        "killed-between-tables",
        "The vttablet that is read is killed just when a table is complete: are the others copied at all?",
        killed_between_tables,
        copy_phase=NEVER,
        shards=1,
        load=None,
        items=ItemsSpec(tables=2, rows=20_000),
        params={"down_s": 1.0, "settled_within_s": 10.0, "faults": 1.0},
        known_bugs=(NEVER_COPIED,),
    ),
    # ------------------------------------------------ what people do about it, on a vtgate that has the bug
    member(
        "workaround-longer-duration",
        "A copy phase longer than the copy takes.",
        copy_phase=NEVER,
        vtgates=OLD_AND_NEW,
    ),
    member(
        "workaround-checkpoint",
        "The client goes on from its checkpoint.",
        vtgates=OLD_AND_NEW,
        stream=replace(STREAM, resume=Resume.CHECKPOINT),
    ),
    member(
        "workaround-scratch",
        "The client begins again from scratch: does it ever come to an end?",
        vtgates=OLD_AND_NEW,
        stream=replace(STREAM, resume=Resume.SCRATCH, attempts=20),
    ),
    member(
        "workaround-one-by-one",
        "The tables are copied one by one, each from scratch until it is whole: enough if each fits in a copy phase.",
        vtgates=OLD_AND_NEW,
        items=ItemsSpec(tables=8, rows=5_000),
        stream=replace(STREAM, resume=Resume.SCRATCH, one_by_one=True, attempts=60),
        must_be_cut=False,
        known_bugs=(),
    ),
)
