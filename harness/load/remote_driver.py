"""The load in places beside the cluster, as the runner sees it: the same as harness.load.driver offers.

    driver (here) ─ Conversation ─► station (there: harness.load.remote) ─ live file ─► workers (harness.load.worker)

The lanes are dealt to the places (config.place_of). Their counters come twice a second into the run's own live
file; records, messages, samples and logs are fetched when the load has ended, and then lie in the run directory as
if the workers had run here. `load-pods.json` says what ran where and how well its clock is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.errors import HarnessError, WaitTimeout
from harness.base.rundir import RunDir
from harness.base.wait import hold_until, together, until
from harness.contracts import LoadPlace
from harness.items import ItemsSpec
from harness.load.config import Target, WorkerConfig, place_of, plan_lanes
from harness.load.driver import CONNECT_WITHIN_S, GIVE_UP_S, WATCH_S, configs_of
from harness.load.live import NAME, LiveFile, Orders, Rows, WorkerState
from harness.load.remote_clock import StationClock
from harness.load.remote_pod import LoadPod
from harness.model import Lane, LoadSpec

STATION = "harness.load.remote"  # the module that runs in every place
LEAD_NS = 250_000_000  # an order is given so long before it is due, and three times the slowest round trip
GREET_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRecord:
    """A line of load-pods.json. Offsets and stamps in nanoseconds."""

    name: str
    host: str  # what it calls itself, e.g. the pod's name
    workers: tuple[int, ...]
    clock: StationClock
    our_clock: bool  # its stamps needed no shift
    uncertainty_ns: int  # of its shifted stamps
    drift_ns: int  # how much its offset grew while the load ran


class RemoteLoad:
    """A running load; its counters stay readable afterwards."""

    def __init__(self, run: RunDir, lanes: tuple[Lane, ...], live: LiveFile, pods: Sequence[LoadPod]) -> None:
        self.lanes = lanes
        self._run = run
        self._live = live
        self._pods = tuple(pods)
        self._stopping = False
        self._fetched = False

    def live(self) -> Rows:
        """Counters of every lane, by lane number, at most half a second old: harness.load.live.LANE_DTYPE."""
        return self._live.lanes()

    @property
    def start_ns(self) -> int:
        """When arrivals began."""
        return self._live.orders.start_ns

    async def watch(self) -> None:
        """Runs until the load is stopped. Raises HarnessError as soon as a pod or a worker in it is gone."""
        while not self._stopping:
            for pod in self._pods:
                pod.changed.clear()
            self.require_alive()
            changes = [asyncio.create_task(pod.changed.wait()) for pod in self._pods]
            try:
                await asyncio.wait(changes, timeout=WATCH_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for change in changes:
                    change.cancel()

    def require_alive(self) -> None:
        """Raises HarnessError that says which pod or worker ended, how, and what it printed last."""
        for pod in self._pods:
            if pod.complaint:
                raise HarnessError(pod.complaint)

    async def stop(self, *, timeout_s: float) -> None:
        """End the arrivals, let operations in flight and in the queues finish for at most `timeout_s`, give up the
        rest (recorded as UNKNOWN or NOT_ISSUED), and fetch everything that was recorded.

        Raises HarnessError if a pod or a worker died (what the others recorded is fetched before), WaitTimeout if
        one does not end. Calling it twice is harmless.
        """
        if self._fetched:
            self.require_alive()
            return
        self._stopping = True
        stop_ns = self._live.orders.stop_ns or now_ns() + self._lead_ns()
        abandon_ns = stop_ns + int(timeout_s * 1e9)
        orders = Orders(start_ns=self.start_ns, stop_ns=stop_ns, abandon_ns=abandon_ns)
        self._live.order(orders)
        errors = await self._of_each(lambda pod: pod.order(orders))
        bound_s = timeout_s + GIVE_UP_S + self._lead_ns() / 1e9
        try:
            await until("the load workers in the pods ended", self._over, timeout_s=bound_s)
        except WaitTimeout as error:
            errors.append(error)
        errors += await self._of_each(lambda pod: pod.fetch())
        self._save()
        self._fetched = True
        self.require_alive()
        if errors:
            raise errors[0]

    # ------------------------------------------------ for `running`

    async def begin(self, connect_within_s: float) -> None:
        """Connect everything, and begin at one instant. Raises HarnessError, WaitTimeout."""
        await together(pod.greet(timeout_s=GREET_WITHIN_S) for pod in self._pods)
        self._save()
        await together(pod.work() for pod in self._pods)
        try:
            await until("all load connections made", self._connected, timeout_s=connect_within_s)
        except WaitTimeout:
            raise WaitTimeout("all load connections made", connect_within_s, self._progress()) from None
        orders = Orders(start_ns=now_ns() + self._lead_ns(), stop_ns=0, abandon_ns=0)
        await together(pod.order(orders) for pod in self._pods)
        self._live.order(orders)
        await hold_until(orders.start_ns)

    async def _connected(self) -> bool:
        self.require_alive()
        return bool((self._live.workers()["state"] >= WorkerState.READY).all())

    async def _over(self) -> bool:
        return all(pod.over for pod in self._pods)

    async def _of_each(self, act: Callable[[LoadPod], Awaitable[None]]) -> list[HarnessError]:
        """`act` on every pod that can still be asked; what went wrong. One pod's failure takes nothing from others."""
        there = [pod for pod in self._pods if not pod.gone]
        results = await asyncio.gather(*(act(pod) for pod in there), return_exceptions=True)
        errors: list[HarnessError] = []
        for result in results:
            if isinstance(result, HarnessError):
                errors.append(result)
            elif result is not None:
                raise result
        return errors

    def _lead_ns(self) -> int:
        return LEAD_NS + 6 * max(pod.clock.begin.uncertainty_ns for pod in self._pods)

    def _progress(self) -> str:
        rows = self._live.workers()
        return "; ".join(
            f"{pod.name}, worker {number}: {rows[number]['connected']} of {rows[number]['wanted']} connections"
            + (f", last trouble: {rows[number]['note'].decode(errors='replace')}" if rows[number]["note"] else "")
            for pod in self._pods
            for number in pod.workers
        )

    def _save(self) -> None:
        records = [
            PodRecord(
                name=pod.name,
                host=pod.host,
                workers=pod.workers,
                clock=pod.clock,
                our_clock=pod.clock.is_ours,
                uncertainty_ns=pod.clock.uncertainty_ns,
                drift_ns=pod.clock.drift_ns,
            )
            for pod in self._pods
        ]
        jsonio.save(self._run.load_pods, records)


