"""The load as the runner sees it: start the workers, watch them, stop them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, WaitTimeout
from harness.base.procs import spawned, tail_of
from harness.base.rundir import RunDir
from harness.base.wait import finish, until
from harness.items import ItemsSpec
from harness.load.config import Target, WorkerConfig, plan_lanes
from harness.load.live import NAME, LiveFile, Orders, Rows, WorkerState
from harness.model import Lane, LoadSpec

CONNECT_WITHIN_S = 30.0
START_IN_NS = 100_000_000  # all workers see the order and begin at one instant
WATCH_S = 0.2
GIVE_UP_S = 5.0  # for the workers' last writes, once in-flight operations are abandoned


@dataclass(frozen=True, slots=True)
class _Process:
    worker: int
    process: asyncio.subprocess.Process


class LoadHandle:
    """A running load; its counters stay readable afterwards."""

    def __init__(self, run: RunDir, lanes: tuple[Lane, ...], live: LiveFile) -> None:
        self.lanes = lanes
        self._run = run
        self._live = live
        self._processes: list[_Process] = []
        self._stopping = False

    def live(self) -> Rows:
        """Counters of every lane now, by lane number: harness.load.live.LANE_DTYPE."""
        return self._live.lanes()

    @property
    def start_ns(self) -> int:
        """When arrivals began."""
        return self._live.orders.start_ns

    async def watch(self) -> None:
        """Runs until the load is stopped. Raises HarnessError as soon as a worker dies: a TaskGroup
        that runs this next to the timeline ends an experiment whose load is gone."""
        ends = [asyncio.create_task(each.process.wait()) for each in self._processes]
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
        for each in self._processes:
            code = each.process.returncode
            state = WorkerState(int(self._live.workers()["state"][each.worker]))
            if code is not None and (code != 0 or state is not WorkerState.STOPPED):
                how = f"by signal {-code}" if code < 0 else f"with status {code}"
                tail = tail_of(self._run.logs / f"load-{each.worker}.log")
                raise HarnessError(f"load worker {each.worker} ended {how} while it was needed\n{tail}".rstrip())

    async def stop(self, *, timeout_s: float) -> None:
        """End the arrivals, let operations in flight and in the queues finish for at most `timeout_s`,
        give up the rest (recorded as UNKNOWN or NOT_ISSUED), and wait until everything is written.

        Raises HarnessError if a worker died, WaitTimeout if one does not end. Calling it twice is harmless.
        """
        self._stopping = True
        stop_ns = self._live.orders.stop_ns or now_ns()
        abandon_ns = now_ns() + int(timeout_s * 1e9)
        self._live.order(Orders(start_ns=self.start_ns, stop_ns=stop_ns, abandon_ns=abandon_ns))
        ends = asyncio.gather(*(each.process.wait() for each in self._processes))
        await finish("load workers ended", ends, timeout_s=timeout_s + GIVE_UP_S)
        self.require_alive()

    # ------------------------------------------------ for `running`

    async def _spawn(self, stack: AsyncExitStack, config: WorkerConfig) -> None:
        path = self._run.path / f"load-worker-{config.worker}.json"
        jsonio.save(path, config)
        process = await stack.enter_async_context(
            spawned(
                [sys.executable, "-P", "-m", "harness.load.worker", path],
                log=self._run.logs / f"load-{config.worker}.log",
            )
        )
        self._processes.append(_Process(config.worker, process))

    async def _connected(self) -> bool:
        self.require_alive()
        return bool((self._live.workers()["state"] >= WorkerState.READY).all())

    async def _begin(self, timeout_s: float) -> None:
        try:
            await until("all load connections made", self._connected, timeout_s=timeout_s)
        except WaitTimeout:
            raise WaitTimeout("all load connections made", timeout_s, self._progress()) from None
        self._live.order(Orders(start_ns=now_ns() + START_IN_NS, stop_ns=0, abandon_ns=0))

    def _progress(self) -> str:
        return "; ".join(
            f"worker {number}: {row['connected']} of {row['wanted']} connections"
            + (f", last trouble: {row['note'].decode(errors='replace')}" if row["note"] else "")
            for number, row in enumerate(self._live.workers())
        )


@asynccontextmanager
async def running(
    spec: LoadSpec,
    targets: Sequence[Target],
    *,
    keyspace: str,
    shards: Sequence[str],
    run: RunDir,
    seed: int,
    abrupt: bool = False,
    connect_within_s: float = CONNECT_WITHIN_S,
    items: ItemsSpec | None = None,
) -> AsyncIterator[LoadHandle]:
    """Load through every target; on entry all connections stand and arrivals are about to begin.

    `load.json` (the lanes) is written first, so that a run that dies early still says what was planned.
    `abrupt`: the run kills vttablets or cuts their connections (see harness.mysql.outcome). `items`: the item
    tables as they were seeded, for Workload.ITEMS. Leaving the block without `stop` kills the workers; what
    they recorded until 100 ms before stays.

    Raises PlanError for a load that makes no sense, WaitTimeout when the connections do not stand in time,
    HarnessError when a worker dies.
    """
    lanes = plan_lanes(spec, targets, shards, items)
    jsonio.save(run.load, list(lanes))
    configs = configs_of(
        spec, targets, lanes, keyspace=keyspace, shards=shards, run=run, seed=seed, abrupt=abrupt, items=items
    )
    live = LiveFile.create(run.path / NAME, workers=len(configs), lanes=len(lanes))
    handle = LoadHandle(run, lanes, live)
    async with AsyncExitStack() as stack:
        for config in configs:
            await handle._spawn(stack, config)
        await handle._begin(connect_within_s)
        yield handle


def configs_of(
    spec: LoadSpec,
    targets: Sequence[Target],
    lanes: Sequence[Lane],
    *,
    keyspace: str,
    shards: Sequence[str],
    run: RunDir,
    seed: int,
    abrupt: bool,
    items: ItemsSpec | None,
) -> list[WorkerConfig]:
    """One for each worker that has lanes."""
    target_of = {target.vtgate: target for target in targets}
    mine: dict[int, list[Lane]] = {}
    for lane in lanes:
        mine.setdefault(lane.worker, []).append(lane)
    return [
        WorkerConfig(
            worker=worker,
            target=target_of[own[0].vtgate],
            database=keyspace,
            lanes=tuple(own),
            spec=spec,
            seed=seed,
            run=run.path.absolute(),
            live=(run.path / NAME).absolute(),
            abrupt=abrupt,
            items=items,
            shards=tuple(shards),
            vtgates=len(targets),
        )
        for worker, own in sorted(mine.items())
    ]
