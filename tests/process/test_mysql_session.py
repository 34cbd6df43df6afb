"""The administrative session, and reading the ledger back, against a MySQL server of a few lines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from harness.base.errors import ClusterError
from harness.base.rundir import RunDir
from harness.base.wait import until
from harness.load.config import Target
from harness.load.readback import read_ledger, shard_target
from harness.model import ROW_DTYPE
from harness.mysql.session import admin_session
from tests.fake_mysql import Drop, Err, FakeMysql, Hang, Ok, Reply, Rows, fake_mysql


def _answer(query: str) -> Reply:
    words: dict[str, Reply] = {
        "SELECT 1": Rows([("1", None)]),
        "SELECT hang": Hang(),
        "SELECT drop": Drop(),
        "SELECT wrong": Err(1105, "primary is not serving"),
        "SELECT id, value FROM ledger": Rows([(str(key), str(2**64 - key)) for key in range(1, 25)]),
    }
    return words.get(query, Ok())


async def test_answers_and_errors_are_values() -> None:
    async with fake_mysql(_answer) as server, admin_session(server.host, server.port, database="ks") as session:
        answer = await session.query("SELECT 1", timeout_s=5)
        assert answer.ok
        assert answer.columns == ("id", "value")
        assert answer.rows == ((1, None),)
        assert (await session.query("INSERT", timeout_s=5)).affected == 1
        assert server.connects == 1
        wrong = await session.query("SELECT wrong", timeout_s=5)
        assert (wrong.errno, wrong.message) == (1105, "primary is not serving")
        with pytest.raises(ClusterError, match="reading: errno 1105: primary is not serving"):
            wrong.require("reading")
        assert (await session.query("SELECT 1", timeout_s=5)).require("reading").ok
        assert server.connects == 2  # the connection went with the error


async def test_a_query_that_is_lost_or_late_takes_its_connection_with_it() -> None:
    async with fake_mysql(_answer) as server, admin_session(server.host, server.port) as session:
        assert (await session.query("SELECT drop", timeout_s=5)).errno in (2006, 2013)
        late = await session.query("SELECT hang", timeout_s=0.1)
        assert late.errno == 2900
        assert (await session.query("SELECT 1", timeout_s=5)).rows == ((1, None),)
        assert server.connects == 3


async def test_a_cancelled_query_takes_its_connection_with_it() -> None:
    async with fake_mysql(_answer) as server, admin_session(server.host, server.port) as session:
        task = asyncio.create_task(session.query("SELECT hang", timeout_s=30))

        async def asked() -> bool:
            return "SELECT hang" in server.queries

        await until("asked", asked, timeout_s=10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await session.query("SELECT 1", timeout_s=5)).rows == ((1, None),)


async def test_nobody_there_is_an_answer_too() -> None:
    async with fake_mysql(_answer) as server:
        port = server.port
    async with admin_session("127.0.0.1", port) as session:
        answer = await session.query("SELECT 1", timeout_s=5)
        assert answer.errno == 2003


def _target(server: FakeMysql) -> Target:
    return Target(vtgate="vtgate-1", host=server.host, port=server.port)


async def test_the_ledger_is_read_shard_by_shard(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    seen: list[tuple[str, int | None, int | None]] = []
    async with fake_mysql(_answer) as server:
        failed = await read_ledger(
            _target(server),
            keyspace="ks",
            shards=("-80", "80-"),
            run=run,
            timeout_s=20,
            progress=lambda *what: seen.append(what),
        )
    assert failed == {}
    assert [what[1:] for what in seen] == [(1, 2), (2, 2)]
    assert server.queries.count("SET workload = 'olap'") == 2
    rows = np.fromfile(run.rows("-80"), dtype=ROW_DTYPE)
    assert rows["id"].tolist() == list(range(1, 25))
    assert int(rows["value"][0]) == 2**64 - 1
    assert shard_target("ks", "-80") == "ks/-80@primary"


async def test_a_shard_that_cannot_be_read_is_named_and_leaves_no_file(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    async with fake_mysql(lambda query: Err(1105, "no healthy tablet") if "ledger" in query else Ok()) as server:
        failed = await read_ledger(_target(server), keyspace="ks", shards=("0",), run=run, timeout_s=20)
    assert failed == {"0": "SELECT id, value FROM ledger: errno 1105: no healthy tablet"}
    assert not run.rows("0").exists()
    async with fake_mysql(lambda query: Hang() if "ledger" in query else Ok()) as server:
        failed = await read_ledger(_target(server), keyspace="ks", shards=("0",), run=run, timeout_s=0.3)
    assert "client timeout" in failed["0"]
    assert not run.rows("0").exists()
