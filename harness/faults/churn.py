"""What vtgate routes by, changed again and again: VSchemas and routing rules, as a deployment does it that applies them
with every step; or once. What is changed is of no table that anybody asks for, so that only the changing can be felt.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf import json_format

from harness.base import wait
from harness.base.errors import PlanError, WaitTimeout
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults import evidence
from harness.faults.missing import Missing
from harness.faults.process import set_within
from harness.faults.traits import Traits
from harness.model import Node, Remedy, Role
from harness.vitess.debug_vars import flatten
from harness.vitess.proto import vschema_pb2, vtctldata_pb2
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of

VSCHEMA, ROUTING_RULES = "vschema", "routing-rules"
CALL_WITHIN_S = 15.0
UNREACHABLE = "code = Unavailable"  # what vtctld says of its topology server
SEEN_WITHIN_S = 3.0  # after the change that shows it
OF_NOBODY = "vtchaos_churn"  # a vindex of no table, or a table that is nowhere
ALL_RULES = "routing rules"  # there is one set of them for all keyspaces
RELOADS = "VtgateVSchemaCounts"  # go/vt/vtgate/executor.go, v0.21 to v0.24

Apply = Callable[[VtctldClient, str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Churn(Traits):
    """What the faults here have in common: there and back every `every_s`, until the block is left. A change that is
    refused (another fault may have taken etcd away) is counted, and the churn goes on."""

    every_s: float = 1.0

    @abstractmethod
    def _kind(self) -> str: ...

    @abstractmethod
    def _target(self, stage: Stage) -> str: ...

    async def aim(self, stage: Stage) -> Aim:
        """Raises PlanError, ClusterError."""
        if self.every_s <= 0:
            raise PlanError(f"a change every {self.every_s:g} s is none")
        target = self._target(stage)
        was = await _READ[self._kind()](await stage.shared(vtctld_of), target)
        return Aim(
            targets=(target,),
            details={"every_s": self.every_s},
            undo=(Remedy(kind=self._kind(), target=target, details={"was": was}),),
            claims=frozenset({target if self._kind() == ROUTING_RULES else f"VSchema of {target}"}),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld, leaving = await stage.shared(vtctld_of), asyncio.Event()
        was = str(aim.undo[0].details["was"])
        texts = (_CHANGED[self._kind()](was), was)
        change = partial(_APPLY[self._kind()], vtctld, aim.targets[0])
        span.begin()
        await change(texts[0])
        span.active()
        loop = asyncio.ensure_future(self._loop(change, texts, leaving))
        try:
            yield
        finally:
            leaving.set()
            within_s = CALL_WITHIN_S + self.every_s + 5.0
            times, refused = await wait.through(f"{self.name} ends", _of(loop), timeout_s=within_s)
            span.detail(times=1 + times, refused=refused)

    async def _loop(
        self, change: Callable[[str], Awaitable[None]], texts: tuple[str, str], leaving: asyncio.Event
    ) -> tuple[int, int]:
        times = refused = 0
        while not await set_within(leaving, self.every_s):
            times += 1
            try:
                await change(texts[times % 2])
            except VtctldError:
                refused += 1
        return times, refused

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Every vtgate itself counts one new VSchema after another."""
        vtgates = stage.cluster.nodes(Role.VTGATE)
        marks = [await _reloads(stage, node) for node in vtgates]

        async def again() -> bool:
            return all([await _reloads(stage, node) >= mark + 2 for node, mark in zip(vtgates, marks, strict=True)])

        try:
            return await stage.until("new VSchemas at vtgate", again, timeout_s=2 * self.every_s + SEEN_WITHIN_S)
        except WaitTimeout:
            return False

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await _as_it_was(stage, aim)


