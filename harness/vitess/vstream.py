"""vtgate's VStream over gRPC (service vtgateservice.Vitess): what to ask for, the responses as they come, the end.

Nothing is retried here: what a client does when its stream ends is what an experiment asks about. The stubs come
from the newest supported release; fields are only ever added (19 to 24), and a vtgate ignores flags it does not know.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from harness.streams import Position, StreamSpec
from harness.vitess.channels import RECONNECTS
from harness.vitess.proto import binlogdata_pb2, query_pb2, topodata_pb2, vtgate_pb2

_METHOD = "/vtgateservice.Vitess/VStream"
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own: a slow reader must hold up nobody else
    # The window stays at 64 KiB and one response, instead of growing by gRPC's estimate of the bandwidth: with that,
    # vtgate sent up to 33,000 rows more than a slow reader had asked for, without it one response (24.0.3, measured
    # with VStreamsEventsStreamed). A fast reader loses nothing by it (ci/bench/streams.py).
    ("grpc.http2.bdp_probe", 0),
    # Pings as Vitess's own clients send them (go/vt/grpcclient/client.go: after 10 s), but not so close to the least
    # that its servers allow (go/vt/servenv/grpc_server.go: 10 s) that a hurried ping ends the connection.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),  # a stream's client never sends data
    *RECONNECTS,
)
_ERRNO = re.compile(r"\(errno (\d+)\)")
NO_KEY = -1  # a last key that is no number: not of our tables


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """How a call ended: gRPC's name of the code ("EOF" = by the server, without an error), its message, and the
    number of MySQL's error in it (0 = none)."""

    code: str
    message: str = ""
    errno: int = 0


class Checkpoint:
    """A VGTID to resume from, exactly as it was received: last keys with their fields, which vttablet demands
    (uvstreamer.buildTablePlan, "lastpk … has no fields defined")."""

    __slots__ = ("vgtid",)

    def __init__(self, vgtid: Any) -> None:
        self.vgtid = vgtid

    @classmethod
    def from_bytes(cls, raw: bytes) -> Checkpoint:
        """The reverse of `to_bytes`."""
        return cls(binlogdata_pb2.VGtid.FromString(raw))

    @classmethod
    def from_positions(cls, positions: Sequence[Position], *, keyspace: str) -> Checkpoint:
        """A checkpoint of a recorded run, of tables whose primary key is one BIGINT UNSIGNED `id` (harness.items)."""
        return cls(
            binlogdata_pb2.VGtid(
                shard_gtids=[
                    binlogdata_pb2.ShardGtid(
                        keyspace=keyspace,
                        shard=position.shard,
                        gtid=position.gtid,
                        table_p_ks=[_last_pk(table, key) for table, key in position.last_pks.items()],
                    )
                    for position in positions
                ]
            )
        )

    def to_bytes(self) -> bytes:
        return bytes(self.vgtid.SerializeToString())

    def positions(self) -> tuple[Position, ...]:
        """Where each shard is."""
        return tuple(position_of(shard) for shard in self.vgtid.shard_gtids)


def position_of(shard_gtid: Any) -> Position:
    """A ShardGtid message as a value."""
    return Position(
        shard=shard_gtid.shard,
        gtid=shard_gtid.gtid,
        last_pks={table.table_name: _last_key(table.lastpk) for table in shard_gtid.table_p_ks},
    )


def request(
    spec: StreamSpec,
    *,
    keyspace: str,
    shards: Sequence[str],
    tables: Sequence[str],
    checkpoint: Checkpoint | None = None,
) -> Any:
    """The VStreamRequest of a spec: whole `tables` of `shards`, copied from the beginning or from a checkpoint on."""
    if checkpoint is None:
        gtids = [binlogdata_pb2.ShardGtid(keyspace=keyspace, shard=shard, gtid="") for shard in shards]
        checkpoint = Checkpoint(binlogdata_pb2.VGtid(shard_gtids=gtids))
    return vtgate_pb2.VStreamRequest(
        tablet_type=topodata_pb2.TabletType.Value(spec.tablet_type.upper()),
        vgtid=checkpoint.vgtid,
        filter=binlogdata_pb2.Filter(rules=[_rule(table) for table in tables]),
        flags=vtgate_pb2.VStreamFlags(
            heartbeat_interval=spec.heartbeat_s,
            stop_on_reshard=spec.stop_on_reshard,
            minimize_skew=spec.minimize_skew,
            tables_to_copy=spec.tables_to_copy,
        ),
    )


def _rule(table: str) -> Any:
    """A rule with a query: one with an exact name and no query copies a table, but the first change of it ends the
    stream ("Query was empty": vstreamer/planbuilder.go buildPlan gives it to buildTablePlan as it is, v0.24.3)."""
    return binlogdata_pb2.Rule(match=table, filter=f"select * from {table}")


class VStreamCall:
    """One call of VStream. Nothing is read ahead: a response is asked for when `read` is called, so that a slow
    reader holds vtgate up, and through it vttablet and MySQL."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self) -> bytes | StreamEnd:
        """The next VStreamResponse, serialised, or how the call ended. Being cancelled ends the call."""
        try:
            response = await self._call.read()
        except grpc.aio.AioRpcError as error:
            message = error.details() or ""
            return StreamEnd(code=error.code().name, message=message, errno=errno_in(message))
        return response if isinstance(response, bytes) else StreamEnd(code="EOF")

    def cancel(self) -> None:
        self._call.cancel()


class VStreamClient:
    """One connection to one vtgate."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        # Responses stay serialised: decoding is the recorder's work, and most of what a stream costs.
        self._stream: Any = channel.unary_stream(
            _METHOD, request_serializer=vtgate_pb2.VStreamRequest.SerializeToString, response_deserializer=None
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str) -> AsyncIterator[VStreamClient]:
        """A client of `host:port`; connects at the first call."""
        async with grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS) as channel:
            yield cls(channel)

    def stream(self, request: Any) -> VStreamCall:
        """Begin a call, without a deadline."""
        return VStreamCall(self._stream(request, wait_for_ready=False))


def errno_in(message: str) -> int:
    """MySQL's error number in a message of Vitess, `… (errno 3024) (sqlstate HY000)`; 0 = none."""
    found = _ERRNO.search(message)
    return int(found[1]) if found else 0


def _last_pk(table: str, key: int) -> Any:
    text = str(key).encode()
    row = query_pb2.Row(lengths=[len(text)], values=text)
    field = query_pb2.Field(name="id", type=query_pb2.Type.Value("UINT64"))
    return binlogdata_pb2.TableLastPK(table_name=table, lastpk=query_pb2.QueryResult(fields=[field], rows=[row]))


def _last_key(lastpk: Any) -> int:
    values = bytes(lastpk.rows[0].values) if len(lastpk.rows) == 1 and len(lastpk.rows[0].lengths) == 1 else b""
    return int(values) if values.isdigit() else NO_KEY
