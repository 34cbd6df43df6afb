"""Goal: what MoveTables is asked for is what was meant; what vtctld and `_vt` answer becomes values and samples.

Method: a real grpc.aio server in this process that answers as told (`FakeVtctld`), the `_vt` rows as recorded from
24.0.3.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from harness import history
from harness.base import wait
from harness.base.rundir import RunDir
from harness.facts import workflows as facts
from harness.history import History, Series
from harness.model import ClusterSpec, KeyspaceSpec
from harness.probes import WorkflowProbe
from harness.vitess import workflows
from harness.vitess.proto import query_pb2, tabletmanagerdata_pb2, topodata_pb2, vtctldata_pb2
from harness.vitess.vtctld import VtctldClient, VtctldError, alias_message
from harness.vitess.workflows import DiffRow, LogRow, MoveTables, Reshard, StreamRow, StreamStatus
from tests.fake_vtctld import FakeVtctld, served
from tests.unit.run_fakes import FakeCluster, a_stage
from tests.unit.workflow_fakes import MovedRun

PRIMARY = "zone1-0000000104"
SOURCE = 'keyspace:"ks" shard:"-80" filter:{rules:{match:"item_1" filter:"select * from item_1"}}'
LAST_PK = 'fields:{name:"id" type:UINT64 charset:63 flags:49699} rows:{lengths:19 values:"9223372036854777486"}'
POSITION = "MySQL56/c177c059-e56c-11f1-8b14-de49e3347c35:1-785"


def table(*rows: dict[str, str | None]) -> Any:
    """A query.QueryResult; None is NULL."""
    result = query_pb2.QueryResult(fields=[query_pb2.Field(name=name) for name in (rows[0] if rows else ())])
    for row in rows:
        texts = [text.encode() if text is not None else None for text in row.values()]
        lengths = [-1 if text is None else len(text) for text in texts]
        result.rows.append(query_pb2.Row(lengths=lengths, values=b"".join(text or b"" for text in texts)))
    return result


class Sidecar(FakeVtctld):
    """Answers ExecuteFetchAsDBA by the table that the statement reads."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, Any] = {
            "vreplication": table(stream_row()),
            "copy_state": table({"vrepl_id": "1", "table_name": "item_1", "lastpk": LAST_PK}),
            "vreplication_log": table(log_row(1), log_row(2, message="vstream ended", type="Message", count="3")),
        }
        self.answers["GetShard"] = vtctldata_pb2.GetShardResponse(
            shard=vtctldata_pb2.Shard(shard=topodata_pb2.Shard(primary_alias=alias_message(PRIMARY)))
        )

    async def ExecuteFetchAsDBA(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        for name in sorted(self.tables, key=len, reverse=True):
            if f"_vt.{name}" in request.query:
                answer = self.tables[name]
                if isinstance(answer, tuple):
                    await context.abort(*answer)
                return vtctldata_pb2.ExecuteFetchAsDBAResponse(result=answer)
        raise AssertionError(request.query)


def stream_row(**more: str | None) -> dict[str, str | None]:
    row = {"id": "1", "workflow": "move", "source": SOURCE, "state": "Copying", "message": "", "pos": POSITION}
    return {**row, "rows_copied": "5034", **more}


def log_row(number: int, **more: str | None) -> dict[str, str | None]:
    row = {"id": str(number), "vrepl_id": "1", "type": "Started Copy Phase", "state": "Copying", "message": "begun"}
    return {**row, "count": "1", **more}


@pytest_asyncio.fixture
async def sidecar() -> AsyncIterator[Sidecar]:
    fake = Sidecar()
    async with served(fake) as fake.port:
        yield fake


@pytest_asyncio.fixture
async def client(sidecar: Sidecar) -> AsyncIterator[VtctldClient]:
    async with VtctldClient.open(f"127.0.0.1:{sidecar.port}") as client:
        yield client


# ---------------------------------------------------------------- what is asked for


async def test_movetables_of_some_tables(sidecar: Sidecar, client: VtctldClient) -> None:
    sidecar.answers["MoveTablesCreate"] = vtctldata_pb2.WorkflowStatusResponse()
    config = {"vreplication-copy-phase-duration": "300ms"}
    move = MoveTables(workflow="move", source="ks", target="target", tables=("item_1", "item_2"), config=config)
    await workflows.create(client, move)
    (request,) = sidecar.requests
    assert (request.workflow, request.source_keyspace, request.target_keyspace) == ("move", "ks", "target")
    assert (list(request.include_tables), request.all_tables) == (["item_1", "item_2"], False)
    assert (request.atomic_copy, request.auto_start, request.on_ddl) == (False, True, "IGNORE")
    assert not request.defer_secondary_keys
    assert list(request.tablet_types) == [topodata_pb2.PRIMARY]
    assert dict(request.workflow_options.config) == config


async def test_reshard_of_one_shard(sidecar: Sidecar, client: VtctldClient) -> None:
    sidecar.answers["ReshardCreate"] = vtctldata_pb2.WorkflowStatusResponse()
    await workflows.reshard(
        client, Reshard(workflow="split", keyspace="ks", sources=("-80",), targets=("-40", "40-80"))
    )
    (request,) = sidecar.requests
    assert (request.workflow, request.keyspace, request.auto_start) == ("split", "ks", True)
    assert (list(request.source_shards), list(request.target_shards)) == (["-80"], ["-40", "40-80"])
    assert not request.skip_schema_copy
    assert list(request.tablet_types) == [topodata_pb2.PRIMARY]


def test_an_atomic_copy_is_of_all_tables() -> None:
    request = MoveTables(
        workflow="move", source="ks", target="target", atomic_copy=True, tablet_types=("replica", "primary")
    ).request()
    assert (request.atomic_copy, request.all_tables, list(request.include_tables)) == (True, True, [])
    assert list(request.tablet_types) == [topodata_pb2.REPLICA, topodata_pb2.PRIMARY]


async def test_what_shards_deny_is_told_once(sidecar: Sidecar, client: VtctldClient) -> None:
    control = topodata_pb2.Shard.TabletControl(tablet_type=topodata_pb2.PRIMARY, denied_tables=["ledger"])
    shards = {
        name: vtctldata_pb2.Shard(keyspace="ks", name=name, shard=topodata_pb2.Shard(tablet_controls=[control]))
        for name in ("-80", "80-")
    }
    sidecar.answers["FindAllShardsInKeyspace"] = vtctldata_pb2.FindAllShardsInKeyspaceResponse(shards=shards)
    assert await workflows.denied(client, "ks") == ("ledger",)
    sidecar.answers["FindAllShardsInKeyspace"] = vtctldata_pb2.FindAllShardsInKeyspaceResponse()
    assert await workflows.denied(client, "ks") == ()


async def test_a_refusal_names_the_call(sidecar: Sidecar, client: VtctldClient) -> None:
    sidecar.answers["MoveTablesCreate"] = (grpc.StatusCode.FAILED_PRECONDITION, "no tables to move")
    with pytest.raises(VtctldError, match="MoveTablesCreate: FAILED_PRECONDITION: no tables to move"):
        await workflows.create(client, MoveTables(workflow="move", source="ks", target="target"))


async def test_delete_is_what_cancel_does(sidecar: Sidecar, client: VtctldClient) -> None:
    sidecar.answers["WorkflowDelete"] = vtctldata_pb2.WorkflowDeleteResponse()
    await workflows.delete(client, "target", "move")
    (request,) = sidecar.requests
    assert (request.keyspace, request.workflow, request.keep_data) == ("target", "move", False)


# ---------------------------------------------------------------- what is answered


def status_answer(status: str = "Copying", tables: int = 1) -> Any:
    answer = vtctldata_pb2.WorkflowStatusResponse(traffic_state="Reads Not Switched. Writes Not Switched")
    answer.shard_streams["target/-80"].streams.add(
        id=1, tablet=alias_message(PRIMARY), source_shard="ks/-80", status=status, info="VStream Lag: 0s"
    )
    for number in range(tables):
        answer.table_copy_state[f"item_{number + 1}"].CopyFrom(
            vtctldata_pb2.WorkflowStatusResponse.TableCopyState(
                rows_copied=10, rows_total=20, phase=vtctldata_pb2.IN_PROGRESS
            )
        )
    return answer


async def test_status(sidecar: Sidecar, client: VtctldClient) -> None:
    sidecar.answers["WorkflowStatus"] = status_answer()
    found = await workflows.status(client, "target", "move")
    assert found.streams == (
        StreamStatus(
            shard="-80", number=1, tablet=PRIMARY, source_shard="-80", status="Copying", info="VStream Lag: 0s"
        ),
    )
    assert found.tables == {"item_1": "IN_PROGRESS, 10 of about 20 rows"}
    assert found.traffic.startswith("Reads Not Switched")


async def test_streams_of_a_shard(sidecar: Sidecar, client: VtctldClient) -> None:
    sidecar.tables["copy_state"] = table(
        {"vrepl_id": "1", "table_name": "item_1", "lastpk": LAST_PK},
        {"vrepl_id": "1", "table_name": "item_2", "lastpk": ""},
        {"vrepl_id": "2", "table_name": "item_3", "lastpk": LAST_PK},  # of another stream
    )
    (row,) = await workflows.streams(client, PRIMARY, "move")
    assert row == StreamRow(
        number=1,
        workflow="move",
        source_shard="-80",
        state="Copying",
        message="",
        position=POSITION,
        rows_copied=5034,
        tables={"item_1": 9223372036854777486, "item_2": 0},
    )
    assert workflows.gtid_set(row.position) == "c177c059-e56c-11f1-8b14-de49e3347c35:1-785"
    assert workflows.gtid_set("") == ""


async def test_log_from_a_number_on(sidecar: Sidecar, client: VtctldClient) -> None:
    found = await workflows.log(client, PRIMARY, since=7)
    assert found[1] == LogRow(number=2, stream=1, type="Message", state="Copying", message="vstream ended", count=3)
    assert "id >= 7" in sidecar.requests[-1].query


@pytest.mark.parametrize(("text", "key"), [("", 0), (LAST_PK, 9223372036854777486), ("rows:{lengths:1}", 0)])
def test_last_pk(text: str, key: int) -> None:
    assert workflows.last_pk(text) == key


async def test_vdiff(sidecar: Sidecar, client: VtctldClient) -> None:
    sidecar.answers["VDiffCreate"] = vtctldata_pb2.VDiffCreateResponse(UUID="u-1")
    answer = vtctldata_pb2.VDiffShowResponse()
    row = {"vdiff_state": "completed", "last_error": "", "table_name": "item_1", "rows_compared": "20"}
    output = table({**row, "has_mismatch": "1"}, {**row, "table_name": "item_2", "has_mismatch": "0"})
    answer.tablet_responses["-80"].CopyFrom(tabletmanagerdata_pb2.VDiffResponse(output=output))
    sidecar.answers["VDiffShow"] = answer
    assert await workflows.start_diff(client, "target", "move") == "u-1"
    found = await workflows.diff(client, "target", "move", "u-1")
    assert found[0] == DiffRow(shard="-80", table="item_1", state="completed", compared=20, mismatch=True, error="")
    assert [row.mismatch for row in found] == [True, False]
    assert sidecar.requests[0].limit > 10**18  # 0 would compare nothing
    assert sidecar.requests[1].arg == "u-1"


# ---------------------------------------------------------------- the probe


@contextlib.asynccontextmanager
async def probed(sidecar: Sidecar, folder: Path) -> AsyncIterator[None]:
    spec = ClusterSpec(shards=2, others=(KeyspaceSpec(name="target", shards=1),))
    cluster = FakeCluster(spec=spec, ports={("vtctld", "grpc"): sidecar.port})
    probe = WorkflowProbe(keyspace="target", workflow="move", period_s=0.01)
    async with a_stage(folder, cluster) as stage:
        running = asyncio.create_task(probe.run(stage, folder))
        try:
            yield
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


def recorded(folder: Path) -> History:
    return history.load(RunDir.open(folder))


async def until(folder: Path, source: str, key: str, value: object) -> Series:
    async def there() -> Series | None:
        series = recorded(folder).series.get(source)
        return series if series is not None and series.last(key) == value else None

    found = await wait.until(f"{source} has {key} = {value}", there, timeout_s=10, poll_s=0.02)
    assert found is not None
    return found


async def test_samples_of_a_workflow_become_facts(sidecar: Sidecar, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sidecar.tables["vreplication"] = table()  # not created yet: vtctld is not asked for it
    sidecar.answers["WorkflowStatus"] = status_answer()
    async with probed(sidecar, folder):
        await until(folder, "workflow-target.0", "streams", 0)
        sidecar.tables["vreplication"] = table(stream_row())
        await until(folder, "workflow-target.0", "state:1", "Copying")
        await until(folder, "workflow-target", "status:-80/1", "Copying")
        sidecar.tables["vreplication"] = table(stream_row(state="Running", rows_copied="9000"))
        sidecar.tables["copy_state"] = table()
        await until(folder, "workflow-target.0", "left:1", "")
    run = recorded(folder)
    (stream,) = facts.streams(run)
    assert (stream.name, stream.source_shard, stream.tablet) == ("target/0 #1", "-80", PRIMARY)
    assert (stream.state, stream.left, stream.rows_copied, stream.done) == ("Running", (), 9000, True)
    assert facts.last_progress_ns(run, stream) > 0
    assert [entry.type for entry in facts.entries(run)] == ["Started Copy Phase", "Message"]
    (error,) = facts.errors(run)
    assert (error.message, error.count) == ("vstream ended", 3)
    assert facts.vtctld_left(run, "target") == 1


async def test_the_log_is_read_once_and_its_last_row_again(sidecar: Sidecar, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sidecar.answers["WorkflowStatus"] = status_answer()
    async with probed(sidecar, folder):
        await until(folder, "workflow-target.0", "state:1", "Copying")
        sidecar.tables["vreplication_log"] = table(log_row(2, message="vstream ended", type="Message", count="9"))

        async def counted() -> bool:
            return any(entry.count == 9 for entry in facts.entries(recorded(folder)))

        await wait.until("the row was read again", counted, timeout_s=10)
    assert "id >= 2" in [one.query for one in sidecar.requests if "log" in getattr(one, "query", "")][-1]


async def test_a_primary_that_does_not_answer_is_a_failed_sample(sidecar: Sidecar, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    good = sidecar.tables["vreplication"]
    sidecar.tables["vreplication"] = (grpc.StatusCode.UNAVAILABLE, "connection refused")
    sidecar.answers["WorkflowStatus"] = status_answer()
    async with probed(sidecar, folder):

        async def failed() -> bool:
            series = recorded(folder).series.get("workflow-target.0")
            return series is not None and bool(series.failures())

        await wait.until("a failed sample", failed, timeout_s=10)
        sidecar.tables["vreplication"] = good
        series = await until(folder, "workflow-target.0", "state:1", "Copying")
    assert "connection refused" in series.failures()[0].error


async def test_only_one_stream_of_several_is_not_done(sidecar: Sidecar, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sidecar.tables["vreplication"] = table(stream_row(state="Running"), stream_row(id="2", state="Running"))
    sidecar.tables["copy_state"] = table({"vrepl_id": "2", "table_name": "item_1", "lastpk": LAST_PK})
    sidecar.answers["WorkflowStatus"] = status_answer()
    async with probed(sidecar, folder):
        await until(folder, "workflow-target.0", "left:2", "item_1")
    assert [stream.done for stream in facts.streams(recorded(folder))] == [True, False]


def test_a_history_without_a_workflow() -> None:
    run = replace(MovedRun().build(), series={})
    assert (facts.streams(run), facts.entries(run), facts.sources(run), facts.watched_s(run)) == ((), (), (), 0)
