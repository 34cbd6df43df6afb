"""Goal: a process that stands still or is held back is seen to be, and goes on afterwards; a crash loop ends running.

Method: a cluster of names whose processes are web ports of this test. The same against real clusters:
tests/faults/test_process.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.base import wait
from harness.base.errors import ClusterError, PlanError
from harness.faults import evidence, process, remedies, service, slowness
from harness.faults.process import CrashLoop, Restarted, Terminated
from harness.faults.slowness import Paused, Slowed
from harness.faults.targets import Targets
from harness.model import Capability, HeldBack, Limits, Node, Role
from harness.stage import RunStage
from harness.vitess.vtctld import vtctld_of
from tests.unit.run_fakes import FakeCluster, a_stage, ledger, spans

VTGATES = (
    Node(name="vtorc", role=Role.VTORC, version="24.0.3"),
    Node(name="vtorc-2", role=Role.VTORC, version="24.0.3"),
)
ONE = Targets(names=("vtorc",))


@dataclass
class Webs(FakeCluster):
    """Every node is a web port that answers, hangs (SIGSTOP) or is closed; its process began at `began[node]`."""

    all_nodes: tuple[Node, ...] = VTGATES
    capabilities: Mapping[Capability, str] = field(
        default_factory=lambda: {Capability.SIGNAL: "", Capability.RESTART: "", Capability.CPU: ""}
    )
    servers: dict[str, asyncio.Server] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    began: dict[str, float] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)
    told: list[Limits] = field(default_factory=list)
    asked: int = 0
    stubborn: bool = False
    starts: int = 0

    async def start(self, node: Node, *, timeout_s: float) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.closing(writer):
                self.asked += 1
                await reader.readline()
                while node.name in self.stopped:
                    await wait.hold(0.01)
                body = f"process_start_time_seconds {self.began[node.name]}\n"
                writer.write(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())
                await writer.drain()

        if node.name in self.servers:
            raise ClusterError(f"{node.name} is already running")
        self.starts += 1
        self.began[node.name] = self.began.get(node.name, 1000.0) + 0.1
        server = await asyncio.start_server(answer, "127.0.0.1", self.ports.get((node.name, "web"), 0))
        self.servers[node.name] = server
        self.ports[node.name, "web"] = server.sockets[0].getsockname()[1]

    async def stop(self, node: Node, *, timeout_s: float) -> None:
        await self._end(node)
        if self.stubborn:
            raise ClusterError(f"{node.name} did not end; it was killed")

    async def signal(self, node: Node, signum: int) -> None:
        if node.name not in self.servers:
            raise ClusterError(f"{node.name} is not running")
        if signum == signal.SIGSTOP:
            self.stopped.add(node.name)
        elif signum == signal.SIGCONT:
            self.stopped.discard(node.name)
        elif signum:
            await self._end(node)

    async def set_limits(self, node: Node, limits: Limits) -> None:
        self.limits[node.name] = limits
        self.told.append(limits)

    async def held_back(self, node: Node) -> HeldBack:
        """Who is limited and has work to do is held back."""
        return HeldBack(times=self.asked if self.limits.get(node.name, Limits()).cpus else 0)

    async def _end(self, node: Node) -> None:
        server = self.servers.pop(node.name, None)
        if server is not None:
            server.close()
            await server.wait_closed()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence that is not there is not looked for as long as on a busy host."""
    monkeypatch.setattr(slowness, "HELD_BACK_WITHIN_S", 0.5)
    monkeypatch.setattr(process, "SEEN_WITHIN_S", 0.5)


@pytest.fixture
async def webs() -> AsyncIterator[Webs]:
    cluster = Webs()
    for node in cluster.nodes():
        await cluster.start(node, timeout_s=1)
    yield cluster
    cluster.stopped.clear()
    for node in cluster.nodes():
        await cluster._end(node)


@pytest.fixture
async def stage(webs: Webs, tmp_path: Path) -> AsyncIterator[RunStage]:
    async with a_stage(tmp_path / "run", webs) as acting:
        yield acting


