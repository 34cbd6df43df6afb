"""What a Vitess's own topology says: keyspaces, shards, tablets. Asked of vtctld, which is asked nothing else here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import json_format

from harness.vitess.proto import topodata_pb2, vtctldata_pb2
from harness.vitess.vtctld import CALL_TIMEOUT_S, VtctldClient, alias_text


@dataclass(frozen=True, slots=True, kw_only=True)
class TabletFacts:
    """A tablet record. `ports`: vttablet's own names, "vt" (web) and "grpc"."""

    alias: str
    keyspace: str
    shard: str
    type: str  # primary, replica, rdonly, …
    hostname: str
    mysql_hostname: str
    mysql_port: int
    ports: Mapping[str, int]

    @property
    def cell(self) -> str:
        return self.alias.rpartition("-")[0]

    @property
    def uid(self) -> int:
        return int(self.alias.rpartition("-")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyspaceFacts:
    """A keyspace and its shards, in the order of their key ranges. `vschema` is JSON."""

    name: str
    durability_policy: str
    shards: tuple[str, ...]
    vschema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All of it."""

    keyspaces: tuple[KeyspaceFacts, ...]
    tablets: tuple[TabletFacts, ...]


async def read(vtctld: VtctldClient) -> Topology:
    """Raises VtctldError."""
    answer = await vtctld.call("GetKeyspaces", vtctldata_pb2.GetKeyspacesRequest(), timeout_s=CALL_TIMEOUT_S)
    keyspaces = [await _keyspace(vtctld, each) for each in answer.keyspaces]
    tablets = await vtctld.call("GetTablets", vtctldata_pb2.GetTabletsRequest(), timeout_s=CALL_TIMEOUT_S)
    found = sorted((_tablet(each) for each in tablets.tablets), key=lambda each: each.alias)
    return Topology(keyspaces=tuple(keyspaces), tablets=tuple(found))


async def vschema_of(vtctld: VtctldClient, keyspace: str) -> str:
    """A keyspace's vschema as JSON, in vtctldclient's own spelling. Raises VtctldError."""
    request = vtctldata_pb2.GetVSchemaRequest(keyspace=keyspace)
    answer = await vtctld.call("GetVSchema", request, timeout_s=CALL_TIMEOUT_S)
    return str(json_format.MessageToJson(answer.v_schema, preserving_proto_field_name=True, indent=None))


async def _keyspace(vtctld: VtctldClient, keyspace: object) -> KeyspaceFacts:
    name = str(getattr(keyspace, "name", ""))
    request = vtctldata_pb2.FindAllShardsInKeyspaceRequest(keyspace=name)
    shards = await vtctld.call("FindAllShardsInKeyspace", request, timeout_s=CALL_TIMEOUT_S)
    record = getattr(keyspace, "keyspace", None)
    return KeyspaceFacts(
        name=name,
        durability_policy=str(getattr(record, "durability_policy", "")) or "none",
        shards=tuple(sorted(shards.shards, key=_start)),
        vschema=await vschema_of(vtctld, name),
    )


def _start(shard: str) -> str:
    return shard.partition("-")[0] if "-" in shard else ""


def _tablet(record: object) -> TabletFacts:
    tablet = topodata_pb2.Tablet()
    tablet.CopyFrom(record)
    return TabletFacts(
        alias=alias_text(tablet.alias),
        keyspace=tablet.keyspace,
        shard=tablet.shard,
        type=topodata_pb2.TabletType.Name(tablet.type).lower(),
        hostname=tablet.hostname,
        mysql_hostname=tablet.mysql_hostname,
        mysql_port=tablet.mysql_port,
        ports=dict(tablet.port_map),
    )
