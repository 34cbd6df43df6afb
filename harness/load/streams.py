"""The VStream clients of a run as the runner sees them: start the workers, begin, watch, stop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.errors import HarnessError
from harness.base.procs import spawned, tail_of
from harness.base.rundir import RunDir
from harness.base.wait import finish, until
from harness.load.stream_config import StreamWorkerConfig, lanes
from harness.load.stream_live import NAME, LiveFile, Orders, WorkerState
from harness.streams import StreamLane, StreamSpec, StreamState, StreamStatus

__all__ = ["StreamsHandle", "lanes", "running"]

READY_WITHIN_S = 30.0
BEGUN_WITHIN_S = 5.0
BEGIN_IN_NS = 50_000_000  # all workers see the order and begin at one instant
WATCH_S = 0.2


class StreamsHandle:
    """The streams of a run, in processes of their own; fulfils harness.contracts.Streams. Their status stays
    readable afterwards."""

    def __init__(self, run: RunDir, lanes: tuple[StreamLane, ...], live: LiveFile) -> None:
        self.lanes = lanes
        self._run = run
        self._live = live
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = False

    async def begin(self) -> None:
        """Order all streams to begin, and wait until every worker follows; a second call is harmless.

        Raises HarnessError if a worker died, WaitTimeout if one does not follow."""
        if not self._live.orders.begin_ns:
            self._live.order(Orders(begin_ns=now_ns() + BEGIN_IN_NS, stop_ns=0))
        await until("streams begun", lambda: self._all(WorkerState.RUNNING), timeout_s=BEGUN_WITHIN_S)

    def status(self) -> tuple[StreamStatus, ...]:
        """Every stream now, by number (as its worker last wrote it, at most ~100 ms ago)."""
        return tuple(
            StreamStatus(
                number=lane.number,
                name=lane.name,
                state=StreamState(int(row["state"])),
                attempts=int(row["attempts"]),
                rows=int(row["rows"]),
                responses=int(row["responses"]),
                marks=int(row["marks"]),
                shards=len(lane.shards),
                cycles=int(row["cycles"]),
                message=row["message"].decode(errors="replace"),
            )
            for lane, row in zip(self.lanes, self._live.streams(), strict=True)
        )

    async def watch(self) -> None:
        """Runs until the streams are stopped. Raises HarnessError as soon as a worker dies: a TaskGroup
        that runs this next to the timeline ends an experiment whose streams are gone."""
        ends = [asyncio.create_task(process.wait()) for process in self._processes.values()]
        try:
            while not self._stopping:
                await asyncio.wait(ends, timeout=WATCH_S, return_when=asyncio.FIRST_COMPLETED)
                if not self._stopping:
                    self.require_alive()
        finally:
            for end in ends:
                end.cancel()

    def require_alive(self) -> None:
        """Raises HarnessError that says which worker ended, how, and what it printed last."""
        for worker, process in self._processes.items():
            code = process.returncode
            state = WorkerState(int(self._live.workers()["state"][worker]))
            if code is not None and (code != 0 or state is not WorkerState.STOPPED):
                how = f"by signal {-code}" if code < 0 else f"with status {code}"
                tail = tail_of(self._run.logs / f"streams-{worker}.log")
                raise HarnessError(f"stream worker {worker} ended {how} while it was needed\n{tail}".rstrip())

    async def stop(self, *, timeout_s: float) -> None:
        """End the streams and wait until everything is written. Calling it twice is harmless.

        Raises HarnessError if a worker died, WaitTimeout if one does not end."""
        self._stopping = True
        orders = self._live.orders
        self._live.order(Orders(begin_ns=orders.begin_ns, stop_ns=orders.stop_ns or now_ns()))
        ends = asyncio.gather(*(process.wait() for process in self._processes.values()))
        await finish("stream workers ended", ends, timeout_s=timeout_s)
        self.require_alive()

    # ------------------------------------------------ for `running`

    async def _spawn(self, stack: AsyncExitStack, config: StreamWorkerConfig) -> None:
        path = self._run.path / f"streams-worker-{config.worker}.json"
        jsonio.save(path, config)
        self._processes[config.worker] = await stack.enter_async_context(
            spawned(
                [sys.executable, "-P", "-m", "harness.load.stream_worker", path],
                log=self._run.logs / f"streams-{config.worker}.log",
            )
        )

    async def _all(self, state: WorkerState) -> bool:
        self.require_alive()
        return bool((self._live.workers()["state"] >= state).all())


@asynccontextmanager
async def running(
    specs: Sequence[StreamSpec],
    targets: Sequence[tuple[str, str]],
    *,
    keyspace: str,
    shards: Sequence[str],
    tables: Sequence[str],
    run: RunDir,
) -> AsyncIterator[StreamsHandle]:
    """Worker processes for the streams through `targets` (vtgate's node name, host:port of its gRPC service),
    one for each vtgate, that wait for `begin`. `tables` are all that the streams may ask for, the mark table last.

    `streams.json` (the lanes) is written first, so that a run that dies early still says what was planned.
    Leaving the block without `stop` kills the workers; what they recorded until 100 ms before stays.

    Raises PlanError for streams that make no sense, WaitTimeout when the workers are not ready in time,
    HarnessError when one dies.
    """
    planned = lanes(specs, [vtgate for vtgate, _ in targets], keyspace, shards, tables)
    jsonio.save(run.streams, list(planned))
    live = LiveFile.create(run.path / NAME, workers=len(targets), streams=len(planned))
    handle = StreamsHandle(run, planned, live)
    async with AsyncExitStack() as stack:
        for worker, (vtgate, address) in enumerate(targets):
            config = StreamWorkerConfig(
                worker=worker,
                address=address,
                lanes=tuple(lane for lane in planned if lane.vtgate == vtgate),
                run=run.path.absolute(),
                live=(run.path / NAME).absolute(),
            )
            await handle._spawn(stack, config)
        await until("stream workers ready", lambda: handle._all(WorkerState.READY), timeout_s=READY_WITHIN_S)
        yield handle
