"""Goal: what the client asks vtctld for is what was meant, what vtctld answers is what the caller sees, and every
failure, the deadline's included, is one VtctldError that names the call.

Method: a real grpc.aio server in this process that remembers the requests and answers as it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from harness.base.errors import ClusterError
from harness.model import Role
from harness.vitess.proto import (
    logutil_pb2,
    query_pb2,
    topodata_pb2,
    vtctldata_pb2,
    vttime_pb2,
)
from harness.vitess.vtctld import (
    Promotion,
    TabletRecord,
    Term,
    VtctldClient,
    VtctldError,
    alias_message,
    alias_text,
    vtctld_of,
)
from tests.fake_vtctld import FakeVtctld, served
from tests.unit.run_fakes import FakeCluster


@pytest_asyncio.fixture
async def vtctld() -> AsyncIterator[FakeVtctld]:
    fake = FakeVtctld()
    async with served(fake) as fake.port:
        yield fake


@pytest_asyncio.fixture
async def client(vtctld: FakeVtctld) -> AsyncIterator[VtctldClient]:
    async with VtctldClient.open(f"127.0.0.1:{vtctld.port}") as client:
        yield client


# ---------------------------------------------------------------- spelling


@pytest.mark.parametrize("text", ["zone1-0000000100", "us-east-1-0000000007"])
def test_an_alias_in_vitess_spelling_and_back(text: str) -> None:
    assert alias_text(alias_message(text)) == text


def test_no_alias_is_empty() -> None:
    assert alias_text(topodata_pb2.TabletAlias()) == ""


# ---------------------------------------------------------------- PlannedReparentShard


async def test_a_reparent_that_succeeds(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["PlannedReparentShard"] = vtctldata_pb2.PlannedReparentShardResponse(
        keyspace="ks",
        shard="-80",
        promoted_primary=alias_message("zone1-0000000101"),
        events=[logutil_pb2.Event(value="promoted\n")],
    )
    promotion = await client.planned_reparent(
        "ks", "-80", new_primary="zone1-0000000101", wait_replicas_timeout_s=1.5, tolerable_replication_lag_s=2
    )
    assert promotion == Promotion(promoted="zone1-0000000101", events=("promoted",))
    (request,) = vtctld.requests
    assert (request.keyspace, request.shard) == ("ks", "-80")
    assert alias_text(request.new_primary) == "zone1-0000000101"
    assert (request.wait_replicas_timeout.seconds, request.wait_replicas_timeout.nanos) == (1, 500_000_000)
    assert request.tolerable_replication_lag.seconds == 2


async def test_vtctld_chooses_when_no_new_primary_is_named(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["PlannedReparentShard"] = vtctldata_pb2.PlannedReparentShardResponse()
    assert await client.planned_reparent("ks", "-80") == Promotion(promoted="", events=())
    (request,) = vtctld.requests
    assert not request.HasField("new_primary")
    assert not request.HasField("tolerable_replication_lag")
    assert request.wait_replicas_timeout.seconds == 15  # vtctldclient's own default


async def test_concurrent_calls_share_the_channel(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["PlannedReparentShard"] = vtctldata_pb2.PlannedReparentShardResponse()
    await asyncio.gather(*(client.planned_reparent("ks", f"{shard}") for shard in range(32)))
    assert {request.shard for request in vtctld.requests} == {str(shard) for shard in range(32)}


# ---------------------------------------------------------------- emergencies


async def test_an_emergency_reparent(vtctld: FakeVtctld, client: VtctldClient) -> None:
    answer = vtctldata_pb2.EmergencyReparentShardResponse(promoted_primary=alias_message("zone1-0000000102"))
    vtctld.answers["EmergencyReparentShard"] = answer
    promotion = await client.emergency_reparent(
        "ks", "-80", ignore_replicas=("zone1-0000000101",), wait_replicas_timeout_s=2.5, wait_for_all_tablets=True
    )
    assert promotion.promoted == "zone1-0000000102"
    (request,) = vtctld.requests
    assert [alias_text(alias) for alias in request.ignore_replicas] == ["zone1-0000000101"]
    assert (request.wait_replicas_timeout.seconds, request.wait_replicas_timeout.nanos) == (2, 500_000_000)
    assert (request.wait_for_all_tablets, request.prevent_cross_cell_promotion) == (True, False)
    assert not request.HasField("new_primary")


async def test_a_tablet_becomes_drained(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["ChangeTabletType"] = vtctldata_pb2.ChangeTabletTypeResponse()
    await client.change_tablet_type("zone1-0000000101", "drained")
    assert vtctld.requests[0].db_type == topodata_pb2.DRAINED


# ---------------------------------------------------------------- failures


async def test_an_error_of_vtctld_names_call_code_and_words(vtctld: FakeVtctld, client: VtctldClient) -> None:
    said = "node doesn't exist: /vitess/global/keyspaces/ks/shards/nope/"
    vtctld.answers["PlannedReparentShard"] = (grpc.StatusCode.UNKNOWN, said)
    with pytest.raises(VtctldError) as caught:
        await client.planned_reparent("ks", "nope")
    assert (caught.value.call, caught.value.code, caught.value.message) == ("PlannedReparentShard", "UNKNOWN", said)
    assert str(caught.value) == f"PlannedReparentShard: UNKNOWN: {said}"
    assert isinstance(caught.value, ClusterError)


async def test_a_call_that_does_not_return_ends_at_its_deadline(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["PlannedReparentShard"] = None
    with pytest.raises(VtctldError, match=r"PlannedReparentShard: (DEADLINE_EXCEEDED|CANCELLED)"):
        await client.planned_reparent("ks", "-80", timeout_s=0.05)


async def test_a_call_that_is_never_retried(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["PlannedReparentShard"] = (grpc.StatusCode.UNAVAILABLE, "shutting down")
    with pytest.raises(VtctldError, match="UNAVAILABLE"):
        await client.planned_reparent("ks", "-80")
    assert len(vtctld.requests) == 1


async def test_nobody_listens() -> None:
    async with VtctldClient.open("127.0.0.1:1") as client:
        with pytest.raises(VtctldError, match="GetShard: UNAVAILABLE"):
            await client.shard_primary("ks", "-80")


async def test_a_cancelled_call_is_cancelled_and_not_an_error(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["PlannedReparentShard"] = None
    call = asyncio.create_task(client.planned_reparent("ks", "-80"))
    async with asyncio.timeout(10):
        while not vtctld.requests:
            await asyncio.wait({call}, timeout=0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


# ---------------------------------------------------------------- what the topology says


async def test_tablets(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["GetTablets"] = vtctldata_pb2.GetTabletsResponse(
        tablets=[
            topodata_pb2.Tablet(
                alias=alias_message("zone1-0000000101"),
                keyspace="ks",
                shard="-80",
                type=topodata_pb2.PRIMARY,
                mysql_hostname="198.19.0.1",
                mysql_port=27101,
                primary_term_start_time=vttime_pb2.Time(seconds=5, nanoseconds=7),
            ),
            topodata_pb2.Tablet(
                alias=alias_message("zone1-0000000100"), keyspace="ks", shard="-80", type=topodata_pb2.REPLICA
            ),
        ]
    )
    primary, replica = await client.tablets("ks", "-80")
    assert primary == TabletRecord(
        alias="zone1-0000000101",
        keyspace="ks",
        shard="-80",
        type="primary",
        hostname="198.19.0.1",
        mysql_port=27101,
        primary_term_start_ns=5_000_000_007,
    )
    assert (replica.type, replica.primary_term_start_ns) == ("replica", 0)
    assert (vtctld.requests[0].keyspace, vtctld.requests[0].shard) == ("ks", "-80")


async def test_a_shard_and_its_primary(vtctld: FakeVtctld, client: VtctldClient) -> None:
    record = topodata_pb2.Shard(primary_alias=alias_message("zone1-0000000100"))
    vtctld.answers["GetShard"] = vtctldata_pb2.GetShardResponse(shard=vtctldata_pb2.Shard(shard=record))
    assert await client.shard_primary("ks", "-80") == "zone1-0000000100"
    assert vtctld.requests[0].shard_name == "-80"


async def test_since_when_a_shard_has_its_primary(vtctld: FakeVtctld, client: VtctldClient) -> None:
    since = vttime_pb2.Time(seconds=5, nanoseconds=7)
    record = topodata_pb2.Shard(primary_alias=alias_message("zone1-0000000100"), primary_term_start_time=since)
    vtctld.answers["GetShard"] = vtctldata_pb2.GetShardResponse(shard=vtctldata_pb2.Shard(shard=record))
    assert await client.shard_term("ks", "-80") == Term(primary="zone1-0000000100", start_ns=5_000_000_007)


async def test_a_shard_that_never_had_a_primary(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["GetShard"] = vtctldata_pb2.GetShardResponse()
    assert await client.shard_primary("ks", "-80") == ""


# ---------------------------------------------------------------- rows


def rows_of(names: tuple[str, ...], *rows: tuple[bytes | None, ...]) -> Any:
    """ExecuteFetchAsDBA's answer: all bytes of a row in one string, a length each, -1 for NULL."""
    return vtctldata_pb2.ExecuteFetchAsDBAResponse(
        result=query_pb2.QueryResult(
            fields=[query_pb2.Field(name=name) for name in names],
            rows=[
                query_pb2.Row(
                    lengths=[-1 if value is None else len(value) for value in row],
                    values=b"".join(value or b"" for value in row),
                )
                for row in rows
            ],
        )
    )


