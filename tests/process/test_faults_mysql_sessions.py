"""Goal: sessions that sit on a server are evidence only of what they do there, and all leave with the block.

Method: a MySQL server of a few lines that has so many connections and no more, and one that answers as it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.base import wait
from harness.base.errors import ClusterError
from harness.contracts import Aim
from harness.faults.mysql_sessions import LOCK_WAIT_TIMEOUT, ExhaustedConnections, HeldMetadataLock
from harness.faults.targets import Targets
from harness.model import Node, Role
from harness.stage import RunStage
from tests.fake_mysql import Err, Ok, Reply, Rows, fake_mysql
from tests.unit.run_fakes import FakeCluster, a_stage

NODE = Node(name="mysqld-100", role=Role.MYSQLD, version="9.7", keyspace="ks", shard="0", tablet_uid=100)
HERE = Targets(names=(NODE.name,))
GREETING = (
    b"\x0a8.4.0-Fake\0" + bytes(4) + b"12345678\0" + b"\xff\xff\xff\x02\x00\xff\xff\x15" + bytes(10) + b"901234567890\0"
)
OK = b"\0\0\0\x02\x00\x00\x00"
FULL = b"\xff\x10\x04#08004Too many connections"


@dataclass
class Crowded:
    """Lets `most` connections in at a time; the others are told errno 1040 instead of a greeting."""

    most: int
    refusal: bytes = FULL
    port: int = 0
    there: int = 0

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.there >= self.most:
            writer.write(_frame(0, self.refusal))
            writer.close()
            return
        self.there += 1
        writer.write(_frame(0, GREETING + b"mysql_native_password\0"))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readexactly(4)
            await reader.readexactly(int.from_bytes(head[:3], "little"))
            writer.write(_frame(2, OK))
            await reader.read()
        self.there -= 1
        writer.close()


def _frame(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes((sequence,)) + payload


def _aim() -> Aim:
    return Aim(targets=(NODE.name,))


class _Span:
    """What the fault says of itself."""

    def __init__(self) -> None:
        self.details: dict[str, str | int | float | bool] = {}

    def begin(self, at_ns: int = 0) -> None: ...
    def active(self, at_ns: int = 0) -> None: ...
    def failed(self, error: str) -> None: ...

    def detail(self, **details: str | int | float | bool) -> None:
        self.details.update(details)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[RunStage]:
    async with a_stage(tmp_path / "run", FakeCluster(all_nodes=(NODE,))) as acting:
        yield acting


@contextlib.asynccontextmanager
async def crowded(stage: RunStage, server: Crowded) -> AsyncIterator[Crowded]:
    listening = await asyncio.start_server(server.met, "127.0.0.1", 0)
    assert isinstance(stage.cluster, FakeCluster)
    stage.cluster.ports[NODE.name, "mysql"] = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def test_guests_come_until_one_is_refused_and_all_leave(stage: RunStage) -> None:
    fault = ExhaustedConnections(targets=HERE)
    async with crowded(stage, Crowded(most=7)) as server:
        aim = _aim()
        span = _Span()
        assert not await fault.observed(stage, aim)
        async with fault.inject(stage, aim, span):
            assert server.there == 7
            assert span.details == {"taken of mysqld-100": 7}
            assert await fault.observed(stage, aim)
            assert repr(await fault.recovered(stage, aim)) == "mysqld-100 has no connection left"

        async def alone() -> bool:
            return server.there == 0

        await wait.until("all guests have left", alone, timeout_s=5)
        assert await fault.recovered(stage, aim)


async def test_another_refusal_is_no_evidence(stage: RunStage) -> None:
    blocked = b"\xff\x69\x04#HY000Host is blocked"  # errno 1129
    async with crowded(stage, Crowded(most=0, refusal=blocked)):
        with pytest.raises(ClusterError, match="does not let a guest in: errno 1129: Host is blocked"):
            await ExhaustedConnections(targets=HERE).observed(stage, _aim())


WAITED = Err(LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded")


@pytest.mark.parametrize(("reply", "locked"), [(WAITED, True), (Rows((("1",),), ("1",)), False)])
async def test_a_lock_is_seen_by_who_waits_for_it(reply: Reply, locked: bool, stage: RunStage) -> None:
    fault = HeldMetadataLock(targets=HERE)
    async with fake_mysql(lambda sql: reply if "FROM ledger" in sql else Ok()) as server:
        assert isinstance(stage.cluster, FakeCluster)
        stage.cluster.ports[NODE.name, "mysql"] = server.port
        async with fault.inject(stage, _aim(), _Span()):
            assert "LOCK TABLES ledger WRITE" in server.queries
            assert await fault.observed(stage, _aim()) is locked
            assert bool(await fault.recovered(stage, _aim())) is not locked


async def test_a_table_that_is_not_there_is_no_lock(stage: RunStage) -> None:
    async with fake_mysql(lambda sql: Err(1146, "no such table") if "FROM ledger" in sql else Ok()) as server:
        assert isinstance(stage.cluster, FakeCluster)
        stage.cluster.ports[NODE.name, "mysql"] = server.port
        with pytest.raises(ClusterError, match="reading ledger of mysqld-100: errno 1146"):
            await HeldMetadataLock(targets=HERE).observed(stage, _aim())
