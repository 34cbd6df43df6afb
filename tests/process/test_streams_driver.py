"""The streams of a run with real worker processes, against a vtgate in this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from harness.base import jsonio
from harness.base.errors import HarnessError, PlanError
from harness.base.rundir import RunDir
from harness.base.wait import hold, until
from harness.load.stream_live import NAME, LiveFile
from harness.load.streams import StreamsHandle, running
from harness.streams import EVENT_DTYPE, Events, EventType, Resume, StreamLane, StreamSpec, StreamState
from tests.unit.vstream_fakes import (
    MARK,
    Abort,
    FakeVtgate,
    Script,
    always,
    cells,
    completed,
    copied_rows,
    event,
    fake_vtgate,
    fields,
    in_turn,
    position,
    response,
    row,
    vgtid,
)

SHARDS = ("-80",)
TABLES = ("item_1", "stream_mark")
CUT = Abort(grpc.StatusCode.UNKNOWN, "maximum statement execution time exceeded (errno 3024) (sqlstate HY000)")
WHOLE = (copied_rows(1, 100, begin=True), copied_rows(101, 100), completed("-80", ""))
AT_200 = position("-80", "MySQL56/a:1-9", {"item_1": 200})


def mark(shard: str = "-80") -> Any:
    """What the harness writes at the end, as it comes from the binlog."""
    return response(
        event("BEGIN", shard),
        fields(MARK, shard, columns=("id", "value"), timestamp=9),
        row(cells(b"1", b"1"), table=MARK, shard=shard, timestamp=9),
        vgtid(position(shard, "MySQL56/a:1-10"), shard=shard),
        event("COMMIT", shard),
    )


@asynccontextmanager
async def streaming(
    script: Script, run: RunDir, *specs: StreamSpec, shards: Sequence[str] = SHARDS, tables: Sequence[str] = TABLES
) -> AsyncIterator[tuple[FakeVtgate, StreamsHandle]]:
    """Begun, and watched as the runner does."""
    async with (
        fake_vtgate(script) as vtgate,
        running(
            specs or (StreamSpec(),),
            [("vtgate-1", vtgate.address)],
            keyspace="ks",
            shards=shards,
            tables=tables,
            run=run,
        ) as streams,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(streams.watch())
        await streams.begin()
        yield vtgate, streams
        await streams.stop(timeout_s=10)


def _all(streams: StreamsHandle, state: StreamState) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return all(each.state is state for each in streams.status())

    return condition


async def _reached(streams: StreamsHandle, state: StreamState) -> None:
    await until(f"streams {state.name}", _all(streams, state), timeout_s=20)


def _events(run: RunDir, number: int = 1) -> Events:
    return np.fromfile(run.stream(number), dtype=EVENT_DTYPE)


def _keys(run: RunDir, attempt: int | None = None) -> list[int]:
    events = _events(run)
    rows = events[(events["type"] == EventType.ROW) & (attempt is None or events["attempt"] == attempt)]
    return [int(key) for key in rows["key"]]


def _attempts(run: RunDir, step: str, number: int = 1) -> list[dict[str, Any]]:
    return [line for line in jsonio.read_lines(run.attempts(number)) if line["step"] == step]


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path / "run")


async def test_a_whole_stream(run: RunDir) -> None:
    async with streaming(always(*WHOLE, mark()), run) as (vtgate, streams):
        await _reached(streams, StreamState.COPIED)
        await until("the mark", _marked(streams), timeout_s=10)
        assert len(vtgate.requests) == 1
        await streams.begin()  # again: harmless
    (status,) = streams.status()
    assert (status.state, status.attempts, status.rows, status.responses) == (StreamState.STOPPED, 1, 201, 4)
    assert (status.marks, status.shards, status.cycles, status.message) == (1, 1, 1, "")
    await streams.stop(timeout_s=1)  # again: harmless
    assert [jsonio.structure(lane, StreamLane) for lane in jsonio.load(run.streams, list)] == list(streams.lanes)
    events = _events(run)
    assert len(events) == 2 + 200 + 4 + 2 + 5
    assert (np.diff(events["at_ns"]) >= 0).all()
    assert _keys(run) == [*range(1, 201), 1]
    (begin,), (end,) = _attempts(run, "begin"), _attempts(run, "end")
    assert begin | {"begin_ns": 0} == {
        "step": "begin",
        "number": 1,
        "begin_ns": 0,
        "resume": "scratch",
        "start": [],
        "tables": list(TABLES),
    }
    assert (end["code"], end["message"], end["errno"], end["responses"]) == ("STOPPED", "", 0, 4)
    assert end["cpu_ns"] > 0
    assert begin["begin_ns"] < events["at_ns"][0] <= events["at_ns"][-1] < end["end_ns"]
    steps = list(jsonio.read_lines(run.vgtids(1)))
    assert [(step["number"], step["last_pks"]) for step in steps] == [
        (1, {"item_1": 100}),
        (2, {"item_1": 200}),
        (3, {}),
    ]
    samples = list(jsonio.read_lines(run.samples("streams-0")))
    assert samples[-1]["values"]["peak_rss_bytes"] > 10_000_000
    assert "loop_lag_max_ms" in samples[0]["values"]


def _marked(streams: StreamsHandle) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return all(each.marked for each in streams.status())

    return condition


async def test_without_a_policy_the_first_error_ends_the_stream(run: RunDir) -> None:
    async with streaming(in_turn([*WHOLE[:1], CUT], WHOLE), run) as (vtgate, streams):
        await _reached(streams, StreamState.ENDED)
        await hold(0.3)
        assert len(vtgate.requests) == 1
    (status,) = streams.status()
    assert status.state is StreamState.ENDED
    assert status.message == f"UNKNOWN: {CUT.message}"
    (end,) = _attempts(run, "end")
    assert (end["code"], end["errno"], end["responses"]) == ("UNKNOWN", 3024, 1)
    assert _keys(run) == list(range(1, 101))


async def test_a_resume_from_the_checkpoint_sends_it_as_it_came(run: RunDir) -> None:
    rest = (copied_rows(201, 50, begin=True), completed("-80", ""))
    script = in_turn([*WHOLE[:2], CUT], [CUT], rest)
    async with streaming(script, run, StreamSpec(resume=Resume.CHECKPOINT)) as (vtgate, streams):
        await _reached(streams, StreamState.COPIED)
    assert [list(request.vgtid.shard_gtids) for request in vtgate.requests[1:]] == [[AT_200]] * 2
    assert len(AT_200.table_p_ks[0].lastpk.fields) == 1
    assert [attempt["resume"] for attempt in _attempts(run, "begin")] == ["scratch", "checkpoint", "checkpoint"]
    assert _attempts(run, "begin")[1]["start"] == [
        {"shard": "-80", "gtid": "MySQL56/a:1-9", "last_pks": {"item_1": 200}}
    ]
    assert [attempt["code"] for attempt in _attempts(run, "end")] == ["UNKNOWN", "UNKNOWN", "STOPPED"]
    assert _keys(run) == list(range(1, 251))
    assert _keys(run, attempt=3) == list(range(201, 251))


async def test_attempts_are_some_time_apart_and_not_without_end(run: RunDir) -> None:
    async with streaming(always(CUT), run, StreamSpec(resume=Resume.CHECKPOINT, attempts=4)) as (vtgate, streams):
        await _reached(streams, StreamState.ENDED)
        assert len(vtgate.requests) == 4
    begins = [attempt["begin_ns"] for attempt in _attempts(run, "begin")]
    assert len(begins) == 4
    assert all(gap >= 100_000_000 for gap in np.diff(begins))
    assert begins[-1] - begins[0] < 3_000_000_000
    assert {attempt["resume"] for attempt in _attempts(run, "begin")} == {"scratch"}


async def test_a_resume_from_scratch_begins_with_nothing(run: RunDir) -> None:
    script = in_turn([*WHOLE, mark(), CUT], WHOLE)
    async with streaming(script, run, StreamSpec(resume=Resume.SCRATCH)) as (vtgate, streams):
        await until("a second attempt", _attempted(streams, 2), timeout_s=20)
        await _reached(streams, StreamState.COPIED)
        assert streams.status()[0].marks == 0  # of the first attempt: what it brought is thrown away
    assert [gtid.gtid for request in vtgate.requests for gtid in request.vgtid.shard_gtids] == ["", ""]
    assert not vtgate.requests[1].vgtid.shard_gtids[0].table_p_ks
    assert [attempt["resume"] for attempt in _attempts(run, "begin")] == ["scratch", "scratch"]
    assert streams.status()[0].rows == 401


def _attempted(streams: StreamsHandle, attempts: int) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return all(each.attempts >= attempts for each in streams.status())

    return condition


async def test_a_stream_that_the_server_ends_without_an_error_is_over(run: RunDir) -> None:
    async def script(request: Any) -> AsyncIterator[Any]:
        yield WHOLE[0]

    async with streaming(script, run, StreamSpec(resume=Resume.CHECKPOINT)) as (vtgate, streams):
        await _reached(streams, StreamState.ENDED)
    assert len(vtgate.requests) == 1
    assert streams.status()[0].message == "EOF"


async def test_a_client_leaves_by_itself_and_resumes_but_stays_in_its_last_attempt(run: RunDir) -> None:
    spec = StreamSpec(resume=Resume.CHECKPOINT, leave_after=2, attempts=3)
    async with streaming(always(*WHOLE), run, spec) as (vtgate, streams):
        await _reached(streams, StreamState.COPIED)
        assert len(vtgate.requests) == 3
    assert list(vtgate.requests[1].vgtid.shard_gtids) == [AT_200]
    assert [(end["code"], end["responses"]) for end in _attempts(run, "end")] == [
        ("LEFT", 2),
        ("LEFT", 2),
        ("STOPPED", 3),
    ]
    assert streams.status()[0].message == ""


async def test_a_client_does_not_leave_before_it_has_a_checkpoint(run: RunDir) -> None:
    begun = (response(event("BEGIN"), fields()), response(vgtid(position("-80", "MySQL56/a:1-9"))), *WHOLE)
    spec = StreamSpec(resume=Resume.CHECKPOINT, leave_after=1, attempts=2)
    async with streaming(always(*begun), run, spec) as (_, streams):
        await _reached(streams, StreamState.COPIED)
    assert [end["responses"] for end in _attempts(run, "end")] == [3, 5]


async def test_a_slow_reader_takes_its_time(run: RunDir) -> None:
    async with streaming(always(*WHOLE), run, StreamSpec(pause_ms=150)) as (_, streams):
        await _reached(streams, StreamState.COPIED)
    arrivals = np.unique(_events(run)["at_ns"])
    assert len(arrivals) == 3
    assert (np.diff(arrivals) >= 150_000_000).all()


async def test_many_streams_of_several_kinds_at_once(run: RunDir) -> None:
    specs = (StreamSpec(count=12), StreamSpec(name="slow", count=8, pause_ms=20))
    async with streaming(always(*WHOLE, mark()), run, *specs) as (vtgate, streams):
        await until("the marks", _marked(streams), timeout_s=20)
        assert len(vtgate.requests) == 20
    for lane in streams.lanes:
        assert len(_events(run, lane.number)) == 213


async def test_tables_one_by_one(run: RunDir) -> None:
    """The second table's stream begins when the first is copied; each tries again for itself; each sees the mark."""
    first = [copied_rows(1, 100, begin=True), completed("-80", ""), mark()]
    second = [copied_rows(1001, 20, table="item_2", begin=True), CUT]
    third = [copied_rows(1021, 20, table="item_2", begin=True), completed("-80", "")]
    gate = asyncio.Event()

    async def script(request: Any) -> AsyncIterator[Any]:
        steps = (first, second, third)[len(vtgate.requests) - 1]
        for step in steps:
            yield step
        if steps is third:
            await gate.wait()
            yield mark()
        await asyncio.Event().wait()

    spec = StreamSpec(one_by_one=True, resume=Resume.CHECKPOINT)
    tables = ("item_1", "item_2", "stream_mark")
    async with streaming(script, run, spec, tables=tables) as (vtgate, streams):
        await _reached(streams, StreamState.COPIED)
        assert streams.status()[0].marks == 0  # the first part alone has seen it
        gate.set()
        await until("the mark", _marked(streams), timeout_s=10)
    asked = [[rule.match for rule in request.filter.rules] for request in vtgate.requests]
    assert asked == [["item_1", "stream_mark"], ["item_2", "stream_mark"], ["item_2", "stream_mark"]]
    assert [begin["tables"] for begin in _attempts(run, "begin")] == asked
    assert [begin["resume"] for begin in _attempts(run, "begin")] == ["scratch", "scratch", "checkpoint"]
    assert vtgate.requests[2].vgtid.shard_gtids[0].table_p_ks[0].table_name == "item_2"
    assert {end["number"]: end["code"] for end in _attempts(run, "end")} == {1: "STOPPED", 2: "UNKNOWN", 3: "STOPPED"}
    (status,) = streams.status()
    assert (status.rows, status.attempts, status.cycles) == (142, 3, 3)