async def test_paused_is_who_accepts_and_does_not_answer_while_others_do(
    webs: Webs, stage: RunStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "ANSWER_WITHIN_S", 0.3)
    paused = Paused(targets=ONE)
    assert not await paused.observed(stage, await paused.aim(stage))
    async with stage.inject(paused) as aim:
        assert await paused.observed(stage, aim)
        webs.stopped.add("vtorc-2")
        assert not await paused.observed(stage, aim), "then the host stands still"
        webs.stopped.discard("vtorc-2")
    assert webs.stopped == set()
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.unrecovered, bool(span.recovered_ns)) == (True, "", True)


async def test_slowed_is_whom_the_kernel_has_stopped_and_only_its_own_limit_is_taken_back(
    webs: Webs, stage: RunStage, tmp_path: Path
) -> None:
    slowed = Slowed(targets=ONE, cpus=0.2)
    webs.asked = 0
    async with stage.inject(slowed) as aim:
        assert await slowed.observed(stage, aim)
        with pytest.raises(PlanError, match="cpus limit of vtorc"):
            async with stage.inject(Slowed(targets=ONE, cpus=0.3)):
                raise AssertionError("the block is not entered")
    assert webs.told == [Limits(cpus=0.2), Limits()]
    assert webs.asked > 0, "a process that rests is not held back"
    assert not await slowed.observed(stage, aim)


async def test_restarted_is_a_younger_process(webs: Webs, stage: RunStage, tmp_path: Path) -> None:
    restarted = Restarted(targets=ONE)
    assert not await restarted.observed(stage, await restarted.aim(stage))
    async with stage.inject(restarted):
        pass
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.error, bool(span.healed_ns)) == (True, "", True)
    assert webs.starts == 3


async def test_who_never_said_when_he_began_is_not_known_to_be_younger(webs: Webs, stage: RunStage) -> None:
    webs.began["vtorc"] = 0.0
    aim = await Restarted(targets=ONE).aim(stage)
    webs.began["vtorc"] = 1000.0
    assert not await Restarted(targets=ONE).observed(stage, aim)


async def test_terminated_is_gone_and_who_had_to_be_killed_is_on_record(
    webs: Webs, stage: RunStage, tmp_path: Path
) -> None:
    webs.stubborn = True
    async with stage.inject(Terminated(targets=ONE)):
        assert "vtorc" not in webs.servers
    (span,) = spans(tmp_path / "run")
    assert span.observed
    assert "it was killed" in str(span.details["not_stopped"])
    assert "vtorc" in webs.servers


async def test_who_was_asked_to_end_and_is_still_at_it_is_started_anew(webs: Webs, stage: RunStage) -> None:
    """The harness died, or was interrupted, while a process drained: it would end later, and nobody would know."""
    aim = await Terminated(targets=ONE).aim(stage)
    began_s = webs.began["vtorc"]
    await remedies.undo(stage, aim.undo)
    assert webs.began["vtorc"] > began_s
    starts = webs.starts
    await remedies.undo(stage, aim.undo)
    assert webs.starts == starts, "a younger one is left alone"


async def test_a_process_that_was_just_paused_may_answer_once_more(
    webs: Webs, stage: RunStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "ANSWER_WITHIN_S", 0.3)
    paused = Paused(targets=ONE)
    aim = await paused.aim(stage)
    asyncio.get_running_loop().call_later(0.2, webs.stopped.add, "vtorc")
    assert await paused.observed(stage, aim)


async def test_a_crash_loop_kills_who_answers_and_leaves_it_running(
    webs: Webs, stage: RunStage, tmp_path: Path
) -> None:
    async def three() -> bool:
        return webs.starts >= 2 + 3

    async with stage.inject(CrashLoop(targets=ONE, every_s=0.05)):
        await stage.until("three starts", three, timeout_s=5)
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.error) == (True, "")
    assert int(span.details["kills"]) >= 3
    assert "vtorc" in webs.servers