@dataclass(frozen=True, slots=True, kw_only=True)
class VSchemaChurn(_Churn):
    """ApplyVSchema again and again: a vindex that no table uses comes and goes, and every vtgate plans anew."""

    keyspace: str = ""  # "" = the cluster's main one

    def _kind(self) -> str:
        return VSCHEMA

    def _target(self, stage: Stage) -> str:
        return self.keyspace or stage.cluster.spec.keyspace


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRulesChurn(_Churn):
    """ApplyRoutingRules again and again: a rule for a table that does not exist comes and goes."""

    def _kind(self) -> str:
        return ROUTING_RULES

    def _target(self, stage: Stage) -> str:
        return ALL_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule(Traits):
    """A routing rule for a table that does not exist, as a forgotten MoveTables leaves one. From the first rule on a
    vtgate asks the topology server for every shard when a VSchema changes (getMoveTablesStatus,
    go/vt/discovery/keyspace_events.go, v0.21 to v0.24)."""

    async def aim(self, stage: Stage) -> Aim:
        """Raises VtctldError."""
        was = await _rules(await stage.shared(vtctld_of), ALL_RULES)
        undo = Remedy(kind=ROUTING_RULES, target=ALL_RULES, details={"was": was})
        return Aim(targets=(ALL_RULES,), undo=(undo,), claims=frozenset({ALL_RULES}))

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        changed = _with_rule(str(aim.undo[0].details["was"]))
        span.begin()
        await _apply_rules(await stage.shared(vtctld_of), ALL_RULES, changed)
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Every vtgate itself has the rule."""

        async def known() -> bool:
            return all(OF_NOBODY in page for _, page in await _vschema_pages(stage))

        try:
            return await stage.until("the rule at every vtgate", known, timeout_s=SEEN_WITHIN_S)
        except WaitTimeout:
            return False

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await _as_it_was(stage, aim)


async def _vschema_pages(stage: Stage) -> list[tuple[Node, str]]:
    return [(node, await evidence.page(stage, node, "/debug/vschema")) for node in stage.cluster.nodes(Role.VTGATE)]


async def _as_it_was(stage: Stage, aim: Aim) -> Missing:
    """The topology has what it had, and no vtgate has anything else."""
    remedy = aim.undo[0]
    try:
        now = await _READ[remedy.kind](await stage.shared(vtctld_of), remedy.target)
    except VtctldError as error:
        return Missing(str(error))
    wrong = [] if now == remedy.details["was"] else [f"{remedy.target} in the topology: {now}"]
    pages = await _vschema_pages(stage)
    stale = [f"{node.name} has {OF_NOBODY}, or does not say" for node, page in pages if not page or OF_NOBODY in page]
    return Missing(*wrong, *stale)


async def _of(task: asyncio.Future[tuple[int, int]]) -> tuple[int, int]:
    return await task


async def _reloads(stage: Stage, vtgate: Node) -> int:
    """Raises ClusterError."""
    counts = flatten(await evidence.variables(stage, vtgate), (RELOADS,))
    return int(counts.get(f"{RELOADS}:Reload", 0))


# ---------------------------------------------------------------- what the topology has, as JSON text


def _text(message: Any) -> str:
    return json_format.MessageToJson(message, indent=None, preserving_proto_field_name=True, sort_keys=True)


async def _vschema(vtctld: VtctldClient, keyspace: str) -> str:
    request = vtctldata_pb2.GetVSchemaRequest(keyspace=keyspace)
    return _text((await vtctld.call("GetVSchema", request, timeout_s=CALL_WITHIN_S)).v_schema)


async def _rules(vtctld: VtctldClient, _: str) -> str:
    request = vtctldata_pb2.GetRoutingRulesRequest()
    return _text((await vtctld.call("GetRoutingRules", request, timeout_s=CALL_WITHIN_S)).routing_rules)


def _with_vindex(text: str) -> str:
    vschema = json_format.Parse(text, vschema_pb2.Keyspace())
    vschema.vindexes[OF_NOBODY].type = "xxhash"
    return _text(vschema)


def _with_rule(text: str) -> str:
    rules = json_format.Parse(text, vschema_pb2.RoutingRules())
    rules.rules.append(vschema_pb2.RoutingRule(from_table=OF_NOBODY, to_tables=[f"{OF_NOBODY}.{OF_NOBODY}"]))
    return _text(rules)


async def _apply_vschema(vtctld: VtctldClient, keyspace: str, text: str) -> None:
    await vtctld.apply_vschema(keyspace, text)


async def _apply_rules(vtctld: VtctldClient, _: str, text: str) -> None:
    request = vtctldata_pb2.ApplyRoutingRulesRequest(routing_rules=json_format.Parse(text, vschema_pb2.RoutingRules()))
    await vtctld.call("ApplyRoutingRules", request, timeout_s=CALL_WITHIN_S)


_READ: Mapping[str, Callable[[VtctldClient, str], Awaitable[str]]] = {VSCHEMA: _vschema, ROUTING_RULES: _rules}
_CHANGED: Mapping[str, Callable[[str], str]] = {VSCHEMA: _with_vindex, ROUTING_RULES: _with_rule}
_APPLY: Mapping[str, Apply] = {VSCHEMA: _apply_vschema, ROUTING_RULES: _apply_rules}


# ---------------------------------------------------------------- taking back


async def _as_before(ground: Ground, remedy: Remedy) -> None:
    """Exactly what was there. A topology server that was started again just now is waited for: the first call on a
    connection to the one before it fails. Raises VtctldError, WaitTimeout."""
    vtctld = await ground.shared(vtctld_of)

    async def applied() -> Missing:
        try:
            await _APPLY[remedy.kind](vtctld, remedy.target, str(remedy.details["was"]))
        except VtctldError as error:
            if UNREACHABLE not in error.message:
                raise
            return Missing(str(error))
        return Missing()

    await wait.until(f"vtctld applies the {remedy.kind}", applied, timeout_s=CALL_WITHIN_S)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {
    VSCHEMA: _as_before,
    ROUTING_RULES: _as_before,
}
FAULTS: tuple[type[Fault], ...] = (VSchemaChurn, RoutingRulesChurn, RoutingRule)
