"""Goal: the tables of a workflow's target, which every vtgate is denied, are read from the primaries' own MySQL.

Method: one fake server in the place of a vtgate, one in that of a primary's mysqld.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base import jsonio
from harness.base.errors import ClusterError
from harness.base.rundir import RunDir
from harness.load.config import Target
from harness.load.primaries import servers_of
from harness.load.tables import Server, read_tables
from harness.model import ClusterSpec, KeyspaceSpec, Node, Role
from harness.vitess.proto import topodata_pb2, vtctldata_pb2
from harness.vitess.vtctld import alias_message
from tests.fake_mysql import Err, Ok, Reply, Rows, fake_mysql
from tests.fake_vtctld import FakeVtctld, served
from tests.unit.run_fakes import FakeCluster

DENIED = Err(1815, "disallowed due to rule: enforce denied tables")
TARGET = KeyspaceSpec(name="target", shards=1)


def one_row(query: str) -> Reply:
    if not query.startswith("SELECT GROUP_CONCAT"):
        return Ok()
    return Rows(((f"{7:016X}{3:08X}", "1", "0"),), ("digits", "rows", "wrong"), texts=("digits",))


def no_vtgate(query: str) -> Reply:
    return DENIED if "workload" in query else one_row(query)


async def test_a_target_is_read_past_vtgate(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    async with fake_mysql(one_row) as vtgate, fake_mysql(no_vtgate) as mysqld:
        server = Server(target=Target(vtgate="mysqld-104", host=mysqld.host, port=mysqld.port), database="vt_target")
        failed = await read_tables(
            Target(vtgate="vtgate-1", host=vtgate.host, port=vtgate.port),
            keyspaces={"ks": ("0",), "target": ("0",)},
            tables=("item_1",),
            run=run,
            timeout_s=10,
            direct={("target", "0"): server},
        )
    assert failed == {}
    assert [entry["keyspace"] for entry in jsonio.load(run.tables, list)] == ["ks", "target"]
    assert (vtgate.databases, mysqld.databases) == (["ks/0@primary"], ["vt_target"])
    for server_queries in (vtgate.queries, mysqld.queries):
        assert sum(query.startswith("SELECT GROUP_CONCAT") for query in server_queries) == 1


@pytest.mark.parametrize("alias", ["zone1-0000000101", ""])
async def test_the_primary_that_the_topology_names(alias: str) -> None:
    fake = FakeVtctld()
    shard = topodata_pb2.Shard(primary_alias=alias_message(alias)) if alias else topodata_pb2.Shard()
    fake.answers["GetShard"] = vtctldata_pb2.GetShardResponse(shard=vtctldata_pb2.Shard(shard=shard))
    nodes = [Node(name="vtctld", role=Role.VTCTLD, version="24.0.3")]
    nodes += [
        Node(name=f"mysqld-{uid}", role=Role.MYSQLD, version="9.7", keyspace="target", shard="0", tablet_uid=uid)
        for uid in (100, 101)
    ]
    async with served(fake) as port:
        ports = {("vtctld", "grpc"): port, ("mysqld-100", "mysql"): 3300, ("mysqld-101", "mysql"): 3301}
        cluster = FakeCluster(spec=ClusterSpec(others=(TARGET,)), all_nodes=tuple(nodes), ports=ports)
        if alias:
            found = await servers_of(cluster, (TARGET,))
            (server,) = found.values()
            assert (list(found), server.target.port, server.database) == ([("target", "0")], 3301, "vt_target")
        else:
            with pytest.raises(ClusterError, match="target/0 has no primary"):
                await servers_of(cluster, (TARGET,))
