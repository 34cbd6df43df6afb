"""VReplication workflows: MoveTables and Reshard through vtctld, and what the target primaries keep about it.

Two accounts of one workflow, on purpose apart: vtctld's (`status`, what `vtctldclient MoveTables status` prints)
and the rows of the sidecar database `_vt` on a target primary (`streams`, `log`), which vtctld reads, too, but
words in its own way. Tables and columns: go/vt/sidecardb/schema/vreplication (v0.21 to v0.24).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.vitess.proto import topodata_pb2, vtctldata_pb2, vttime_pb2
from harness.vitess.vtctld import CALL_TIMEOUT_S, VtctldClient, alias_text, rows_of

CREATE_TIMEOUT_S = 60.0
SWITCH_TIMEOUT_S = 30.0
SWITCH_SLACK_S = 60.0  # the timeout is of each of its steps
LOG_ROWS = 200  # at a time; ExecuteFetchAsDBA is asked for at most 1000
_LAST_PK = re.compile(r'rows:\{lengths:\d+\s+values:"(\d+)"\}')  # prototext of a QueryResult with one integer column


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTables:
    """What MoveTables Create is asked for.

    `tables` () = all of the source keyspace, which is the only thing that an atomic copy copies (vtctldclient
    refuses anything else: command/vreplication/movetables/create.go, v0.24.3). `config` overrides flags of the
    vttablets for this workflow alone (21 and later), e.g. vreplication-copy-phase-duration.
    """

    workflow: str
    source: str
    target: str
    tables: tuple[str, ...] = ()
    atomic_copy: bool = False
    tablet_types: tuple[str, ...] = ("primary",)
    on_ddl: str = "IGNORE"
    config: Mapping[str, str] = field(default_factory=dict)

    def request(self) -> Any:
        return vtctldata_pb2.MoveTablesCreateRequest(
            workflow=self.workflow,
            source_keyspace=self.source,
            target_keyspace=self.target,
            tablet_types=[topodata_pb2.TabletType.Value(name.upper()) for name in self.tablet_types],
            all_tables=not self.tables,
            include_tables=list(self.tables),
            on_ddl=self.on_ddl,
            auto_start=True,
            atomic_copy=self.atomic_copy,
            workflow_options=vtctldata_pb2.WorkflowOptions(config=dict(self.config)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshard:
    """What Reshard Create is asked for. The targets are shards that exist, have primaries and do not serve."""

    workflow: str
    keyspace: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    tablet_types: tuple[str, ...] = ("primary",)

    def request(self) -> Any:
        return vtctldata_pb2.ReshardCreateRequest(
            workflow=self.workflow,
            keyspace=self.keyspace,
            source_shards=list(self.sources),
            target_shards=list(self.targets),
            tablet_types=[topodata_pb2.TabletType.Value(name.upper()) for name in self.tablet_types],
            on_ddl="IGNORE",
            auto_start=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """One stream in vtctld's answer: `status` is the state as vtctld words it, e.g. "Running" or "Error: …"."""

    shard: str  # of the target
    number: int
    tablet: str
    source_shard: str
    status: str
    info: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStatus:
    """vtctld's WorkflowStatus; `tables` says of each table in the copy how far it is (empty when none is)."""

    streams: tuple[StreamStatus, ...]
    tables: Mapping[str, str]
    traffic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow:
    """A row of `_vt.vreplication`, with the tables that `_vt.copy_state` still has for it.

    `tables`: table → the last key copied, 0 = none yet; a table that is complete is not in it.
    """

    number: int
    workflow: str
    source_shard: str
    state: str
    message: str
    position: str
    rows_copied: int
    tables: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A row of `_vt.vreplication_log`; the same message again only raises `count`."""

    number: int
    stream: int
    type: str
    state: str
    message: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRow:
    """One table of one target shard in a VDiff: its state, the rows compared, whether they differ."""

    shard: str
    table: str
    state: str  # of the VDiff: pending | started | completed | error | stopped
    compared: int
    mismatch: bool
    error: str


async def create(vtctld: VtctldClient, move: MoveTables) -> None:
    """Start a MoveTables workflow; returns when its streams run or copy. Raises VtctldError."""
    await vtctld.call("MoveTablesCreate", move.request(), timeout_s=CREATE_TIMEOUT_S)


async def reshard(vtctld: VtctldClient, split: Reshard) -> None:
    """Start a Reshard workflow; returns when its streams run or copy. Raises VtctldError."""
    await vtctld.call("ReshardCreate", split.request(), timeout_s=CREATE_TIMEOUT_S)


async def serving_shards(vtctld: VtctldClient, keyspace: str) -> tuple[str, ...]:
    """The shards that vtgates send the primaries' requests to: the partition of every cell's SrvKeyspace. Raises
    VtctldError."""
    request = vtctldata_pb2.GetSrvKeyspacesRequest(keyspace=keyspace)
    answer = await vtctld.call("GetSrvKeyspaces", request, timeout_s=CALL_TIMEOUT_S)
    partitions = (part for served in answer.srv_keyspaces.values() for part in served.partitions)
    names = (
        ref.name for part in partitions if part.served_type == topodata_pb2.PRIMARY for ref in part.shard_references
    )
    return tuple(sorted(set(names)))


async def delete(vtctld: VtctldClient, keyspace: str, workflow: str) -> None:
    """What `MoveTables cancel` does: streams, target tables and routing rules are removed. Raises VtctldError."""
    request = vtctldata_pb2.WorkflowDeleteRequest(keyspace=keyspace, workflow=workflow)
    await vtctld.call("WorkflowDelete", request, timeout_s=CREATE_TIMEOUT_S)


async def switch_traffic(
    vtctld: VtctldClient, keyspace: str, workflow: str, *, back: bool = False, timeout_s: float = SWITCH_TIMEOUT_S
) -> str:
    """SwitchTraffic or, with `back`, ReverseTraffic, of all cells and tablet types, with vtctldclient's own defaults
    (30 s, at most 30 s of lag, with a workflow that replicates the other way; command/vreplication/common/
    switchtraffic.go, v0.24.3); vtctld's word on what the state is now. Raises VtctldError."""
    request = vtctldata_pb2.WorkflowSwitchTrafficRequest(
        keyspace=keyspace,
        workflow=workflow,
        tablet_types=[topodata_pb2.PRIMARY, topodata_pb2.REPLICA, topodata_pb2.RDONLY],
        max_replication_lag_allowed=vttime_pb2.Duration(seconds=30),
        enable_reverse_replication=True,
        direction=1 if back else 0,
        timeout=vttime_pb2.Duration(seconds=int(timeout_s)),
    )
    answer = await vtctld.call("WorkflowSwitchTraffic", request, timeout_s=timeout_s + SWITCH_SLACK_S)
    return str(answer.current_state)


