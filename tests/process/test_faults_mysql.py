"""Goal: what is done to a tablet's MySQL is taken back where it is still as it was left, and nowhere else: what Vitess
has made of a tablet meanwhile (a replica, a read-only one) stays.

Method: two MySQL servers of a few lines that keep their state, and a vtctld that knows who the primary is. The same
faults against real clusters: tests/faults.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.base.errors import ClusterError, PlanError
from harness.contracts import Ground
from harness.faults import remedies, service
from harness.faults.missing import Missing
from harness.faults.mysql import ReadOnlyPrimary
from harness.faults.mysql_appliers import BrokenApplier
from harness.faults.mysql_replication import ErrantTransaction, StoppedReplication, single_gtids
from harness.faults.targets import Targets
from harness.model import Node, Role
from harness.stage import RunStage
from harness.vitess.vtctld import TabletRecord, vtctld_of
from tests.fake_mysql import Ok, Reply, Rows, fake_mysql
from tests.unit.run_fakes import FakeCluster, a_stage, spans, steps

NODES = tuple(
    Node(name=f"mysqld-{uid}", role=Role.MYSQLD, version="9.7", keyspace="ks", shard="0", tablet_uid=uid)
    for uid in (100, 101)
)
OWN = "uuid-101"


@dataclass
class Server:
    """A mysqld: answers what the faults ask, does what they say."""

    uuid: str
    replica: bool
    read_only: int = 0
    super: int = 0
    io: str = "Yes"
    sql: str = "Yes"
    alone: str = ""  # what GTID_SUBTRACT says here
    healed_by: str = "-"  # the last GTID that is missing: nothing is then
    fails_at: str = ""  # the transaction that its SQL thread has stopped at
    deletes: Callable[[], None] = lambda: None
    statements: list[str] = field(default_factory=list)

    def answer(self, sql: str) -> Reply:
        self.statements.append(sql)
        match sql:
            case "SHOW REPLICA STATUS":
                return self._status()
            case "SET GLOBAL read_only = 1" | "SET GLOBAL read_only = 0":
                self.read_only, self.super = int(sql[-1]), 0
            case "SET GLOBAL super_read_only = 1" | "SET GLOBAL super_read_only = 0":
                self.super = int(sql[-1])
            case "STOP REPLICA IO_THREAD":
                self.io = "No"
            case "STOP REPLICA SQL_THREAD":
                self.sql = "No"
            case _ if sql.startswith("DELETE"):
                self.deletes()
            case "START REPLICA":
                self.io, self.sql = "Yes", "No" if self.fails_at else "Yes"
            case _ if self.fails_at and f"gtid_next = '{self.fails_at}'" in sql:
                self.fails_at = ""
            case _ if "replication_applier_status_by_worker" in sql:
                return Rows(((self.fails_at,),) if self.fails_at else (), names=("gtid",), texts=("gtid",))
            case _ if f"gtid_next = '{self.healed_by}'" in sql:
                self.alone = ""
            case _ if "GTID_SUBTRACT" in sql:
                return Rows(((self.alone,),), names=("alone",), texts=("alone",))
            case _ if "gtid_executed" in sql:
                return Rows(((self.uuid, "all"),), names=("uuid", "executed"), texts=("uuid", "executed"))
            case _ if "@@GLOBAL.read_only" in sql:
                return Rows(((str(self.read_only), str(self.super)),), names=("plain", "super"))
            case _ if "@@GLOBAL.super_read_only" in sql:
                return Rows(((str(self.super),),), names=("super",))
        return Ok()

    def _status(self) -> Reply:
        names = ("Replica_IO_Running", "Replica_SQL_Running", "Last_Error", "Last_SQL_Error")
        numbers = ("Last_SQL_Errno", "Seconds_Behind_Source")
        said = f"cannot apply {self.fails_at}" if self.fails_at else ""
        row = (self.io, self.sql, said, said, "1032" if self.fails_at else "0", "0")
        return Rows((row,) if self.replica else (), names=(*names, *numbers), texts=names)


@dataclass
class FakeVtctld:
    """The first tablet is the primary."""

    async def shard_primary(self, keyspace: str, shard: str) -> str:
        return NODES[0].tablet_alias

    async def tablets(self, keyspace: str, shard: str) -> tuple[TabletRecord, ...]:
        return tuple(
            TabletRecord(
                alias=node.tablet_alias,
                keyspace=keyspace,
                shard=shard,
                type="primary" if node is NODES[0] else "replica",
                hostname="h",
                mysql_port=1,
                primary_term_start_ns=0,
            )
            for node in NODES
        )


@dataclass
class World:
    stage: RunStage
    primary: Server
    replica: Server


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    primary, replica = Server("uuid-100", replica=False), Server(OWN, replica=True, read_only=1, super=1)
    cluster = FakeCluster(all_nodes=NODES)
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(a_stage(tmp_path / "run", cluster))
        stage._clients[vtctld_of] = FakeVtctld()
        for node, server in zip(NODES, (primary, replica), strict=True):
            listening = await stack.enter_async_context(fake_mysql(server.answer))
            cluster.ports[node.name, "mysql"] = listening.port
        yield World(stage, primary, replica)


# ---------------------------------------------------------------- read_only


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What keeps the shards from taking writes."""
    lacking: list[str] = []

    async def missing(ground: Ground, nodes: tuple[Node, ...]) -> Missing:
        return Missing(*lacking)

    monkeypatch.setattr(service, "writes_missing", missing)
    return lacking


