"""Makes and fills the item tables before anything is measured (`harness.items` has the model).

The rows do not come through a vtgate: each shard's MySQL makes them up itself, chunk by chunk, with binary logging
on, so that its replicas get them too: about 10 µs a row on two cores, replication included (measured). What is
waited for afterwards is what VStream and load rely on without asking: replicas have the rows; every vttablet's
schema engine knows the tables (else "table item_1 is not present in the database": vstreamer/uvstreamer.go);
every vtgate has the vschema. ApplySchema lets replicas look at their schema too, but only logs when that failed
(schematools.ReloadShard: "best-effort"), so each vttablet is asked again and its answer awaited (all v0.24.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from harness.base import wait
from harness.base.errors import ClusterError, PlanError
from harness.contracts import Cluster
from harness.items import (
    MARK_TABLE,
    MAX_TABLES,
    ItemsSpec,
    create_mark_table,
    create_table,
    first_id,
    pad_sql,
    seeded_rows,
    vschema,
)
from harness.load.readback import Progress
from harness.model import Node, Role
from harness.mysql.session import AdminSession, admin_session
from harness.vitess.vtctld import VtctldClient, vtctld_of

T = TypeVar("T")

CHUNK_ROWS = 20_000  # of one INSERT: 3 MB of binary log
AT_ONCE = 2  # INSERTs: as many as the host has cores to spare
TABLETS_AT_ONCE = 8
QUERY_TIMEOUT_S = 5.0

# Tables of this run and of earlier ones, which may have had more.
_OURS = (
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
    f" AND (table_name = '{MARK_TABLE}' OR table_name REGEXP '^item_[0-9]+$')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tablet:
    alias: str
    shard: str
    primary: bool


async def seed(cluster: Cluster, spec: ItemsSpec, *, progress: Progress, timeout_s: float) -> None:
    """Make the item tables and the mark table of the main keyspace anew and fill them. On return replicas have
    every row, every vttablet knows the tables and every vtgate routes to them.

    `progress` is called with ("item rows seeded", done, in all). Raises ClusterError when a row is missing or vtctld
    refuses, WaitTimeout when `timeout_s` (for the whole) has passed, PlanError for a spec that means nothing.
    """
    if not 1 <= spec.tables <= MAX_TABLES or spec.rows < 0:
        raise PlanError(f"there are 1 to {MAX_TABLES} item tables of 0 or more rows, not {spec.tables} of {spec.rows}")
    async with vtctld_of(cluster) as vtctld:
        await _Seeding(cluster, spec, vtctld, progress, timeout_s).run()


class _Seeding:
    """One seeding; every step is bounded by what is left of the time."""

    def __init__(
        self, cluster: Cluster, spec: ItemsSpec, vtctld: VtctldClient, progress: Progress, timeout_s: float
    ) -> None:
        self._cluster = cluster
        self._spec = spec
        self._vtctld = vtctld
        self._progress = progress
        self._keyspace = cluster.spec.keyspace
        self._rows = seeded_rows(spec.rows, cluster.spec.shard_names)
        self._end_s = asyncio.get_running_loop().time() + timeout_s
        self._done = 0

    async def run(self) -> None:
        tablets = await self._step("tablets found", self._tablets())
        primaries = [tablet for tablet in tablets if tablet.primary]
        await self._step("item tables made", self._create(primaries))
        await self._vtctld.apply_vschema(self._keyspace, vschema(self._spec.names, also=self._cluster.spec.vschema))
        await self._step("item rows seeded", self._fill(primaries))
        await self._step(
            "replicas have the item rows", self._each(primaries, lambda one: self._replicated(one, tablets))
        )
        await self._step("vttablets know the item tables", self._each(tablets, self._known))
        await self._step("item rows counted", self._each(tablets, self._counted))
        await self._each(self._cluster.nodes(Role.VTGATE), self._routed)

    @property
    def _left_s(self) -> float:
        return max(0.001, self._end_s - asyncio.get_running_loop().time())

    async def _step(self, name: str, work: Awaitable[T]) -> T:
        return await wait.finish(name, work, timeout_s=self._left_s)

    async def _each(self, things: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
        """`work` on all of them, some at once; the first error ends it."""
        gate = asyncio.Semaphore(TABLETS_AT_ONCE)

        async def one(thing: T) -> None:
            async with gate:
                await work(thing)

        await wait.together(one(thing) for thing in things)

    async def _dba(self, alias: str, sql: str, *, binlogs: bool = False) -> list[dict[str, str]]:
        return await self._vtctld.execute_as_dba(alias, sql, timeout_s=self._left_s, binlogs=binlogs)

    # ------------------------------------------------ the tables

    async def _tablets(self) -> list[_Tablet]:
        found: list[_Tablet] = []
        for shard in self._cluster.spec.shard_names:
            primary = await self._vtctld.shard_primary(self._keyspace, shard)
            if not primary:
                raise ClusterError(f"{self._keyspace}/{shard} has no primary to seed item rows on")
            records = await self._vtctld.tablets(self._keyspace, shard)
            found += [_Tablet(alias=one.alias, shard=shard, primary=one.alias == primary) for one in records]
        return found

    async def _create(self, primaries: list[_Tablet]) -> None:
        old: set[str] = set()
        for primary in primaries:
            old |= {row["name"] for row in await self._dba(primary.alias, _OURS)}
        drop = [f"DROP TABLE IF EXISTS {', '.join(sorted(old))}"] if old else []
        make = [create_table(name) for name in self._spec.names]
        await self._vtctld.apply_schema(self._keyspace, [*drop, *make, create_mark_table()], timeout_s=self._left_s)

    # ------------------------------------------------ the rows

    async def _fill(self, primaries: list[_Tablet]) -> None:
        """All shards in parallel, but only some INSERTs at once; one at a time in a shard, where a second one
        would wait for the first one's locks and log."""
        gate = asyncio.Semaphore(AT_ONCE)
        total = self._spec.rows * self._spec.tables
        self._progress("item rows seeded", 0, total)

        async def one(primary: _Tablet) -> None:
            for table, name in enumerate(self._spec.names):
                start = first_id(primary.shard, table)
                for done in range(0, self._rows[primary.shard], CHUNK_ROWS):
                    rows = min(CHUNK_ROWS, self._rows[primary.shard] - done)
                    async with gate:
                        await self._dba(primary.alias, _insert(name, start + done, rows), binlogs=True)
                    self._done += rows
                    self._progress("item rows seeded", self._done, total)

        await wait.together(one(primary) for primary in primaries)

    async def _replicated(self, primary: _Tablet, tablets: list[_Tablet]) -> None:
        (row,) = await self._dba(primary.alias, "SELECT @@global.gtid_executed AS gtids")
        gtids = row["gtids"].replace("\n", "")
        for replica in tablets:
            if replica.shard == primary.shard and not replica.primary:
                (row,) = await self._dba(
                    replica.alias, f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{gtids}', {self._left_s:.3f}) AS timed_out"
                )
                if row["timed_out"] != "0":
                    raise ClusterError(f"{replica.alias} has not replicated the item rows of {primary.alias}")

    async def _known(self, tablet: _Tablet) -> None:
        await self._vtctld.reload_schema(tablet.alias, timeout_s=self._left_s)

    async def _counted(self, tablet: _Tablet) -> None:
        counts = " UNION ALL ".join(
            f"SELECT '{name}' AS name, COUNT(*) AS number FROM {name}" for name in self._spec.names
        )
        for row in await self._dba(tablet.alias, counts):
            if row["number"] != str(self._rows[tablet.shard]):
                raise ClusterError(
                    f"{tablet.alias} has {row['number']} rows of {row['name']} after seeding,"
                    f" not {self._rows[tablet.shard]}"
                )

    # ------------------------------------------------ the way to them

    async def _routed(self, vtgate: Node) -> None:
        host, port = self._cluster.address(vtgate, "mysql")
        async with admin_session(host, port, user="vtchaos", password="vtchaos", database=self._keyspace) as session:

            async def routes() -> _Unanswered:
                return _Unanswered(await self._missing(session))

            await wait.until(f"{vtgate.name} routes to the item tables", routes, timeout_s=self._left_s)

    async def _missing(self, session: AdminSession) -> str:
        """What a vtgate does not find by vindex: the first seeded row of every table, in every shard for the first
        table and in one shard for each other; empty when nothing is missing."""
        shards = self._cluster.spec.shard_names
        for table, name in enumerate(self._spec.names):
            for shard in shards if table == 0 else (shards[table % len(shards)],):
                item = first_id(shard, table) + 1
                rows = ((item, 1),) if self._rows[shard] else ()
                answer = await session.query(
                    f"SELECT id, version FROM {name} WHERE id = {item}", timeout_s=self._wait_s
                )
                if answer.rows != rows or not answer.ok:
                    return f"row {item} of {name} in {shard}: {answer.message or answer.rows}"
        answer = await session.query(f"SELECT id, value FROM {MARK_TABLE} WHERE id = 1", timeout_s=self._wait_s)
        return answer.message

    @property
    def _wait_s(self) -> float:
        return min(QUERY_TIMEOUT_S, self._left_s)


class _Unanswered:
    """What is missing, as a condition of a wait: true when nothing is."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __bool__(self) -> bool:
        return not self._what

    def __repr__(self) -> str:
        return self._what


def _insert(table: str, after: int, rows: int) -> str:
    """An INSERT of `rows` rows whose ids follow `after`: version 1, no transaction."""
    return (
        f"INSERT /*+ SET_VAR(cte_max_recursion_depth={rows + 1}) */ INTO {table} (id, version, txn, pad)"
        f" WITH RECURSIVE seeded (id) AS (SELECT CAST({after + 1} AS UNSIGNED)"
        f" UNION ALL SELECT id + 1 FROM seeded WHERE id < {after + rows})"
        f" SELECT id, 1, 0, {pad_sql('id', '1')} FROM seeded"
    )
