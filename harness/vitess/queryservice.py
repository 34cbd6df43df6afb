"""vttablet's query service over gRPC (queryservice.Query), asked as a vtgate asks it.

Requests go out and answers come in as bytes: who sends tens of thousands makes one, and reads none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio

from harness.vitess.proto import query_pb2, topodata_pb2

_METHOD = "/queryservice.Query/Execute"
_CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own: it ends with the channel
    ("grpc.enable_retries", 0),
)

Call = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


@asynccontextmanager
async def execute_at(address: tuple[str, int]) -> AsyncIterator[Call]:
    """Calls of Execute over one connection. What is still running when the block is left is given up."""
    async with grpc.aio.insecure_channel(f"{address[0]}:{address[1]}", options=_CHANNEL_OPTIONS) as channel:
        yield channel.unary_unary(_METHOD, request_serializer=bytes, response_deserializer=bytes)


def request(sql: str, *, keyspace: str, shard: str, tablet_type: str, timeout_ms: int) -> bytes:
    """One Execute outside a transaction: it takes a connection of the pool for reads. `timeout_ms`: in the place of
    --queryserver-config-query-timeout (vttablet 22 and later); `tablet_type`: what the tablet must call itself."""
    asked = query_pb2.ExecuteRequest(
        target=query_pb2.Target(
            keyspace=keyspace, shard=shard, tablet_type=topodata_pb2.TabletType.Value(tablet_type.upper())
        ),
        query=query_pb2.BoundQuery(sql=sql),
        options=query_pb2.ExecuteOptions(
            # Else those who ask the same wait for the first one's answer, and for no connection.
            consolidator=query_pb2.ExecuteOptions.CONSOLIDATOR_DISABLED,
            authoritative_timeout=timeout_ms,
        ),
    )
    return bytes(asked.SerializeToString())
