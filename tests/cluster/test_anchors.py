"""Goal: an anchor is reached when the thing itself has begun on a real cluster, at once, and not before.

Method: one cluster of one shard with a short copy phase. A client writes while the shard is reparented; a VStream with
a slow reader copies a table, cut every 300 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from clusters import BACKENDS
from harness import anchors
from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import WaitTimeout
from harness.contracts import Cluster, Stage
from harness.faults.reparent import PlannedReparent
from harness.items import ItemsSpec
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA
from harness.load.seeding import seed
from harness.model import ClusterSpec, Placement, Role
from harness.mysql.session import admin_session
from harness.streams import StreamSpec
from harness.vitess.vstream import StreamEnd, VStreamClient, request
from tests.unit.run_fakes import Watcher, a_stage

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

SPEC = ClusterSpec(
    shards=1,
    vtgate_flags={"enable-buffer": "", "buffer-min-time-between-failovers": "1s"},
    vttablet_flags={"vreplication-copy-phase-duration": "300ms"},
    schema=(LEDGER_SQL,),
    vschema=LEDGER_VSCHEMA,
)
ROWS = 100_000
READER_PAUSE_S = 0.05
REACHED_WITHIN_S = 30.0
APART_NS = 500_000_000  # measured: 1 to 10 ms


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    backend = BACKENDS["local"]
    reasons = await backend.refusals(SPEC, Placement())
    if reasons:
        pytest.skip("; ".join(reasons))
    folder = tmp_path_factory.mktemp("anchors")
    opened = backend.cluster(
        SPEC, Placement(), run="anchors", folder=folder / "cluster", logs=folder / "logs", observer=Watcher()
    )
    async with opened as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def stage(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path / "run", cluster) as acting:
        yield acting


@contextlib.asynccontextmanager
async def writer(stage: Stage) -> AsyncIterator[None]:
    """A client that writes one row after the other for as long as the block lasts."""
    host, port = stage.cluster.address(stage.cluster.nodes(Role.VTGATE)[0], "mysql")

    async def write() -> None:
        async with admin_session(host, port, database="ks") as session:
            while True:
                await session.query(f"INSERT INTO ledger (id, value) VALUES ({now_ns()}, 1)", timeout_s=20)

    async with _beside(write()):
        yield


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _reparent(stage: Stage) -> None:
    async with stage.inject(PlannedReparent(shard="0")):
        pass


async def test_the_first_shard_that_buffers_and_what_vtgates_log_says_of_it(stage: Stage) -> None:
    vtgate = stage.cluster.nodes(Role.VTGATE)[0]
    async with writer(stage):
        buffering = await anchors.buffering(stage)
        line = anchors.log_says(stage, "Starting buffering for shard: ks/0", vtgate)
        stops = await anchors.primary_stops(stage, "0")
        with pytest.raises(WaitTimeout, match="no shard has started to buffer"):
            await buffering(timeout_s=0.5)
        begun_ns = now_ns()
        reparenting = asyncio.create_task(_reparent(stage))
        seen = await asyncio.gather(*(anchor(timeout_s=REACHED_WITHIN_S) for anchor in (buffering, line, stops)))
        await reparenting
    counted, logged, stopped = seen
    assert (counted.what, logged.node) == ("0", vtgate.name)
    assert "SERVING" in stopped.what
    assert begun_ns < min(counted.at_ns, logged.at_ns, stopped.at_ns)
    print([round((moment.at_ns - begun_ns) / 1e6, 1) for moment in seen], "ms after the call")
    assert abs(counted.at_ns - logged.at_ns) < APART_NS, "the counter and the log tell of different moments"


async def test_in_the_middle_of_the_second_copy_cycle(stage: Stage) -> None:
    await seed(stage.cluster, ItemsSpec(tables=1, rows=ROWS), progress=lambda *_: None, timeout_s=120)
    host, port = stage.cluster.address(stage.cluster.nodes(Role.VTGATE)[0], "grpc")
    asked = request(StreamSpec(), keyspace="ks", shards=["0"], tables=["item_1"])
    second = await anchors.copy_cycle(stage, number=2, after_rows=1000)
    async with VStreamClient.open(f"{host}:{port}") as client:
        call = client.stream(asked)

        async def slowly() -> None:
            while not isinstance(await call.read(), StreamEnd):
                await wait.hold(READER_PAUSE_S)

        async with _beside(slowly()):
            moment = await second(timeout_s=REACHED_WITHIN_S)
        call.cancel()
    print(moment)
    assert moment.what.startswith("cycle 2, ")
