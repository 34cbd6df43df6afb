"""Goal: a pod that is taken away is seen by its uid and brought back from what the ledger says alone; what would cost
the cluster its data, or somebody else's machine, is refused.

Method: pods that a test keeps in a table, on a stage of a fake cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.base.errors import ClusterError, PlanError
from harness.contracts import WholePods
from harness.faults.pods import EvictedPod, KilledPod
from harness.faults.remedies import REMEDIES
from harness.faults.targets import Targets
from harness.model import Capability, Node, PodSeen, Role
from tests.unit.run_fakes import FakeCluster, a_stage, spans

VTGATE = Targets(names=("vtgate-1",))


@dataclass
class Pods:
    """One pod a node, each on a machine of its own; another one of the name is there at once."""

    uids: dict[str, int] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    no_right: str = ""

    def why_not(self, node: Node) -> str:
        return "its data goes with it" if node.role is Role.VTTABLET else ""

    async def why_no_cordon(self) -> str:
        return self.no_right

    def inside(self, node: Node) -> tuple[Node, ...]:
        return (node,)

    async def seen(self, node: Node) -> PodSeen:
        return PodSeen(uid=f"{node.name} {self.uids.get(node.name, 0)}", machine=f"machine-of-{node.name}")

    async def take(self, node: Node, *, evict: bool) -> None:
        self.done.append(f"{'evict' if evict else 'delete'} {node.name}")
        self.uids[node.name] = self.uids.get(node.name, 0) + 1

    async def again(self, node: Node, *, unlike: str, timeout_s: float) -> None:
        if (await self.seen(node)).uid == unlike:
            raise ClusterError("no other pod came")
        self.done.append(f"again {node.name}")

    async def is_cordoned(self, machine: str) -> bool:
        return machine in self.closed

    async def set_cordon(self, machine: str, cordoned: bool) -> None:
        (self.closed.add if cordoned else self.closed.discard)(machine)

    async def traces(self) -> tuple[str, ...]:
        return ()


@dataclass
class InPods(FakeCluster):
    pods: WholePods | None = field(default_factory=Pods)
    started: list[str] = field(default_factory=list)

    async def start(self, node: Node, *, timeout_s: float) -> None:
        self.started.append(node.name)

    async def stop(self, node: Node, *, timeout_s: float) -> None:
        self.started.append(f"stop {node.name}")


def cluster(pods: Pods) -> InPods:
    return InPods(pods=pods, capabilities={Capability.PODS: ""})


async def test_another_uid_is_the_evidence(tmp_path: Path) -> None:
    pods = Pods()
    async with a_stage(tmp_path / "run", cluster(pods)) as stage:
        fault = KilledPod(targets=VTGATE)
        aim = await fault.aim(stage)
        assert not await fault.observed(stage, aim)
        async with fault.inject(stage, aim, _Span()):
            assert await fault.observed(stage, aim)
    assert pods.done == ["delete vtgate-1", "again vtgate-1"]


async def test_an_evicted_pod_was_asked_to_end_and_its_machine_stays_closed(tmp_path: Path) -> None:
    pods = Pods()
    here = cluster(pods)
    async with a_stage(tmp_path / "run", here) as stage:
        fault = EvictedPod(targets=VTGATE, cordon=True)
        aim = await fault.aim(stage)
        async with fault.inject(stage, aim, _Span()):
            assert await fault.observed(stage, aim)
            assert (here.started, pods.done) == (["stop vtgate-1"], ["evict vtgate-1"])
        for remedy in aim.undo[::-1]:
            if remedy.kind in ("cordon", "pod"):
                await REMEDIES[remedy.kind](stage, remedy)
        assert not await fault.observed(stage, aim), "the machine takes pods again"
    assert pods.done[-1] == "again vtgate-1"


@pytest.mark.parametrize("name, why", [("vttablet-100", "its data goes with it"), ("vtctld", "speaks to vtctld")])
async def test_whose_pod_cannot_be_missed(name: str, why: str, tmp_path: Path) -> None:
    async with a_stage(tmp_path / "run", cluster(Pods())) as stage:
        with pytest.raises(PlanError, match=why):
            await KilledPod(targets=Targets(names=(name,))).aim(stage)


async def test_a_machine_that_somebody_else_has_closed(tmp_path: Path) -> None:
    pods = Pods(closed={"machine-of-vtgate-1"})
    async with a_stage(tmp_path / "run", cluster(pods)) as stage:
        with pytest.raises(ClusterError, match="machine-of-vtgate-1 takes no pods already"):
            await EvictedPod(targets=VTGATE, cordon=True).aim(stage)
        await EvictedPod(targets=VTGATE).aim(stage)


async def test_without_the_right_to_cordon(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "run", cluster(Pods(no_right="no right to patch nodes"))) as stage:
        with pytest.raises(PlanError, match="no right to patch nodes"):
            await EvictedPod(targets=VTGATE, cordon=True).aim(stage)


async def test_a_cluster_without_pods(tmp_path: Path) -> None:
    async with a_stage(tmp_path / "run", FakeCluster(capabilities={Capability.PODS: "none here"})) as stage:
        with pytest.raises(PlanError, match="none here"):
            async with stage.inject(KilledPod(targets=VTGATE)):
                raise AssertionError("the block is not entered")
    assert not spans(tmp_path / "run")


class _Span:
    """Hears nothing."""

    def begin(self, at_ns: int = 0) -> None: ...
    def active(self, at_ns: int = 0) -> None: ...
    def detail(self, **details: str | int | float | bool) -> None: ...
    def failed(self, error: str) -> None:
        raise AssertionError(error)
