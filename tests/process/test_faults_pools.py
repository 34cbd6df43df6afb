"""Goal: queries really wait at a vttablet before a fault says so, and all are gone when its block is left.

Method: a gRPC server that answers no query, and a web port that counts them as vttablet's pool does. What is a process
of its own in a run is a task here: a process cannot be forked while a server of gRPC's runs in it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
import pytest
from aiohttp import web

from harness.base import wait
from harness.base.errors import ClusterError
from harness.contracts import Aim
from harness.faults import crowd, pools
from harness.faults.pools import AbandonedQueries
from harness.faults.targets import Targets
from harness.model import Node, Role
from harness.stage import RunStage
from harness.vitess.proto import query_pb2, topodata_pb2
from tests.unit.run_fakes import FakeCluster, a_stage

NODE = Node(name="vttablet-100", role=Role.VTTABLET, version="24.0.3", keyspace="ks", shard="0", tablet_uid=100)
FAULT = AbandonedQueries(targets=Targets(names=(NODE.name,)), queries=7)


@dataclass
class Tablet:
    """Has a pool of two connections, which it never gets back."""

    refuses: bool = False
    there: int = 0
    came: int = 0
    asked: list[query_pb2.ExecuteRequest] = field(default_factory=list)

    async def execute(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        self.asked.append(query_pb2.ExecuteRequest.FromString(request))
        if self.refuses and self.there == 2:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "wrong tablet type")
        self.there += 1
        self.came += 1
        try:
            return await asyncio.Future()
        finally:
            self.there -= 1

    async def variables(self, _: web.Request) -> web.Response:
        said = {
            "TabletType": "primary",
            "ConnPoolCapacity": 2,
            "ConnPoolInUse": min(self.there, 2),
            "ConnPoolGet": self.came,
        }
        return web.json_response(said)


class Span:
    def begin(self, at_ns: int = 0) -> None: ...
    def active(self, at_ns: int = 0) -> None: ...
    def failed(self, error: str) -> None: ...
    def detail(self, **details: str | int | float | bool) -> None: ...


@dataclass
class Process:
    returncode: int | None = None


@contextlib.asynccontextmanager
async def as_a_task(argv: Sequence[str]) -> AsyncIterator[Process]:
    host, port, queries, per_s, request = argv[-5:]
    process = Process()
    queue = crowd.queue_up((host, int(port)), bytes.fromhex(request), queries=int(queries), per_s=float(per_s))

    async def run() -> None:
        try:
            await queue
        except grpc.aio.AioRpcError:
            process.returncode = 1

    task = asyncio.create_task(run())
    yield process
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "spawned", as_a_task)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[RunStage]:
    async with a_stage(tmp_path / "run", FakeCluster(all_nodes=(NODE,))) as acting:
        yield acting


@contextlib.asynccontextmanager
async def serving(stage: RunStage, tablet: Tablet) -> AsyncIterator[Aim]:
    """What the fault aims at, with the tablet at the node's ports."""
    assert isinstance(stage.cluster, FakeCluster)
    execute = grpc.unary_unary_rpc_method_handler(tablet.execute)
    queries = grpc.aio.server()
    queries.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("queryservice.Query", {"Execute": execute})])
    stage.cluster.ports[NODE.name, "grpc"] = queries.add_insecure_port("127.0.0.1:0")
    await queries.start()
    app = web.Application()
    app.router.add_get("/debug/vars", tablet.variables)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stage.cluster.ports[NODE.name, "web"] = runner.addresses[0][1]
    try:
        yield await FAULT.aim(stage)
    finally:
        await runner.cleanup()
        await queries.stop(grace=None)


async def test_all_wait_and_all_are_gone(stage: RunStage) -> None:
    tablet = Tablet()
    async with serving(stage, tablet) as aim:
        assert aim.details["connections of vttablet-100"] == 2
        assert not await FAULT.observed(stage, aim)
        async with FAULT.inject(stage, aim, Span()):
            assert tablet.there == 9
            assert await FAULT.observed(stage, aim)

        async def alone() -> bool:
            return tablet.there == 0

        await wait.until("all queries are gone", alone, timeout_s=5)
        assert not await FAULT.observed(stage, aim)


async def test_they_ask_as_a_vtgate_does(stage: RunStage) -> None:
    tablet = Tablet()
    async with serving(stage, tablet) as aim, FAULT.inject(stage, aim, Span()):
        first, last = tablet.asked[0], tablet.asked[-1]
    assert first.query.sql.startswith("SELECT SLEEP(")
    assert last.query.sql == "SELECT 1 FROM dual"
    assert (last.target.keyspace, last.target.shard) == ("ks", "0")
    assert last.target.tablet_type == topodata_pb2.PRIMARY
    assert last.options.consolidator == query_pb2.ExecuteOptions.CONSOLIDATOR_DISABLED


async def test_queries_that_are_refused_do_not_wait(stage: RunStage) -> None:
    async with serving(stage, Tablet(refuses=True)) as aim:
        with pytest.raises(ClusterError, match="the queries at vttablet-100 did not wait: status 1"):
            async with FAULT.inject(stage, aim, Span()):
                pass
