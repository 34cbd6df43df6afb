"""Goal: churn changes what nobody asks for, and its remedy restores, word for word, what was there before."""

from __future__ import annotations

import contextlib
import json
from typing import Any, cast

import pytest
from google.protobuf import json_format

from harness.base import wait
from harness.base.errors import PlanError
from harness.contracts import Aim, Ground, SpanRecorder, Stage
from harness.faults import churn, evidence
from harness.faults.churn import OF_NOBODY, RoutingRule, RoutingRulesChurn, VSchemaChurn
from harness.faults.switching import SwitchedTraffic
from harness.model import ClusterSpec, Node, Remedy, Role
from harness.vitess.proto import vschema_pb2, vtctldata_pb2
from harness.vitess.vtctld import VtctldError

WAS = json.dumps({"sharded": True, "vindexes": {"hash": {"type": "xxhash"}}})


class Vtctld:
    """Has one VSchema and one set of rules; refuses every `refuse`th change."""

    def __init__(self, *, refuse: int = 0) -> None:
        self.vschema = json_format.Parse(WAS, vschema_pb2.Keyspace())
        self.rules = vschema_pb2.RoutingRules(rules=[vschema_pb2.RoutingRule(from_table="a", to_tables=["ks.a"])])
        self.applied: list[str] = []
        self._refuse = refuse

    async def call(self, name: str, request: Any, *, timeout_s: float) -> Any:
        if name == "GetVSchema":
            return vtctldata_pb2.GetVSchemaResponse(v_schema=self.vschema)
        if name == "GetRoutingRules":
            return vtctldata_pb2.GetRoutingRulesResponse(routing_rules=self.rules)
        assert name == "ApplyRoutingRules"
        self.rules = request.routing_rules
        self._applied(churn._text(self.rules))
        return None

    async def apply_vschema(self, keyspace: str, text: str) -> None:
        self.vschema = json_format.Parse(text, vschema_pb2.Keyspace())
        self._applied(text)

    def _applied(self, text: str) -> None:
        self.applied.append(text)
        if self._refuse and len(self.applied) % self._refuse == 0:
            raise VtctldError("Apply", "UNAVAILABLE", "no etcd")


class Alone:
    """A stage, or ground, with nothing but a vtctld."""

    def __init__(self, vtctld: Vtctld) -> None:
        self.vtctld = vtctld
        self.cluster = self
        self.spec = ClusterSpec(shards=1)

    def nodes(self, role: Role) -> tuple[Node, ...]:
        return (Node(name="vtgate-1", role=role, version="24.0.3"),)

    async def until(self, name: str, condition: Any, *, timeout_s: float) -> Any:
        return await wait.until(name, condition, timeout_s=timeout_s)

    async def shared(self, opener: object) -> Vtctld:
        return self.vtctld


class Span:
    def __init__(self) -> None:
        self.details: dict[str, object] = {}

    def begin(self, at_ns: int = 0) -> None: ...
    def active(self, at_ns: int = 0) -> None: ...
    def failed(self, error: str) -> None: ...
    def detail(self, **details: object) -> None:
        self.details |= details


async def _churned(fault: VSchemaChurn | RoutingRulesChurn, vtctld: Vtctld, *, changes: int) -> tuple[Aim, Span]:
    stage, span = Alone(vtctld), Span()
    aim = await fault.aim(cast(Stage, stage))
    async with fault.inject(cast(Stage, stage), aim, cast(SpanRecorder, span)):
        await _until(lambda: len(vtctld.applied) >= changes)
    return aim, span


async def _until(reached: Any) -> None:
    async def there() -> bool:
        return bool(reached())

    await wait.until("changes", there, timeout_s=5)


@pytest.mark.parametrize("fault", [VSchemaChurn(every_s=0.01), RoutingRulesChurn(every_s=0.01)])
async def test_what_was_there_comes_and_goes_and_is_restored(fault: VSchemaChurn | RoutingRulesChurn) -> None:
    vtctld = Vtctld()
    aim, span = await _churned(fault, vtctld, changes=4)
    (remedy,) = aim.undo
    was = str(remedy.details["was"])
    assert OF_NOBODY not in was
    assert [OF_NOBODY in text for text in vtctld.applied[:4]] == [True, False, True, False]
    assert vtctld.applied[1] == was
    assert span.details == {"times": len(vtctld.applied), "refused": 0}
    for _ in range(2):
        await churn.REMEDIES[remedy.kind](cast(Ground, Alone(vtctld)), remedy)
        assert await churn._READ[remedy.kind](cast(Any, vtctld), remedy.target) == was


@pytest.mark.parametrize(
    ("says", "waits"), [("RebuildSrvVSchema: code = Unavailable desc = reset", True), ("no", False)]
)
async def test_a_topology_server_that_was_started_just_now_is_waited_for(
    says: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [VtctldError("ApplyVSchema", "UNKNOWN", says)]

    async def apply(*_: object) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setitem(cast(Any, churn._APPLY), churn.VSCHEMA, apply)
    remedy = Remedy(kind=churn.VSCHEMA, target="ks", details={"was": "{}"})
    with contextlib.nullcontext() if waits else pytest.raises(VtctldError, match="no"):
        await churn.REMEDIES[churn.VSCHEMA](cast(Ground, Alone(Vtctld())), remedy)
    assert refusals == []


async def test_a_refused_change_is_counted_and_ends_nothing() -> None:
    _, span = await _churned(VSchemaChurn(every_s=0.01), Vtctld(refuse=3), changes=7)
    assert int(str(span.details["refused"])) >= 2


async def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(PlanError, match="every 0 s"):
        await VSchemaChurn(every_s=0).aim(cast(Stage, Alone(Vtctld())))


async def test_routing_rules_are_one_faults_at_a_time() -> None:
    """A switch that falls into a churn would be taken back by it."""
    stage = cast(Stage, Alone(Vtctld()))
    assert (await RoutingRulesChurn().aim(stage)).claims & (await SwitchedTraffic().aim(stage)).claims
    assert not (await VSchemaChurn().aim(stage)).claims & (await SwitchedTraffic().aim(stage)).claims


@pytest.mark.parametrize(("told", "seen"), [(True, True), (False, False)])
async def test_a_rule_is_there_when_every_vtgate_has_it(
    monkeypatch: pytest.MonkeyPatch, told: bool, seen: bool
) -> None:
    vtctld, fault = Vtctld(), RoutingRule()
    stage = cast(Stage, Alone(vtctld))

    async def page(*_: object) -> str:
        return churn._text(vtctld.rules) if told else "{}"

    monkeypatch.setattr(evidence, "page", page)
    monkeypatch.setattr(churn, "SEEN_WITHIN_S", 0.1)
    aim = await fault.aim(stage)
    assert not await fault.observed(stage, aim), "evidence without the fault"
    async with fault.inject(stage, aim, cast(SpanRecorder, Span())):
        assert await fault.observed(stage, aim) is seen
    await churn.REMEDIES[aim.undo[0].kind](cast(Ground, stage), aim.undo[0])
    assert OF_NOBODY not in churn._text(vtctld.rules)
    assert bool(await fault.recovered(stage, aim)) is True
