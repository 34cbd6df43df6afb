"""The VStream client against a vtgate in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from harness.base.wait import hold, until
from harness.streams import Position, StreamSpec
from harness.vitess.proto import topodata_pb2, vtgate_pb2
from harness.vitess.vstream import NO_KEY, Checkpoint, StreamEnd, VStreamCall, VStreamClient, errno_in, request
from tests.unit.vstream_fakes import (
    Abort,
    always,
    cells,
    copied_rows,
    event,
    fake_vtgate,
    position,
    response,
    vgtid,
)

CUT = (
    "target: ks.-80.primary: vttablet: rpc error: code = Unknown desc = Query execution was interrupted, maximum "
    "statement execution time exceeded (errno 3024) (sqlstate HY000)"
)


def _request(spec: StreamSpec | None = None, checkpoint: Checkpoint | None = None) -> Any:
    return request(
        spec or StreamSpec(),
        keyspace="ks",
        shards=("-80", "80-"),
        tables=("item_1", "stream_mark"),
        checkpoint=checkpoint,
    )


def test_a_copy_from_the_beginning_is_asked_for_with_empty_positions() -> None:
    asked = _request()
    assert asked.tablet_type == topodata_pb2.TabletType.PRIMARY
    assert [(each.keyspace, each.shard, each.gtid) for each in asked.vgtid.shard_gtids] == [
        ("ks", "-80", ""),
        ("ks", "80-", ""),
    ]
    assert [(rule.match, rule.filter) for rule in asked.filter.rules] == [
        ("item_1", "select * from item_1"),
        ("stream_mark", "select * from stream_mark"),
    ]
    assert asked.flags == vtgate_pb2.VStreamFlags()


def test_flags_are_those_of_the_spec() -> None:
    spec = StreamSpec(
        tablet_type="replica", heartbeat_s=3, stop_on_reshard=True, minimize_skew=True, tables_to_copy=("item_1",)
    )
    asked = _request(spec)
    assert asked.tablet_type == topodata_pb2.TabletType.REPLICA
    assert asked.flags == vtgate_pb2.VStreamFlags(
        heartbeat_interval=3, stop_on_reshard=True, minimize_skew=True, tables_to_copy=["item_1"]
    )


def test_a_checkpoint_is_sent_as_it_was_received_last_keys_and_their_fields_included() -> None:
    received = vgtid(position("-80", "MySQL56/a:1-5", {"item_1": 7}), position("80-", "MySQL56/b:1-2")).vgtid
    checkpoint = Checkpoint(received)
    assert _request(checkpoint=checkpoint).vgtid == received
    assert Checkpoint.from_bytes(checkpoint.to_bytes()).vgtid == received
    assert checkpoint.positions() == (
        Position(shard="-80", gtid="MySQL56/a:1-5", last_pks={"item_1": 7}),
        Position(shard="80-", gtid="MySQL56/b:1-2"),
    )


def test_a_checkpoint_can_be_made_of_recorded_positions() -> None:
    recorded = (Position(shard="80-", gtid="MySQL56/a:1-5", last_pks={"item_1": 1 << 63, "item_2": 3}),)
    checkpoint = Checkpoint.from_positions(recorded, keyspace="ks")
    assert checkpoint.positions() == recorded
    first = checkpoint.vgtid.shard_gtids[0]
    assert first.keyspace == "ks"
    assert [(column.name, column.type) for column in first.table_p_ks[0].lastpk.fields] == [("id", 778)]  # UINT64


def test_a_last_key_that_is_no_number_is_said_to_be_none() -> None:
    strange = position("-80", "MySQL56/a:1", {"item_1": 1})
    strange.table_p_ks[0].lastpk.rows[0].CopyFrom(cells(b"abc"))
    (found,) = Checkpoint(vgtid(strange).vgtid).positions()
    assert found.last_pks == {"item_1": NO_KEY}
    strange.table_p_ks[0].lastpk.rows[0].CopyFrom(cells(b"1", b"2"))
    assert Checkpoint(vgtid(strange).vgtid).positions()[0].last_pks == {"item_1": NO_KEY}


@pytest.mark.parametrize("message, errno", [(CUT, 3024), ("(errno 1236) then (errno 9)", 1236), ("errno 5", 0)])
def test_mysqls_error_number_is_found_in_a_message(message: str, errno: int) -> None:
    assert errno_in(message) == errno


async def _all(call: VStreamCall) -> tuple[list[Any], StreamEnd]:
    got = []
    async with asyncio.timeout(10):
        while not isinstance(answer := await call.read(), StreamEnd):
            got.append(vtgate_pb2.VStreamResponse.FromString(answer))
    return got, answer


async def test_responses_come_as_they_were_sent_and_then_the_end() -> None:
    sent = [copied_rows(1, 3, begin=True), copied_rows(4, 2)]
    async with fake_vtgate(always(*sent, Abort(grpc.StatusCode.UNKNOWN, CUT))) as vtgate:
        async with VStreamClient.open(vtgate.address) as client:
            got, end = await _all(client.stream(_request()))
        assert vtgate.requests == [_request()]
    assert got == sent
    assert end == StreamEnd(code="UNKNOWN", message=CUT, errno=3024)


async def test_what_was_sent_before_an_error_is_not_lost_on_a_slow_reader() -> None:
    sent = [response(event("OTHER"))] * 50
    async with (
        fake_vtgate(always(*sent, Abort(grpc.StatusCode.UNKNOWN, CUT))) as vtgate,
        VStreamClient.open(vtgate.address) as client,
    ):
        call = client.stream(_request())
        first = await call.read()
        assert not isinstance(first, StreamEnd)
        await until("the end sent", _closed(vtgate), timeout_s=10)
        await hold(0.2)  # and received
        got, end = await _all(call)
    assert len(got) == 49
    assert end.errno == 3024


def _closed(vtgate: Any) -> Any:
    async def condition() -> bool:
        return bool(vtgate.requests) and vtgate.open_calls == 0

    return condition


async def test_a_stream_that_vtgate_ends_without_an_error_is_at_its_end() -> None:
    async def script(request: Any) -> AsyncIterator[Any]:
        yield response(event("OTHER"))

    async with fake_vtgate(script) as vtgate, VStreamClient.open(vtgate.address) as client:
        got, end = await _all(client.stream(_request()))
    assert len(got) == 1
    assert end == StreamEnd(code="EOF")


async def test_a_stream_that_vtgate_calls_cancelled_is_an_error_like_any_other() -> None:
    """vtgate does when skew was not reduced in time (vstream_manager.go, alignStreams)."""
    async with (
        fake_vtgate(always(Abort(grpc.StatusCode.CANCELLED, "timed out while waiting for skew"))) as vtgate,
        VStreamClient.open(vtgate.address) as client,
    ):
        _, end = await _all(client.stream(_request()))
    assert end == StreamEnd(code="CANCELLED", message="timed out while waiting for skew")


async def test_nobody_there_is_an_error_every_time() -> None:
    async with fake_vtgate(always(response(event("OTHER")))) as vtgate:
        address = vtgate.address
    async with VStreamClient.open(address) as client:
        for _ in range(2):
            _, end = await _all(client.stream(_request()))
            assert end.code == "UNAVAILABLE"


async def test_being_cancelled_ends_the_call() -> None:
    async with fake_vtgate(always(response(event("OTHER")))) as vtgate, VStreamClient.open(vtgate.address) as client:
        call = client.stream(_request())
        assert isinstance(await call.read(), bytes)
        reading = asyncio.create_task(call.read())
        await hold(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await until("the call ended at the server", _closed(vtgate), timeout_s=5)


async def test_a_reader_that_does_not_read_holds_the_server_up() -> None:
    """What the server can send meanwhile fits the flow control windows, however long the reader waits."""
    big = copied_rows(1, 1000)

    async def script(request: Any) -> AsyncIterator[Any]:
        for _ in range(400):
            yield big

    async with fake_vtgate(script) as vtgate, VStreamClient.open(vtgate.address) as client:
        call = client.stream(_request())
        assert isinstance(await call.read(), bytes)
        await hold(0.5)
        ahead = vtgate.sent
        await hold(0.5)
        assert vtgate.sent == ahead
        assert ahead <= 4
        got, end = await _all(call)
    assert len(got) == 399
    assert end.code == "EOF"