async def test_rows_by_column_name(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["ExecuteFetchAsDBA"] = rows_of(
        ("a", "b", "c", "d"), (b"1", None, b"", "schön".encode()), (b"22", b"x", None, b"\xff")
    )
    assert await client.execute_as_dba("zone1-0000000100", "SELECT …") == [
        {"a": "1", "b": "", "c": "", "d": "schön"},
        {"a": "22", "b": "x", "c": "", "d": "\ufffd"},
    ]
    await client.execute_as_dba("zone1-0000000100", "INSERT …", binlogs=True)
    select, insert = vtctld.requests
    assert (alias_text(select.tablet_alias), select.query) == ("zone1-0000000100", "SELECT …")
    assert select.disable_binlogs
    assert not insert.disable_binlogs


async def test_the_delay_of_a_replica(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["ExecuteFetchAsDBA"] = rows_of(("Source_Host", "SQL_Delay"), (b"198.19.0.1", b"14"))
    assert await client.configured_delay_s("zone1-0000000101") == 14


async def test_who_replicates_from_nobody_has_no_delay(vtctld: FakeVtctld, client: VtctldClient) -> None:
    vtctld.answers["ExecuteFetchAsDBA"] = rows_of(("Source_Host", "SQL_Delay"))
    assert await client.configured_delay_s("zone1-0000000100") == 0


# ---------------------------------------------------------------- making a keyspace


async def test_what_a_new_cluster_is_made_of(vtctld: FakeVtctld, client: VtctldClient) -> None:
    for call in ("AddCellInfo", "CreateKeyspace", "CreateShard", "ApplySchema", "ApplyVSchema"):
        vtctld.answers[call] = getattr(vtctldata_pb2, f"{call}Response")()
    await client.add_cell_info("zone1", server_address="198.19.0.1:2379", root="/vitess/zone1")
    await client.create_keyspace("ks", durability_policy="semi_sync")
    await client.create_shard("ks", "-80")
    await client.apply_schema("ks", ["CREATE TABLE t (id INT)"], timeout_s=5)
    await client.apply_vschema("ks", '{"sharded": true, "vindexes": {"by_number": {"type": "numeric"}}}')
    cell, keyspace, shard, schema, vschema = vtctld.requests
    assert (cell.name, cell.cell_info.server_address, cell.cell_info.root) == (
        "zone1",
        "198.19.0.1:2379",
        "/vitess/zone1",
    )
    assert (keyspace.name, keyspace.durability_policy) == ("ks", "semi_sync")
    assert (shard.keyspace, shard.shard_name) == ("ks", "-80")
    assert (list(schema.sql), schema.ddl_strategy) == (["CREATE TABLE t (id INT)"], "direct")
    assert vschema.v_schema.sharded
    assert vschema.v_schema.vindexes["by_number"].type == "numeric"


async def test_calls_to_one_tablet(vtctld: FakeVtctld, client: VtctldClient) -> None:
    calls = ("StopReplication", "StartReplication", "RunHealthCheck", "ReloadSchema")
    for call in calls:
        vtctld.answers[call] = getattr(vtctldata_pb2, f"{call}Response")()
    await client.stop_replication("zone1-0000000101")
    await client.start_replication("zone1-0000000101")
    await client.run_health_check("zone1-0000000101")
    await client.reload_schema("zone1-0000000101")
    assert [alias_text(request.tablet_alias) for request in vtctld.requests] == ["zone1-0000000101"] * 4
    assert [type(request).__name__ for request in vtctld.requests] == [f"{call}Request" for call in calls]


async def test_the_client_of_a_cluster(vtctld: FakeVtctld) -> None:
    vtctld.answers["GetShard"] = vtctldata_pb2.GetShardResponse()
    cluster = FakeCluster(ports={("vtctld", "grpc"): vtctld.port})
    assert cluster.nodes(Role.VTCTLD)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(vtctld_of(cluster))
        assert await client.shard_primary("ks", "-80") == ""


# ---------------------------------------------------------------- connecting


@contextlib.asynccontextmanager
async def slow_to_begin(port: int, delay_s: float) -> AsyncIterator[int]:
    """The kernel accepts at once, and the server behind it is heard of only after `delay_s`."""
    copies: set[asyncio.Task[None]] = set()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(target):
            while data := await source.read(1 << 16):
                target.write(data)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(delay_s)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        copies.update((asyncio.create_task(copy(reader, back)), asyncio.create_task(copy(there, writer))))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for each in copies:
            each.cancel()


async def test_a_server_on_a_busy_host_is_waited_for(vtctld: FakeVtctld) -> None:
    """AddCellInfo ended with "tcp handshaker shutdown" beside three other clusters: an attempt had 100 ms."""
    vtctld.answers["GetShard"] = vtctldata_pb2.GetShardResponse()
    async with slow_to_begin(vtctld.port, 0.5) as port, VtctldClient.open(f"127.0.0.1:{port}") as client:
        assert await client.shard_primary("ks", "-80") == ""