async def test_a_crash_loop_that_is_cancelled_leaves_it_running(webs: Webs, stage: RunStage) -> None:
    entered = asyncio.Event()

    async def endless() -> None:
        async with stage.inject(CrashLoop(targets=ONE, every_s=0.05)):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(endless())
    await wait.finish("the block is entered", entered.wait(), timeout_s=10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    starts = webs.starts
    assert "vtorc" in webs.servers
    await wait.hold(0.2)
    assert webs.starts == starts, "nobody kills it any more"


# ---------------------------------------------------------------- MySQL in service


MYSQLD = Node(name="mysqld-100", role=Role.MYSQLD, version="9.7.4", keyspace="ks", shard="0", tablet_uid=100)


@dataclass
class Vtctld:
    primary: str
    replica: bool = True
    calls: list[str] = field(default_factory=list)

    async def shard_primary(self, keyspace: str, shard: str) -> str:
        return self.primary

    async def execute_as_dba(self, alias: str, sql: str, *, timeout_s: float) -> list[dict[str, str]]:
        return [{"1": "1"}] if self.replica or sql == "SELECT 1" else []

    async def reparent_tablet(self, alias: str) -> None:
        self.calls.append(f"ReparentTablet {alias}")

    async def start_replication(self, alias: str) -> None:
        self.calls.append(f"StartReplication {alias}")

    async def call(self, name: str, request: object, *, timeout_s: float) -> None:
        self.calls.append(name)


@pytest.mark.parametrize(
    ("primary", "replica", "vtorc", "calls", "statements"),
    [
        (MYSQLD.tablet_alias, False, False, ["SetWritable"], ["SET GLOBAL rpl_semi_sync_source_enabled = ON"]),
        ("zone1-0000000101", True, False, [f"StartReplication {MYSQLD.tablet_alias}"], []),
        ("zone1-0000000101", False, False, [f"ReparentTablet {MYSQLD.tablet_alias}"], []),  # demoted, and left so
        (MYSQLD.tablet_alias, False, True, [], []),
    ],
)
async def test_a_mysqld_is_put_back_as_an_operator_does_it(
    primary: str,
    replica: bool,
    vtorc: bool,
    calls: list[str],
    statements: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    async def ask(_: object, __: Node, *sql: str) -> list[dict[str, str]]:
        asked.extend(sql)
        return [
            {"Variable_name": "rpl_semi_sync_replica_enabled", "Value": "OFF"},
            {"Variable_name": "rpl_semi_sync_source_enabled", "Value": "ON"},
        ]

    monkeypatch.setattr(service, "ask", ask)
    nodes = (MYSQLD, *(VTGATES if vtorc else ()))
    vtctld = Vtctld(primary, replica)
    async with a_stage(tmp_path / "run", dataclasses.replace(FakeCluster(), all_nodes=nodes)) as stage:
        stage._clients[vtctld_of] = vtctld
        remedy = await service.mysql_in_service(stage, MYSQLD)
        asked.clear()
        await service.REMEDIES[remedy.kind](stage, remedy)
    assert (vtctld.calls, asked) == (calls, statements)
    assert ledger(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("status", "clients", "hangs"), [("ON", "0", True), ("ON", "1", False), ("OFF", "0", False), ("", "", False)]
)
async def test_a_primary_that_no_replica_acknowledges_to_takes_no_writes(
    status: str, clients: str, hangs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers reads, and says that it is not read-only."""

    async def ask(*_: object) -> list[dict[str, str]]:
        rows = {"Rpl_semi_sync_source_status": status, "Rpl_semi_sync_source_clients": clients}
        return [{"Variable_name": name, "Value": value} for name, value in rows.items() if value]

    monkeypatch.setattr(service, "ask", ask)
    async with a_stage(tmp_path / "run", FakeCluster()) as stage:
        assert await service._hangs_on_commit(stage, MYSQLD) is hangs
