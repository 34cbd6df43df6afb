"""Goal: when seeding returns, the rows are on every tablet, every vttablet was told to look at its schema and every
vtgate routes; when anything of that is not so, it fails and says what.

Method: a vtctld of a few lines with tablets that hold numbers of rows, and vtgates that answer as told.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.base.errors import ClusterError, PlanError, WaitTimeout
from harness.items import MARK_TABLE, ItemsSpec, first_id, seeded_rows
from harness.load.seeding import CHUNK_ROWS, seed
from harness.model import ClusterSpec
from harness.vitess.proto import query_pb2, topodata_pb2, vtctldata_pb2
from tests.fake_mysql import Err, FakeMysql, Ok, Reply, Rows, fake_mysql
from tests.fake_vtctld import served
from tests.unit.run_fakes import FakeCluster

SHARDS = ("-80", "80-")
SPEC = ClusterSpec(shards=2, vschema='{"sharded": true, "vindexes": {"h": {"type": "hash"}}, "tables": {"ledger": {}}}')
ITEMS = ItemsSpec(tables=2, rows=2 * CHUNK_ROWS + 31)
INSERT = re.compile(
    r"INSERT /\*\+ SET_VAR\(cte_max_recursion_depth=(\d+)\) \*/ INTO (item_\d) \(id, version, txn, pad\) WITH RECURSIVE"
    r" seeded \(id\) AS \(SELECT CAST\((\d+) AS UNSIGNED\) UNION ALL SELECT id \+ 1 FROM seeded WHERE id < (\d+)\)"
    r" SELECT id, 1, 0, SHA2\(CONCAT\(id, ':', 1\), 512\) FROM seeded"
)


def _result(names: tuple[str, ...], *rows: tuple[str, ...]) -> vtctldata_pb2.ExecuteFetchAsDBAResponse:
    return vtctldata_pb2.ExecuteFetchAsDBAResponse(
        result=query_pb2.QueryResult(
            fields=[query_pb2.Field(name=name) for name in names],
            rows=[query_pb2.Row(lengths=[len(value) for value in row], values="".join(row).encode()) for row in rows],
        )
    )


@dataclass
class FakeTablets:
    """Two shards of a primary (uid 100, 102) and a replica (101, 103)."""

    tables: dict[int, dict[str, set[int]]] = field(default_factory=lambda: {uid: {} for uid in range(100, 104)})
    applied: list[str] = field(default_factory=list)
    vschema: Any = None
    inserts: list[str] = field(default_factory=list)
    reloaded: list[int] = field(default_factory=list)
    lagging: int = 0  # a replica that gets nothing
    losing: int = 0  # a tablet that loses a row
    unborn: str = ""  # a shard without a primary

    async def GetShard(self, request: Any, context: Any) -> Any:
        uid = 100 + 2 * SHARDS.index(request.shard_name)
        alias = None if request.shard_name == self.unborn else topodata_pb2.TabletAlias(cell="zone1", uid=uid)
        shard = topodata_pb2.Shard(primary_alias=alias)
        return vtctldata_pb2.GetShardResponse(shard=vtctldata_pb2.Shard(shard=shard))

    async def GetTablets(self, request: Any, context: Any) -> Any:
        first = 100 + 2 * SHARDS.index(request.shard)
        aliases = [topodata_pb2.TabletAlias(cell="zone1", uid=uid) for uid in (first, first + 1)]
        return vtctldata_pb2.GetTabletsResponse(tablets=[topodata_pb2.Tablet(alias=alias) for alias in aliases])

    async def ApplySchema(self, request: Any, context: Any) -> Any:
        for sql in request.sql:
            self.applied.append(sql)
            for tables in self.tables.values():
                if found := re.match(r"CREATE TABLE (\w+) ", sql):
                    assert found[1] not in tables
                    tables[found[1]] = set()
                for name in sql.removeprefix("DROP TABLE IF EXISTS ").split(", ") if sql.startswith("DROP") else ():
                    tables.pop(name, None)
        return vtctldata_pb2.ApplySchemaResponse()

    async def ApplyVSchema(self, request: Any, context: Any) -> Any:
        self.vschema = request.v_schema
        return vtctldata_pb2.ApplyVSchemaResponse()

    async def ReloadSchema(self, request: Any, context: Any) -> Any:
        self.reloaded.append(request.tablet_alias.uid)
        return vtctldata_pb2.ReloadSchemaResponse()

    async def ExecuteFetchAsDBA(self, request: Any, context: Any) -> Any:
        uid, sql = (
            request.tablet_alias.uid,
            request.query.decode() if isinstance(request.query, bytes) else request.query,
        )
        if sql.startswith("SELECT table_name"):
            return _result(("name",), *((name,) for name in sorted(self.tables[uid])))
        if found := INSERT.fullmatch(sql):
            return self._insert(uid, found, request.disable_binlogs)
        if "gtid_executed" in sql:
            return _result(("gtids",), (f"uuid-{uid}:1-9,\nother:1",))
        if "WAIT_FOR" in sql:
            assert f"uuid-{uid - 1}:1-9,other:1" in sql
            return _result(("timed_out",), (str(int(uid == self.lagging)),))
        names = re.findall(r"FROM (item_\d)", sql)
        return _result(
            ("name", "number"), *((name, str(len(self.tables[uid][name]) - (uid == self.losing))) for name in names)
        )

    def _insert(self, uid: int, found: re.Match[str], disable_binlogs: bool) -> Any:
        depth, name, first, last = int(found[1]), found[2], int(found[3]), int(found[4])
        assert depth > last - first
        assert not disable_binlogs
        self.inserts.append(name)
        for each in (uid, uid + 1):
            ids = set(range(first, last + 1))
            assert not ids & self.tables[each][name]
            self.tables[each][name] |= ids
        return _result(())


class Gate:
    """A vtgate that finds every seeded row; `blind` = for so many statements it does not know a table."""

    def __init__(self, blind: int = 0) -> None:
        self.blind = blind
        self.asked = Counter[str]()

    def __call__(self, query: str) -> Reply:
        found = re.fullmatch(r"SELECT id, (?:version|value) FROM (\w+) WHERE id = (\d+)", query)
        if found is None:
            return Ok()
        if self.blind:
            self.blind -= 1
            return Err(1146, f"table {found[1]} not found")
        self.asked[found[1]] += 1
        return Rows([] if found[1] == MARK_TABLE else [(found[2], "1")], ("id", "version"))


@dataclass
class World:
    tablets: FakeTablets
    gates: tuple[Gate, Gate]
    cluster: FakeCluster
    servers: list[FakeMysql]
    told: list[tuple[str, int | None, int | None]] = field(default_factory=list)

    async def seed(self, items: ItemsSpec = ITEMS, timeout_s: float = 20) -> None:
        await seed(self.cluster, items, progress=lambda *facts: self.told.append(facts), timeout_s=timeout_s)


@asynccontextmanager
async def opened() -> AsyncIterator[World]:
    tablets, gates = FakeTablets(), (Gate(), Gate())
    async with AsyncExitStack() as stack:
        ports = {("vtctld", "grpc"): await stack.enter_async_context(served(_Refusing(tablets)))}
        servers = [await stack.enter_async_context(fake_mysql(gate)) for gate in gates]
        for number, each in enumerate(servers, start=1):
            ports[f"vtgate-{number}", "mysql"] = each.port
        yield World(tablets, gates, FakeCluster(spec=SPEC, ports=ports), servers)


class _Refusing:
    """The rest of the service is not to be called."""

    def __init__(self, tablets: FakeTablets) -> None:
        self._tablets = tablets

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._tablets, name, None)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as each:
        yield each


async def test_every_tablet_has_every_row(world: World) -> None:
    await world.seed()
    for uid, tables in world.tablets.tables.items():
        shard = SHARDS[(uid - 100) // 2]
        rows = seeded_rows(ITEMS.rows, SHARDS)[shard]
        for table, name in enumerate(ITEMS.names):
            start = first_id(shard, table)
            assert tables[name] == set(range(start + 1, start + rows + 1))
        assert set(tables) == {*ITEMS.names, MARK_TABLE}
    assert sorted(world.tablets.reloaded) == [100, 101, 102, 103]
    assert Counter(world.tablets.inserts) == {"item_1": 4, "item_2": 4}  # a chunk and some rows more, twice each


async def test_the_progress_is_told(world: World) -> None:
    await world.seed()
    total = 2 * ITEMS.rows
    assert {what for what, _, _ in world.told} == {"item rows seeded"}
    assert [done for _, done, _ in world.told] == sorted(done or 0 for _, done, _ in world.told)
    assert (world.told[0][1:], world.told[-1][1:]) == ((0, total), (total, total))


async def test_the_vschema_keeps_the_other_tables(world: World) -> None:
    await world.seed()
    assert set(world.tablets.vschema.tables) == {"ledger", MARK_TABLE, *ITEMS.names}
    assert set(world.tablets.vschema.vindexes) == {"h", "by_number"}
    assert json.loads(SPEC.vschema)["tables"] == {"ledger": {}}


async def test_tables_of_an_earlier_run_go_also_more_of_them(world: World) -> None:
    await world.seed(ItemsSpec(tables=4, rows=100))
    await world.seed(ItemsSpec(tables=2, rows=10))
    assert "DROP TABLE IF EXISTS item_1, item_2, item_3, item_4, stream_mark" in world.tablets.applied
    assert all(set(tables) == {"item_1", "item_2", MARK_TABLE} for tables in world.tablets.tables.values())
    assert sum(sql.startswith("DROP") for sql in world.tablets.applied) == 1  # none the first time


async def test_it_waits_until_every_vtgate_routes(world: World) -> None:
    world.gates[1].blind = 5
    await world.seed()
    assert [gate.asked["item_1"] for gate in world.gates] == [2, 2]  # both shards
    assert [gate.asked[MARK_TABLE] for gate in world.gates] == [1, 1]


async def test_a_vtgate_that_does_not_route_is_named(world: World) -> None:
    world.gates[1].blind = 1 << 40
    with pytest.raises(WaitTimeout, match=r"vtgate-2 routes .* row 1 of item_1 in -80: table item_1 not found"):
        await world.seed(ItemsSpec(rows=8), timeout_s=1.0)


async def test_a_vtgate_that_finds_another_row_does_not_route(world: World) -> None:
    world.servers[0].respond = lambda query: (
        Rows([("1", "2")], ("id", "version")) if query.startswith("SELECT") else Ok()
    )
    with pytest.raises(WaitTimeout, match=r"vtgate-1 routes .* row 1 of item_1 in -80: \(\(1, 2\),\)"):
        await world.seed(ItemsSpec(rows=8), timeout_s=1.0)


@pytest.mark.parametrize("uid", [100, 103])
async def test_a_lost_row_is_an_error(world: World, uid: int) -> None:
    world.tablets.losing = uid
    with pytest.raises(ClusterError, match=rf"zone1-0000000{uid} has 7 rows of item_1 after seeding, not 8"):
        await world.seed(ItemsSpec(rows=16))


async def test_a_replica_that_stays_behind_is_an_error(world: World) -> None:
    world.tablets.lagging = 103
    with pytest.raises(ClusterError, match="zone1-0000000103 has not replicated the item rows of zone1-0000000102"):
        await world.seed()


async def test_a_shard_without_a_primary_is_an_error(world: World) -> None:
    world.tablets.unborn = "80-"
    with pytest.raises(ClusterError, match="ks/80- has no primary"):
        await world.seed()


async def test_the_bound_is_for_the_whole(world: World) -> None:
    with pytest.raises((WaitTimeout, ClusterError), match=r"not within|DEADLINE_EXCEEDED"):
        await world.seed(ItemsSpec(tables=9, rows=1_000_000), timeout_s=0.2)


@pytest.mark.parametrize("items", [ItemsSpec(tables=0), ItemsSpec(tables=201), ItemsSpec(rows=-1)])
async def test_a_spec_that_means_nothing_is_refused(world: World, items: ItemsSpec) -> None:
    with pytest.raises(PlanError, match="1 to 200 item tables"):
        await world.seed(items)
    assert not world.tablets.applied
