"""The only place where cluster, load, streams, fault and probe meet.

A run is one AsyncExitStack: run dir → cluster → item tables → streams → probes → load → timeline. Whatever ends
it, it is left in reverse: stop the load, heal every fault, let the streams catch up and stop them, read the
tables, stop the probes, stop the processes. Nothing is judged here; what was seen is in the run directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from harness import clean
from harness.base import jsonio, wait
from harness.base.clock import ClockBase
from harness.base.errors import HarnessError, PlanError, VtchaosError
from harness.base.procs import tail_of
from harness.base.rundir import RunDir
from harness.base.scheduling import wake_in_time
from harness.contracts import Backend, Cluster, Experiment, Fault, LoadPlace, Observer, OffersLoadPlace, Probe, Streams
from harness.interrupts import Interrupted, Interrupts
from harness.items import MARK_TABLE
from harness.load import driver, readback, remote_driver, streams
from harness.load.primaries import servers_of
from harness.load.reset import empty_ledger
from harness.load.seeding import seed
from harness.load.tables import read_tables
from harness.load.targets import targets_of
from harness.model import Clean, Event, LoadSpec, Plan, Role, Workload
from harness.stage import EventLog, NoStreams, RunStage

READBACK_TIMEOUT_S = 60.0
SEED_TIMEOUT_S = 300.0  # ten million rows
STREAMS_STOP_TIMEOUT_S = 15.0
LAST_SAMPLES_S = 0.6  # two rounds of every probe after the load has ended
OBITUARY_LINES = 8


class RunStreams(Streams, Protocol):
    """What the runner asks of the streams beyond what an experiment may."""

    async def watch(self) -> None: ...  # until they are stopped; raises HarnessError when a worker dies


class Clients(Protocol):
    """What the runner asks of a running load, wherever it runs."""

    async def watch(self) -> None: ...  # until it is stopped; raises HarnessError when a part of it dies
    async def stop(self, *, timeout_s: float) -> None: ...  # bounded; everything that was recorded is here then


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `error` is the harness's own failure; the run directory tells the rest."""

    interrupted: bool
    error: VtchaosError | None


class Guard(Protocol):
    """Who would heal the cluster if we died."""

    async def lost(self) -> str: ...  # returns when nobody would any more, with the reason
    async def healed(self) -> None: ...  # what it was about to take back is taken back; raises WaitTimeout


class ClusterEvents:
    """Completes what a backend tells about ended processes: whether we asked for it, and the log's tail."""

    def __init__(self, events: EventLog, run: RunDir) -> None:
        self._events = events
        self._run = run

    def on_event(self, event: Event) -> None:
        if event.kind == "exit":
            asked = bool(event.details.get("asked", False))
            more: dict[str, Any] = {"expected": asked}
            if not asked:
                more["tail"] = tail_of(self._run.logs / f"{event.subject}.log", OBITUARY_LINES)
            event = Event(at_ns=event.at_ns, kind="exit", subject=event.subject, details={**event.details, **more})
        self._events.on_event(event)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        self._events.on_progress(what, done, total)


class Runner:
    """One run of one experiment."""

    def __init__(
        self,
        plan: Plan,
        experiment: Experiment,
        run: RunDir,
        observer: Observer,
        *,
        lease: Guard | None = None,
        marks: clean.Marks | None = None,
        backend: Backend | None = None,
        acting: Callable[[Fault], Fault] = lambda fault: fault,
    ) -> None:
        """`lease`: of a run on a cluster that stays. `marks`, `backend`: by what, and where, what is left of the run is
        looked for when it is over; without `marks` nobody looks. `acting`: what a fault is replaced by."""
        self._plan = plan
        self._marks = marks
        self._backend = backend
        self._acting = acting
        self._stands = Clean(at_ns=0)  # what was seen on a cluster that stays
        self._lease = lease
        self._experiment = experiment
        self._run = run
        self._events = EventLog(run, observer)
        self.cluster_observer: Observer = ClusterEvents(self._events, run)
        self._interrupts = Interrupts()

    async def run(self, opened: AbstractAsyncContextManager[Cluster]) -> Ended:
        """Everything between save 0 and the judging. Raises nothing of the harness's own: see Ended."""
        jsonio.save(self._run.clock, ClockBase.take())
        errors: list[BaseException] = []
        async with self._interrupts.installed():
            try:
                await self._whole(opened, errors)
            except Interrupted:
                pass
            except (Exception, BaseExceptionGroup) as caught:  # noqa: BLE001  the border of a run: recorded
                if caught not in errors:
                    errors.append(caught)
            await self._proved()
        told = [_told(error) for error in errors]
        for error in told:
            self._events.add("harness-error", str(error))
        self._events.close()
        return Ended(interrupted=self._interrupts.count > 0, error=told[0] if told else None)

    async def _proved(self) -> None:
        """clean.json: what is left when everything is over."""
        if self._marks is not None:
            gone = await clean.over(self._marks, self._plan.place, self._backend)
            jsonio.save(self._run.clean, clean.both(self._stands, gone))

    async def _noted(self, cluster: Cluster) -> None:
        """Before the cluster goes, or is left."""
        if self._marks is not None:
            self._marks.note(None if self._plan.cluster_name else cluster)
            if self._plan.cluster_name:
                self._stands = await clean.standing(cluster)

    async def _whole(self, opened: AbstractAsyncContextManager[Cluster], errors: list[BaseException]) -> None:
        """`errors` keeps what ended the run, which an error of the removing would hide."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                await self._inside(stack, opened)
            except (Exception, BaseExceptionGroup) as caught:
                if not isinstance(caught, Interrupted):
                    errors.append(caught)
                raise

    async def _inside(self, stack: contextlib.AsyncExitStack, opened: AbstractAsyncContextManager[Cluster]) -> None:
        cluster = await self._started(stack, opened)
        if self._marks is not None:
            self._marks.note(None if self._plan.cluster_name else cluster)
        stack.push_async_callback(self._noted, cluster)
        jsonio.save(self._run.nodes, list(cluster.nodes()))
        self._events.add("cluster", "serving", scheduling=wake_in_time())
        await self._prepared(cluster)
        streams = await stack.enter_async_context(self._streams(cluster))
        stage = await stack.enter_async_context(
            RunStage(cluster, self._run, self._events, plan=self._plan, streams=streams, acting=self._acting)
        )
        async with probing(self._experiment.probes, stage, self._run):
            try:
                await self._acted(stage, streams)
            finally:
                await self._collected(cluster)
        self._events.add("cluster", "removing" if not self._plan.cluster_name else "left running")

    async def _started(self, stack: contextlib.AsyncExitStack, opened: AbstractAsyncContextManager[Cluster]) -> Cluster:
        try:
            return await self._interrupts.may_end(stack.enter_async_context(opened))
        except Interrupted:
            self._events.add("interrupt", "while the cluster was starting")
            raise

    async def _prepared(self, cluster: Cluster) -> None:
        """What the clients work on, before any of them begins."""
        try:
            await self._interrupts.may_end(self._prepare(cluster))
        except Interrupted:
            self._events.add("interrupt", "before the timeline")
            raise

    async def _prepare(self, cluster: Cluster) -> None:
        items = self._plan.items
        if self._plan.load is not None and self._plan.place.load_pods:
            await load_place(cluster).prepare(self._events)
        if self._plan.cluster_name and items is None:
            await empty_ledger(targets_of(cluster)[0], keyspace=cluster.spec.keyspace)
        if items is not None:
            await seed(cluster, items, progress=self._events.on_progress, timeout_s=SEED_TIMEOUT_S)
            self._events.add("cluster", "item tables filled", tables=items.tables, rows=items.rows)

    @contextlib.asynccontextmanager
    async def _streams(self, cluster: Cluster) -> AsyncIterator[RunStreams]:
        """The VStream clients, waiting for the order to begin. What they recorded is whole when the block is left."""
        if not self._plan.streams or self._plan.items is None:
            yield NoStreams()
            return
        async with streams.running(
            self._plan.streams,
            [(node.name, "{}:{}".format(*cluster.address(node, "grpc"))) for node in cluster.nodes(Role.VTGATE)],
            keyspace=cluster.spec.keyspace,
            shards=cluster.spec.shard_names,
            tables=(*self._plan.items.names, MARK_TABLE),
            run=self._run,
        ) as handle:
            yield handle

    async def _acted(self, stage: RunStage, clients: RunStreams) -> None:
        """Load, streams and timeline. An interruption is recorded, and the run goes on to collecting."""
        gc.collect()
        gc.freeze()  # what exists now lives to the end: no full collections that pause the loop
        try:
            await self._interrupts.may_end(_beside(self._lost(), _beside(clients.watch(), self._bounded(stage))))
        except Interrupted:
            self._events.add("interrupt", "while the experiment ran")
        finally:
            gc.unfreeze()
            await clients.stop(timeout_s=STREAMS_STOP_TIMEOUT_S)

    async def _lost(self) -> None:
        """A run that stood still so long that its faults were taken back proves nothing. Raises HarnessError."""
        if self._lease is None:
            await asyncio.Event().wait()
            return
        why = await self._lease.lost()
        self._events.add("spoiled", "the run's lease", why=why)
        await self._lease.healed()  # two that start a process at once are in each other's way
        raise HarnessError(why)

    async def _bounded(self, stage: RunStage) -> None:
        await wait.finish("the experiment's timeline", self._under_load(stage), timeout_s=self._plan.timeout_s)
        if self._experiment.after_load is not None:
            await self._experiment.after_load(stage)

    async def _under_load(self, stage: RunStage) -> None:
        spec = self._plan.load
        if spec is None:
            await self._experiment.timeline(stage)
            return
        async with self._clients(stage.cluster, spec) as load:
            try:
                await _beside(load.watch(), self._experiment.timeline(stage))
            finally:
                await load.stop(timeout_s=spec.operation_timeout_s)

    def _clients(self, cluster: Cluster, spec: LoadSpec) -> AbstractAsyncContextManager[Clients]:
        """The load, in processes here or in pods beside the cluster."""
        pods = self._plan.place.load_pods
        place = load_place(cluster) if pods else None
        common: dict[str, Any] = {
            "keyspace": cluster.spec.keyspace,
            "shards": cluster.spec.shard_names,
            "run": self._run,
            "seed": self._plan.seed,
            "abrupt": spec.abrupt,
            "items": self._plan.items,
        }
        if place is None:
            return driver.running(spec, targets_of(cluster), **common)
        return remote_driver.running(spec, targets_of(cluster, place), place=place, pods=pods, **common)

    async def _collected(self, cluster: Cluster) -> None:
        try:
            await self._interrupts.may_end(self._collect(cluster))
        except Interrupted:
            self._events.add("interrupt", "while collecting")
        except VtchaosError as error:  # what cannot be had is missing, and what ended the run stays its end
            self._events.add("note", "not everything was collected", why=str(error))

    async def _collect(self, cluster: Cluster) -> None:
        await wait.hold(LAST_SAMPLES_S)
        load = self._plan.load
        failed: dict[str, str] = {}
        if load is not None and load.workload is Workload.LEDGER:
            failed |= await readback.read_ledger(
                targets_of(cluster)[0],
                keyspace=cluster.spec.keyspace,
                shards=cluster.spec.shard_names,
                run=self._run,
                timeout_s=READBACK_TIMEOUT_S,
                progress=self._events.on_progress,
            )
        if self._plan.items is not None:
            failed |= await read_tables(
                targets_of(cluster)[0],
                keyspaces={keyspace.name: keyspace.shard_names for keyspace in cluster.spec.keyspaces},
                tables=self._plan.items.names,
                run=self._run,
                timeout_s=READBACK_TIMEOUT_S,
                progress=self._events.on_progress,
                direct=await servers_of(cluster, cluster.spec.others),
            )
        for what, why in failed.items():
            self._events.add("note", f"rows of {what} were not read", why=why)


@contextlib.asynccontextmanager
async def probing(probes: tuple[Probe, ...], stage: RunStage, run: RunDir) -> AsyncIterator[None]:
    """The probes run for as long as the block; one that breaks is the harness's failure and ends the run."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(probe.run(stage, run.path), name=f"probe {probe.name}") for probe in probes]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


def load_place(cluster: Cluster) -> LoadPlace:
    """Where the load can run beside a cluster. Raises PlanError: not beside this one."""
    place = cluster.load_place if isinstance(cluster, OffersLoadPlace) else None
    if place is None:
        raise PlanError("the load cannot run in pods beside this cluster; leave --load-pods out, or use kubernetes")
    return place


async def _beside(watch: Awaitable[None], work: Awaitable[None]) -> None:
    """`work`, cancelled at once when `watch` raises. An error of its cleaning up is not lost."""
    watching, working = asyncio.ensure_future(watch), asyncio.ensure_future(work)
    watching.add_done_callback(lambda ended: working.cancel() if not ended.cancelled() and ended.exception() else None)
    try:
        await working
    except BaseException:
        if watching.done() and not watching.cancelled():
            watching.result()  # raises what ended the work
        raise
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _told(error: BaseException) -> VtchaosError:
    """What to tell the user: the first error of ours, else whatever there is."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [error]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending += error.exceptions
        else:
            leaves.append(error)
    ours = [leaf for leaf in leaves if isinstance(leaf, VtchaosError)]
    if ours:
        return ours[0]
    wrapped = HarnessError(f"{type(leaves[0]).__name__}: {leaves[0]}")
    wrapped.__cause__ = leaves[0]
    return wrapped
