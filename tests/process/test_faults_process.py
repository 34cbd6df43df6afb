"""Goal: a killed vttablet is brought back or its loss is reported, and nothing but a dead process is evidence.

Method: a cluster of names with real sockets behind them: a web port, a vtgate's MySQL port, and a vtctld that knows
two tablets. The same fault against real clusters: tests/faults.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout
from harness.faults import process, service
from harness.faults.mysql import PurgedBinlogs
from harness.faults.process import Killed
from harness.faults.targets import Targets
from harness.model import Capability, Node, Role
from harness.stage import RunStage
from harness.vitess.vtctld import TabletRecord, VtctldError, vtctld_of
from tests.fake_mysql import Err, Ok, Reply, Rows, fake_mysql
from tests.unit.run_fakes import FakeCluster, a_stage, spans, steps
from tests.unit.web_fakes import FakeWeb

NODES = (
    Node(name="vttablet-100", role=Role.VTTABLET, version="24.0.3", keyspace="ks", shard="0", tablet_uid=100),
    Node(name="vttablet-101", role=Role.VTTABLET, version="24.0.3", keyspace="ks", shard="0", tablet_uid=101),
    Node(name="vtgate-1", role=Role.VTGATE, version="24.0.3"),
)
PRIMARY = Targets(role=Role.VTTABLET, tablet_type="primary")
REPLICA = Targets(role=Role.VTTABLET, tablet_type="replica")
KILLED = Killed(targets=PRIMARY, serve_within_s=2.0)


def tablet(uid: int, kind: str) -> TabletRecord:
    return TabletRecord(
        alias=f"zone1-{uid:010d}",
        keyspace="ks",
        shard="0",
        type=kind,
        hostname="h",
        mysql_port=1,
        primary_term_start_ns=0,
    )


@dataclass
class FakeVtctld:
    """Knows the tablets of a shard; `purged` grows with PURGE; `broken` is what a statement fails with."""

    primary: str = "zone1-0000000100"
    records: tuple[TabletRecord, ...] = (tablet(101, "replica"), tablet(100, "primary"))
    purged: str = ""
    logs: tuple[str, ...] = ("bin.000001", "bin.000002")
    broken: str = ""
    statements: list[tuple[str, str]] = field(default_factory=list)

    async def shard_primary(self, keyspace: str, shard: str) -> str:
        return self.primary

    async def tablets(self, keyspace: str, shard: str) -> tuple[TabletRecord, ...]:
        return self.records

    async def execute_as_dba(self, alias: str, sql: str) -> list[dict[str, str]]:
        self.statements.append((alias, sql))
        if self.broken and self.broken in sql:
            raise VtctldError("ExecuteFetchAsDBA", "UNKNOWN", "no")
        if sql.startswith("PURGE"):
            self.purged = "a:1-9"
        if sql.startswith("SHOW BINARY LOGS"):
            return [{"Log_name": name} for name in self.logs]
        return [{"purged": self.purged, "grown": self.purged}]


@dataclass
class Processes(FakeCluster):
    """Runs what it says it runs. A start opens the web port of the node again; `start_fails` instead of that."""

    all_nodes: tuple[Node, ...] = NODES
    capabilities: Mapping[Capability, str] = field(
        default_factory=lambda: {Capability.SIGNAL: "", Capability.RESTART: ""}
    )
    running: set[str] = field(default_factory=lambda: {node.name for node in NODES})
    signals: list[tuple[str, int]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    immortal: bool = False
    start_fails: str = ""
    web: FakeWeb = field(default_factory=FakeWeb)
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def signal(self, node: Node, signum: int) -> None:
        if node.name not in self.running:
            raise ClusterError(f"{node.name} is not running")
        if signum:
            self.signals.append((node.name, signum))
            if self.immortal:
                raise WaitTimeout(f"{node.name} ends after SIGKILL", 10, None)
            self.running.discard(node.name)
            await self.stack.aclose()

    async def start(self, node: Node, *, timeout_s: float) -> None:
        self.started.append(node.name)
        if self.start_fails:
            raise ClusterError(self.start_fails)
        self.running.add(node.name)
        await self.listen(node.name)

    async def listen(self, name: str) -> None:
        await self.stack.enter_async_context(self.web.serving())
        self.ports[name, "web"] = self.web.port


@dataclass
class World:
    """A stage, and what it acts on."""

    stage: RunStage
    cluster: Processes
    vtctld: FakeVtctld
    vtgate: list[Reply]  # what vtgate's next answers are; the last one stays

    def one_of(self, sql: str) -> Reply:
        if "read_only" not in sql:
            return Ok()  # what a driver sets when it connects
        return self.vtgate.pop(0) if len(self.vtgate) > 1 else self.vtgate[0]


WRITABLE = Rows((("0", "0"),))
READ_ONLY = Rows((("1", "1"),))


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Without MySQL servers."""

    async def commits(*_: object) -> bool:
        return False

    monkeypatch.setattr(service, "_hangs_on_commit", commits)
    monkeypatch.setattr(service, "server_of", lambda _, node: node)
    cluster, vtctld = Processes(), FakeVtctld()
    cluster.web.variables = {"TabletStateName": "SERVING", "TabletType": "primary"}
    async with cluster.stack, a_stage(tmp_path / "run", cluster) as stage:
        here = World(stage=stage, cluster=cluster, vtctld=vtctld, vtgate=[WRITABLE])
        stage._clients[vtctld_of] = vtctld
        async with fake_mysql(here.one_of) as server:
            cluster.ports["vtgate-1", "mysql"] = server.port
            for name in ("vttablet-100", "vttablet-101"):
                await cluster.listen(name)
            yield here


def healed(tmp_path: Path) -> bool:
    return "healed" in steps(tmp_path / "run")


async def test_the_primary_is_killed_and_started_again(world: World, tmp_path: Path) -> None:
    async with world.stage.inject(KILLED) as aim:
        assert world.cluster.signals == [("vttablet-100", signal.SIGKILL)]
        assert world.cluster.started == []
    assert aim.details["tablet_type"] == "primary"
    assert world.cluster.started == ["vttablet-100"]
    (span,) = spans(tmp_path / "run")
    assert (span.targets, span.observed, span.error) == (("vttablet-100",), True, "")
    assert span.healed_ns


async def test_a_replica_is_the_one_that_the_shard_record_does_not_name(world: World) -> None:
    """A tablet record may lag behind: two tablets that call themselves primary, one that the shard record names."""
    world.vtctld.records = (tablet(100, "replica"), tablet(101, "replica"))
    assert (await Killed(targets=REPLICA).aim(world.stage)).targets == ("vttablet-101",)
    assert (await Killed(targets=PRIMARY).aim(world.stage)).targets == ("vttablet-100",)


async def test_a_tablet_that_is_not_there(world: World, tmp_path: Path) -> None:
    second = Targets(role=Role.VTTABLET, tablet_type="replica", number=2)
    with pytest.raises(ClusterError, match="replica vttablet: 0 in this cluster"):
        async with world.stage.inject(Killed(targets=second)):
            raise AssertionError("the block is not entered")
    assert steps(tmp_path / "run") == []


async def test_it_is_not_healed_before_it_serves_and_takes_writes(world: World, tmp_path: Path) -> None:
    world.vtgate = [Err(1105, "no healthy tablet"), READ_ONLY, WRITABLE]
    world.cluster.web.variables["TabletStateName"] = "NOT_SERVING"
    task = asyncio.ensure_future(_inject(world))

    async def asked() -> bool:
        return world.cluster.web.asked > 3

    await wait.until("the vttablet was asked", asked, timeout_s=5)
    assert not task.done()
    assert len(world.vtgate) == 3, "vtgate was asked before the vttablet served"
    world.cluster.web.variables["TabletStateName"] = "SERVING"
    await task
    assert world.vtgate == [WRITABLE]
    assert healed(tmp_path)


async def _inject(world: World, fault: Killed = KILLED) -> None:
    async with world.stage.inject(fault):
        pass


async def test_one_that_does_not_start_is_an_error(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_WITHIN_S", 0.3)
    world.cluster.start_fails = "vttablet-100 ended (exit status 1); its log … ends with: …"
    with pytest.raises(WaitTimeout, match="vttablet-100 ended"):
        await _inject(world)
    assert not healed(tmp_path)
    assert "vttablet-100 ended" in spans(tmp_path / "run")[0].error


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (
            {"TabletStateName": "NOT_SERVING", "TabletType": "replica"},
            "has got over Killed: .*last seen: vttablet-100: replica NOT_SERVING",
        ),
        ({}, "has got over Killed: .*no TabletStateName"),
    ],
)
async def test_one_that_starts_and_does_not_serve(world: World, broken: Any, says: str, tmp_path: Path) -> None:
    world.cluster.web.variables = broken
    await _inject(world, Killed(targets=PRIMARY, serve_within_s=0.3))
    assert healed(tmp_path)
    assert re.search(says, spans(tmp_path / "run")[0].unrecovered)


async def test_a_shard_that_stays_read_only(world: World, tmp_path: Path) -> None:
    world.vtgate = [READ_ONLY]
    await _inject(world, Killed(targets=PRIMARY, serve_within_s=0.3))
    assert healed(tmp_path)
    assert re.search(r"has got over Killed: .*vtgate-1, 0: \(\(1, 1\),\)", spans(tmp_path / "run")[0].unrecovered)


async def test_one_that_somebody_started_is_not_started_twice(world: World, tmp_path: Path) -> None:
    async with world.stage.inject(KILLED):
        await world.cluster.start(NODES[0], timeout_s=1)
    assert world.cluster.started == ["vttablet-100"]
    assert healed(tmp_path)


async def test_one_that_cannot_be_killed_is_not_started(world: World, tmp_path: Path) -> None:
    world.cluster.immortal = True
    with pytest.raises(WaitTimeout, match="ends after SIGKILL"):
        await _inject(world)
    assert world.cluster.started == []


async def test_only_a_refused_connection_is_evidence(world: World) -> None:
    aim = await KILLED.aim(world.stage)
    assert not await KILLED.observed(world.stage, aim)
    world.cluster.web.hangs = True
    assert not await KILLED.observed(world.stage, aim)
    await world.cluster.stack.aclose()
    assert await KILLED.observed(world.stage, aim)


# ---------------------------------------------------------------- PurgedBinlogs


async def test_older_logs_are_purged_on_the_replica(world: World, tmp_path: Path) -> None:
    async with world.stage.inject(PurgedBinlogs(shard="0")):
        pass
    on = [sql for alias, sql in world.vtctld.statements if alias == "zone1-0000000101"]
    assert len(on) == len(world.vtctld.statements)
    assert on[1:4] == ["FLUSH LOCAL BINARY LOGS", "SHOW BINARY LOGS", "PURGE BINARY LOGS TO 'bin.000002'"]
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.error, span.details["kept"]) == (True, "", "bin.000002")


async def test_logs_that_could_not_be_purged_are_recorded_and_not_raised(world: World, tmp_path: Path) -> None:
    world.vtctld.broken = "PURGE"
    async with world.stage.inject(PurgedBinlogs(shard="0")):
        pass
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.active_ns) == (False, 0)
    assert "ExecuteFetchAsDBA" in span.error
