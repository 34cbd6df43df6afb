"""What a VStream client gets that goes on from where it was, by its own checkpoint or by vtgate's own retry.

Goal: a position says what is still to be copied: tables with a last key, or all of them when there is no GTID set. One
that has a GTID set alone is behind the copy: nothing is copied again, whatever else the client asks for.

Method: as in experiments/vstream.py; streams are left, or their tablets taken away, in the middle of a table, between
two tables, or when all is copied. The control is `vstream/resume`, in the middle of a table.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.vstream import COPY_CUT, LOAD, NEVER, NEVER_COPIED, STREAM, begin_copy, member, replicate, until_copied
from harness.base.errors import WaitTimeout
from harness.contracts import Experiment, Stage
from harness.facts.stream_refusals import MISMATCH
from harness.faults.network import SlowLink
from harness.faults.reparent import PlannedReparent
from harness.faults.targets import Targets
from harness.items import ItemsSpec
from harness.model import KnownBug, Role, Suite
from harness.streams import Resume

ONE_TABLE = ItemsSpec(tables=1, rows=10_000)
LEAVES_AFTER = 120  # responses: the copy of such a table takes some 20, the changes of two shards come 40 a second
ASKS_TO_COPY = replace(STREAM, tables_to_copy=("item_1",))


# ---------------------------------------------------------------- timelines


async def left_when_copied(stage: Stage) -> None:
    """Everything is copied; then the clients leave, and resume from a position that has nothing left to copy."""
    await begin_copy(stage)
    await until_copied(stage)
    stage.phase("resume")
    await _until_resumed(stage)
    await replicate(stage)


async def left_ahead(stage: Stage) -> None:
    """The same while the replicas' acknowledgements come late: what clients have got is not committed yet."""
    await begin_copy(stage)
    await until_copied(stage)
    stage.phase("resume")
    late = SlowLink(
        sources=Targets(role=Role.MYSQLD, tablet_type="replica"),
        targets=Targets(role=Role.MYSQLD, tablet_type="primary"),
        delay_ms=stage.plan.params["delay_ms"],
    )
    async with stage.inject(late):
        await _until_resumed(stage)
    await replicate(stage)


async def reparented_when_copied(stage: Stage) -> None:
    """Everything is copied; then every primary that is read is demoted, and vtgate goes on with the new one."""
    await begin_copy(stage)
    await until_copied(stage)
    stage.phase("resume")
    for shard in stage.cluster.spec.shard_names:
        async with stage.inject(PlannedReparent(shard=shard)):
            pass
    await replicate(stage)


async def _until_resumed(stage: Stage) -> None:
    """Until every stream that was copied has begun another attempt."""
    before = {status.number: status.attempts for status in stage.streams.status()}

    async def resumed() -> bool:
        return all(status.over or status.attempts > before[status.number] for status in stage.streams.status())

    try:
        await stage.until("every stream has resumed", resumed, timeout_s=stage.plan.params["resumed_within_s"])
    except WaitTimeout as error:
        stage.note("not every stream has resumed", why=str(error))


# ---------------------------------------------------------------- known bugs

# PR #18938 (issue #18937): a stream that names tables_to_copy plans a copy of them whatever its position says
# (vstreamer/uvstreamer.go, init). Until they are copied, changes of rows that the copy has not reached are dropped.
COPIED_AT_EVERY_RESUME = KnownBug(
    issue="vitess#18938",
    check="vstream/resumable",
    component=Role.VTTABLET,
    says="had come before the checkpoint",
    also=("vstream/reliable", "vstream/ordered", "vstream/unique"),
    affected_from="23.0.0",
    fixed_in="23.0.1",
)

# The client sees one stream, and its COPY_COMPLETED twice.
COPIED_AT_EVERY_RETRY = replace(
    COPIED_AT_EVERY_RESUME,
    check="vstream/unique",
    says="copied once more",
    also=("vstream/reliable", "vstream/ordered", "vstream/resumable", "vstream/grammar"),
)