async def routes(vtctld: VtctldClient) -> Mapping[str, str]:
    """Where the topology's routing rules send tables: from → to, e.g. "ledger@replica" → "target.ledger". Raises
    VtctldError."""
    answer = await vtctld.call("GetRoutingRules", vtctldata_pb2.GetRoutingRulesRequest(), timeout_s=CALL_TIMEOUT_S)
    return {rule.from_table: ", ".join(rule.to_tables) for rule in answer.routing_rules.rules}


async def denied(vtctld: VtctldClient, keyspace: str) -> tuple[str, ...]:
    """Tables that shards of a keyspace deny to queries, by their records. Raises VtctldError."""
    request = vtctldata_pb2.FindAllShardsInKeyspaceRequest(keyspace=keyspace)
    answer = await vtctld.call("FindAllShardsInKeyspace", request, timeout_s=CALL_TIMEOUT_S)
    controls = [control for found in answer.shards.values() for control in found.shard.tablet_controls]
    return tuple(sorted({table for control in controls for table in control.denied_tables}))


async def status(vtctld: VtctldClient, keyspace: str, workflow: str) -> WorkflowStatus:
    """How vtctld sees a workflow. Raises VtctldError."""
    request = vtctldata_pb2.WorkflowStatusRequest(keyspace=keyspace, workflow=workflow)
    answer = await vtctld.call("WorkflowStatus", request, timeout_s=CALL_TIMEOUT_S)
    streams = [
        StreamStatus(
            shard=shard.split("/")[1],
            number=stream.id,
            tablet=alias_text(stream.tablet),
            source_shard=stream.source_shard.rpartition("/")[2],
            status=stream.status,
            info=stream.info,
        )
        for shard, found in sorted(answer.shard_streams.items())
        for stream in found.streams
    ]
    phases = vtctldata_pb2.TableCopyPhase
    tables = {
        table: f"{phases.Name(state.phase)}, {state.rows_copied} of about {state.rows_total} rows"
        for table, state in sorted(answer.table_copy_state.items())
    }
    return WorkflowStatus(streams=tuple(streams), tables=tables, traffic=answer.traffic_state)


