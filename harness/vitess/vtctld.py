"""vtctld over gRPC (service vtctlservice.Vtctld), with a deadline on every call.

The stubs come from the newest supported release; fields are only ever added (19 to 24), so they talk to
every supported vtctld. A process per command (`vtctldclient`) would cost 0.15 s of CPU each (measured) and
could not make 32 calls leave together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf import json_format

from harness.base.errors import ClusterError
from harness.contracts import Cluster
from harness.model import Role
from harness.vitess.channels import RECONNECTS
from harness.vitess.proto import (
    topodata_pb2,
    vschema_pb2,
    vtctldata_pb2,
    vtctlservice_pb2_grpc,
    vttime_pb2,
)

CALL_TIMEOUT_S = 30.0
DEADLINE_SLACK_S = 15.0  # PlannedReparentShard: its own waits come on top of wait_replicas_timeout
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.enable_retries", 0),  # a retried reparent would be two reparents
    ("grpc.use_local_subchannel_pool", 1),
    *RECONNECTS,
)


class VtctldError(ClusterError):
    """vtctld answered with an error, or not within the deadline; `code` is gRPC's name for it."""

    def __init__(self, call: str, code: str, message: str) -> None:
        super().__init__(f"{call}: {code}: {message}")
        self.call = call
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class TabletRecord:
    """A tablet as the topology has it. `primary_term_start_ns` is the tablet's own wall clock; 0 = never primary."""

    alias: str
    keyspace: str
    shard: str
    type: str  # primary, replica, rdonly, spare, …
    hostname: str
    mysql_port: int
    primary_term_start_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A shard's primary as its record has it; `start_ns` is that tablet's own wall clock."""

    primary: str
    start_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What a reparent answered: the promoted tablet's alias and vtctld's own log lines."""

    promoted: str
    events: tuple[str, ...]


def alias_text(alias: Any) -> str:
    """Vitess's spelling of a TabletAlias message; empty for none."""
    return f"{alias.cell}-{alias.uid:010d}" if alias.cell else ""


def alias_message(text: str) -> Any:
    """The TabletAlias message of e.g. zone1-0000000100."""
    cell, _, uid = text.rpartition("-")
    return topodata_pb2.TabletAlias(cell=cell, uid=int(uid))


