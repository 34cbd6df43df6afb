"""Goal: whatever ends a run, it is left in order and its story is on the disk: the load stops, faults heal, the tables
are read, probes stop, the cluster goes; the first error wins; Ctrl-C ends what goes on and nothing else.

Method: everything that the runner brings together is a fake that writes into one diary.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness import history, runner
from harness.base import jsonio
from harness.base.errors import ClusterError, HarnessError, VtchaosError
from harness.base.rundir import RunDir
from harness.checks.judge import judge
from harness.clean import Marks
from harness.contracts import Cluster, LoadPlace, Probe, Stage
from harness.history import History
from harness.items import ItemsSpec
from harness.load import driver, readback, remote_driver, streams
from harness.load.config import Target
from harness.model import Event, LoadSpec, Placement, Plan, Verdict, Workload
from harness.runner import Ended, Guard, Runner
from harness.stage import NoStreams
from harness.streams import StreamSpec
from tests.unit.load_remote_fakes import LocalPlace
from tests.unit.run_fakes import Diary, DiaryFault, DiaryProbe, FakeCluster, Watcher, experiment, plan, steps, told

WITH_LOAD = plan(load=LoadSpec(operation_timeout_s=1.0))


async def nothing() -> None:
    pass


async def forever() -> None:
    await asyncio.Event().wait()


@dataclass
class World:
    """What the runner meets. Set a hook to make that moment fail or wait."""

    diary: Diary = field(default_factory=list)
    starting: Callable[[], Awaitable[None]] = nothing
    removing: Callable[[], Awaitable[None]] = nothing
    emptying: Callable[[], Awaitable[None]] = nothing
    watching: Callable[[], Awaitable[None]] = forever
    stopping: Callable[[], Awaitable[None]] = nothing
    reading: Callable[[], Awaitable[dict[str, str]]] | None = None

    @contextlib.asynccontextmanager
    async def cluster(self) -> AsyncIterator[Cluster]:
        self.diary.append("cluster starts")
        await self.starting()
        try:
            yield FakeCluster()
        finally:
            self.diary.append("cluster goes")
            await self.removing()

    @contextlib.asynccontextmanager
    async def running(self, spec: LoadSpec, targets: Sequence[Target], **_: Any) -> AsyncIterator[World]:
        self.diary.append(f"load starts on {', '.join(target.vtgate for target in targets)}")
        try:
            yield self
        finally:
            self.diary.append("load ends")

    async def watch(self) -> None:
        await self.watching()

    async def stop(self, *, timeout_s: float) -> None:
        self.diary.append("load stops")
        await self.stopping()

    async def read_ledger(self, target: Target, **_: Any) -> dict[str, str]:
        self.diary.append("tables are read")
        return await self.reading() if self.reading is not None else {}

    async def empty_ledger(self, target: Target, *, keyspace: str) -> None:
        self.diary.append("ledger is emptied")
        await self.emptying()


@dataclass
class OfferingCluster(FakeCluster):
    """A cluster that says whether load can run beside it."""

    load_place: LoadPlace | None = None


class DiaryStreams(NoStreams):
    """Streams that say when they are told something; `broken` ends them while they are watched."""

    def __init__(self, diary: Diary, *, broken: Exception | None = None) -> None:
        self._diary = diary
        self._broken = broken

    async def begin(self) -> None:
        self._diary.append("streams begin")

    async def stop(self, *, timeout_s: float) -> None:
        self._diary.append("streams stop")

    async def watch(self) -> None:
        if self._broken is not None:
            raise self._broken
        await asyncio.Event().wait()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(driver, "running", world.running)
    monkeypatch.setattr(readback, "read_ledger", world.read_ledger)
    monkeypatch.setattr(runner, "empty_ledger", world.empty_ledger)
    monkeypatch.setattr(runner, "wake_in_time", lambda: "as it was")  # not in the tests' own process
    monkeypatch.setattr(runner, "LAST_SAMPLES_S", 0.0)
    monkeypatch.setattr(gc, "unfreeze", lambda: None)  # of what `conftest.py` froze
    return world


async def run(
    world: World,
    folder: Path,
    timeline: Callable[[Stage], Awaitable[None]],
    *probes: Probe,
    planned: Plan = WITH_LOAD,
    after_load: Callable[[Stage], Awaitable[None]] | None = None,
    lease: Guard | None = None,
    marks: Marks | None = None,
) -> tuple[Ended, History]:
    """A whole run, and what is on the disk after it."""
    out = RunDir.create(folder / "run")
    jsonio.save(out.plan, planned)
    before = asyncio.all_tasks()
    asked = dataclasses.replace(experiment(timeline, *probes), after_load=after_load)
    ended = await Runner(planned, asked, out, Watcher(), lease=lease, marks=marks).run(world.cluster())
    assert asyncio.all_tasks() == before, "a task outlived the run"
    return ended, history.load(out)


def interrupted_here() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def interrupted_and_waiting() -> None:
    interrupted_here()
    await forever()


# ---------------------------------------------------------------- in order


async def test_a_run_is_left_in_reverse(world: World, tmp_path: Path) -> None:
    async def timeline(stage: Stage) -> None:
        stage.phase("storm")
        async with stage.inject(DiaryFault(world.diary)):
            world.diary.append("timeline")

    ended, seen = await run(world, tmp_path, timeline, DiaryProbe(world.diary))
    assert ended == Ended(interrupted=False, error=None)
    assert world.diary == [
        "cluster starts",
        "probe starts",
        "load starts on vtgate-1, vtgate-2",
        *("aim", "act", "look", "timeline", "heal"),
        "load stops",
        "load ends",
        "tables are read",
        "probe stops",
        "cluster goes",
    ]
    assert told(seen, "phase") == ["storm"]
    assert told(seen, "cluster") == ["serving", "removing"]
    assert [node.name for node in seen.vtgates] == ["vtgate-1", "vtgate-2"]
    assert seen.clock.monotonic_ns > 0


async def test_tables_are_filled_first_and_streams_outlive_the_load(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def seed(*_: Any, **__: Any) -> None:
        world.diary.append("tables are filled")

    async def read_tables(*_: Any, **__: Any) -> dict[str, str]:
        world.diary.append("item tables are read")
        return {"ks.item_1.-80": "no time left"}

    @contextlib.asynccontextmanager
    async def streaming(specs: Sequence[StreamSpec], targets: Any, *, tables: Sequence[str], **_: Any) -> Any:
        world.diary.append(
            f"{len(specs)} streams of {', '.join(tables)} wait at {', '.join(vtgate for vtgate, _ in targets)}"
        )
        yield DiaryStreams(world.diary)
        world.diary.append("streams end")

    monkeypatch.setattr(runner, "seed", seed)
    monkeypatch.setattr(runner, "read_tables", read_tables)
    monkeypatch.setattr(streams, "running", streaming)

    async def timeline(stage: Stage) -> None:
        await stage.streams.begin()

    async def after_load(stage: Stage) -> None:
        world.diary.append("after the load")

    planned = dataclasses.replace(
        WITH_LOAD,
        load=LoadSpec(workload=Workload.ITEMS),
        items=ItemsSpec(tables=1, rows=10),
        streams=(StreamSpec(),),
    )
    ended, seen = await run(world, tmp_path, timeline, DiaryProbe(world.diary), planned=planned, after_load=after_load)
    assert ended == Ended(interrupted=False, error=None)
    assert world.diary == [
        "cluster starts",
        "tables are filled",
        "1 streams of item_1, stream_mark wait at vtgate-1, vtgate-2",
        "probe starts",
        "load starts on vtgate-1, vtgate-2",
        "streams begin",
        "load stops",
        "load ends",
        "after the load",
        "streams stop",
        "item tables are read",
        "probe stops",
        "streams end",
        "cluster goes",
    ]
    assert told(seen, "note") == ["rows of ks.item_1.-80 were not read"]


# ---------------------------------------------------------------- the load beside the cluster

IN_PODS = dataclasses.replace(WITH_LOAD, place=Placement(load_pods=3))


async def test_a_load_in_pods_runs_where_the_cluster_offers_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = LocalPlace(ports={"vtgate-1": 15306, "vtgate-2": 15307})

    @contextlib.asynccontextmanager
    async def remote(spec: LoadSpec, targets: Sequence[Target], *, place: LoadPlace, pods: int, **_: Any) -> Any:
        world.diary.append(f"{pods} pods reach {', '.join(str(target.port) for target in targets)}")
        yield world

    monkeypatch.setattr(remote_driver, "running", remote)

    @contextlib.asynccontextmanager
    async def cluster() -> AsyncIterator[Cluster]:
        yield OfferingCluster(load_place=place)

    monkeypatch.setattr(world, "cluster", cluster)
    ended, _ = await run(world, tmp_path, lambda _: nothing(), planned=IN_PODS)
    assert ended == Ended(interrupted=False, error=None)
    assert world.diary == ["3 pods reach 15306, 15307", "load stops", "tables are read"]
    assert place.prepared == 1


@pytest.mark.parametrize("offers_none", [False, True])
async def test_a_load_in_pods_is_refused_where_there_is_no_place(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offers_none: bool
) -> None:
    @contextlib.asynccontextmanager
    async def cluster() -> AsyncIterator[Cluster]:
        yield OfferingCluster(load_place=None)

    if offers_none:
        monkeypatch.setattr(world, "cluster", cluster)
    ended, _ = await run(world, tmp_path, lambda _: nothing(), planned=IN_PODS)
    assert "the load cannot run in pods beside this cluster" in str(ended.error)
    assert "load stops" not in world.diary


async def test_streams_are_stopped_whatever_ends_the_run(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.asynccontextmanager
    async def streaming(*_: Any, **__: Any) -> Any:
        yield DiaryStreams(world.diary, broken=HarnessError("stream worker 0 ended by signal 9"))

    async def nothing(*_: Any, **__: Any) -> dict[str, str]:
        return {}

    monkeypatch.setattr(runner, "seed", nothing)
    monkeypatch.setattr(runner, "read_tables", nothing)
    monkeypatch.setattr(streams, "running", streaming)

    async def timeline(stage: Stage) -> None:
        await stage.hold(5.0)

    planned = dataclasses.replace(WITH_LOAD, items=ItemsSpec(), streams=(StreamSpec(),))
    ended, _ = await run(world, tmp_path, timeline, planned=planned)
    assert str(ended.error) == "stream worker 0 ended by signal 9"
    assert world.diary.index("load stops") < world.diary.index("streams stop") < world.diary.index("cluster goes")


async def test_without_a_load_nothing_is_read_back(world: World, tmp_path: Path) -> None:
    async def timeline(_: Stage) -> None:
        world.diary.append("timeline")

    ended, _ = await run(world, tmp_path, timeline, planned=plan())
    assert ended.error is None
    assert world.diary == ["cluster starts", "timeline", "cluster goes"]


async def test_a_kept_cluster_gets_an_empty_ledger_and_stays(world: World, tmp_path: Path) -> None:
    async def timeline(_: Stage) -> None:
        world.diary.append("timeline")

    ended, seen = await run(world, tmp_path, timeline, planned=plan(cluster_name="mine"))
    assert ended.error is None
    assert world.diary[:3] == ["cluster starts", "ledger is emptied", "timeline"]
    assert told(seen, "cluster") == ["serving", "left running"]


# ---------------------------------------------------------------- what breaks


async def test_an_exception_in_the_timeline(world: World, tmp_path: Path) -> None:
    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary)):
            raise ZeroDivisionError("oops")

    ended, seen = await run(world, tmp_path, timeline, DiaryProbe(world.diary))
    assert isinstance(ended.error, HarnessError)
    assert str(ended.error) == "ZeroDivisionError: oops"
    assert told(seen, "harness-error") == ["ZeroDivisionError: oops"]
    assert world.diary[-6:] == ["heal", "load stops", "load ends", "tables are read", "probe stops", "cluster goes"]
    assert steps(tmp_path / "run")[-1] == "healed"


async def test_errors_of_ours_are_told_out_of_a_group(world: World, tmp_path: Path) -> None:
    async def timeline(_: Stage) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(broken())

    async def broken() -> None:
        raise ClusterError("vtctld does not answer")

    ended, seen = await run(world, tmp_path, timeline)
    assert isinstance(ended.error, ClusterError)
    assert told(seen, "harness-error") == ["vtctld does not answer"]


async def test_a_load_that_dies_ends_the_timeline_at_once(world: World, tmp_path: Path) -> None:
    async def dying() -> None:
        raise HarnessError("load worker 0 ended by signal 9")

    world.watching = dying

    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary)):
            await forever()

    ended, seen = await run(world, tmp_path, timeline)
    assert str(ended.error) == "load worker 0 ended by signal 9"
    assert told(seen, "harness-error") == ["load worker 0 ended by signal 9"]
    assert world.diary[-1] == "cluster goes"
    assert "load stops" in world.diary


async def test_a_probe_that_raises_ends_the_run(world: World, tmp_path: Path) -> None:
    in_the_block = asyncio.Event()
    broken = DiaryProbe(world.diary, broken=HarnessError("the samples' disk is full"), when=in_the_block)

    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary)):
            in_the_block.set()
            await forever()

    ended, seen = await run(world, tmp_path, timeline, broken, DiaryProbe(world.diary))
    assert str(ended.error) == "the samples' disk is full"
    assert told(seen, "harness-error") == ["the samples' disk is full"]
    assert world.diary.count("probe stops") == 2
    assert "heal" in world.diary
    assert world.diary[-1] == "cluster goes"


async def test_a_timeline_that_takes_too_long_is_ended(world: World, tmp_path: Path) -> None:
    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary)):
            await forever()

    ended, _ = await run(world, tmp_path, timeline, planned=plan(load=LoadSpec(), timeout_s=0.05))
    assert "the experiment's timeline: not within 0.05 s" in str(ended.error)
    assert world.diary[-5:] == ["heal", "load stops", "load ends", "tables are read", "cluster goes"]


async def test_a_cluster_that_does_not_start(world: World, tmp_path: Path) -> None:
    async def dies() -> None:
        raise ClusterError("mysqld-100 ended (exit status 1)")

    world.starting = dies
    ended, seen = await run(world, tmp_path, lambda _: forever(), DiaryProbe(world.diary))
    assert isinstance(ended.error, ClusterError)
    assert world.diary == ["cluster starts"]
    assert told(seen, "harness-error") == ["mysqld-100 ended (exit status 1)"]


async def test_the_first_error_wins_and_no_other_is_lost(world: World, tmp_path: Path) -> None:
    async def stays() -> None:
        raise ClusterError("the supervisor does not end")

    world.removing = stays

    async def timeline(_: Stage) -> None:
        raise ClusterError("vtctld does not answer")

    ended, seen = await run(world, tmp_path, timeline)
    assert str(ended.error) == "vtctld does not answer"
    assert told(seen, "harness-error") == ["vtctld does not answer", "the supervisor does not end"]


async def test_what_cannot_be_collected_is_noted(world: World, tmp_path: Path) -> None:
    async def unreadable() -> dict[str, str]:
        return {"80-": "errno 1105: no healthy tablet"}

    world.reading = unreadable
    ended, seen = await run(world, tmp_path, lambda _: nothing())
    assert ended.error is None
    assert told(seen, "note") == ["rows of 80- were not read"]


async def test_an_error_while_collecting_does_not_hide_what_ended_the_run(world: World, tmp_path: Path) -> None:
    async def breaks() -> dict[str, str]:
        raise ClusterError("no vtgate is left")

    world.reading = breaks

    async def timeline(_: Stage) -> None:
        raise ClusterError("vtctld does not answer")

    ended, seen = await run(world, tmp_path, timeline)
    assert str(ended.error) == "vtctld does not answer"
    assert told(seen, "note") == ["not everything was collected"]


# ---------------------------------------------------------------- Ctrl-C


async def test_interrupted_while_the_cluster_starts(world: World, tmp_path: Path) -> None:
    world.starting = interrupted_and_waiting
    ended, seen = await run(world, tmp_path, lambda _: forever())
    assert ended == Ended(interrupted=True, error=None)
    assert world.diary == ["cluster starts"]
    assert told(seen, "interrupt") == ["while the cluster was starting"]


async def test_interrupted_while_the_ledger_is_emptied(world: World, tmp_path: Path) -> None:
    world.emptying = interrupted_and_waiting
    ended, seen = await run(world, tmp_path, lambda _: forever(), planned=plan(cluster_name="mine"))
    assert ended == Ended(interrupted=True, error=None)
    assert world.diary == ["cluster starts", "ledger is emptied", "cluster goes"]
    assert told(seen, "interrupt") == ["before the timeline"]


async def test_interrupted_in_the_timeline(world: World, tmp_path: Path) -> None:
    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary)):
            await interrupted_and_waiting()

    ended, seen = await run(world, tmp_path, timeline, DiaryProbe(world.diary))
    assert ended == Ended(interrupted=True, error=None)
    assert told(seen, "interrupt") == ["while the experiment ran"]
    assert world.diary[-6:] == ["heal", "load stops", "load ends", "tables are read", "probe stops", "cluster goes"]
    assert steps(tmp_path / "run")[-1] == "healed"


async def test_a_second_interruption_while_healing_skips_collecting_and_not_healing(
    world: World, tmp_path: Path
) -> None:
    async def healing() -> None:
        interrupted_here()
        for _ in range(10):  # turns of the loop in which the signal is seen
            await asyncio.sleep(0)

    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary, healing=healing)):
            await interrupted_and_waiting()

    ended, seen = await run(world, tmp_path, timeline)
    assert ended == Ended(interrupted=True, error=None)
    assert told(seen, "interrupt") == ["while the experiment ran", "while collecting"]
    assert world.diary[-4:] == ["heal", "load stops", "load ends", "cluster goes"]
    assert steps(tmp_path / "run")[-1] == "healed"


async def test_a_second_interruption_while_collecting_skips_the_rest_of_it(world: World, tmp_path: Path) -> None:
    async def endless() -> dict[str, str]:
        await interrupted_and_waiting()
        return {}

    world.reading = endless

    async def timeline(_: Stage) -> None:
        await interrupted_and_waiting()

    ended, seen = await run(world, tmp_path, timeline)
    assert ended == Ended(interrupted=True, error=None)
    assert told(seen, "interrupt") == ["while the experiment ran", "while collecting"]
    assert world.diary[-1] == "cluster goes"


@pytest.mark.parametrize("where", ["stopping", "removing"])
async def test_interruptions_never_disturb_stopping_and_removing(world: World, tmp_path: Path, where: str) -> None:
    finished: list[str] = []

    async def careful() -> None:
        for _ in range(3):
            interrupted_here()
            await asyncio.sleep(0.01)
        finished.append(where)

    setattr(world, where, careful)

    async def timeline(_: Stage) -> None:
        await interrupted_and_waiting()

    ended, _ = await run(world, tmp_path, timeline)
    assert ended == Ended(interrupted=True, error=None)
    assert finished == [where]


async def test_a_healing_that_fails_after_an_interruption_is_told(world: World, tmp_path: Path) -> None:
    async def fails() -> None:
        raise ClusterError("the link cannot be healed")

    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary, healing=fails)):
            await interrupted_and_waiting()

    ended, seen = await run(world, tmp_path, timeline)
    assert ended.interrupted
    assert str(ended.error) == "the link cannot be healed"
    assert told(seen, "harness-error") == ["the link cannot be healed"]
    assert "healed" not in steps(tmp_path / "run")
    assert world.diary[-1] == "cluster goes"


# ---------------------------------------------------------------- processes that end


def test_an_exit_that_nobody_asked_for_carries_the_tail_of_its_log(tmp_path: Path) -> None:
    out = RunDir.create(tmp_path / "run")
    (out.logs / "vtgate-1.log").write_text("started\npanic: nil map\n")
    watcher = Watcher()
    observer = Runner(plan(), experiment(lambda _: nothing()), out, watcher).cluster_observer
    observer.on_event(Event(at_ns=1, kind="exit", subject="vtgate-1", details={"how": "signal 6", "asked": False}))
    observer.on_event(Event(at_ns=2, kind="exit", subject="etcd", details={"asked": True}))
    crash, asked = watcher.events
    assert crash.details == {"how": "signal 6", "asked": False, "expected": False, "tail": "started\npanic: nil map\n"}
    assert asked.details == {"asked": True, "expected": True}


def test_an_error_in_an_error_group_of_a_library_is_wrapped() -> None:
    told = runner._told(ExceptionGroup("probes", [KeyError("x"), ExceptionGroup("inner", [HarnessError("ours")])]))
    assert isinstance(told, VtchaosError)
    assert str(told) == "ours"
    assert str(runner._told(ExceptionGroup("probes", [KeyError("x")]))) == "KeyError: 'x'"


# ---------------------------------------------------------------- on a cluster that stays


@dataclass
class LostLease:
    """Its watchdog heals, because the harness stood still."""

    diary: Diary

    async def lost(self) -> str:
        return "the harness stood still for 12 s"

    async def healed(self) -> None:
        self.diary.append("the watchdog has healed")


async def test_a_run_whose_faults_were_taken_back_by_its_watchdog_is_spoiled_and_ends(
    world: World, tmp_path: Path
) -> None:
    async def timeline(stage: Stage) -> None:
        async with stage.inject(DiaryFault(world.diary)):
            await forever()

    ended, seen = await run(world, tmp_path, timeline, lease=LostLease(world.diary))
    assert str(ended.error) == "the harness stood still for 12 s"
    assert told(seen, "spoiled") == ["the run's lease"]
    assert "the watchdog has healed" in world.diary
    assert world.diary[-1] == "cluster goes"
    assert judge(dataclasses.replace(seen, plan=plan())).verdict is Verdict.UNKNOWN
