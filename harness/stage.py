"""What an experiment's timeline acts on: phases, faults with their ledger, shared clients.

The intent of a fault, with all that takes it back, reaches the disk (fsync) before the act, and its healing is recorded
after it and only if it succeeded, so the ledger tells at any later time what may still be in force, and how to end it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any, TypeVar, cast

from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError, HarnessError, PlanError
from harness.base.rundir import LineLog, RunDir
from harness.contracts import Aim, Cluster, Fault, Observer, Streams
from harness.faults import health, remedies
from harness.model import Event, Plan
from harness.streams import StreamStatus

T = TypeVar("T")

OBSERVE_WITHIN_S = 10.0
UNDO_WITHIN_S = 90.0


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


Heard = Callable[[Mapping[str, Any]], None]


class LedgerSpan:
    """The story of one fault in faults.jsonl."""

    def __init__(self, ledger: LineLog, number: int, heard: Heard) -> None:
        self._ledger = ledger
        self._number = number
        self._heard = heard

    def step(self, step: str, *, at_ns: int = 0, **more: object) -> None:
        line = {"number": self._number, "step": step, "at_ns": at_ns or now_ns(), **more}
        self._ledger.append(line)
        self._heard(line)

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

    def healed(self, fault: Fault, aim: Aim) -> None:
        if aim.undo or not fault.one_shot:
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
        self,
        cluster: Cluster,
        run: RunDir,
        events: EventLog,
        *,
        plan: Plan,
        streams: Streams | None = None,
        heard: Heard = lambda _: None,
        acting: Callable[[Fault], Fault] = lambda fault: fault,
    ) -> None:
        """`heard`: of every line of the ledger, when it is written. `acting`: what a fault is replaced by."""
        self._heard = heard
        self._acting = acting
        self._cluster = cluster
        self._events = events
        self._plan = plan
        self._streams = streams or NoStreams()
        self._ledger = LineLog(run.faults)
        self._faults = 0
        self._in_force: dict[object, tuple[str, frozenset[str]]] = {}
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
    def quiet(self) -> bool:
        return len(self._in_force) <= 1

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
        """Aim, look at the cluster's health, write the intent, act, look for independent evidence; when the block is
        left take everything back, and wait until the cluster has got over it.

        Raises PlanError: the cluster cannot do it, or another fault has its hands on the target; ClusterError: the
        cluster was sick before.
        """
        fault = self._acting(fault)
        self._require(fault)
        aim = await fault.aim(self)
        with self._claimed(fault, aim):
            span = await self._intended(fault, aim)
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
                ours = error is within  # the block's own; else the act's or the letting go's
                if not ours:
                    span.failed(f"{type(error).__name__}: {error}")
                await self._undone(fault, aim, span, known=ours or bool(aim.undo))
                raise
            await self._undone(fault, aim, span, known=True)
            await self._recovered(fault, aim, span)

    async def _intended(self, fault: Fault, aim: Aim) -> LedgerSpan:
        """The intent, on the disk; after a look at the cluster, unless another fault is in force (the first of a storm
        looks for all)."""
        if len(self._in_force) == 1:
            sick = await health.wrong(self, but=aim.targets)
            if sick:
                raise ClusterError(f"{fault.name} was not injected, because something is wrong already: {sick}")
        self._faults += 1
        span = LedgerSpan(self._ledger, self._faults, self._heard)
        details = dict(aim.details)
        span.step("intent", fault=fault.name, targets=list(aim.targets), details=details, undo=list(aim.undo))
        await self._ledger.synced()
        return span

    async def _undone(self, fault: Fault, aim: Aim, span: LedgerSpan, *, known: bool) -> None:
        """Also while we are cancelled, and again. `known`: it is then surely no longer in force."""
        if aim.undo:
            try:
                await wait.through(f"undoing {fault.name}", remedies.undo(self, aim.undo), timeout_s=UNDO_WITHIN_S)
            except asyncio.CancelledError:  # it comes when everything was taken back
                if known:
                    span.healed(fault, aim)
                raise
            except HarnessError as error:
                span.failed(f"{type(error).__name__}: {error}")
                raise
        if known:
            span.healed(fault, aim)

    async def _recovered(self, fault: Fault, aim: Aim, span: LedgerSpan) -> None:
        """That a cluster does not get over a fault is something to judge, not an end of the run."""
        if fault.one_shot:
            return
        what = f"{self._cluster.spec.keyspace} has got over {fault.name}"
        try:
            await wait.until(what, partial(fault.recovered, self, aim), timeout_s=aim.recover_within_s)
        except HarnessError as error:
            span.step("unrecovered", why=str(error))
            return
        span.step("recovered")
        if len(self._in_force) == 1:
            sick = await health.wrong(self)
            if sick:
                span.step("unhealthy", why=sick)

    @contextlib.contextmanager
    def _claimed(self, fault: Fault, aim: Aim) -> Iterator[None]:
        """Two faults that would take each other's healing back do not overlap."""
        for other, theirs in self._in_force.values():
            both = aim.claims & theirs
            if both:
                raise PlanError(f"{fault.name} cannot overlap {other}: both have their hands on {', '.join(both)}")
        key = object()
        self._in_force[key] = (fault.name, aim.claims)
        try:
            yield
        finally:
            del self._in_force[key]

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