class VtctldClient:
    """One channel to one vtctld."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = vtctlservice_pb2_grpc.VtctldStub(channel)

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str) -> AsyncIterator[VtctldClient]:
        """A client of `host:port`; connects at the first call."""
        async with grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS) as channel:
            yield cls(channel)

    async def call(self, name: str, request: Any, *, timeout_s: float) -> Any:
        """Any method of vtctld's service, by its name. Raises VtctldError."""
        try:
            return await getattr(self._stub, name)(request, timeout=timeout_s, wait_for_ready=False)
        except grpc.aio.AioRpcError as error:
            raise VtctldError(name, error.code().name, error.details() or "") from None

    async def add_cell_info(self, cell: str, *, server_address: str, root: str) -> None:
        info = topodata_pb2.CellInfo(server_address=server_address, root=root)
        await self.call(
            "AddCellInfo", vtctldata_pb2.AddCellInfoRequest(name=cell, cell_info=info), timeout_s=CALL_TIMEOUT_S
        )

    async def create_keyspace(self, keyspace: str, *, durability_policy: str) -> None:
        request = vtctldata_pb2.CreateKeyspaceRequest(name=keyspace, durability_policy=durability_policy)
        await self.call("CreateKeyspace", request, timeout_s=CALL_TIMEOUT_S)

    async def create_shard(self, keyspace: str, shard: str) -> None:
        request = vtctldata_pb2.CreateShardRequest(keyspace=keyspace, shard_name=shard)
        await self.call("CreateShard", request, timeout_s=CALL_TIMEOUT_S)

    async def planned_reparent(
        self,
        keyspace: str,
        shard: str,
        *,
        new_primary: str = "",
        wait_replicas_timeout_s: float = 15.0,
        tolerable_replication_lag_s: float = 0.0,
        timeout_s: float | None = None,
    ) -> Promotion:
        """PlannedReparentShard; `new_primary` "" lets vtctld choose. The default of
        `wait_replicas_timeout_s` is vtctldclient's own. Raises VtctldError."""
        request = vtctldata_pb2.PlannedReparentShardRequest(
            keyspace=keyspace, shard=shard, wait_replicas_timeout=_duration(wait_replicas_timeout_s)
        )
        if new_primary:
            request.new_primary.CopyFrom(alias_message(new_primary))
        if tolerable_replication_lag_s:
            request.tolerable_replication_lag.CopyFrom(_duration(tolerable_replication_lag_s))
        deadline_s = timeout_s if timeout_s is not None else 4 * wait_replicas_timeout_s + DEADLINE_SLACK_S
        answer = await self.call("PlannedReparentShard", request, timeout_s=deadline_s)
        return Promotion(
            promoted=alias_text(answer.promoted_primary),
            events=tuple(event.value.rstrip() for event in answer.events),
        )

    async def emergency_reparent(
        self,
        keyspace: str,
        shard: str,
        *,
        new_primary: str = "",
        ignore_replicas: Sequence[str] = (),
        wait_replicas_timeout_s: float = 15.0,
        prevent_cross_cell: bool = False,
        wait_for_all_tablets: bool = False,
        timeout_s: float | None = None,
    ) -> Promotion:
        """EmergencyReparentShard, for a shard whose primary is gone; `new_primary` "" lets vtctld choose. Raises
        VtctldError."""
        request = vtctldata_pb2.EmergencyReparentShardRequest(
            keyspace=keyspace,
            shard=shard,
            ignore_replicas=[alias_message(alias) for alias in ignore_replicas],
            wait_replicas_timeout=_duration(wait_replicas_timeout_s),
            prevent_cross_cell_promotion=prevent_cross_cell,
            wait_for_all_tablets=wait_for_all_tablets,
        )
        if new_primary:
            request.new_primary.CopyFrom(alias_message(new_primary))
        deadline_s = timeout_s if timeout_s is not None else 4 * wait_replicas_timeout_s + DEADLINE_SLACK_S
        answer = await self.call("EmergencyReparentShard", request, timeout_s=deadline_s)
        return Promotion(
            promoted=alias_text(answer.promoted_primary),
            events=tuple(event.value.rstrip() for event in answer.events),
        )

    async def externally_reparented(self, alias: str) -> None:
        """TabletExternallyReparented: somebody else made this tablet's MySQL the shard's primary."""
        request = vtctldata_pb2.TabletExternallyReparentedRequest(tablet=alias_message(alias))
        await self.call("TabletExternallyReparented", request, timeout_s=CALL_TIMEOUT_S)

    async def reparent_tablet(self, alias: str) -> None:
        """ReparentTablet: let a tablet replicate from whom the shard record names."""
        request = vtctldata_pb2.ReparentTabletRequest(tablet=alias_message(alias))
        await self.call("ReparentTablet", request, timeout_s=CALL_TIMEOUT_S)

    async def change_tablet_type(self, alias: str, tablet_type: str) -> None:
        """`tablet_type` as in `TabletRecord`; not from or to primary (topo.IsTrivialTypeChange, v0.24.3)."""
        number = topodata_pb2.TabletType.Value(tablet_type.upper())
        request = vtctldata_pb2.ChangeTabletTypeRequest(tablet_alias=alias_message(alias), db_type=number)
        await self.call("ChangeTabletType", request, timeout_s=CALL_TIMEOUT_S)

    async def apply_schema(self, keyspace: str, sql: Sequence[str], *, timeout_s: float) -> None:
        request = vtctldata_pb2.ApplySchemaRequest(
            keyspace=keyspace, sql=list(sql), ddl_strategy="direct", wait_replicas_timeout=_duration(timeout_s)
        )
        await self.call("ApplySchema", request, timeout_s=timeout_s)

    async def apply_vschema(self, keyspace: str, vschema_json: str) -> None:
        vschema = vschema_pb2.Keyspace()
        json_format.Parse(vschema_json, vschema)
        request = vtctldata_pb2.ApplyVSchemaRequest(keyspace=keyspace, v_schema=vschema)
        await self.call("ApplyVSchema", request, timeout_s=CALL_TIMEOUT_S)

    async def tablets(self, keyspace: str, shard: str = "") -> tuple[TabletRecord, ...]:
        """The tablet records of a keyspace or one of its shards, as the topology has them now."""
        request = vtctldata_pb2.GetTabletsRequest(keyspace=keyspace, shard=shard)
        answer = await self.call("GetTablets", request, timeout_s=CALL_TIMEOUT_S)
        return tuple(_record(tablet) for tablet in answer.tablets)

    async def shard_primary(self, keyspace: str, shard: str) -> str:
        """The primary's alias in the shard record; empty before the first reparent."""
        return (await self.shard_term(keyspace, shard)).primary

    async def shard_term(self, keyspace: str, shard: str) -> Term:
        """Whom the shard record names, and since when."""
        request = vtctldata_pb2.GetShardRequest(keyspace=keyspace, shard_name=shard)
        record = (await self.call("GetShard", request, timeout_s=CALL_TIMEOUT_S)).shard.shard
        return Term(primary=alias_text(record.primary_alias), start_ns=_time_ns(record.primary_term_start_time))

    async def shard_terms(self, keyspace: str, *, timeout_s: float) -> dict[str, Term]:
        """Shard → whom its record names, and since when; of all shards of a keyspace at once."""
        request = vtctldata_pb2.FindAllShardsInKeyspaceRequest(keyspace=keyspace)
        answer = await self.call("FindAllShardsInKeyspace", request, timeout_s=timeout_s)
        return {
            name: Term(
                primary=alias_text(found.shard.primary_alias), start_ns=_time_ns(found.shard.primary_term_start_time)
            )
            for name, found in sorted(answer.shards.items())
        }

    async def run_health_check(self, alias: str) -> None:
        """Let a tablet look at its replication and tell its state now, not at its next health-check interval."""
        request = vtctldata_pb2.RunHealthCheckRequest(tablet_alias=alias_message(alias))
        await self.call("RunHealthCheck", request, timeout_s=CALL_TIMEOUT_S)

    async def stop_replication(self, alias: str) -> None:
        request = vtctldata_pb2.StopReplicationRequest(tablet_alias=alias_message(alias))
        await self.call("StopReplication", request, timeout_s=CALL_TIMEOUT_S)

    async def start_replication(self, alias: str) -> None:
        request = vtctldata_pb2.StartReplicationRequest(tablet_alias=alias_message(alias))
        await self.call("StartReplication", request, timeout_s=CALL_TIMEOUT_S)

    async def execute_as_dba(
        self, alias: str, sql: str, *, timeout_s: float = CALL_TIMEOUT_S, binlogs: bool = False
    ) -> list[dict[str, str]]:
        """Run one statement on a tablet's MySQL as the dba user; its rows by column name. What it changes stays on
        this tablet, unless `binlogs` lets the replicas have it too."""
        request = vtctldata_pb2.ExecuteFetchAsDBARequest(
            tablet_alias=alias_message(alias), query=sql, max_rows=1000, disable_binlogs=not binlogs
        )
        answer = await self.call("ExecuteFetchAsDBA", request, timeout_s=timeout_s)
        return rows_of(answer.result)

    async def reload_schema(self, alias: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        """Let a vttablet read its schema anew: it knows every table of its MySQL on return (Engine.ReloadAt,
        go/vt/vttablet/tabletserver/schema, v0.24.3)."""
        request = vtctldata_pb2.ReloadSchemaRequest(tablet_alias=alias_message(alias))
        await self.call("ReloadSchema", request, timeout_s=timeout_s)

    async def configured_delay_s(self, alias: str) -> int:
        """SOURCE_DELAY of a tablet's MySQL; 0 for one that replicates from nobody."""
        rows = await self.execute_as_dba(alias, "SHOW REPLICA STATUS")
        return int(rows[0]["SQL_Delay"]) if rows else 0


@asynccontextmanager
async def vtctld_of(cluster: Cluster) -> AsyncIterator[VtctldClient]:
    """The client of a cluster's vtctld; an opener for `Stage.shared`."""
    host, port = cluster.address(cluster.nodes(Role.VTCTLD)[0], "grpc")
    async with VtctldClient.open(f"{host}:{port}") as client:
        yield client


def _duration(seconds: float) -> Any:
    whole = int(seconds)
    return vttime_pb2.Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))


def _record(tablet: Any) -> TabletRecord:
    return TabletRecord(
        alias=alias_text(tablet.alias),
        keyspace=tablet.keyspace,
        shard=tablet.shard,
        type=topodata_pb2.TabletType.Name(tablet.type).lower(),
        hostname=tablet.mysql_hostname,
        mysql_port=tablet.mysql_port,
        primary_term_start_ns=_time_ns(tablet.primary_term_start_time),
    )


def _time_ns(time: Any) -> int:
    return int(time.seconds * 1_000_000_000 + time.nanoseconds)


def rows_of(result: Any) -> list[dict[str, str]]:
    """The rows of a query.QueryResult by column name; NULL is empty."""
    names = [column.name for column in result.fields]
    return [dict(zip(names, _texts(row), strict=False)) for row in result.rows]


def _texts(row: Any) -> list[str]:
    """The values of a query.Row: all bytes in one string, a length each, -1 for NULL."""
    texts, at = [], 0
    for length in row.lengths:
        size = max(int(length), 0)
        texts.append(row.values[at : at + size].decode(errors="replace"))
        at += size
    return texts