@pytest.mark.usefixtures("unserved")
async def test_read_only_is_set_and_taken_back(world: World, tmp_path: Path) -> None:
    async with world.stage.inject(ReadOnlyPrimary()) as aim:
        assert aim.targets == ("mysqld-100",)
        assert world.primary.read_only == 1
    assert (world.primary.read_only, world.replica.read_only) == (0, 1)
    (span,) = spans(tmp_path / "run")
    assert (span.observed, span.error, bool(span.recovered_ns)) == (True, "", True)


@pytest.mark.usefixtures("unserved")
async def test_a_tablet_that_vitess_has_demoted_meanwhile_stays_read_only(world: World) -> None:
    async with world.stage.inject(ReadOnlyPrimary()):
        world.primary.super, world.primary.replica = 1, True
    assert (world.primary.read_only, world.primary.super) == (1, 1)


async def test_a_demotion_under_way_is_not_undone(world: World, tmp_path: Path) -> None:
    """super_read_only was not ours; that the server takes no writes is said."""
    fault = ReadOnlyPrimary()
    aim = await fault.aim(world.stage)
    world.primary.read_only = world.primary.super = 1
    await remedies.undo(world.stage, aim.undo)
    assert (world.primary.read_only, world.primary.super) == (1, 1)
    assert repr(await fault.recovered(world.stage, aim)) == "mysqld-100 is read-only"


async def test_a_shard_that_takes_no_writes_has_not_got_over_it(world: World, unserved: list[str]) -> None:
    fault = ReadOnlyPrimary()
    aim = await fault.aim(world.stage)
    assert await fault.recovered(world.stage, aim)
    unserved.append("vtgate-1, 0: NOT_SERVING")
    assert repr(await fault.recovered(world.stage, aim)) == "vtgate-1, 0: NOT_SERVING"


async def test_what_is_read_only_already_is_no_target(world: World, tmp_path: Path) -> None:
    world.primary.read_only = 1
    with pytest.raises(ClusterError, match="read-only already: mysqld-100"):
        async with world.stage.inject(ReadOnlyPrimary()):
            raise AssertionError("the block is not entered")
    assert steps(tmp_path / "run") == []


# ---------------------------------------------------------------- replication


async def test_one_thread_is_stopped_and_started_again(world: World, tmp_path: Path) -> None:
    async with world.stage.inject(StoppedReplication(thread="sql")):
        assert (world.replica.io, world.replica.sql) == ("Yes", "No")
    assert (world.replica.io, world.replica.sql) == ("Yes", "Yes")
    (span,) = spans(tmp_path / "run")
    assert (span.observed, bool(span.recovered_ns)) == (True, True)


async def test_a_promoted_replica_is_not_made_to_replicate(world: World, tmp_path: Path) -> None:
    async with world.stage.inject(StoppedReplication()):
        world.replica.replica = False
    assert "START REPLICA" not in world.replica.statements
    assert spans(tmp_path / "run")[0].recovered_ns