@asynccontextmanager
async def running(
    spec: LoadSpec,
    targets: Sequence[Target],
    *,
    place: LoadPlace,
    pods: int,
    keyspace: str,
    shards: Sequence[str],
    run: RunDir,
    seed: int,
    abrupt: bool = False,
    connect_within_s: float = CONNECT_WITHIN_S,
    items: ItemsSpec | None = None,
) -> AsyncIterator[RemoteLoad]:
    """Load through every target from `pods` places beside the cluster; see harness.load.driver.running, which this
    is alike but for `targets`: their addresses are those that the places see.

    Leaving the block without `stop` ends the workers, and what they recorded is lost with their places.
    """
    lanes = plan_lanes(spec, targets, shards, items, places=pods)
    jsonio.save(run.load, list(lanes))
    configs = configs_of(
        spec, targets, lanes, keyspace=keyspace, shards=shards, run=run, seed=seed, abrupt=abrupt, items=items
    )
    live = LiveFile.create(run.path / NAME, workers=len(configs), lanes=len(lanes))
    async with place.programs(STATION, count=pods, logs=run.logs) as conversations:
        stations = [
            LoadPod(conversation, run, live, _of_place(configs, which, pods))
            for which, conversation in enumerate(conversations)
        ]
        load = RemoteLoad(run, lanes, live, stations)
        followers = [asyncio.create_task(pod.follow(), name=pod.name) for pod in stations]
        try:
            await load.begin(connect_within_s)
            yield load
        finally:
            for follower in followers:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)


def _of_place(configs: Sequence[WorkerConfig], which: int, places: int) -> list[WorkerConfig]:
    return [config for config in configs if place_of(config.lanes[0].number, places) == which]