# Found here. The stream asks for what it has got, its shard's primary has not committed it yet (semi-sync), and vtgate
# passes over the only primary for the 90 s that it looks for a better one (facts/stream_refusals.py); then the stream
# ends. Nothing is lost: who resumes once more gets everything.
AHEAD = KnownBug(
    issue="a stream that is resumed ahead of what its primary has committed gets nothing of that shard for 90 s",
    check="vstream/completed",
    component=Role.VTGATE,
    says=MISMATCH,
    affected_from="21.0.0",
)
MAY_BE_AHEAD = replace(AHEAD, certain=False)  # a race: once in 12 runs of `resume-complete`, three at once


# ---------------------------------------------------------------- the family

AHEAD_OF_COMMITS = member(
    "resume-ahead",
    "The client resumes from what it has got while acknowledgements (semi-sync) come late, so that its shard's primary "
    "has not committed it yet: is it served?",
    left_ahead,
    copy_phase=NEVER,
    items=ONE_TABLE,
    load=replace(LOAD, rate_per_shard=10.0),  # the copy is over long before the client leaves
    stream=replace(STREAM, leave_after=LEAVES_AFTER, resume=Resume.CHECKPOINT, attempts=2),
    params={"resumed_within_s": 30.0, "delay_ms": 200.0, "settled_within_s": 20.0},
    known_bugs=(AHEAD,),
)

EXPERIMENTS: tuple[Experiment, ...] = (
    member(
        "resume",
        "The client ends its stream again and again in the middle of a table and resumes from its checkpoint.",
        copy_phase=NEVER,
        stream=replace(STREAM, leave_after=12, resume=Resume.CHECKPOINT, attempts=15),
        known_bugs=(COPY_CUT, MAY_BE_AHEAD),
    ),
    member(
        "resume-everywhere",
        "The client ends its stream after every response, also between two tables, and resumes from its checkpoint.",
        copy_phase="1s",
        load=None,  # a step is a packet of the copy, not a change
        items=ItemsSpec(tables=2, rows=12_000),
        stream=replace(STREAM, leave_after=1, resume=Resume.CHECKPOINT),
        params={"copied_within_s": 40.0, "settled_within_s": 10.0},
        must_be_cut=False,
        known_bugs=(NEVER_COPIED,),
    ),
    member(
        "resume-complete",
        "The client names its tables to copy, resumes when they are copied, and names them again: is nothing copied "
        "twice (#18938)? With the old vttablets: --vitess 23.0.0.",
        left_when_copied,
        copy_phase=NEVER,
        items=ONE_TABLE,
        load=replace(LOAD, rate_per_shard=40.0),
        stream=replace(ASKS_TO_COPY, leave_after=LEAVES_AFTER, resume=Resume.CHECKPOINT, attempts=3),
        params={"resumed_within_s": 20.0},
        suites=frozenset({Suite.CI, Suite.NIGHTLY}),
        known_bugs=(COPIED_AT_EVERY_RESUME, MAY_BE_AHEAD),
    ),
    AHEAD_OF_COMMITS,
    replace(
        AHEAD_OF_COMMITS,
        name="vstream/resume-async",
        why="Control of `vstream/resume-ahead`: the same without semi-sync, where a stream gets what is committed.",
        cluster=replace(AHEAD_OF_COMMITS.cluster, durability_policy="none"),
        known_bugs=(),
    ),
    member(
        "reparent-complete",
        "The client names its tables to copy, and when they are copied the primaries are demoted: does vtgate's own "
        "retry copy them again (#18938)? With the old vttablets: --vitess 23.0.0.",
        reparented_when_copied,
        copy_phase="30m",  # never, but for the copies that should not be
        must_be_cut=False,
        items=ONE_TABLE,
        stream=ASKS_TO_COPY,
        params={"reparents": 2.0},
        known_bugs=(COPIED_AT_EVERY_RETRY,),
    ),
)
