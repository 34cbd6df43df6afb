"""The driver with real worker processes against a MySQL server of a few lines."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from harness import history
from harness.base import jsonio
from harness.base.errors import HarnessError, WaitTimeout
from harness.base.rundir import RunDir
from harness.base.wait import until
from harness.load.config import Target
from harness.load.driver import LoadHandle, running
from harness.load.live import NAME, LiveFile
from harness.model import ConnectionMode, Lane, LoadSpec, OpKind, Outcome, ReadResult
from tests.fake_mysql import Err, FakeMysql, Hang, Ok, Reply, Rows, fake_mysql

SPEC = LoadSpec(rate_per_shard=200, connections_per_shard=2, operation_timeout_s=5)
SHARDS = ("-80", "80-")


class Ledger:
    """Answers as a database would."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def __call__(self, query: str) -> Reply:
        if query.startswith("INSERT"):
            key, value = query.partition("VALUES (")[2].rstrip(")").split(", ")
            self.rows[key] = value
        elif query.startswith("SELECT"):
            key = query.rpartition(" ")[2]
            return Rows([(key, self.rows[key])])
        return Ok()


def _target(server: FakeMysql, name: str = "vtgate-1") -> Target:
    return Target(vtgate=name, host=server.host, port=server.port)


def _ops(run: RunDir) -> tuple[history.Ops, dict[str, int]]:
    ops, _ = history._load_ops(run, [])
    return ops, {outcome.name: int(np.count_nonzero(ops["outcome"] == outcome)) for outcome in Outcome}


def _some(handle: LoadHandle, field: str = "ok", count: int = 30) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return bool((handle.live()[field] >= count).all())

    return condition


async def test_a_whole_load(tmp_path: Path) -> None:
    run, ledger = RunDir.create(tmp_path / "run"), Ledger()
    async with fake_mysql(ledger) as server:
        targets = [_target(server, "vtgate-1"), _target(server, "vtgate-2")]
        async with running(SPEC, targets, keyspace="ks", shards=SHARDS, run=run, seed=5) as handle:
            assert server.connects == 8
            lanes = [jsonio.structure(line, Lane) for line in jsonio.load(run.load, list)]
            assert tuple(lanes) == handle.lanes
            async with asyncio.TaskGroup() as group:
                group.create_task(handle.watch())
                await until("operations", _some(handle), timeout_s=20)
                await handle.stop(timeout_s=5)
            live = handle.live()
            await handle.stop(timeout_s=5)
            handle.require_alive()
        assert server.connects == 8
        watcher = LiveFile(run.path / NAME)  # still readable afterwards
        assert (watcher.lanes() == live).all()
        watcher.close()
    ops, outcomes = _ops(run)
    assert outcomes == {"OK": len(ops), "FAIL": 0, "UNKNOWN": 0, "NOT_ISSUED": 0}
    assert len(ops) == live["ok"].sum() == live["issued"].sum()
    assert set(ops["worker"].tolist()) == {0, 1}
    assert ops["intended_ns"].min() >= handle.start_ns
    reads = ops[ops["kind"] == OpKind.READ]
    assert (reads["rows"] == ReadResult.FOUND).all()
    writes = ops[ops["kind"] == OpKind.WRITE]
    assert {str(key): str(value) for key, value in zip(writes["key"], writes["value"], strict=True)} == ledger.rows
    samples = list(jsonio.read_lines(run.samples("load-1")))
    assert "loop_lag_max_ms" in samples[-1]["values"]


async def test_errors_are_recorded_with_their_message(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    message = "target: ks.-80.primary: primary is not serving, there may be a reparent operation in progress"
    async with fake_mysql(lambda query: Err(1105, message)) as server:
        async with running(SPEC, [_target(server)], keyspace="ks", shards=("0",), run=run, seed=5) as handle:
            await until("failures", _some(handle, "fail"), timeout_s=20)
            await handle.stop(timeout_s=5)
        assert server.connects > 30  # a connection is never used again after an error
    ops, messages = history._load_ops(run, [])
    assert (ops["outcome"] == Outcome.FAIL).all()
    assert messages == {(0, 1): message}
    assert set(ops["message"].tolist()) == {1}


async def test_what_never_answers_is_given_up_at_the_end(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    async with (
        fake_mysql(lambda query: Hang()) as server,
        running(SPEC, [_target(server)], keyspace="ks", shards=("0",), run=run, seed=5) as handle,
    ):
        await until("operations out", _some(handle, "in_flight", 2), timeout_s=20)
        await handle.stop(timeout_s=0.2)
    ops, outcomes = _ops(run)
    assert outcomes["UNKNOWN"] == 2
    assert outcomes["NOT_ISSUED"] == len(ops) - 2


async def test_a_dead_worker_is_an_error_that_shows_how_it_died(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")

    async def timeline(server: FakeMysql) -> None:
        async with (
            running(SPEC, [_target(server)], keyspace="ks", shards=("0",), run=run, seed=5) as handle,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(handle.watch())
            await until("operations", _some(handle), timeout_s=20)
            os.kill(int(LiveFile(run.path / NAME).workers()["pid"][0]), signal.SIGKILL)
            await asyncio.Event().wait()

    async with fake_mysql(Ledger()) as server:
        with pytest.raises(ExceptionGroup) as caught:
            await timeline(server)
    assert caught.group_contains(HarnessError, match="load worker 0 ended by signal 9")
    ops, outcomes = _ops(run)
    assert outcomes["OK"] == len(ops) >= 30  # what was flushed survived


async def test_a_worker_that_cannot_start_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    (run.path / "ops-0.bin").mkdir()
    with pytest.raises(HarnessError, match=r"(?s)load worker 0 ended with status 1.*IsADirectoryError"):
        async with running(
            SPEC, [Target(vtgate="vtgate-1", host="127.0.0.1", port=1)], keyspace="ks", shards=("0",), run=run, seed=5
        ):
            pass


async def test_an_endpoint_that_refuses_is_named(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    async with fake_mysql(Ledger()) as server:
        server.refuse = True
        with pytest.raises(WaitTimeout, match="0 of 2 connections, last trouble: cannot connect"):
            async with running(
                SPEC, [_target(server)], keyspace="ks", shards=("0",), run=run, seed=5, connect_within_s=2.0
            ):
                pass


@pytest.mark.parametrize("mode", [ConnectionMode.PER_OPERATION, ConnectionMode.TRANSACTION, ConnectionMode.POOLED])
async def test_the_other_modes(tmp_path: Path, mode: ConnectionMode) -> None:
    run = RunDir.create(tmp_path / "run")
    spec = LoadSpec(rate_per_shard=100, connections_per_shard=2, mode=mode)
    async with (
        fake_mysql(Ledger()) as server,
        running(spec, [_target(server)], keyspace="ks", shards=SHARDS, run=run, seed=5) as handle,
    ):
        await until("operations", _some(handle), timeout_s=20)
        await handle.stop(timeout_s=5)
        assert server.connects >= (60 if mode is ConnectionMode.PER_OPERATION else 4)
    ops, outcomes = _ops(run)
    assert outcomes["OK"] == len(ops) >= 60
