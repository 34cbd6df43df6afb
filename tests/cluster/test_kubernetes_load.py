"""Goal: load from pods beside the cluster gives the same judged run as load from here, and nothing of it outlives its
harness. Method: a storm through the real command line, its record compared with the arrivals that the seed draws,
one by one; and stations in pods without a cluster, whose pod or driver goes away.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from clusters import BACKENDS
from clusters.kubernetes import load_job, manifests, names
from clusters.kubernetes.api import Api
from clusters.kubernetes.load_job import LOAD, JobPlace
from clusters.kubernetes.manifests import Marks
from clusters.kubernetes.resources import NAMESPACE, POD
from harness import history
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.base.wait import until
from harness.contracts import Conversation
from harness.history import History, Ops
from harness.load.arrivals import Arrivals
from harness.load.live import NAME, LiveFile, Orders
from harness.load.remote_driver import STATION, PodRecord
from harness.load.remote_frames import Frame, Frames, encode
from harness.model import ClusterSpec, Event, Lane, OpKind, Placement, RunVerdict
from tests.cluster.command import RUN_WITHIN_S, SHORT, require_honest, verdict_of, vtchaos

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100), pytest.mark.asyncio(loop_scope="module")]

SHARDS, PODS, SEED = 4, 2, 7
SPEC = ClusterSpec(shards=SHARDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def _kubernetes() -> None:
    """Skipped where there is no Kubernetes, or not enough of it, with the backend's own words."""
    backend = BACKENDS.get("kubernetes")
    reasons = ["there is no such backend"] if backend is None else await backend.refusals(SPEC, Placement(load_pods=2))
    if reasons:
        pytest.skip(f"kubernetes: {'; '.join(reasons)}")


# ---------------------------------------------------------------- a storm


@dataclass(frozen=True, slots=True)
class Ran:
    folder: Path
    output: str
    verdict: RunVerdict
    history: History


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("storm") / "run"
    words = ("reparent/storm", "--shards", str(SHARDS), "--backend", "kubernetes", "--load-pods", str(PODS))
    done = vtchaos("run", *words, "--seed", str(SEED), *SHORT, "--out", folder, within_s=RUN_WITHIN_S)
    assert RunDir(folder).verdict.is_file(), done.output
    return Ran(folder, done.output, verdict_of(folder), history.load(RunDir.open(folder)))


async def test_a_storm_under_load_from_pods_ends_well(storm: Ran) -> None:
    require_honest(storm.verdict, storm.output)
    assert not storm.history.incomplete


async def test_every_arrival_that_the_seed_draws_is_on_record_once(storm: Ran) -> None:
    lanes = storm.history.lanes
    orders = orders_of(storm.folder)
    assert sorted({lane.worker for lane in lanes}) == list(range(PODS))
    for worker in range(PODS):
        mine = tuple(lane for lane in lanes if lane.worker == worker)
        recorded = operations(storm.history.ops[storm.history.ops["worker"] == worker])
        drawn = drawn_for(mine, worker, orders)
        # a stamp that was shifted may be wrong by a nanosecond; between two arrivals lie milliseconds
        assert len(recorded) == len(drawn)
        assert np.abs(recorded - drawn).max() <= 1


async def test_the_ids_of_the_pods_differ(storm: Ran) -> None:
    writes = storm.history.ops[storm.history.ops["kind"] == OpKind.WRITE]
    issued = writes[writes["key"] != 0]
    assert len(np.unique(issued["key"])) == len(issued) > 0


async def test_what_ran_where_is_on_record(storm: Ran) -> None:
    records = [jsonio.structure(plain, PodRecord) for plain in jsonio.load(RunDir(storm.folder).load_pods, list[Any])]
    assert [record.workers for record in records] == [(0,), (1,)]
    assert len({record.host for record in records}) == PODS
    assert all(record.clock.end is not None and record.uncertainty_ns < 50_000_000 for record in records)


async def test_the_namespace_is_gone_and_the_load_with_it(storm: Ran) -> None:
    async with Api.open() as api:
        assert await api.get(NAMESPACE, names.namespace_of(storm.history.plan.run_id)) is None


