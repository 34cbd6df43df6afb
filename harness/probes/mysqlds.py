"""What every MySQL server says of itself: writable or not, how far it is, from whom it replicates.

A vttablet does not tell: it calls itself a serving primary while its server is still read-only, or again
(vitessio/vitess#20160). Asked of the servers directly, over one connection each that is kept; only when it breaks is a
new one made. Two short statements of the load generator's own protocol client: a driver's session is a thread for each
server and several times the CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError, WaitTimeout
from harness.base.rundir import RunDir
from harness.contracts import Cluster, Stage
from harness.facts import gtid
from harness.model import Node, Role, Scalar
from harness.mysql.wire import Row, Wire, lenenc
from harness.probes.samples import SampleLog

PERIOD_S = 1.0
MOST_PER_S = 32.0  # servers a second, all together: 64 of them are asked every two seconds
ANSWER_WITHIN_S = 2.0
USER = "vtchaos"  # clusters/common/init_db.sql; a replica's status needs REPLICATION CLIENT
LONGEST_TEXT = 200

OWN = b"SELECT @@global.super_read_only, @@global.read_only, @@global.server_uuid, @@global.gtid_executed"
REPLICA = b"SHOW REPLICA STATUS"
# Columns of SHOW REPLICA STATUS, in the order of MySQL 8.0.22 to 9.7 (sql/rpl_replica.cc)
_SOURCE_HOST, _SOURCE_PORT, _IO_RUNNING, _SQL_RUNNING, _BEHIND_S, _IO_ERRNO, _SQL_ERRNO = 1, 3, 10, 11, 32, 34, 36


class Unanswered(Exception):
    """The server refused, or its connection broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqldProbe:
    """Samples every MySQL server into a file of its own, evenly spread over the period."""

    name: str = "mysqld"
    period_s: float = PERIOD_S

    async def run(self, stage: Stage, folder: Path) -> None:
        nodes = stage.cluster.nodes(Role.MYSQLD)
        period_ns = int(max(self.period_s, len(nodes) / MOST_PER_S) * 1e9)
        began_ns = now_ns()
        async with asyncio.TaskGroup() as group:
            for index, node in enumerate(nodes):
                log = SampleLog(RunDir(folder).samples(node.name))
                first_ns = began_ns + period_ns * index // len(nodes)
                group.create_task(_follow(_Server(stage.cluster, node), log, first_ns, period_ns))


async def _follow(server: _Server, log: SampleLog, next_ns: int, period_ns: int) -> None:
    with contextlib.closing(log), contextlib.closing(server):
        while True:
            await wait.hold_until(next_ns)
            began_ns = now_ns()
            try:
                log.add(await server.look(), began_ns=began_ns)
            except (Unanswered, WaitTimeout, ClusterError, ValueError, OSError) as error:
                server.close()
                log.failed(f"{type(error).__name__}: {error}"[:LONGEST_TEXT], began_ns=began_ns)
            next_ns = max(next_ns + period_ns, now_ns())


class _Server:
    """One server, and the connection to it while there is one."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self._cluster = cluster
        self._node = node
        self._connection: _Connection | None = None

    async def look(self) -> dict[str, Scalar]:
        """Raises Unanswered, WaitTimeout, ClusterError, and ValueError for an answer that is none."""
        return await wait.finish(f"{self._node.name} answers", self._look(), timeout_s=ANSWER_WITHIN_S)

    async def _look(self) -> dict[str, Scalar]:
        if self._connection is None:
            self._connection = _Connection(*self._cluster.address(self._node, "mysql"))
            await self._connection.ready()
        values = of_itself(await self._connection.rows(OWN))
        values.update(of_replica(await self._connection.rows(REPLICA)))
        return values

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Connection:
    """One statement at a time, its answer as a future."""

    def __init__(self, host: str, port: int) -> None:
        self._answer: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._wire = Wire(self, user=USER)
        self._wire.dial(host, port)

    async def ready(self) -> None:
        await self._answer

    async def rows(self, statement: bytes) -> list[Row]:
        self._answer = asyncio.get_running_loop().create_future()
        self._wire.query(statement)
        return await self._answer

    def close(self) -> None:
        self._wire.discard()

    def wire_ready(self) -> None:
        self._settle([])

    def wire_ok(self) -> None:
        self._settle([])

    def wire_rows(self, rows: list[Row]) -> None:
        self._settle(rows)

    def wire_error(self, errno: int, message: str) -> None:
        self.wire_lost(errno, message)

    def wire_lost(self, errno: int, message: str) -> None:
        if not self._answer.done():
            self._answer.set_exception(Unanswered(f"errno {errno}: {message}"))

    def _settle(self, rows: list[Row]) -> None:
        if not self._answer.done():
            self._answer.set_result(rows)


def of_itself(rows: Sequence[Row]) -> dict[str, Scalar]:
    """`transactions` counts all that it has executed, `own` those that it was the first to execute."""
    super_read_only, read_only, uuid, executed = values(rows[0])
    sets = gtid.parse(executed.replace("\n", "")).intervals
    sizes = {source: sum(last - first + 1 for first, last in intervals) for source, intervals in sets.items()}
    return {
        "super_read_only": int(super_read_only),
        "read_only": int(read_only),
        "transactions": sum(sizes.values()),
        "own": sum(size for source, size in sizes.items() if source.partition(":")[0] == uuid.lower()),
    }


def of_replica(rows: Sequence[Row]) -> dict[str, Scalar]:
    """Empty texts and -1 for a server that replicates from nobody, or does not know how far it is behind."""
    if not rows:
        return {"source": "", "io_running": "", "sql_running": "", "behind_s": -1, "io_errno": 0, "sql_errno": 0}
    row = values(rows[0])
    return {
        "source": f"{row[_SOURCE_HOST]}:{row[_SOURCE_PORT]}",
        "io_running": row[_IO_RUNNING],
        "sql_running": row[_SQL_RUNNING],
        "behind_s": int(row[_BEHIND_S] or -1),
        "io_errno": int(row[_IO_ERRNO] or 0),
        "sql_errno": int(row[_SQL_ERRNO] or 0),
    }


def values(row: Row) -> list[str]:
    """The columns of a row of the text protocol; NULL is empty."""
    found, at = [], 0
    while at < len(row):
        size, at = lenenc(row, at)
        found.append(row[at : at + max(size, 0)].decode(errors="replace"))
        at += max(size, 0)
    return found
