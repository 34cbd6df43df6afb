"""Goal: an anchor is reached by what begins after its mark, and says what it saw when it is not.

Method: /debug/vars of real vtgates and vttablets (24.0.3), cut down to the variables that matter, served by a fake
process; a log file.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import anchors
from harness.base import jsonio, wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.model import Node, Role
from harness.stage import RunStage
from harness.vitess.vtctld import TabletRecord, vtctld_of
from tests.unit.run_fakes import FakeCluster, a_stage
from tests.unit.web_fakes import FakeWeb

NODES = (
    Node(name="vtgate-1", role=Role.VTGATE, version="24.0.3"),
    Node(name="vtgate-2", role=Role.VTGATE, version="24.0.3"),
    Node(name="vttablet-100", role=Role.VTTABLET, version="24.0.3", keyspace="ks", shard="-80", tablet_uid=100),
    Node(name="vttablet-101", role=Role.VTTABLET, version="24.0.3", keyspace="ks", shard="-80", tablet_uid=101),
)
PRIMARY = "zone1-0000000100"
WITHIN_S = 5.0
NEVER_S = 0.15


def buffered(**starts: int) -> dict[str, Any]:
    """A vtgate's, as recorded: every reason is there from the first touch of a shard's buffer on."""
    reasons = ("MaxDurationExceeded", "NewPrimarySeen", "ReshardingComplete", "Shutdown")
    shards = {f"ks.{shard.replace('_', '-')}": number for shard, number in starts.items()}
    return {"BufferStarts": shards, "BufferStops": {f"{shard}.{why}": 0 for shard in shards for why in reasons}}


def copied(copies: int, rows: int) -> dict[str, Any]:
    """A vttablet's, as recorded during a VStream's copy. Its times are nonsense there: copy.go reads the clock only
    when the copy is over."""
    one = {"500000": copies, "1000000": 0, "inf": 0, "Count": copies, "Time": 2060 * copies}
    phases = {"Histograms": {"copy": one} if copies else {}, "TotalCount": copies, "TotalTime": 2060 * copies}
    return {"RowStreamerNumRows": rows, "VStreamerPhaseTiming": phases, **SERVES}


SERVES = {"TabletStateName": "SERVING", "TabletType": "primary"}


@dataclass
class FakeVtctld:
    async def shard_primary(self, keyspace: str, shard: str) -> str:
        return PRIMARY

    async def tablets(self, keyspace: str, shard: str) -> tuple[TabletRecord, ...]:
        return tuple(record(uid, kind) for uid, kind in ((100, "primary"), (101, "replica")))


def record(uid: int, kind: str) -> TabletRecord:
    return TabletRecord(
        alias=f"zone1-{uid:010d}",
        keyspace="ks",
        shard="-80",
        type=kind,
        hostname="127.0.0.1",
        mysql_port=3306,
        primary_term_start_ns=0,
    )


@dataclass
class World:
    stage: RunStage
    folder: Path
    webs: dict[str, FakeWeb] = field(default_factory=dict)

    def serves(self, node: str, variables: dict[str, Any]) -> None:
        self.webs[node].variables = variables

    @property
    def notes(self) -> list[str]:
        lines = jsonio.read_lines(self.folder / "run" / "events.jsonl")
        return [str(line["subject"]) for line in lines if line["kind"] == "note"]


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        webs = {node.name: await stack.enter_async_context(FakeWeb().serving()) for node in NODES}
        ports = {(name, "web"): web.port for name, web in webs.items()}
        cluster = FakeCluster(folder=tmp_path, all_nodes=NODES, ports=ports)
        stage = await stack.enter_async_context(a_stage(tmp_path / "run", cluster))
        _known(stage, monkeypatch)
        for name in webs:
            webs[name].variables = buffered(_80=0) if "vtgate" in name else copied(0, 0)
        yield World(stage, tmp_path, webs)


def _known(stage: RunStage, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = stage.shared

    async def fake(opener: Any) -> Any:
        return FakeVtctld() if opener is vtctld_of else await shared(opener)

    monkeypatch.setattr(stage, "shared", fake)


# ---------------------------------------------------------------- buffering


async def test_a_shard_that_starts_at_any_vtgate(world: World) -> None:
    anchor = await anchors.buffering(world.stage)
    waiting = asyncio.create_task(anchor(timeout_s=WITHIN_S))
    await until_asked(world, "vtgate-2")
    world.serves("vtgate-2", buffered(_80=1))
    moment = await waiting
    assert (moment.node, moment.what) == ("vtgate-2", "-80")
    assert world.notes == ["anchor: the first shard of ks starts buffering"]


async def test_what_began_before_the_mark_does_not_count(world: World) -> None:
    world.serves("vtgate-1", buffered(_80=3))
    anchor = await anchors.buffering(world.stage)
    with pytest.raises(WaitTimeout, match="no shard has started to buffer"):
        await anchor(timeout_s=NEVER_S)
    assert world.notes == []


async def test_a_vtgate_that_hangs_hides_no_other(world: World) -> None:
    anchor = await anchors.buffering(world.stage)
    world.webs["vtgate-1"].hangs = True
    world.serves("vtgate-2", buffered(_80=1))
    assert (await anchor(timeout_s=WITHIN_S)).node == "vtgate-2"


async def test_another_shard_is_not_asked_for(world: World) -> None:
    anchor = await anchors.buffering(world.stage, shards=("80-",))
    world.serves("vtgate-1", {"BufferStarts": {"ks.-80": 1}})
    with pytest.raises(WaitTimeout):
        await anchor(timeout_s=NEVER_S)


async def test_nothing_is_anchored_to_a_vtgate_that_does_not_answer(world: World) -> None:
    world.webs["vtgate-1"].status = 500
    with pytest.raises(ClusterError, match="nothing can be anchored to vtgate-1: no /debug/vars"):
        await anchors.buffering(world.stage)


# ---------------------------------------------------------------- a primary


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"TabletStateName": "NOT_SERVING", "TabletType": "primary"}, "primary NOT_SERVING"),
        ({"TabletStateName": "SERVING", "TabletType": "replica"}, "replica SERVING"),
    ],
)
async def test_a_primary_that_says_that_it_no_longer_serves(world: World, variables: dict[str, Any], says: str) -> None:
    anchor = await anchors.primary_stops(world.stage, "-80")
    with pytest.raises(WaitTimeout, match="vttablet-100: primary SERVING"):
        await anchor(timeout_s=NEVER_S)
    world.serves("vttablet-100", variables)
    assert (await anchor(timeout_s=WITHIN_S)).what == says


async def test_a_primary_that_no_longer_answers(world: World) -> None:
    anchor = await anchors.primary_stops(world.stage, "-80")
    world.webs["vttablet-100"].status = 500
    assert "no /debug/vars" in (await anchor(timeout_s=WITHIN_S)).what


# ---------------------------------------------------------------- copies


async def test_in_the_middle_of_the_second_cycle_since_the_mark(world: World) -> None:
    world.serves("vttablet-100", copied(4, 9000))
    anchor = await anchors.copy_cycle(world.stage, number=2, after_rows=1000)
    waiting = asyncio.create_task(anchor(timeout_s=WITHIN_S))
    for variables in (copied(4, 19_000), copied(5, 20_000), copied(5, 20_900)):
        world.serves("vttablet-100", variables)
        await until_asked(world, "vttablet-100")
        assert not waiting.done()
    world.serves("vttablet-100", copied(5, 21_500))
    moment = await waiting
    assert (moment.node, moment.what) == ("vttablet-100", "cycle 2, 1500 rows")


async def test_a_cycle_that_was_too_short_is_left_for_the_next(world: World) -> None:
    anchor = await anchors.copy_cycle(world.stage, number=1, after_rows=1000)
    waiting = asyncio.create_task(anchor(timeout_s=WITHIN_S))
    for variables in (copied(0, 500), copied(1, 1600)):
        world.serves("vttablet-100", variables)
        await until_asked(world, "vttablet-100")
        assert not waiting.done()
    world.serves("vttablet-100", copied(1, 2600))
    assert (await waiting).what == "cycle 2, 1000 rows"


async def test_copies_of_another_type_of_tablet_are_not_asked_for(world: World) -> None:
    anchor = await anchors.copy_cycle(world.stage, number=1, tablet_type="replica")
    world.serves("vttablet-100", copied(0, 5000))
    with pytest.raises(WaitTimeout, match="vttablet-101: cycle 1, 0 rows"):
        await anchor(timeout_s=NEVER_S)


async def test_there_is_no_such_tablet(world: World) -> None:
    with pytest.raises(ClusterError, match="rdonly vttablet: 0 in this cluster"):
        await anchors.copy_cycle(world.stage, tablet_type="rdonly")


# ---------------------------------------------------------------- logs


async def test_a_line_after_the_mark(world: World) -> None:
    vtgate = NODES[0]
    log = world.stage.cluster.log_path(vtgate)
    log.write_text("Starting buffering for shard: ks/-80\n")
    anchor = anchors.log_says(world.stage, r"Starting buffering for shard: ks/\S+", vtgate, NODES[1])
    with log.open("a") as out:
        for part in ("nothing of interest\n", "Starting buffering for shard: ks/8", "0- (window: 10s)\nmore\n"):
            out.write(part)
            out.flush()
            if not part.endswith("more\n"):
                with pytest.raises(WaitTimeout):
                    await anchor(timeout_s=NEVER_S)
    moment = await anchor(timeout_s=WITHIN_S)
    assert (moment.node, moment.what) == ("vtgate-1", "Starting buffering for shard: ks/80- (window: 10s)")


async def test_a_log_that_does_not_say_it(world: World) -> None:
    anchor = anchors.log_says(world.stage, "panic", NODES[0])
    world.stage.cluster.log_path(NODES[0]).write_text("all is well\n")
    with pytest.raises(WaitTimeout, match=r"a log says 'panic'.*vtgate-1: all is well"):
        await anchor(timeout_s=NEVER_S)


async def until_asked(world: World, node: str) -> None:
    """Twice: the second answer has what is served now."""
    web = world.webs[node]
    before = web.asked

    async def asked() -> bool:
        return web.asked >= before + 2

    await wait.until(f"{node} is asked", asked, timeout_s=WITHIN_S, poll_s=0.001)
