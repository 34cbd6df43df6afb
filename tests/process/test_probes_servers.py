"""The probes of MySQL servers and of shard records: what they write, and that a source that fails is a sample."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.base.rundir import RunDir
from harness.contracts import Cluster
from harness.model import Node, Role
from harness.probes import MysqldProbe, TopologyProbe, mysqlds, topology
from harness.vitess.vtctld import Term, VtctldError
from tests.fake_mysql import Drop, Err, Hang, Reply, Rows, fake_mysql
from tests.unit.run_fakes import FakeCluster
from tests.unit.test_probes import lines, probed, series, until_lines

UUID = "b8068f1b-e5ab-11f1-b872-4ee943e42704"
OTHER = "f1b3b273-e561-11f1-ade9-9e09d7fae3d9"
OWN = Rows([("1", "1", UUID, f"{OTHER}:1-58:60,\n{UUID}:7")], names=("a", "b", "c", "d"), texts=("c", "d"))
STATUS = tuple(
    {1: "10.0.0.2", 3: "3306", 10: "Yes", 11: "No", 32: None, 34: "2003", 36: "0"}.get(column, "x")
    for column in range(60)
)
REPLICA = Rows([STATUS], names=tuple(f"c{column}" for column in range(60)), texts=tuple(f"c{n}" for n in range(60)))
SERVER = Node(name="mysqld-100", role=Role.MYSQLD, version="9.7.0", keyspace="ks", shard="-80", tablet_uid=100)
PROBE = MysqldProbe(period_s=0.01)


def cluster(port: int) -> FakeCluster:
    return FakeCluster(all_nodes=(SERVER,), ports={("mysqld-100", "mysql"): port})


def answering(query: str) -> Reply:
    return OWN if query.startswith("SELECT") else REPLICA


async def test_what_a_server_says(tmp_path: Path) -> None:
    path = RunDir(tmp_path / "run").samples("mysqld-100")
    async with fake_mysql(answering) as server, probed(PROBE, tmp_path / "run", cluster(server.port)):
        await until_lines(path, lambda found: len(found) >= 3)
    first, *rest = lines(path)
    assert first["values"] == {
        "super_read_only": 1,
        "read_only": 1,
        "transactions": 60,
        "own": 1,
        "source": "10.0.0.2:3306",
        "io_running": "Yes",
        "sql_running": "No",
        "behind_s": -1,
        "io_errno": 2003,
        "sql_errno": 0,
    }
    assert not any(line["values"] for line in rest)
    assert server.connects == 1  # one connection, kept


async def test_a_primary_replicates_from_nobody(tmp_path: Path) -> None:
    path = RunDir(tmp_path / "run").samples("mysqld-100")
    async with (
        fake_mysql(lambda query: OWN if query.startswith("SELECT") else Rows([])) as server,
        probed(PROBE, tmp_path / "run", cluster(server.port)),
    ):
        await until_lines(path, bool)
    values = lines(path)[0]["values"]
    assert (values["source"], values["behind_s"], values["io_running"]) == ("", -1, "")


@pytest.mark.parametrize(("reply", "said"), [(Drop(), "errno 2013"), (Err(1040, "Too many"), "errno 1040: Too many")])
async def test_a_server_that_fails_is_a_sample_and_gets_a_new_connection(
    tmp_path: Path, reply: Reply, said: str
) -> None:
    path = RunDir(tmp_path / "run").samples("mysqld-100")
    replies: list[Reply] = [reply]
    async with (
        fake_mysql(lambda query: replies.pop() if replies else answering(query)) as server,
        probed(PROBE, tmp_path / "run", cluster(server.port)),
    ):
        await until_lines(path, lambda found: len(found) >= 2)
    first, second, *_ = lines(path)
    assert said in first["error"]
    assert second["values"]["transactions"] == 60
    assert server.connects == 2
    assert series(tmp_path / "run", "mysqld-100").failures()


async def test_a_server_that_hangs_and_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysqlds, "ANSWER_WITHIN_S", 0.05)
    path = RunDir(tmp_path / "run").samples("mysqld-100")
    async with fake_mysql(lambda query: Hang()) as server, probed(PROBE, tmp_path / "run", cluster(server.port)):
        await until_lines(path, lambda found: len(found) >= 2)
    assert all("WaitTimeout" in line["error"] for line in lines(path))
    path = RunDir(tmp_path / "none").samples("mysqld-100")
    async with probed(PROBE, tmp_path / "none", cluster(1)):
        await until_lines(path, bool)
    assert "errno 2003" in lines(path)[0]["error"]


async def test_servers_take_turns(tmp_path: Path) -> None:
    """64 of them are not asked at once, and each as rarely as the bound demands."""
    nodes = tuple(dataclasses.replace(SERVER, name=f"mysqld-{uid}", tablet_uid=uid) for uid in range(3))
    async with fake_mysql(answering) as server:
        many = FakeCluster(all_nodes=nodes, ports={(node.name, "mysql"): server.port for node in nodes})
        async with probed(MysqldProbe(period_s=0.03), tmp_path / "run", many):
            for node in nodes:
                await until_lines(RunDir(tmp_path / "run").samples(node.name), bool)
    first = [lines(RunDir(tmp_path / "run").samples(node.name))[0]["at_ns"] for node in nodes]
    assert first == sorted(first)


# ---------------------------------------------------------------- shard records


class FakeVtctld:
    """Answers like a keyspace of two shards; fails once in between."""

    def __init__(self) -> None:
        self.calls = 0

    async def shard_terms(self, keyspace: str, *, timeout_s: float) -> dict[str, Term]:
        self.calls += 1
        if self.calls == 2:
            raise VtctldError("FindAllShardsInKeyspace", "UNAVAILABLE", "no etcd")
        return {
            "-80": Term(primary=f"{keyspace}-10{min(self.calls, 3)}", start_ns=self.calls // 3),
            "80-": Term(primary="", start_ns=0),
        }


async def test_shard_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vtctld = FakeVtctld()

    @contextlib.asynccontextmanager
    async def opener(_: Cluster) -> AsyncIterator[FakeVtctld]:
        yield vtctld

    monkeypatch.setattr(topology, "vtctld_of", opener)
    path = RunDir(tmp_path / "run").samples("topology")
    async with probed(TopologyProbe(period_s=0.01), tmp_path / "run", FakeCluster()):
        await until_lines(path, lambda found: len(found) >= 3)
    first, failed, third, *_ = lines(path)
    assert first["values"] == {
        "primary:ks/-80": "ks-101",
        "term_ns:ks/-80": 0,
        "primary:ks/80-": "",
        "term_ns:ks/80-": 0,
    }
    assert failed["error"] == "FindAllShardsInKeyspace: UNAVAILABLE: no etcd"
    assert third["values"] == {"primary:ks/-80": "ks-103", "term_ns:ks/-80": 1}