async def test_one_by_one_goes_no_further_than_a_table_that_fails(run: RunDir) -> None:
    script = in_turn([*WHOLE], [CUT])
    tables = ("item_1", "item_2", "item_3", "stream_mark")
    async with streaming(script, run, StreamSpec(one_by_one=True), tables=tables) as (vtgate, streams):
        await _reached(streams, StreamState.ENDED)
        assert len(vtgate.requests) == 2
    assert {end["number"]: end["code"] for end in _attempts(run, "end")} == {1: "STOPPED", 2: "UNKNOWN"}
    assert streams.status()[0].state is StreamState.ENDED


async def test_stop_ends_the_calls_and_writes_what_came_just_now(run: RunDir) -> None:
    async with streaming(always(WHOLE[0]), run) as (vtgate, streams):
        await until("rows", _rows(streams, 100), timeout_s=20)
        await streams.stop(timeout_s=10)
        assert streams.status()[0].state is StreamState.STOPPED
        await until("the calls ended", _closed(vtgate), timeout_s=5)
    assert _attempts(run, "end")[0]["code"] == "STOPPED"


def _rows(streams: StreamsHandle, rows: int) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return all(each.rows >= rows for each in streams.status())

    return condition


def _closed(vtgate: FakeVtgate) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return vtgate.open_calls == 0

    return condition