def orders_of(folder: Path) -> Orders:
    live = LiveFile(folder / NAME)
    try:
        return live.orders
    finally:
        live.close()


def operations(ops: Ops) -> np.ndarray[Any, np.dtype[np.int64]]:
    """When they were due, in order; a failed attempt to connect again is none (a READ with key 0)."""
    attempt = (ops["kind"] == OpKind.READ) & (ops["key"] == 0) & (ops["sent_ns"] == ops["intended_ns"])
    return np.sort(ops[~attempt]["intended_ns"].astype(np.int64))


def drawn_for(lanes: tuple[Lane, ...], worker: int, orders: Orders) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The arrivals of a worker from the order to begin to the order to stop."""
    arrivals = Arrivals(
        lanes=len(lanes), rate=lanes[0].rate, write_share=0.5, poisson=True, seed=SEED,
        name=f"{lanes[0].vtgate}/{worker}",
    )  # fmt: skip
    arrivals.begin(orders.start_ns)
    found = list(arrivals.times)
    while found[-1] <= orders.stop_ns:
        arrivals.refill()
        found += arrivals.times
    times = np.array(found, dtype=np.int64)
    return times[times <= orders.stop_ns]


# ---------------------------------------------------------------- stations in pods


class Nobody:
    def on_event(self, event: Event) -> None: ...
    def on_progress(self, what: str, done: int | None, total: int | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Site:
    """A namespace of this test, with two stations in two pods."""

    api: Api
    marks: Marks
    talks: Mapping[int, Conversation]
    stack: contextlib.AsyncExitStack

    async def pods(self) -> Mapping[str, str]:
        """Name → phase."""
        found = await self.api.list(
            POD, self.marks.namespace, labels=names.selector(run=names.label_of(self.marks.run), node=LOAD)
        )
        return {pod["metadata"]["name"]: pod["status"]["phase"] for pod in found}


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    run = f"test-load-{secrets.token_hex(3)}"
    marks = Marks(run=run, namespace=names.namespace_of(run))
    layout = names.layout_of(SPEC, mysql="", etcd="", logs=tmp_path)
    async with Api.open() as api, contextlib.AsyncExitStack() as stack:
        for manifest in (manifests.namespace(marks), manifests.account(marks)):
            await api.apply(manifest)
        stack.push_async_callback(api.delete, NAMESPACE, marks.namespace)
        place: JobPlace = load_job.beside(api, layout, marks, user=999)
        await place.prepare(Nobody())
        inner = await stack.enter_async_context(contextlib.AsyncExitStack())
        talks = await inner.enter_async_context(place.programs(STATION, count=PODS, logs=tmp_path))
        yield Site(api, marks, dict(enumerate(talks)), inner)


async def heard(talk: Conversation, frames: Frames) -> list[Frame]:
    """The next frames; [] = it has ended."""
    while data := await talk.read():
        if found := list(frames.feed(data)):
            return found
    return []


async def test_stations_answer_and_a_pod_that_goes_is_noticed(site: Site) -> None:
    frames = Frames("load pod 1")
    (ready,) = await heard(site.talks[0], frames)
    assert ready.say == "ready"
    await site.talks[0].write(encode("ping", number=3))
    (pong,) = await heard(site.talks[0], frames)
    assert (pong.say, pong.number) == ("pong", 3)
    await site.api.delete(POD, next(iter(sorted(await site.pods()))), site.marks.namespace, grace_s=0)
    assert await heard(site.talks[0], frames) == []
    assert "load-" in await site.talks[0].obituary()


async def test_without_a_driver_the_stations_and_their_pods_end(site: Site) -> None:
    for talk in site.talks.values():
        await heard(talk, Frames(talk.name))
        await talk._session._socket.close()  # type: ignore[attr-defined]  # as a killed harness leaves it

    async def ended() -> bool:
        phases = await site.pods()
        return len(phases) == PODS and set(phases.values()) == {"Succeeded"}

    await until("the pods ended by themselves", ended, timeout_s=30)


async def test_the_job_goes_with_the_load(site: Site) -> None:
    assert len(await site.pods()) == PODS
    await site.stack.aclose()

    async def gone() -> bool:
        return not await site.pods()

    await until("the pods are gone", gone, timeout_s=30)
