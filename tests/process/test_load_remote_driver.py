"""The load in other places, with real stations and real workers that happen to run here, against a MySQL server of
a few lines. Goal: the run directory afterwards is what a load here would have left, whatever became of a place."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness import history
from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, WaitTimeout
from harness.base.rundir import RunDir
from harness.base.wait import until
from harness.load import remote_driver
from harness.load.config import Target
from harness.load.live import NAME, LiveFile
from harness.load.remote_driver import PodRecord, RemoteLoad, running
from harness.model import LoadSpec, OpKind, Outcome, ReadResult
from tests.fake_mysql import Err, FakeMysql, Hang, Ok, fake_mysql
from tests.process.test_load_driver import Ledger
from tests.unit.load_remote_fakes import LocalPlace, can_skew

SPEC = LoadSpec(rate_per_shard=100, connections_per_shard=2, operation_timeout_s=5, poisson=False)
SHARDS = ("-40", "40-80", "80-")


def _load(
    server: FakeMysql, run: RunDir, place: LocalPlace, *, pods: int = 2, spec: LoadSpec = SPEC, **more: Any
) -> AbstractAsyncContextManager[RemoteLoad]:
    target = Target(vtgate="vtgate-1", host=server.host, port=server.port)
    return running(spec, [target], place=place, pods=pods, keyspace="ks", shards=SHARDS, run=run, seed=5, **more)


def _some(handle: RemoteLoad, field: str = "ok", count: int = 30) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return bool((handle.live()[field] >= count).all())

    return condition


def _ops(run: RunDir) -> history.Ops:
    return history._load_ops(run, [])[0]


def _records(run: RunDir) -> list[PodRecord]:
    return [jsonio.structure(plain, PodRecord) for plain in jsonio.load(run.load_pods, list[Any])]


async def test_histories_of_two_places_merge_into_one(tmp_path: Path) -> None:
    run, ledger, place = RunDir.create(tmp_path / "run"), Ledger(), LocalPlace()
    began_ns = now_ns()
    async with fake_mysql(ledger) as server, _load(server, run, place) as handle:
        assert server.connects == 6
        assert handle.start_ns <= now_ns()
        async with asyncio.TaskGroup() as group:
            group.create_task(handle.watch())
            await until("operations", _some(handle), timeout_s=20)
            await handle.stop(timeout_s=5)
        await handle.stop(timeout_s=5)
    ops, live = _ops(run), LiveFile(run.path / NAME)
    assert (ops["outcome"] == Outcome.OK).all()
    assert live.lanes()["ok"].tolist() == [int(np.count_nonzero(ops["lane"] == lane)) for lane in range(3)]
    # evenly spaced arrivals between the two orders: what was due is what was recorded
    due = (live.orders.stop_ns - handle.start_ns) / 1e9 * SPEC.rate_per_shard
    assert all(abs(int(count) - due) <= 1 for count in live.lanes()["ok"])
    live.close()
    assert {(lane.number, lane.worker) for lane in handle.lanes} == {(0, 0), (2, 0), (1, 1)}
    assert {(int(op["lane"]), int(op["worker"])) for op in ops[["lane", "worker"]]} == {(0, 0), (2, 0), (1, 1)}
    assert began_ns < ops["intended_ns"].min()
    assert ops["done_ns"].max() < now_ns()
    writes = ops[ops["kind"] == OpKind.WRITE]
    assert {str(key): str(value) for key, value in zip(writes["key"], writes["value"], strict=True)} == ledger.rows
    assert (ops[ops["kind"] == OpKind.READ]["rows"] == ReadResult.FOUND).all()
    for worker in (0, 1):
        first = next(jsonio.read_lines(run.samples(f"load-{worker}")))
        assert first["values"]["clock_uncertainty_ms"] == 0.0
        assert (run.logs / f"load-{worker}.log").is_file()
    assert [(record.workers, record.our_clock, record.uncertainty_ns) for record in _records(run)] == [
        ((0,), True, 0),
        ((1,), True, 0),
    ]


@pytest.mark.skipif(not can_skew(), reason="no time namespaces here (unshare --time)")
async def test_a_place_with_another_clock_gives_stamps_of_ours(tmp_path: Path) -> None:
    run, place = RunDir.create(tmp_path / "run"), LocalPlace(skew_s=5000)
    began_ns = now_ns()
    async with fake_mysql(Ledger()) as server, _load(server, run, place, pods=1) as handle:
        await until("operations", _some(handle), timeout_s=20)
        lively = handle.live()
        await handle.stop(timeout_s=5)
    ended_ns = now_ns()
    assert all(began_ns < int(stamp) < ended_ns for stamp in lively["last_ok_ns"])
    ops = _ops(run)
    for field in ("intended_ns", "sent_ns", "done_ns"):
        assert began_ns < ops[field].min()
        assert ops[field].max() < ended_ns
    assert ops["intended_ns"].min() >= handle.start_ns - 1_000_000
    (record,) = _records(run)
    assert not record.our_clock
    assert abs(record.clock.begin.offset_ns - 5000 * 10**9) <= record.uncertainty_ns < 50_000_000
    samples = list(jsonio.read_lines(run.samples("load-0")))
    assert all(began_ns < line["at_ns"] < ended_ns for line in samples)
    assert 0 < samples[0]["values"]["clock_uncertainty_ms"] < 50


async def test_messages_are_those_of_their_worker(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    message = "target: ks.-80.primary: primary is not serving, there may be a reparent operation in progress"
    async with (
        fake_mysql(lambda query: Err(1105, message)) as server,
        _load(server, run, LocalPlace()) as handle,
    ):
        await until("failures", _some(handle, "fail", 3), timeout_s=20)
        await handle.stop(timeout_s=5)
    ops, messages = history._load_ops(run, [])
    assert (ops["outcome"] == Outcome.FAIL).all()
    assert messages == {(0, 1): message, (1, 1): message}


async def test_what_never_answers_is_given_up_at_the_end(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    async with fake_mysql(lambda query: Hang()) as server, _load(server, run, LocalPlace()) as handle:
        await until("operations out", _some(handle, "in_flight", 2), timeout_s=20)
        await handle.stop(timeout_s=0.2)
    outcomes = _ops(run)["outcome"].tolist()
    assert outcomes.count(Outcome.UNKNOWN) == 6
    assert set(outcomes) == {Outcome.UNKNOWN, Outcome.NOT_ISSUED}


async def _dies(run: RunDir, place: LocalPlace, kill: Callable[[RemoteLoad], None]) -> str:
    """What the watch says when something is killed in the middle; the load is stopped in order afterwards."""
    async with fake_mysql(Ledger()) as server, _load(server, run, place) as handle:
        await until("operations", _some(handle), timeout_s=20)
        kill(handle)
        with pytest.raises(HarnessError) as watched:
            await asyncio.wait_for(handle.watch(), 10)
        with pytest.raises(HarnessError) as stopped:
            await handle.stop(timeout_s=2)
    assert str(stopped.value) == str(watched.value)
    return str(watched.value)


async def test_a_place_that_dies_ends_the_load_and_what_the_others_recorded_is_kept(tmp_path: Path) -> None:
    run, place = RunDir.create(tmp_path / "run"), LocalPlace()
    said = await _dies(run, place, lambda _: place.conversations[1].process.kill())
    assert said.startswith("load pod 2 ended while it was needed")
    assert set(_ops(run)["worker"].tolist()) == {0}
    missing: list[str] = []
    history._load_ops(run, missing, 0, {0, 1})
    assert missing == ["ops-1.bin (what load worker 1 recorded)"]


async def test_a_worker_that_dies_in_a_place_is_told_with_its_last_words(tmp_path: Path) -> None:
    run, place = RunDir.create(tmp_path / "run"), LocalPlace()

    def kill(_: RemoteLoad) -> None:
        os.kill(int(LiveFile(run.path / NAME).workers()["pid"][0]), signal.SIGKILL)

    said = await _dies(run, place, kill)
    assert said == "load worker 0 in load pod 1 ended by signal 9 while it was needed"
    assert set(_ops(run)["worker"].tolist()) == {0, 1}  # what it had flushed was fetched


async def test_when_the_driver_is_gone_nothing_goes_on(tmp_path: Path) -> None:
    run, place = RunDir.create(tmp_path / "run"), LocalPlace()
    async with fake_mysql(Ledger()) as server, _load(server, run, place) as handle:
        await until("operations", _some(handle), timeout_s=20)
        workers = [psutil.Process(int(pid)) for pid in LiveFile(run.path / NAME).workers()["pid"]]
        for conversation in place.conversations:
            os.close(conversation.stdin)

        async def ended() -> bool:
            return all(each.process.returncode is not None for each in place.conversations)

        await until("the stations ended by themselves", ended, timeout_s=10)
        assert [each.process.returncode for each in place.conversations] == [0, 0]
        assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)


async def test_leaving_without_stopping_ends_everything(tmp_path: Path) -> None:
    run, place = RunDir.create(tmp_path / "run"), LocalPlace()
    async with fake_mysql(Ledger()) as server:
        with pytest.raises(RuntimeError, match="of the test"):
            async with _load(server, run, place):
                raise RuntimeError("of the test")
    assert all(each.process.returncode is not None for each in place.conversations)


async def test_a_place_without_our_program_is_told_with_what_it_said(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    async with fake_mysql(Ledger()) as server:
        for program, says in (
            (
                "echo python: not found",
                "load pod 1 said something that is no frame of a load station: python: not found",
            ),
            ("false", "load pod 1 ended while it was needed"),
            (
                """sh -c 'echo "{\\"say\\":\\"ready\\",\\"protocol\\":0,\\"bytes\\":0}" && sleep 5'""",
                "runs another version of vtchaos",
            ),
        ):
            with pytest.raises(HarnessError, match=says):
                async with _load(server, run, LocalPlace(program=program), pods=1):
                    pass


async def test_a_place_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_driver, "GREET_WITHIN_S", 0.3)
    run = RunDir.create(tmp_path / "run")
    async with fake_mysql(Ledger()) as server:
        with pytest.raises(WaitTimeout, match="load pod 1 says that it is there: not within"):
            async with _load(server, run, LocalPlace(program="sleep 20"), pods=1):
                pass


async def test_an_endpoint_that_refuses_is_named(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    async with fake_mysql(lambda query: Ok()) as server:
        server.refuse = True
        with pytest.raises(WaitTimeout, match="load pod 2, worker 1: 0 of 2 connections, last trouble: cannot connect"):
            async with _load(server, run, LocalPlace(), connect_within_s=5.0):  # four processes begin and are refused
                pass