async def start_diff(vtctld: VtctldClient, keyspace: str, workflow: str) -> str:
    """Begin a VDiff between primaries; its UUID. Raises VtctldError."""
    request = vtctldata_pb2.VDiffCreateRequest(
        workflow=workflow,
        target_keyspace=keyspace,
        tablet_types=[topodata_pb2.PRIMARY],
        limit=2**63 - 1,
        filtered_replication_wait_time=vttime_pb2.Duration(seconds=30),
        auto_start=True,
    )
    answer = await vtctld.call("VDiffCreate", request, timeout_s=CREATE_TIMEOUT_S)
    return str(answer.UUID)


async def diff(vtctld: VtctldClient, keyspace: str, workflow: str, uuid: str) -> tuple[DiffRow, ...]:
    """How far a VDiff is, and what it found. Raises VtctldError."""
    request = vtctldata_pb2.VDiffShowRequest(workflow=workflow, target_keyspace=keyspace, arg=uuid)
    answer = await vtctld.call("VDiffShow", request, timeout_s=CALL_TIMEOUT_S)
    return tuple(
        DiffRow(
            shard=shard,
            table=row["table_name"],
            state=row["vdiff_state"],
            compared=int(row["rows_compared"] or 0),
            mismatch=row["has_mismatch"] == "1",
            error=row["last_error"],
        )
        for shard, response in sorted(answer.tablet_responses.items())
        for row in rows_of(response.output)
    )


async def streams(vtctld: VtctldClient, primary: str, workflow: str) -> tuple[StreamRow, ...]:
    """The workflow's streams into one shard, as the primary's own `_vt` has them. Raises VtctldError."""
    rows = await vtctld.execute_as_dba(
        primary,
        "SELECT id, workflow, source, state, COALESCE(message, '') AS message, pos, rows_copied"
        f" FROM _vt.vreplication WHERE workflow = '{workflow}' ORDER BY id",
    )
    copying = await vtctld.execute_as_dba(
        primary,
        "SELECT vrepl_id, table_name, COALESCE(lastpk, '') AS lastpk FROM _vt.copy_state"
        " WHERE id IN (SELECT MAX(id) FROM _vt.copy_state GROUP BY vrepl_id, table_name)",
    )
    return tuple(_stream(row, copying) for row in rows)


async def log(vtctld: VtctldClient, primary: str, *, since: int = 0) -> tuple[LogRow, ...]:
    """Rows of the log from number `since` on, the oldest `LOG_ROWS`. Raises VtctldError."""
    rows = await vtctld.execute_as_dba(
        primary,
        "SELECT id, vrepl_id, type, state, message, count FROM _vt.vreplication_log"
        f" WHERE id >= {since} ORDER BY id LIMIT {LOG_ROWS}",
    )
    return tuple(
        LogRow(
            number=int(row["id"]),
            stream=int(row["vrepl_id"]),
            type=row["type"],
            state=row["state"],
            message=row["message"],
            count=int(row["count"]),
        )
        for row in rows
    )


async def executed(vtctld: VtctldClient, primary: str) -> str:
    """The GTID set that a MySQL server has executed. Raises VtctldError."""
    (row,) = await vtctld.execute_as_dba(primary, "SELECT @@GLOBAL.gtid_executed AS executed")
    return row["executed"].replace("\n", "")


async def contains(vtctld: VtctldClient, tablet: str, outer: str, inner: str) -> bool:
    """Whether the GTID set `outer` has all of `inner`; a tablet's MySQL computes it. Raises VtctldError."""
    (row,) = await vtctld.execute_as_dba(tablet, f"SELECT GTID_SUBSET('{inner}', '{outer}') AS found")
    return row["found"] == "1"


def gtid_set(position: str) -> str:
    """The GTID set of a position in Vitess's spelling, MySQL56/…"""
    return position.partition("/")[2]


def last_pk(text: str) -> int:
    """The key in `_vt.copy_state.lastpk`, for tables with one integer key; 0 when nothing is copied yet."""
    found = _LAST_PK.search(text)
    return int(found[1]) if found else 0


def _stream(row: Mapping[str, str], copying: Sequence[Mapping[str, str]]) -> StreamRow:
    source = re.search(r'shard:"([^"]*)"', row["source"])
    return StreamRow(
        number=int(row["id"]),
        workflow=row["workflow"],
        source_shard=source[1] if source else "",
        state=row["state"],
        message=row["message"],
        position=row["pos"],
        rows_copied=int(row["rows_copied"]),
        tables={table["table_name"]: last_pk(table["lastpk"]) for table in copying if table["vrepl_id"] == row["id"]},
    )
