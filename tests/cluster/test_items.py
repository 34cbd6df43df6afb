"""Goal: what checks over streams take for granted about the item tables is so on a real cluster: seeded rows are
where the model says, on replicas too and known to every vttablet; what the load acknowledged is what the tables
hold; and what is read back after the run is what MySQL has.

Method: two shards, a load of changes through two vtgates, then the tables against the recorded operations.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from clusters.common import answers
from clusters.common.cluster import NodesCluster
from clusters.local.backend import LocalBackend
from harness import history
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.base.wait import hold, until
from harness.items import INSERTED, MARK_TABLE, ItemsSpec, first_id, seeded_rows
from harness.load.config import Target
from harness.load.driver import running
from harness.load.marks import write_marks
from harness.load.seeding import seed
from harness.load.tables import read_tables
from harness.model import ROW_DTYPE, ClusterSpec, LoadSpec, Node, OpKind, Outcome, Role, VtgateSpec, Workload
from harness.mysql.session import admin_session
from tests.unit.local_fakes import Recorder

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

SPEC = ClusterSpec(shards=2, tablets_per_shard=2, vtgates=(VtgateSpec(), VtgateSpec()))
ITEMS = ItemsSpec(tables=2, rows=20_000)
LOAD = LoadSpec(rate_per_shard=25, connections_per_shard=4, workload=Workload.ITEMS)  # through each vtgate
LOAD_S = 5.0
MARK = 4711


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodesCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    async with LocalBackend().cluster(SPEC, folder=folder, logs=folder / "logs", observer=Recorder()) as running_:
        assert isinstance(running_, NodesCluster)
        yield running_


def targets(cluster: NodesCluster) -> list[Target]:
    found = []
    for node in cluster.nodes(Role.VTGATE):
        host, port = cluster.address(node, "mysql")
        found.append(Target(vtgate=node.name, host=host, port=port))
    return found


async def rows_of(cluster: NodesCluster, node: Node, statement: str) -> list[tuple[Any, ...]]:
    """What a mysqld itself has."""
    host, port = cluster.address(node, "mysql")
    async with admin_session(host, port, user="vtchaos", database=f"vt_{SPEC.keyspace}") as session:
        return list((await session.query(statement, timeout_s=20)).require(statement).rows)


@dataclass(frozen=True)
class Changed:
    """What a load left behind."""

    ops: history.Ops
    tables: dict[tuple[str, str], history.Rows]  # (table, shard) → rows

    def of(self, what: str) -> history.Ops:
        inserted = (self.ops["key"] & np.uint64(INSERTED)) > 0
        deleted = self.ops["value"] == 0
        found: history.Ops = self.ops[{"insert": inserted, "delete": deleted, "update": ~(inserted | deleted)}[what]]
        return found

    @property
    def ids(self) -> set[int]:
        return {int(row["id"]) for rows in self.tables.values() for row in rows}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def changed(cluster: NodesCluster, tmp_path_factory: pytest.TempPathFactory) -> Changed:
    """Seeded, changed for some seconds, marked and read back; seeded twice, as on a kept cluster."""
    seen: list[tuple[int | None, int | None]] = []
    more = ItemsSpec(tables=ITEMS.tables + 1, rows=1_000)
    await seed(cluster, more, progress=lambda *_: None, timeout_s=60)
    await seed(cluster, ITEMS, progress=lambda what, done, total: seen.append((done, total)), timeout_s=60)
    assert seen[0] == (0, 40_000)
    assert seen[-1] == (40_000, 40_000)
    run = RunDir.create(tmp_path_factory.mktemp("run") / "run")
    shards = SPEC.shard_names
    async with running(
        LOAD, targets(cluster), keyspace=SPEC.keyspace, shards=shards, run=run, seed=11, items=ITEMS
    ) as load:
        await hold(LOAD_S)
        await load.stop(timeout_s=10)
    last = targets(cluster)[-1]
    for number in (MARK - 1, MARK):
        await write_marks(last, keyspace=SPEC.keyspace, shards=shards, number=number, timeout_s=10)
    failed = await read_tables(last, keyspaces={SPEC.keyspace: shards}, tables=ITEMS.names, run=run, timeout_s=30)
    assert failed == {}
    listed = jsonio.load(run.tables, list)
    assert [entry["wrong"] for entry in listed] == [0] * 4
    tables = {
        (entry["table"], entry["shard"]): np.fromfile(
            run.table(entry["keyspace"], entry["table"], entry["shard"]), dtype=ROW_DTYPE
        )
        for entry in listed
    }
    ops, _ = history._load_ops(run, [])
    return Changed(ops=ops, tables=tables)


async def test_only_the_tables_of_this_run_are_there(cluster: NodesCluster, changed: Changed) -> None:
    for node in cluster.nodes(Role.MYSQLD):
        assert await rows_of(cluster, node, "SHOW TABLES") == [("item_1",), ("item_2",), (MARK_TABLE,)]


async def test_every_vttablet_knows_the_tables(cluster: NodesCluster, changed: Changed) -> None:
    """Also those of replicas, which hear of no schema change by themselves."""
    for node in cluster.nodes(Role.VTTABLET):
        known = json.loads(await answers.get(cluster.address(node, "web"), "/debug/schema") or b"")
        assert {*ITEMS.names, MARK_TABLE} <= set(known)


async def test_seeded_rows_are_where_the_model_says(changed: Changed) -> None:
    removed = set(changed.of("delete")["key"].tolist())
    for table, name in enumerate(ITEMS.names):
        for shard, count in seeded_rows(ITEMS.rows, SPEC.shard_names).items():
            start = first_id(shard, table)
            found = {int(row["id"]) for row in changed.tables[name, shard] if not int(row["id"]) & INSERTED}
            assert found == set(range(start + 1, start + count + 1)) - removed


async def test_what_was_acknowledged_is_what_the_tables_hold(changed: Changed) -> None:
    ops = changed.ops
    assert set(ops["kind"].tolist()) == {int(OpKind.CHANGE)}
    assert set(ops["outcome"].tolist()) == {int(Outcome.OK)}
    assert len(ops) > 0.7 * LOAD_S * LOAD.rate_per_shard * 4
    assert set(ops["lane"].tolist()) == {0, 1, 2, 3}
    updates = sum(int((rows["value"] - 1).sum()) for rows in changed.tables.values())
    assert updates == int(changed.of("update")["rows"].sum()) > 0
    inserted, deleted = (set(changed.of(what)["key"].tolist()) for what in ("insert", "delete"))
    assert {key for key in changed.ids if key & INSERTED} == inserted
    assert not changed.ids & deleted
    assert min(len(inserted), len(deleted)) > 10


async def test_transactions_are_whole_and_say_so(cluster: NodesCluster, changed: Changed) -> None:
    """Rows keep the last transaction that touched them; one that nobody touched after it has all its rows."""
    select = " UNION ALL ".join(f"SELECT txn, COUNT(*) AS number FROM {name} GROUP BY txn" for name in ITEMS.names)
    grouped = f"SELECT txn, SUM(number), txn & 15 FROM ({select}) each_table WHERE txn > 0 GROUP BY txn"
    recorded = {int(op["value"]): int(op["rows"]) for op in changed.ops}
    whole = 0
    for node in _primaries(cluster):
        for txn, found, said in await rows_of(cluster, node, grouped):
            assert recorded[txn] == said >= found
            whole += said == found
    assert whole > 100


async def test_replicas_are_equal(cluster: NodesCluster, changed: Changed) -> None:
    sums = [f"(SELECT CONCAT(COUNT(*), ' ', SUM(CRC32(CONCAT_WS(',', id, version, txn, pad)))) FROM {name})"
            for name in ITEMS.names]  # fmt: skip
    question = "SELECT " + ", ".join([*sums, f"(SELECT GROUP_CONCAT(id, ' ', value) FROM {MARK_TABLE})"])
    for place, shard in enumerate(SPEC.shard_names, start=1):
        one, other = [node for node in cluster.nodes(Role.MYSQLD) if node.shard == shard]
        (expected,) = await rows_of(cluster, one, question)
        assert expected[-1] == f"{place} {MARK}"
        assert expected == await replicated(cluster, other, question, expected)


async def test_a_wrong_pad_is_counted_and_a_missing_table_named(
    cluster: NodesCluster, changed: Changed, tmp_path: Path
) -> None:
    node = _primaries(cluster)[0]
    (item, pad), *_ = await rows_of(cluster, node, "SELECT id, pad FROM item_2 LIMIT 1")
    host, port = cluster.address(node, "mysql")
    async with admin_session(host, port, user="vtchaos", database="vt_ks") as session:
        for wrong in ("0" * 128, pad):
            statement = f"UPDATE item_2 SET pad = '{wrong}' WHERE id = {item}"
            (await session.query(statement, timeout_s=10)).require("a pad changed behind Vitess's back")
            run = RunDir.create(tmp_path / f"run-{len(set(wrong))}")
            failed = await read_tables(
                targets(cluster)[0],
                keyspaces={"ks": SPEC.shard_names, "other": ("0",)},
                tables=("item_2",),
                run=run,
                timeout_s=30,
            )
            assert set(failed) == {"other.item_2.0"}
            assert sum(entry["wrong"] for entry in jsonio.load(run.tables, list)) == (wrong != pad)


async def replicated(cluster: NodesCluster, node: Node, question: str, expected: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a replica answers, once it is what is expected."""

    async def answer() -> tuple[Any, ...] | None:
        (found,) = await rows_of(cluster, node, question)
        return found if found == expected else None

    found = await until(f"{node.name} has replicated", answer, timeout_s=10)
    assert found is not None
    return found


def _primaries(cluster: NodesCluster) -> list[Node]:
    """The first mysqld of a shard; nothing in this module reparents."""
    return [next(node for node in cluster.nodes(Role.MYSQLD) if node.shard == shard) for shard in SPEC.shard_names]
