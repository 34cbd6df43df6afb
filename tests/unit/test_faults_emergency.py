"""Goal: what replaces a primary is told as it was, and what takes it back does only what is needed.

Method: a stage on a cluster of names, and a vtctld that remembers what it was asked. Real clusters: tests/faults.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from harness.base.errors import ClusterError, PlanError
from harness.faults import emergency, tablet_types
from harness.faults.candidates import WrongCandidate
from harness.faults.emergency import EmergencyReparent, TabletExternallyReparented
from harness.faults.hosts import LostHost
from harness.model import Capability, Node, Remedy, Role
from harness.stage import RunStage
from harness.vitess.vtctld import Promotion, TabletRecord, Term, VtctldError, vtctld_of
from tests.unit.run_fakes import FakeCluster, a_stage, spans

PRIMARY, REPLICA = "zone1-0000000100", "zone1-0000000101"
NODES = tuple(
    Node(name=f"{role}-{uid}", role=role, version="24.0.3", keyspace="ks", shard="0", tablet_uid=uid)
    for role in (Role.VTTABLET, Role.MYSQLD)
    for uid in (100, 101)
)


@dataclass
class FakeVtctld:
    """Two tablets of one shard; a reparent moves the term, unless it is `broken`."""

    term: Term = field(default_factory=lambda: Term(primary=PRIMARY, start_ns=1))
    types: dict[str, str] = field(default_factory=lambda: {PRIMARY: "primary", REPLICA: "replica"})
    broken: str = ""
    asked: list[str] = field(default_factory=list)

    async def shard_term(self, keyspace: str, shard: str) -> Term:
        return self.term

    async def shard_primary(self, keyspace: str, shard: str) -> str:
        return self.term.primary

    async def tablets(self, keyspace: str, shard: str = "") -> tuple[TabletRecord, ...]:
        common = {"keyspace": "ks", "shard": "0", "hostname": "h", "mysql_port": 1, "primary_term_start_ns": 0}
        return tuple(TabletRecord(alias=alias, type=kind, **common) for alias, kind in self.types.items())  # type: ignore[arg-type]

    async def execute_as_dba(self, alias: str, sql: str) -> list[dict[str, str]]:
        self.asked.append(f"{alias[-3:]} {sql}")
        return [{"executed": "a:1-5", "late": "0", "Value": "ON"}]

    async def emergency_reparent(self, keyspace: str, shard: str, **more: object) -> Promotion:
        self._move("EmergencyReparentShard", REPLICA)
        return Promotion(promoted=REPLICA, events=())

    async def externally_reparented(self, alias: str) -> None:
        self._move("TabletExternallyReparented", alias)

    async def change_tablet_type(self, alias: str, tablet_type: str) -> None:
        self.asked.append(f"{alias[-3:]} becomes {tablet_type}")
        self.types[alias] = tablet_type

    def _move(self, call: str, alias: str) -> None:
        self.asked.append(call)
        if self.broken:
            raise VtctldError(call, "UNKNOWN", self.broken)
        self.term = Term(primary=alias, start_ns=self.term.start_ns + 1)
        self.types = {PRIMARY: "replica", REPLICA: "primary"}


@dataclass
class Nodes(FakeCluster):
    """Dies and starts as it is told."""

    all_nodes: tuple[Node, ...] = NODES
    dead: set[str] = field(default_factory=set)
    story: list[str] = field(default_factory=list)

    async def signal(self, node: Node, signum: int) -> None:
        if node.name in self.dead:
            raise ClusterError(f"{node.name} is not running")
        if signum:
            self.story.append(f"{signal.Signals(signum).name} {node.name}")
        if signum == signal.SIGKILL:
            self.dead.add(node.name)

    async def start(self, node: Node, *, timeout_s: float) -> None:
        self.story.append(f"start {node.name}")
        self.dead.discard(node.name)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[RunStage]:
    cluster = Nodes(capabilities={Capability.SIGNAL: "", Capability.RESTART: ""})
    cluster.spec = replace(cluster.spec, shards=1)
    async with a_stage(tmp_path / "run", cluster) as acting:
        acting._clients[vtctld_of] = FakeVtctld()
        yield acting


def vtctld(stage: RunStage) -> FakeVtctld:
    found = stage._clients[vtctld_of]
    assert isinstance(found, FakeVtctld)
    return found


def cluster(stage: RunStage) -> Nodes:
    assert isinstance(stage.cluster, Nodes)
    return stage.cluster


# ---------------------------------------------------------------- reparents


async def test_an_emergency_reparent_is_told_with_its_new_term(stage: RunStage, tmp_path: Path) -> None:
    async with stage.inject(EmergencyReparent(shard="0")):
        pass
    (span,) = spans(tmp_path / "run")
    assert (span.details["was_primary"], span.details["promoted"], span.observed) == (PRIMARY, REPLICA, True)
    assert span.begin_ns <= span.active_ns


async def test_one_that_fails_is_recorded_and_leaves_no_evidence(
    stage: RunStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "TERM_SEEN_WITHIN_S", 0.1)
    vtctld(stage).broken = "could not apply all relay logs"
    async with stage.inject(EmergencyReparent(shard="0")):
        pass
    (span,) = spans(tmp_path / "run")
    assert "could not apply all relay logs" in span.error
    assert (span.observed, span.active_ns) == (False, 0)


async def test_an_outside_tool_moves_mysql_first_and_the_old_primary_stays_read_only(
    stage: RunStage, tmp_path: Path
) -> None:
    async with stage.inject(TabletExternallyReparented(shard="0")):
        pass
    asked = vtctld(stage).asked
    assert asked[0] == "100 SET GLOBAL super_read_only = ON"
    assert asked.index("101 SET GLOBAL read_only = OFF") < asked.index("TabletExternallyReparented")
    assert "101 SET GLOBAL rpl_semi_sync_source_enabled = ON" in asked
    assert not any(what.startswith("100") and "OFF" in what for what in asked)
    (span,) = spans(tmp_path / "run")
    assert (span.error, span.observed) == ("", True)


async def test_an_outside_tool_that_fails_gives_the_old_primary_its_writes_back(
    stage: RunStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "TERM_SEEN_WITHIN_S", 0.1)
    vtctld(stage).broken = "no"
    async with stage.inject(TabletExternallyReparented(shard="0")):
        pass
    assert vtctld(stage).asked[-1] == "100 SET GLOBAL read_only = OFF"


async def test_a_candidate_of_a_shard_that_there_is_not(stage: RunStage) -> None:
    with pytest.raises(ClusterError, match="no candidate other-shard"):
        await WrongCandidate(shard="0", candidate="other-shard").aim(stage)


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(("is_now", "asked"), [("drained", ["101 becomes replica"]), ("replica", []), ("primary", [])])
async def test_a_type_is_changed_back_once_and_a_primary_is_left_alone(
    stage: RunStage, is_now: str, asked: list[str]
) -> None:
    vtctld(stage).types[REPLICA] = is_now
    back = Remedy(kind=tablet_types.TABLET_TYPE, target=REPLICA, details={"tablet_type": "replica"})
    for _ in range(2):
        await tablet_types.REMEDIES[back.kind](stage, back)
    assert vtctld(stage).asked == asked


# ---------------------------------------------------------------- hosts


async def test_a_host_is_gone_or_still(stage: RunStage) -> None:
    with pytest.raises(PlanError, match="gone or still, not slow"):
        await LostHost(how="slow").aim(stage)
