"""Taking back what a dead run's faults left in force on a cluster that stays, from nothing but the run directory.

The run itself does the same with the same remedies (harness.stage). What was taken back is written into the ledger, so
that it is done once, by whom, and a second time finds nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from harness.base import jsonio, wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError
from harness.base.rundir import LineLog, RunDir
from harness.contracts import Cluster
from harness.faults import broken_off, remedies
from harness.history import fold_ledger
from harness.model import Capability, FaultSpan, Node, Remedy

T = TypeVar("T")

START_TIMEOUT_S = 60.0
ONE_SHOT = ("PlannedReparent", "PurgedBinlogs")  # of ledgers without remedies: nothing of these stays in force


@dataclass(slots=True)
class Undone:
    """What was done, a line each, and what may still be in force, and why."""

    done: list[str] = field(default_factory=list)
    in_force: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "; ".join((*self.done, *self.in_force)) or "nothing was in force"


class DeadRun:
    """`harness.contracts.Ground` on a cluster whose run is dead."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clients: dict[Callable[..., Any], Any] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, cluster: Cluster) -> AsyncIterator[DeadRun]:
        ground = cls(cluster)
        async with ground._stack:
            yield ground

    @property
    def cluster(self) -> Cluster:
        return self._cluster

    @property
    def quiet(self) -> bool:
        """All of them are taken back together."""
        return True

    async def until(self, name: str, condition: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
        return await wait.until(name, condition, timeout_s=timeout_s)

    async def shared(self, opener: Callable[[Cluster], AbstractAsyncContextManager[T]]) -> T:
        async with self._opening:
            if opener not in self._clients:
                self._clients[opener] = await self._stack.enter_async_context(opener(self._cluster))
        return cast(T, self._clients[opener])


def open_spans(run: RunDir) -> tuple[FaultSpan, ...]:
    """Faults that have something to take back, which nobody is on record to have done."""
    spans = fold_ledger(jsonio.read_lines(run.faults))
    return tuple(span for span in spans if remedies_of(span) and not span.healed_ns)


def unfinished(run: RunDir) -> tuple[FaultSpan, ...]:
    """Those of them that a run which came to its end should have taken back itself."""
    return tuple(span for span in open_spans(run) if span.undo or broken_off.unheard(span))


def remedies_of(span: FaultSpan) -> tuple[Remedy, ...]:
    """What takes a fault back; and for an operation that was broken off in the middle, what ends it."""
    return span.undo or broken_off.remedies_of(span)


async def undone(
    cluster: Cluster, run: RunDir, *, by: str, hear: Callable[[remedies.Tried], None] = lambda _: None
) -> Undone:
    """Take back all that the ledger has in force; `by` is written there, and `hear` hears of each remedy. A fault
    without a remedy held only what its own process held. Of a ledger that knows no remedies: what can be told from
    its targets."""
    if _knows_remedies(run):
        return await _by_remedies(cluster, run, by, hear)
    return await _by_targets(cluster, run)


def _knows_remedies(run: RunDir) -> bool:
    intents = [line for line in jsonio.read_lines(run.faults) if line["step"] == "intent"]
    return all("undo" in line for line in intents)


async def _by_remedies(cluster: Cluster, run: RunDir, by: str, hear: Callable[[remedies.Tried], None]) -> Undone:
    """Of all faults at once: those of one target from the last to the first."""
    spans = open_spans(run)
    if not spans:
        return Undone()
    ledger = LineLog(run.faults)
    taking = _Taking(spans, lambda span: ledger.append(_healed(span, by)))

    def take(tried: remedies.Tried) -> None:
        taking.take(tried)
        hear(tried)

    try:
        async with DeadRun.on(cluster) as ground:
            await remedies.tried(ground, [remedy for span in spans for remedy in remedies_of(span)], take)
    finally:
        ledger.close()
    return taking.undone


def _healed(span: FaultSpan, by: str) -> dict[str, Any]:
    return {"number": span.number, "step": "healed", "at_ns": now_ns(), "by": by}


class _Taking:
    """Each fault is on record as taken back as soon as its own last remedy is through, and not when all are."""

    def __init__(self, spans: Sequence[FaultSpan], healed: Callable[[FaultSpan], None]) -> None:
        self._left = {span.number: list(remedies_of(span)) for span in spans}
        self._spans = {span.number: span for span in spans}
        self._record = healed
        self._tried: list[remedies.Tried] = []
        self._healed: set[int] = set()

    def take(self, tried: remedies.Tried) -> None:
        self._tried.append(tried)
        for number, left in self._left.items():
            if tried.remedy not in left or tried.error:
                continue
            left.remove(tried.remedy)
            if not left:
                self._record(self._spans[number])
                self._healed.add(number)

    @property
    def undone(self) -> Undone:
        gone = [span for number, span in self._spans.items() if number in self._healed]
        still = [span for number, span in self._spans.items() if number not in self._healed]
        return Undone(
            done=[f"taken back: {_words(span)}" for span in gone],
            in_force=[f"{_words(span)} may still be in force: {self._why(span)}" for span in still],
        )

    def _why(self, span: FaultSpan) -> str:
        failed = [tried for tried in self._tried if tried.error and tried.remedy in remedies_of(span)]
        return "; ".join(f"{tried.remedy.kind} on {tried.remedy.target}: {tried.error}" for tried in failed)


def _words(span: FaultSpan) -> str:
    return f"{span.fault} on {', '.join(span.targets)}"


# ---------------------------------------------------------------- ledgers of earlier versions


async def _by_targets(cluster: Cluster, run: RunDir) -> Undone:
    """Links whole, stopped targets started, paused ones continued; of the rest it is said what may be in force."""
    spans = fold_ledger(jsonio.read_lines(run.faults))
    unhealed = [span for span in spans if not span.healed_ns and span.fault not in ONE_SHOT]
    if not cluster.capabilities.get(Capability.LINKS, "unknown"):
        await cluster.set_links(())
    nodes = {node.name: node for node in cluster.nodes()}
    found = Undone()
    for target in dict.fromkeys(target for span in unhealed for target in span.targets if target in nodes):
        found.done += await _running_again(cluster, nodes[target])
    found.in_force += _not_processes(unhealed, nodes)
    return found


async def _running_again(cluster: Cluster, node: Node) -> list[str]:
    try:
        await cluster.signal(node, signal.SIGCONT)
    except ClusterError:  # it is not running
        await cluster.start(node, timeout_s=START_TIMEOUT_S)
        return [f"started again: {node.name}"]
    return []


def _not_processes(spans: Sequence[FaultSpan], nodes: Mapping[str, Node]) -> Iterator[str]:
    for span in spans:
        if not all(target in nodes for target in span.targets):
            yield (
                f"{span.fault} on {', '.join(span.targets)} may still be in force: undo it by hand, or make the "
                "cluster anew where it is yours (`vtchaos down NAME`, `vtchaos up NAME`)"
            )
