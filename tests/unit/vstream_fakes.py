"""A vtgate that streams what a test says, and the events that a VStream is made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from harness.items import pad_of
from harness.vitess.proto import binlogdata_pb2, query_pb2, vtgate_pb2

KEYSPACE = "ks"
ITEM, MARK = "item_1", "stream_mark"
ITEM_COLUMNS = ("id", "version", "txn", "pad")
VEvent = binlogdata_pb2.VEvent


@dataclass(frozen=True)
class Abort:
    """End the call with this."""

    code: grpc.StatusCode
    message: str


Step = Any  # a VStreamResponse, serialised or not; or an Abort
Script = Callable[[Any], AsyncIterator[Step]]


@dataclass
class FakeVtgate:
    """`requests` are the VStreamRequests as they came, `sent` counts responses that gRPC took from us."""

    script: Script
    address: str = ""
    requests: list[Any] = field(default_factory=list)
    sent: int = 0
    open_calls: int = 0

    async def stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.requests.append(request)
        self.open_calls += 1
        try:
            async for step in self.script(request):
                if isinstance(step, Abort):
                    await context.abort(step.code, step.message)
                yield step
                self.sent += 1
        finally:
            self.open_calls -= 1


@asynccontextmanager
async def fake_vtgate(script: Script) -> AsyncIterator[FakeVtgate]:
    fake = FakeVtgate(script)
    server = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(
        fake.stream, request_deserializer=vtgate_pb2.VStreamRequest.FromString, response_serializer=_serialised
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("vtgateservice.Vitess", {"VStream": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    fake.address = f"127.0.0.1:{port}"
    try:
        yield fake
    finally:
        await server.stop(grace=None)


def _serialised(step: Step) -> bytes:
    return step if isinstance(step, bytes) else bytes(step.SerializeToString())


def always(*steps: Step) -> Script:
    """Every call gets the same, and then nothing more until it is cancelled."""
    return in_turn(steps)


def in_turn(*calls: Sequence[Step]) -> Script:
    """The first call gets the first, and so on; the last repeats. Steps that end without an Abort leave it open."""
    count = 0

    async def script(request: Any) -> AsyncIterator[Step]:
        nonlocal count
        steps = calls[min(count, len(calls) - 1)]
        count += 1
        for step in steps:
            yield step
        await asyncio.Event().wait()

    return script


# ---------------------------------------------------------------- responses


def response(*events: Any) -> Any:
    return vtgate_pb2.VStreamResponse(events=events)


def event(kind: str, shard: str = "-80", **more: Any) -> Any:
    keyspace = KEYSPACE if shard else ""
    return VEvent(type=binlogdata_pb2.VEventType.Value(kind), keyspace=keyspace, shard=shard, **more)


def fields(table: str = ITEM, shard: str = "-80", *, columns: Sequence[str] = ITEM_COLUMNS, timestamp: int = 0) -> Any:
    described = binlogdata_pb2.FieldEvent(
        table_name=f"{KEYSPACE}.{table}",
        keyspace=KEYSPACE,
        shard=shard,
        fields=[query_pb2.Field(name=name) for name in columns],
    )
    return event("FIELD", shard, field_event=described, timestamp=timestamp)


def cells(*values: bytes | None) -> Any:
    """A query.Row."""
    lengths = [-1 if value is None else len(value) for value in values]
    return query_pb2.Row(lengths=lengths, values=b"".join(value or b"" for value in values))


def item(key: int, version: int = 1, txn: int = 0) -> Any:
    """The query.Row of an item."""
    return cells(str(key).encode(), str(version).encode(), str(txn).encode(), pad_of(key, version).encode())


def row(
    after: Any = None, before: Any = None, *, table: str = ITEM, shard: str = "-80", timestamp: int = 0, times: int = 1
) -> Any:
    """A ROW event of one change, or of `times` equal ones."""
    change = binlogdata_pb2.RowChange(after=after, before=before)
    changed = binlogdata_pb2.RowEvent(
        table_name=f"{KEYSPACE}.{table}", keyspace=KEYSPACE, shard=shard, row_changes=[change] * times
    )
    return event("ROW", shard, row_event=changed, timestamp=timestamp)


def position(shard: str, gtid: str, last_pks: Mapping[str, int] | None = None) -> Any:
    """A ShardGtid as vtgate sends it."""
    tables = []
    for table, key in (last_pks or {}).items():
        column = query_pb2.Field(name="id", type=query_pb2.Type.Value("UINT64"), table=table, org_name="id")
        last = query_pb2.QueryResult(fields=[column], rows=[cells(str(key).encode())])
        tables.append(binlogdata_pb2.TableLastPK(table_name=table, lastpk=last))
    return binlogdata_pb2.ShardGtid(keyspace=KEYSPACE, shard=shard, gtid=gtid, table_p_ks=tables)


def vgtid(*positions: Any, shard: str = "-80") -> Any:
    return event("VGTID", shard, vgtid=binlogdata_pb2.VGtid(shard_gtids=positions))


def copied_rows(
    first: int, rows: int, *, shard: str = "-80", table: str = ITEM, gtid: str = "MySQL56/a:1-9", begin: bool = False
) -> Any:
    """One response of a copy: [BEGIN, FIELD,] ROW × rows, VGTID with the last key, COMMIT."""
    last = first + rows - 1
    return response(
        *([event("BEGIN", shard), fields(table, shard)] if begin else []),
        *(row(item(key), table=table, shard=shard) for key in range(first, first + rows)),
        vgtid(position(shard, gtid, {table: last}), shard=shard),
        event("COMMIT", shard),
    )


def completed(*shards: str) -> Any:
    """The COPY_COMPLETED of shards; "" is the final one, of no shard."""
    return response(*(event("COPY_COMPLETED", shard) for shard in shards))