async def test_streams_that_never_began_stop_as_well(run: RunDir) -> None:
    async with (
        fake_vtgate(always()) as vtgate,
        running(
            (StreamSpec(),), [("vtgate-1", vtgate.address)], keyspace="ks", shards=SHARDS, tables=TABLES, run=run
        ) as streams,
    ):
        await streams.stop(timeout_s=10)
    assert vtgate.requests == []
    assert streams.status()[0].state is StreamState.WAITING
    assert _attempts(run, "begin") == []


def _pid(run: RunDir) -> int:
    live = LiveFile(run.path / NAME)
    try:
        return int(live.workers()["pid"][0])
    finally:
        live.close()


async def test_a_worker_that_is_asked_to_end_writes_everything_and_is_missed(run: RunDir) -> None:
    async with (
        fake_vtgate(always(*WHOLE)) as vtgate,
        running(
            (StreamSpec(),), [("vtgate-1", vtgate.address)], keyspace="ks", shards=SHARDS, tables=TABLES, run=run
        ) as streams,
    ):
        await streams.begin()
        await _reached(streams, StreamState.COPIED)
        os.kill(_pid(run), signal.SIGTERM)
        await until("the worker ended", _ended(streams), timeout_s=10)
        streams.require_alive()  # it ended as it should, with everything written
    assert _attempts(run, "end")[0]["code"] == "STOPPED"
    assert len(_events(run)) == 208


def _ended(streams: StreamsHandle) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return all(process.returncode is not None for process in streams._processes.values())

    return condition


async def test_a_dead_worker_is_an_error_that_shows_how_it_died(run: RunDir) -> None:
    async def timeline() -> None:
        async with streaming(always(WHOLE[0]), run) as (_, streams):
            await until("rows", _rows(streams, 100), timeout_s=20)
            os.kill(_pid(run), signal.SIGKILL)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await timeline()
    assert caught.group_contains(HarnessError, match="stream worker 0 ended by signal 9")
    assert _keys(run) == list(range(1, 101))  # what was flushed survived


async def test_a_defect_of_the_worker_is_an_error_with_its_last_words(run: RunDir) -> None:
    """And not a stream that ended: here, a response that is none."""

    async def script(request: Any) -> AsyncIterator[Any]:
        yield WHOLE[0]
        yield b"\x0a\xff"
        await asyncio.Event().wait()

    async def timeline() -> None:
        async with streaming(script, run):
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(timeline(), timeout=20)
    assert caught.group_contains(HarnessError, match=r"(?s)stream worker 0 ended with status 1.*DecodeError")
    assert _attempts(run, "end") == []
    assert len(_keys(run)) == 100


async def test_a_worker_that_cannot_start_is_an_error_with_its_last_words(run: RunDir) -> None:
    run.stream(1).mkdir()
    with pytest.raises(HarnessError, match=r"(?s)stream worker 0 ended with status 1.*IsADirectoryError"):
        async with running(
            (StreamSpec(),), [("vtgate-1", "127.0.0.1:1")], keyspace="ks", shards=SHARDS, tables=TABLES, run=run
        ):
            pass


async def test_a_stream_without_a_vtgate_ends_with_what_grpc_says(run: RunDir) -> None:
    async with running(
        (StreamSpec(),), [("vtgate-1", "127.0.0.1:1")], keyspace="ks", shards=SHARDS, tables=TABLES, run=run
    ) as streams:
        await streams.begin()
        await _reached(streams, StreamState.ENDED)
        await streams.stop(timeout_s=10)
    assert streams.status()[0].message.startswith("UNAVAILABLE: failed to connect")
    assert _attempts(run, "end")[0]["code"] == "UNAVAILABLE"


async def test_nonsense_is_refused_before_anything_is_written(run: RunDir) -> None:
    with pytest.raises(PlanError):
        async with running(
            (StreamSpec(count=0),), [("vtgate-1", "127.0.0.1:1")], keyspace="ks", shards=SHARDS, tables=TABLES, run=run
        ):
            pass
    assert not run.streams.exists()
