"""Goal: a traffic switch is seen in the topology's routing rules, in the direction that was asked for; and the
end of buffering that it brings is explained by it alone.

Method: a vtctld that keeps rules. The same against a real cluster: tests/faults/test_switching.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import ClusterError
from harness.faults.switching import SwitchedTraffic
from harness.model import ClusterSpec, KeyspaceSpec
from harness.stage import RunStage
from harness.vitess.proto import topodata_pb2, vschema_pb2, vtctldata_pb2
from harness.vitess.vtctld import VtctldError, vtctld_of
from tests.fakes import calm
from tests.unit.run_fakes import FakeCluster, a_stage, spans
from tests.unit.verdicts import FAIL, PASS, verdict


@dataclass
class RulingVtctld:
    """Switches the tables' home, unless it is `broken` or only `pretends`."""

    home: str = "ks"
    tables: tuple[str, ...] = ("ledger",)
    broken: bool = False
    pretends: bool = False
    serving: tuple[str, ...] = ("-80", "80-")
    requests: list[Any] = field(default_factory=list)

    async def call(self, name: str, request: Any, *, timeout_s: float) -> Any:
        if name == "GetRoutingRules":
            return vtctldata_pb2.GetRoutingRulesResponse(routing_rules=vschema_pb2.RoutingRules(rules=self._rules()))
        if name == "GetSrvKeyspaces":
            return vtctldata_pb2.GetSrvKeyspacesResponse(srv_keyspaces={"zone1": _partitioned(self.serving)})
        self.requests.append(request)
        if self.broken:
            raise VtctldError(name, "UNKNOWN", "tablets are not healthy")
        if not self.pretends:
            self.home = "ks" if request.direction else "target"
            self.serving = ("-80", "80-") if request.direction else ("-40", "40-80", "80-")
        return vtctldata_pb2.WorkflowSwitchTrafficResponse(current_state="All writes switched")

    def _rules(self) -> list[Any]:
        names = [name for table in self.tables for name in (table, f"{table}@replica", f"target.{table}")]
        return [vschema_pb2.RoutingRule(from_table=name, to_tables=[f"{self.home}.{self.tables[0]}"]) for name in names]


def _partitioned(shards: tuple[str, ...]) -> Any:
    """Replicas are served by others, on purpose: they do not count."""
    partition = topodata_pb2.SrvKeyspace.KeyspacePartition
    served = ((topodata_pb2.PRIMARY, shards), (topodata_pb2.REPLICA, ("-40",)))
    return topodata_pb2.SrvKeyspace(
        partitions=[
            partition(served_type=kind, shard_references=[topodata_pb2.ShardReference(name=name) for name in names])
            for kind, names in served
        ]
    )


RESHARD = partial(SwitchedTraffic, keyspace="ks", reshard=True)


@pytest.fixture
def vtctld() -> RulingVtctld:
    return RulingVtctld()


@pytest.fixture
async def stage(vtctld: RulingVtctld, tmp_path: Path) -> AsyncIterator[RunStage]:
    cluster = FakeCluster(
        spec=ClusterSpec(shards=2, further_shards=("-40", "40-80"), others=(KeyspaceSpec(name="target"),))
    )
    async with a_stage(tmp_path / "run", cluster) as acting:
        acting._clients[vtctld_of] = vtctld
        yield acting


async def test_each_direction_has_evidence_of_its_own(stage: RunStage, vtctld: RulingVtctld, tmp_path: Path) -> None:
    there, back = SwitchedTraffic(), SwitchedTraffic(back=True)
    aim = await there.aim(stage)
    assert not await there.observed(stage, aim)
    async with stage.inject(there) as aim:
        assert not await back.observed(stage, aim)
    async with stage.inject(back):
        pass
    assert [(span.error, span.observed, span.details["state"]) for span in spans(tmp_path / "run")] == [
        ("", True, "All writes switched")
    ] * 2
    assert [(request.workflow, request.keyspace, request.direction) for request in vtctld.requests] == [
        ("move", "target", 0),
        ("move", "target", 1),
    ]


async def test_a_reshard_is_seen_in_the_shards_that_serve(
    stage: RunStage, vtctld: RulingVtctld, tmp_path: Path
) -> None:
    there, back = RESHARD(), RESHARD(back=True)
    assert not await there.observed(stage, await there.aim(stage))
    async with stage.inject(there) as aim:
        assert not await back.observed(stage, aim)
        vtctld.serving = ("-40", "-80", "80-")
        assert not await there.observed(stage, aim), "half of it"
        vtctld.serving = ("-40", "40-80", "80-")
    async with stage.inject(back):
        pass
    assert [(span.error, span.observed) for span in spans(tmp_path / "run")] == [("", True)] * 2
    assert [(request.keyspace, request.direction) for request in vtctld.requests] == [("ks", 0), ("ks", 1)]


@pytest.mark.parametrize("keyspace", ["target", "none"])
async def test_a_keyspace_without_further_shards_is_not_split(keyspace: str, stage: RunStage) -> None:
    with pytest.raises(ClusterError, match="no shards beside those that serve"):
        await SwitchedTraffic(keyspace=keyspace, reshard=True).aim(stage)


async def test_a_switch_that_only_says_so_shows_no_evidence(
    stage: RunStage, vtctld: RulingVtctld, tmp_path: Path
) -> None:
    vtctld.pretends = True
    async with stage.inject(SwitchedTraffic()):
        pass
    (span,) = spans(tmp_path / "run")
    assert (span.error, span.observed) == ("", False)


async def test_a_switch_that_fails_is_recorded(stage: RunStage, vtctld: RulingVtctld, tmp_path: Path) -> None:
    vtctld.broken = True
    async with stage.inject(SwitchedTraffic()):
        pass
    (span,) = spans(tmp_path / "run")
    assert "tablets are not healthy" in span.error
    assert (span.observed, span.active_ns) == (False, 0)


async def test_without_a_workflow_there_is_nothing_to_switch(stage: RunStage, vtctld: RulingVtctld) -> None:
    vtctld.tables = ()
    with pytest.raises(ClusterError, match="no MoveTables workflow"):
        await SwitchedTraffic().aim(stage)


@pytest.mark.parametrize("reason", ["MoveTablesSwitchedTraffic", "ReshardingComplete"])
def test_buffering_that_ends_with_switched_traffic_needs_a_switch(reason: str) -> None:
    ended = calm()
    ended.set("vtgate-1", 0.0, {f"BufferStops:ks.80-.{reason}": 0})
    ended.set("vtgate-1", 6.0, {f"BufferStops:ks.80-.{reason}": 1})
    assert verdict("buffering/stops", ended) is FAIL
    ended.fault("SwitchedTraffic", "target.move", 7.0, 8.0)
    assert verdict("buffering/stops", ended) is FAIL, "it began only later"
    ended.fault("SwitchedTraffic", "target.move", 5.0, 6.5)
    assert verdict("buffering/stops", ended) is PASS