async def test_what_does_not_replicate_already_is_no_target(world: World) -> None:
    world.replica.io = "No"
    with pytest.raises(ClusterError, match="mysqld-101 does not replicate already: stopped"):
        await StoppedReplication().aim(world.stage)
    with pytest.raises(ClusterError, match="mysqld-100 is nobody's replica"):
        await StoppedReplication(targets=Targets(names=("mysqld-100",))).aim(world.stage)


def test_there_are_two_threads() -> None:
    with pytest.raises(PlanError, match="io and sql, not 'relay'"):
        StoppedReplication(thread="relay")


# ---------------------------------------------------------------- appliers


def lacks_the_row(world: World) -> None:
    """What the primary deletes is nothing that the replica has."""

    def stops() -> None:
        world.replica.fails_at, world.replica.sql = "uuid-100:9", "No"

    world.primary.deletes = stops


async def test_an_applier_stops_at_a_row_that_it_lacks_and_skips_it(world: World, tmp_path: Path) -> None:
    lacks_the_row(world)
    async with world.stage.inject(BrokenApplier()) as aim:
        assert aim.targets == ("mysqld-101",)
        assert world.replica.sql == "No"
    told = world.primary.statements
    assert [sql.split()[-1] for sql in told if "sql_log_bin" in sql] == ["0", "1"]
    assert told.index("SET SESSION sql_log_bin = 1") < next(n for n, sql in enumerate(told) if "DELETE" in sql)
    assert (world.replica.sql, world.replica.fails_at) == ("Yes", "")
    (span,) = spans(tmp_path / "run")
    assert (span.observed, bool(span.recovered_ns)) == (True, True)


async def test_a_promoted_replica_has_nothing_to_skip(world: World) -> None:
    lacks_the_row(world)
    async with world.stage.inject(BrokenApplier()):
        world.replica.replica = False
    assert not [sql for sql in world.replica.statements if "gtid_next" in sql]


async def test_one_that_applies_again_is_left_alone(world: World) -> None:
    lacks_the_row(world)
    async with world.stage.inject(BrokenApplier()):
        world.replica.fails_at, world.replica.sql = "", "Yes"
    assert not [sql for sql in world.replica.statements if "gtid_next" in sql or sql.startswith("ST")]


# ---------------------------------------------------------------- errant transactions


async def test_the_primary_executes_empty_ones(world: World, tmp_path: Path) -> None:
    world.primary.alone = f"{OWN}:4-5,\nuuid-100:77"  # the last is on its way: under semi-sync a replica has it first
    async with world.stage.inject(ErrantTransaction(sql="INSERT")) as aim:
        asked = [sql for sql in world.replica.statements if sql == "INSERT" or sql.startswith("SET GLOBAL")]
        assert asked == ["SET GLOBAL super_read_only = 0", "INSERT", "SET GLOBAL super_read_only = 1"]
        seen = await ErrantTransaction().recovered(world.stage, aim)
        assert repr(seen) == f"mysqld-101 has {OWN}:4, {OWN}:5 alone"
        world.primary.healed_by = "uuid-101:5"
    done = [sql for sql in world.primary.statements if "gtid_next" in sql]
    assert done == [f"SET gtid_next = '{OWN}:4'", f"SET gtid_next = '{OWN}:5'"]
    assert world.replica.super == 1


async def test_what_everybody_has_needs_nothing(world: World, tmp_path: Path) -> None:
    world.primary.alone = f"{OWN}:4"
    async with world.stage.inject(ErrantTransaction(sql="INSERT")):
        world.primary.alone = ""
    assert not [sql for sql in world.primary.statements if "gtid_next" in sql]
    (span,) = spans(tmp_path / "run")
    assert (span.observed, bool(span.recovered_ns)) == (True, True)
    assert span.details["errant of mysqld-101"] == f"{OWN}:4"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a:1", ["a:1"]),
        ("a:1-3:7,\nb:1-9", ["a:1", "a:2", "a:3", "a:7"]),
        ("a:1:tag:4-5:other:9", ["a:1", "a:tag:4", "a:tag:5", "a:other:9"]),
    ],
)
def test_gtids_of_one_server(text: str, found: list[str]) -> None:
    assert single_gtids(text, "a") == found


def test_what_is_missing_is_false_and_says_what() -> None:
    assert not Missing("this", "", "that")
    assert repr(Missing("this", "", "that")) == "this; that"
    assert Missing("")
    assert Missing()
