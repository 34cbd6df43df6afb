"""Goal: a lost cell is one whose address leads nowhere, and its remedy names the old one again."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harness.base.errors import ClusterError
from harness.contracts import Ground, SpanRecorder, Stage
from harness.faults import cells
from harness.faults.cells import LostCell, RenamedCell
from harness.model import Node, Role
from harness.vitess import etcd
from harness.vitess.proto import topodata_pb2, vtctldata_pb2
from harness.vitess.vtctld import VtctldError

WAS = "198.18.0.2:2379"


class Vtctld:
    """A topology with one cell; who asks for something of it gets an answer only at its own address."""

    def __init__(self) -> None:
        self.info = topodata_pb2.CellInfo(server_address=WAS, root="/vitess/zone1")

    async def call(self, name: str, request: Any, *, timeout_s: float) -> Any:
        match name:
            case "GetCellInfo":
                return vtctldata_pb2.GetCellInfoResponse(cell_info=self.info)
            case "UpdateCellInfo":
                self.info.server_address = request.cell_info.server_address
                return None
            case _:
                if self.info.server_address != WAS:
                    raise VtctldError(name, "DEADLINE_EXCEEDED", "nobody answers")
                return None


class Alone:
    """A stage, or ground, with a vtctld, an etcd and a vtgate."""

    def __init__(self) -> None:
        self.vtctld = Vtctld()
        self.cluster = self

    def nodes(self, role: Role) -> tuple[Node, ...]:
        return (Node(name=role.value, role=role, version="x"),)

    def address(self, node: Node, port: str) -> tuple[str, int]:
        return "198.18.0.3", 15999

    async def shared(self, opener: object) -> Vtctld:
        return self.vtctld


class Span:
    def begin(self, at_ns: int = 0) -> None: ...
    def active(self, at_ns: int = 0) -> None: ...


async def test_the_cell_is_lost_and_found() -> None:
    alone = Alone()
    stage, fault = cast(Stage, alone), LostCell()
    aim = await fault.aim(stage)
    assert (aim.targets, aim.details["address"]) == (("etcd",), "198.18.0.2:1")
    assert not await fault.observed(stage, aim)
    async with fault.inject(stage, aim, cast(SpanRecorder, Span())):
        assert await fault.observed(stage, aim)
        assert not await fault.recovered(stage, aim)
    for _ in range(2):
        await cells.REMEDIES[aim.undo[0].kind](cast(Ground, alone), aim.undo[0])
        assert alone.vtctld.info == topodata_pb2.CellInfo(server_address=WAS, root="/vitess/zone1")
    assert await fault.recovered(stage, aim)


async def test_a_stranger_may_answer_in_its_place() -> None:
    aim = await LostCell(stranger=True).aim(cast(Stage, Alone()))
    assert aim.details["address"] == "198.18.0.3:15999"


async def test_another_name_for_the_same_server_loses_nobody() -> None:
    aim = await RenamedCell().aim(cast(Stage, Alone()))
    assert aim.details["address"] == f"{WAS},{WAS}"
    assert (aim.details["was"], aim.undo[0].details) == (WAS, {"was": WAS})


class Etcd:
    """Its key-value service, with one record; what was put is kept in order."""

    def __init__(self, value: str) -> None:
        self.puts: list[str] = [value]

    async def answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if request.path.endswith("/put"):
            self.puts.append(base64.b64decode(asked["value"]).decode("latin-1"))
            return web.json_response({"header": {"revision": str(len(self.puts))}})
        found = [{"value": base64.b64encode(self.puts[-1].encode()).decode()}]
        return web.json_response({"kvs": found if base64.b64decode(asked["key"]) == b"/cell/SrvVSchema" else []})


@pytest.fixture
async def kept() -> AsyncIterator[tuple[Etcd, tuple[str, int]]]:
    served = Etcd("a vschema")
    app = web.Application()
    app.router.add_post("/v3/kv/{method}", served.answer)
    async with TestServer(app) as server:
        assert server.port is not None
        yield served, (server.host, server.port)


async def test_a_record_is_unreadable_and_then_what_it_was(kept: tuple[Etcd, tuple[str, int]]) -> None:
    served, address = kept
    await etcd.unreadable_for_a_moment(address, "/cell/SrvVSchema")
    assert served.puts == ["a vschema", "\xff", "a vschema"]


async def test_a_record_that_is_not_there_is_left_alone(kept: tuple[Etcd, tuple[str, int]]) -> None:
    served, address = kept
    with pytest.raises(ClusterError, match="/cell/Other was not made unreadable"):
        await etcd.unreadable_for_a_moment(address, "/cell/Other")
    assert served.puts == ["a vschema"]


async def test_an_etcd_that_does_not_answer_is_not_compacted() -> None:
    with contextlib.closing(_nobody()) as port, pytest.raises(ClusterError, match="etcd was not compacted"):
        await etcd.compact(("127.0.0.1", port.getsockname()[1]))


def _nobody() -> socket.socket:
    """A port that is taken, and at which nobody listens."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken
