"""Goal: a rollout touches no primary that was not drained, one process at a time, and stops where all is not well."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from harness.base.errors import ClusterError, PlanError
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults import evidence, process, service
from harness.faults.missing import Missing
from harness.faults.process import RUNS
from harness.faults.remedies import RUNNING
from harness.faults.reparent import PlannedReparent
from harness.faults.rollout import ROLLED, RollingRestart, RollingUpgrade
from harness.model import ClusterSpec, Node, Remedy, Role

SPEC = ClusterSpec(shards=2, vitess="23.0.5", upgrade_to="24.0.3")
NODES = (
    *(
        Node(name=f"vttablet-{uid}", role=Role.VTTABLET, version="23.0.5", keyspace="ks", shard=shard, tablet_uid=uid)
        for uid, shard in ((100, "-80"), (101, "-80"), (102, "80-"), (103, "80-"))
    ),
    Node(name="vtgate-1", role=Role.VTGATE, version="23.0.5"),
    Node(name="vtgate-2", role=Role.VTGATE, version="23.0.5"),
)


class Rolled:
    """A stage, its cluster and its vtctld; what was done to it is in `diary`."""

    def __init__(self, *, stubborn: str = "", broken: str = "") -> None:
        self.diary: list[str] = []
        self.cluster = self
        self.spec = SPEC
        self.primaries = {"-80": "zone1-0000000100", "80-": "zone1-0000000102"}
        self._stubborn, self._broken = stubborn, broken

    def nodes(self, role: Role | None = None) -> tuple[Node, ...]:
        return tuple(node for node in NODES if role in (None, node.role))

    async def stop(self, node: Node, *, timeout_s: float) -> None:
        self.diary.append(f"stop {node.name}")

    async def start(self, node: Node, *, timeout_s: float) -> None:
        if node.name == self._broken:
            raise ClusterError(f"{node.name} died")
        self.diary.append(f"start {node.name}")

    async def set_version(self, node: Node, version: str) -> None:
        self.diary.append(f"{node.name} becomes {version}")

    async def signal(self, node: Node, signum: int) -> None:
        self.diary.append(f"signal {signum} {node.name}")

    async def shard_primary(self, keyspace: str, shard: str) -> str:
        return self.primaries[shard]

    async def shared(self, opener: object) -> Rolled:
        return self

    def note(self, text: str, **details: object) -> None: ...

    async def until(self, name: str, condition: Callable[[], Awaitable[object]], *, timeout_s: float) -> object:
        assert await condition()
        return True

    @contextlib.asynccontextmanager
    async def inject(self, fault: Fault) -> AsyncIterator[None]:
        assert isinstance(fault, PlannedReparent)
        self.diary.append(f"reparent {fault.shard}")
        if fault.shard != self._stubborn:
            self.primaries[fault.shard] = f"zone1-0000000{int(self.primaries[fault.shard][-3:]) + 1}"
        yield


class Span:
    error = ""
    active_ns = 0

    def begin(self, at_ns: int = 0) -> None: ...

    def active(self, at_ns: int = 0) -> None:
        self.active_ns = 1

    def failed(self, error: str) -> None:
        self.error = error


@pytest.fixture(autouse=True)
def _serving(monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(ground: Ground, nodes: tuple[Node, ...]) -> Missing:
        return Missing()

    monkeypatch.setattr(service, "missing", missing)


async def _roll(fault: RollingRestart | RollingUpgrade, stage: Rolled) -> Span:
    span = Span()
    async with fault.inject(cast(Stage, stage), Aim(targets=()), cast(SpanRecorder, span)):
        pass
    return span


def _touched(stage: Rolled) -> list[str]:
    return [line for line in stage.diary if not line.startswith("start")]


async def test_replicas_first_and_no_primary_is_stopped() -> None:
    stage = Rolled()
    span = await _roll(RollingRestart(), stage)
    assert (span.error, span.active_ns) == ("", 1)
    assert _touched(stage) == [
        "stop vttablet-101", "reparent -80", "stop vttablet-100",
        "stop vttablet-103", "reparent 80-", "stop vttablet-102",
        "stop vtgate-1", "stop vtgate-2",
    ]  # fmt: skip


async def test_one_process_at_a_time() -> None:
    stage = Rolled()
    await _roll(RollingRestart(order="vtgate"), stage)
    assert stage.diary == ["stop vtgate-1", "start vtgate-1", "stop vtgate-2", "start vtgate-2"]


async def test_an_upgrade_chooses_the_release_of_a_stopped_process() -> None:
    stage = Rolled()
    await _roll(RollingUpgrade(order="vtgate,vttablet"), stage)
    assert stage.diary[:3] == ["stop vtgate-1", "vtgate-1 becomes 24.0.3", "start vtgate-1"]
    assert len([line for line in stage.diary if "becomes" in line]) == len(NODES)


async def test_a_primary_that_was_not_drained_is_left_alone() -> None:
    stage = Rolled(stubborn="-80")
    span = await _roll(RollingRestart(), stage)
    assert "was not reparented" in span.error
    assert _touched(stage) == ["stop vttablet-101", "reparent -80"]


async def test_a_process_that_does_not_come_back_ends_the_rollout() -> None:
    stage = Rolled(broken="vttablet-101")
    span = await _roll(RollingRestart(), stage)
    assert (span.error, span.active_ns) == ("vttablet-101 died", 0)
    assert stage.diary == ["stop vttablet-101"]


async def test_an_order_that_is_none() -> None:
    with pytest.raises(PlanError, match="an order is one of"):
        await RollingRestart(order="mysqld").aim(cast(Stage, Rolled()))


@pytest.mark.parametrize(("asked_to_end", "done"), [(True, ["signal 9 vtgate-1", "again"]), (False, ["again"])])
async def test_who_was_asked_to_end_is_not_waited_for(
    asked_to_end: bool, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Rolled()

    async def refuses(ground: Ground, node: Node) -> bool:
        return asked_to_end

    async def again(ground: Ground, remedy: Remedy) -> None:
        stage.diary.append("again")

    monkeypatch.setattr(evidence, "refuses", refuses)
    monkeypatch.setitem(cast(Any, process.REMEDIES), RUNS, again)
    await RUNNING[ROLLED](cast(Ground, stage), Remedy(kind=ROLLED, target="vtgate-1"))
    assert stage.diary == done
