"""A run without Vitess: a cluster that only has names, faults, probes and clients that tell what happened to them.

Everything that matters is appended to one `Diary`, so that a test can ask in which order it happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.base import jsonio
from harness.base.clock import ClockBase
from harness.base.rundir import RunDir
from harness.contracts import Aim, Cluster, Experiment, Probe, SpanRecorder, Stage
from harness.history import History, fold_ledger
from harness.model import (
    Capability,
    ClusterSpec,
    Drawn,
    Event,
    FaultSpan,
    LinkRule,
    LoadSpec,
    Node,
    Plan,
    Remedy,
    Role,
    Suite,
)
from harness.stage import EventLog, RunStage

Diary = list[str]

SPEC = ClusterSpec(shards=2)
NODES = (
    Node(name="vtctld", role=Role.VTCTLD, version="24.0.3"),
    Node(name="vttablet-100", role=Role.VTTABLET, version="24.0.3", shard="-80", tablet_uid=100),
    Node(name="vtgate-1", role=Role.VTGATE, version="24.0.3"),
    Node(name="vtgate-2", role=Role.VTGATE, version="21.0.2"),
)


@dataclass
class FakeCluster:
    """Has nodes, addresses and logs; nothing runs. `ports`: (node, port) → where a test's server listens."""

    folder: Path = Path("/nonexistent")
    spec: ClusterSpec = SPEC
    capabilities: Mapping[Capability, str] = field(default_factory=dict)
    all_nodes: tuple[Node, ...] = NODES
    ports: dict[tuple[str, str], int] = field(default_factory=dict)

    def nodes(self, role: Role | None = None) -> tuple[Node, ...]:
        return tuple(node for node in self.all_nodes if role in (None, node.role))

    def address(self, node: Node, port: str) -> tuple[str, int]:
        return "127.0.0.1", self.ports.get((node.name, port), 1)

    def log_path(self, node: Node) -> Path:
        return self.folder / f"{node.name}.log"

    async def start(self, node: Node, *, timeout_s: float) -> None:
        raise NotImplementedError

    async def stop(self, node: Node, *, timeout_s: float) -> None:
        raise NotImplementedError

    async def signal(self, node: Node, signum: int) -> None:
        if signum:
            raise NotImplementedError

    async def set_links(self, rules: Sequence[LinkRule]) -> None:
        raise NotImplementedError


@dataclass
class Watcher:
    """An Observer that remembers."""

    events: list[Event] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        pass


@dataclass(frozen=True)
class DiaryFault:
    """Says in the diary what is done to it. `aimed`, `acted` and `healing` run at those moments."""

    diary: Diary = field(compare=False)
    one_shot: bool = False
    needs: frozenset[Capability] = frozenset()
    evidence: Callable[[], Awaitable[bool]] | None = None
    acted: Callable[[], Awaitable[None]] | None = None
    healing: Callable[[], Awaitable[None]] | None = None
    gone: Callable[[], Awaitable[object]] | None = None
    undo: tuple[Remedy, ...] = ()
    claims: frozenset[str] = frozenset()
    name: str = "Diary"

    async def aim(self, stage: Stage) -> Aim:
        self.diary.append("aim")
        return Aim(
            targets=("vttablet-100",),
            details={"was": "primary"},
            undo=self.undo,
            claims=self.claims,
            recover_within_s=0.2,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        self.diary.append("act")
        try:
            if self.acted is not None:
                await self.acted()
            span.active()
            yield
        finally:
            if not self.one_shot:
                if self.healing is not None:
                    await self.healing()
                self.diary.append("heal")

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        self.diary.append("look")
        return await self.evidence() if self.evidence is not None else True

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await self.gone() if self.gone is not None else True


@dataclass(frozen=True)
class DiaryProbe:
    """Runs until it is cancelled; `broken` raises it instead, once `when` is set."""

    diary: Diary = field(compare=False)
    name: str = "diary"
    broken: Exception | None = None
    when: asyncio.Event | None = None

    async def run(self, stage: Stage, folder: Path) -> None:
        self.diary.append("probe starts")
        try:
            if self.when is not None:
                await self.when.wait()
            if self.broken is not None:
                raise self.broken
            await asyncio.Event().wait()
        finally:
            self.diary.append("probe stops")


def plan(*, load: LoadSpec | None = None, timeout_s: float = 30.0, cluster_name: str = "") -> Plan:
    return Plan(
        run_id="run-1",
        experiment="fake/one",
        why="a test",
        backend="fake",
        cluster=SPEC,
        cluster_name=cluster_name,
        load=load,
        params={},
        checks=(),
        seed=7,
        timeout_s=timeout_s,
        command_line=("vtchaos", "run"),
        harness_version="0.1.0",
    )


def experiment(timeline: Callable[[Stage], Awaitable[None]], *probes: Probe) -> Experiment:
    return Experiment(
        name="fake/one",
        why="a test",
        suites=frozenset({Suite.SMOKE}),
        timeout_s=30.0,
        cluster=SPEC,
        load=None,
        probes=probes,
        checks=(),
        timeline=timeline,
    )


@contextlib.asynccontextmanager
async def a_stage(
    folder: Path,
    cluster: Cluster | None = None,
    *,
    params: Mapping[str, float] | None = None,
    schedule: tuple[Drawn, ...] = (),
) -> AsyncIterator[RunStage]:
    """A stage on a new run directory `folder`."""
    run = RunDir.create(folder)
    jsonio.save(run.plan, plan())
    jsonio.save(run.clock, ClockBase.take())
    events = EventLog(run, Watcher())
    try:
        planned = dataclasses.replace(plan(), params=params or {}, schedule=schedule)
        async with RunStage(cluster or FakeCluster(), run, events, plan=planned) as stage:
            yield stage
    finally:
        events.close()


def ledger(folder: Path) -> list[dict[str, Any]]:
    return list(jsonio.read_lines(RunDir(folder).faults))


def steps(folder: Path) -> list[str]:
    """The steps of the fault ledger, in the order in which they were written."""
    return [str(line["step"]) for line in ledger(folder)]


def spans(folder: Path) -> tuple[FaultSpan, ...]:
    return fold_ledger(iter(ledger(folder)))


def told(history: History, kind: str) -> list[str]:
    """The subjects of the events of a kind."""
    return [event.subject for event in history.events if event.kind == kind]
