"""Goal: full disks and stalled logs: what is asked of the cluster, what takes them back, what is evidence.

Method: a cluster that only remembers, and MySQL servers that say what they are told to. The same against real
clusters: tests/faults/test_faults.py.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from harness.base import wait
from harness.base.errors import PlanError
from harness.faults import disk, logs
from harness.faults.disk import FullDisk
from harness.faults.logs import SlowLog
from harness.faults.targets import Targets
from harness.model import Capability, HeldBack, Limits, Node, Remedy, Role
from harness.stage import RunStage
from tests.fake_mysql import Err, Ok, Reply, fake_mysql
from tests.unit.run_fakes import FakeCluster, a_stage, spans

MYSQLD = Node(name="mysqld-100", role=Role.MYSQLD, version="9.7.4", keyspace="ks", shard="0", tablet_uid=100)
VTGATE = Node(name="vtgate-1", role=Role.VTGATE, version="24.0.3")
FULL = FullDisk(targets=Targets(names=("mysqld-100",)))
STALLED = SlowLog(targets=Targets(names=("vtgate-1",)))


@dataclass
class Short(FakeCluster):
    """Remembers limits and signals; `writers` wait to write their logs."""

    all_nodes: tuple[Node, ...] = (MYSQLD, VTGATE)
    capabilities: Mapping[Capability, str] = field(
        default_factory=lambda: {Capability.DISK: "", Capability.LOG_SINK: ""}
    )
    limits: list[Limits] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    writers: int = 0

    async def set_limits(self, node: Node, limits: Limits) -> None:
        self.limits.append(limits)
        self.writers = 2 if limits.log_bytes_per_s else 0

    async def signal(self, node: Node, signum: int) -> None:
        self.signals.append(signum)

    async def held_back(self, node: Node) -> HeldBack:
        return HeldBack(writers=self.writers)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((logs, "FELT_WITHIN_S"), (logs, "SAID_WITHIN_S"), (disk, "ROTATE_WITHIN_S")):
        monkeypatch.setattr(module, name, 0.3)


@pytest.fixture
def cluster(tmp_path: Path) -> Short:
    (tmp_path / "vtgate-1.log").write_text("begun\n")
    return Short(folder=tmp_path)


@pytest.fixture
async def stage(cluster: Short, tmp_path: Path) -> AsyncIterator[RunStage]:
    async with a_stage(tmp_path / "run", cluster) as acting:
        yield acting


# ---------------------------------------------------------------- disks


async def _aim_with(stage: RunStage, cluster: Short, reply: Reply) -> bool:
    async with fake_mysql(lambda sql: reply if sql.startswith("INSERT") else Ok()) as server:
        cluster.ports["mysqld-100", "mysql"] = server.port
        errno = await disk._no_room(stage, MYSQLD)
    return errno in disk.NO_ROOM


@pytest.mark.parametrize(
    ("reply", "full"), [(Err(1114, "The table is full"), True), (Err(1290, "read-only"), False), (Ok(), False)]
)
async def test_only_want_of_room_is_evidence(stage: RunStage, cluster: Short, reply: Reply, full: bool) -> None:
    assert await _aim_with(stage, cluster, reply) is full


async def test_room_comes_first_then_the_server_then_its_service(stage: RunStage, cluster: Short) -> None:
    async with fake_mysql(lambda _: Ok()) as server:
        cluster.ports["mysqld-100", "mysql"] = server.port
        aim = await FULL.aim(stage)
    order = [remedy.kind for remedy in reversed(aim.undo)]
    assert order == ["limits", disk.NOT_WAITING, "runs", "mysql-in-service"]


def _always(reply: Reply, _: str) -> Reply:
    return reply


async def test_a_server_that_still_waits_is_killed_and_one_that_does_not_is_left_alone(
    stage: RunStage, cluster: Short
) -> None:
    for reply, killed in ((Ok(), []), (Err(1105, "no"), [signal.SIGKILL])):
        async with fake_mysql(partial(_always, reply)) as server:
            cluster.ports["mysqld-100", "mysql"] = server.port
            await disk.REMEDIES[disk.NOT_WAITING](stage, Remedy(kind=disk.NOT_WAITING, target="mysqld-100"))
        assert cluster.signals == killed


async def test_only_a_mysql_servers_disk_can_be_full(stage: RunStage) -> None:
    with pytest.raises(PlanError, match="not that of vtgate-1"):
        await FullDisk(targets=Targets(names=("vtgate-1",))).aim(stage)


# ---------------------------------------------------------------- logs


async def test_a_stalled_log_is_seen_and_taken_again(stage: RunStage, cluster: Short, tmp_path: Path) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        await reader.read()
        if not cluster.writers:
            with (tmp_path / "vtgate-1.log").open("a") as log:
                log.write("cannot parse\n")
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        cluster.ports["vtgate-1", "mysql"] = server.sockets[0].getsockname()[1]
        aim = await STALLED.aim(stage)
        assert not await STALLED.observed(stage, aim)
        async with stage.inject(STALLED) as aim:
            assert await STALLED.observed(stage, aim)
    assert cluster.limits == [Limits(log_bytes_per_s=1), Limits()]
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.unrecovered) == (True, "")


async def test_a_log_that_grows_is_not_stalled_whoever_waits_to_write(
    stage: RunStage, cluster: Short, tmp_path: Path
) -> None:
    aim = await STALLED.aim(stage)
    await cluster.set_limits(VTGATE, Limits(log_bytes_per_s=1))

    async def grow() -> None:
        await wait.hold(0.1)
        with (tmp_path / "vtgate-1.log").open("a") as log:
            log.write("x" * 100)

    growing = asyncio.create_task(grow())
    assert not await STALLED.observed(stage, aim)
    await growing


async def test_a_limit_that_nobody_feels_is_no_evidence(stage: RunStage, cluster: Short) -> None:
    await cluster.set_limits(VTGATE, Limits(log_bytes_per_s=1))
    cluster.writers = 0
    assert not await STALLED.observed(stage, await STALLED.aim(stage))
