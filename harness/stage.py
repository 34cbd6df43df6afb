"""What an experiment's timeline acts on: phases, faults with their ledger, shared clients.

The intent of a fault reaches the disk (fsync) before the act, and its healing is recorded after it and only if
it succeeded, so the ledger tells at any later time what may still be in force.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar, cast

from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, PlanError
from harness.base.rundir import LineLog, RunDir
from harness.contracts import Aim, Cluster, Fault, Observer, Streams
from harness.model import Event, Plan
from harness.streams import StreamStatus

T = TypeVar("T")

OBSERVE_WITHIN_S = 10.0


class EventLog:
    """Appends every event to the run directory, then tells the observer."""

    def __init__(self, run: RunDir, observer: Observer) -> None:
        self._lines = LineLog(run.events)
        self._observer = observer

    def on_event(self, event: Event) -> None:
        self._lines.append(event)
        self._observer.on_event(event)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        self._observer.on_progress(what, done, total)

    def add(self, kind: str, subject: str, **details: str | int | float | bool) -> None:
        self.on_event(Event(at_ns=now_ns(), kind=kind, subject=subject, details=details))

    def close(self) -> None:
        self._lines.close()


class LedgerSpan:
    """The story of one fault in faults.jsonl."""

    def __init__(self, ledger: LineLog, number: int) -> None:
        self._ledger = ledger
        self._number = number

    def step(self, step: str, *, at_ns: int = 0, **more: object) -> None:
        self._ledger.append({"number": self._number, "step": step, "at_ns": at_ns or now_ns(), **more})

    def begin(self, at_ns: int = 0) -> None:
        self.step("begin", at_ns=at_ns)

    def active(self, at_ns: int = 0) -> None:
        self.step("active", at_ns=at_ns)

    def detail(self, **details: str | int | float | bool) -> None:
        self.step("detail", details=details)

    def failed(self, error: str) -> None:
        self.step("failed", error=error)

    def recover(self, fault: Fault) -> None:
        if not fault.one_shot:
            self.step("recover")

    def healed(self, fault: Fault) -> None:
        if not fault.one_shot:
            self.step("healed")


class NoStreams:
    """The streams of a run without streams."""

    async def begin(self) -> None:
        return

    def status(self) -> tuple[StreamStatus, ...]:
        return ()

    async def stop(self, *, timeout_s: float) -> None:
        return

    async def watch(self) -> None:
        await asyncio.Event().wait()


class RunStage:
    """The Stage of one run."""

    def __init__(
        self, cluster: Cluster, run: RunDir, events: EventLog, *, plan: Plan, streams: Streams | None = None
    ) -> None:
        self._cluster = cluster
        self._events = events
        self._plan = plan
        self._streams = streams or NoStreams()
        self._ledger = LineLog(run.faults)
        self._faults = 0
        self._clients: dict[Callable[..., Any], Any] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> RunStage:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self._ledger.close()

    @property
    def cluster(self) -> Cluster:
        return self._cluster

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def streams(self) -> Streams:
        return self._streams

    def phase(self, name: str) -> None:
        self._events.add("phase", name)

    def note(self, text: str, **details: str | int | float | bool) -> None:
        self._events.add("note", text, **details)

    async def hold(self, seconds: float) -> None:
        await wait.hold(seconds)

    async def until(self, name: str, condition: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
        return await wait.until(name, condition, timeout_s=timeout_s)

    async def shared(self, opener: Callable[[Cluster], AbstractAsyncContextManager[T]]) -> T:
        async with self._opening:  # of 32 faults that ask at once, one opens
            if opener not in self._clients:
                self._clients[opener] = await self._stack.enter_async_context(opener(self._cluster))
        return cast(T, self._clients[opener])

    @contextlib.asynccontextmanager
    async def inject(self, fault: Fault) -> AsyncIterator[Aim]:
        """Aim, write the intent, act, look for independent evidence; heal on leaving."""
        self._require(fault)
        aim = await fault.aim(self)
        self._faults += 1
        span = LedgerSpan(self._ledger, self._faults)
        span.step("intent", fault=fault.name, targets=list(aim.targets), details=dict(aim.details))
        await self._ledger.synced()
        within: BaseException | None = None
        try:
            async with fault.inject(self, aim, span):
                try:
                    await self._observe(fault, aim, span)
                    yield aim
                except BaseException as error:
                    within = error
                    raise
                finally:
                    span.recover(fault)
        except BaseException as error:
            if error is within:  # the block's own, after which the fault healed
                span.healed(fault)
            else:  # the act or the healing itself: it may still be in force
                span.failed(f"{type(error).__name__}: {error}")
            raise
        span.healed(fault)

    async def _observe(self, fault: Fault, aim: Aim, span: LedgerSpan) -> None:
        """Evidence that cannot be had is evidence that is missing, not an end of the run."""
        try:
            seen = await wait.finish(f"evidence of {fault.name}", fault.observed(self, aim), timeout_s=OBSERVE_WITHIN_S)
        except HarnessError as error:
            span.step("observed", observed=False, why=str(error))
        else:
            span.step("observed", observed=seen)

    def _require(self, fault: Fault) -> None:
        for capability in fault.needs:
            reason = self._cluster.capabilities.get(capability, "this backend does not know it")
            if reason:
                raise PlanError(f"{fault.name} needs {capability.value}, which is not to be had: {reason}")
