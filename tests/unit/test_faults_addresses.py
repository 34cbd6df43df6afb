"""Goal: who takes another's address is moved there and back, the one before the other, and back also by somebody who
knows only the ledger.

Method: a cluster of which only the ports are real. The same fault against a real one: process/taken-address.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import ClusterError
from harness.contracts import Ground, OffersPorts
from harness.faults import addresses, evidence, remedies, service
from harness.faults.addresses import TakenAddress
from harness.faults.missing import Missing
from harness.faults.targets import Targets
from harness.model import Capability, Node, Remedy, Role
from harness.stage import RunStage
from harness.vitess.proto import vtctldata_pb2
from harness.vitess.vtctld import vtctld_of
from tests.unit.run_fakes import FakeCluster, a_stage, spans

OWNER, TAKER = (
    Node(name=f"vttablet-{uid}", role=Role.VTTABLET, version="24.0.3", cell="zone1", shard="0", tablet_uid=uid)
    for uid in (101, 102)
)
GRPC = {OWNER.name: 22101, TAKER.name: 22102}
FAULT = TakenAddress(targets=Targets(names=(OWNER.name,)), by=Targets(names=(TAKER.name,)))


@dataclass
class Moving(FakeCluster):
    """Remembers who runs where."""

    all_nodes: tuple[Node, ...] = (OWNER, TAKER)
    capabilities: Mapping[Capability, str] = field(default_factory=lambda: dict.fromkeys(Capability, ""))
    runs_at: dict[str, str] = field(default_factory=lambda: {name: name for name in GRPC})
    next_at: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def address(self, node: Node, port: str) -> tuple[str, int]:
        return "127.0.0.1", GRPC[node.name]

    async def start(self, node: Node, *, timeout_s: float) -> None:
        self.runs_at[node.name] = self.next_at.get(node.name, node.name)
        self.said.append(f"start {node.name} at {self.runs_at[node.name]}")

    async def signal(self, node: Node, signum: int) -> None:
        if node.name not in self.runs_at:
            raise ClusterError("it does not run")
        if signum == signal.SIGKILL:
            del self.runs_at[node.name]

    async def set_ports(self, node: Node, of: Node) -> None:
        self.next_at[node.name] = of.name


@dataclass
class FakeVtctld:
    """The topology has what the taker has written: where it runs."""

    cluster: Moving

    async def call(self, name: str, request: Any, *, timeout_s: float) -> Any:
        answer = vtctldata_pb2.GetTabletResponse()
        answer.tablet.port_map["grpc"] = GRPC[self.cluster.runs_at.get(TAKER.name, TAKER.name)]
        return answer


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Moving:
    found = Moving()
    assert isinstance(found, OffersPorts)

    async def refuses(ground: Ground, node: Node) -> bool:
        return node.name not in found.runs_at.values()

    async def nothing(ground: Ground, nodes: tuple[Node, ...]) -> Missing:
        return Missing()

    monkeypatch.setattr(evidence, "refuses", refuses)
    monkeypatch.setattr(service, "missing", nothing)
    return found


@pytest.fixture
async def stage(cluster: Moving, tmp_path: Path) -> AsyncIterator[RunStage]:
    async with a_stage(tmp_path / "run", cluster) as found:
        found._clients[vtctld_of] = FakeVtctld(cluster)
        yield found


async def test_it_is_moved_there_and_back(cluster: Moving, stage: RunStage, tmp_path: Path) -> None:
    async with stage.inject(FAULT):
        assert cluster.runs_at == {TAKER.name: OWNER.name}
    assert cluster.runs_at == {OWNER.name: OWNER.name, TAKER.name: TAKER.name}
    back = [f"start {name} at {name}" for name in (TAKER.name, OWNER.name)]
    assert cluster.said == [f"start {TAKER.name} at {OWNER.name}", *back]
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.error, bool(span.recovered_ns)) == (True, "", True)


async def test_without_it_there_is_no_evidence(stage: RunStage) -> None:
    assert not await FAULT.observed(stage, await FAULT.aim(stage))


async def test_who_is_at_its_own_port_is_left_alone(cluster: Moving, stage: RunStage) -> None:
    aim = await FAULT.aim(stage)
    await remedies.undo(stage, aim.undo)
    await remedies.undo(stage, aim.undo)
    assert cluster.said == []


async def test_who_was_never_started_there_is_started(cluster: Moving, stage: RunStage) -> None:
    cluster.runs_at.clear()
    await remedies.undo(stage, [Remedy(kind=addresses.BACK, target=TAKER.name, details={"owner": OWNER.name})])
    assert cluster.runs_at == {OWNER.name: OWNER.name, TAKER.name: TAKER.name}


async def test_nobody_takes_its_own_address(stage: RunStage) -> None:
    own = TakenAddress(targets=FAULT.targets, by=FAULT.targets)
    with pytest.raises(ClusterError, match="one vttablet takes another's address"):
        await own.aim(stage)
