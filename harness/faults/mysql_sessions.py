"""Sessions that sit on a tablet's MySQL: a metadata lock that is held, connections that are used up.

Our own process holds them, so they end with it, whatever becomes of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from harness.base import wait
from harness.base.errors import ClusterError
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults.missing import Missing
from harness.faults.mysql_servers import (
    PRIMARIES,
    STATEMENT_WITHIN_S,
    ask,
    named,
    servers,
    session_with,
    told,
)
from harness.faults.targets import Targets
from harness.faults.traits import Traits
from harness.model import Node
from harness.mysql.wire import Row, Wire

LOCK_WAIT_TIMEOUT = 1205
TOO_MANY_CONNECTIONS = 1040
PLAIN_USER = "vt_repl"  # may connect from everywhere, and has no right to the connection beyond max_connections
MOST_SESSIONS = 5000
LOOK_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMetadataLock(Traits):
    """A session straight on a server holds LOCK TABLES … WRITE of one table, as a long ALTER holds its metadata lock
    in the end.

    Whoever uses the table waits; and so does SET GLOBAL super_read_only, with which DemotePrimary begins: it waits for
    every session that holds such a lock (sql/sys_vars.cc, fix_super_read_only, MySQL 9.7), on whatever table.
    """

    targets: Targets = PRIMARIES
    table: str = "ledger"

    async def aim(self, stage: Stage) -> Aim:
        nodes = await servers(stage, self.targets)
        return Aim(targets=tuple(node.name for node in nodes), details={"table": self.table})

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        async with AsyncExitStack() as sessions:
            for name in aim.targets:
                server = named(stage, name)
                session = await sessions.enter_async_context(session_with(stage, server))
                await told(session, server, f"LOCK TABLES {self.table} WRITE")
            span.active()
            yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Another session's read of the table waits for the lock until MySQL says so."""
        return all([await self._locked(stage, named(stage, name)) for name in aim.targets])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """MySQL ends the session of a connection that was closed when it notices."""
        locked = [name for name in aim.targets if await self._locked(stage, named(stage, name))]
        return Missing(*(f"{self.table} of {name} is locked" for name in locked))

    async def _locked(self, stage: Stage, server: Node) -> bool:
        async with session_with(stage, server) as session:
            await told(session, server, "SET SESSION lock_wait_timeout = 1")
            answer = await session.query(f"SELECT 1 FROM {self.table} LIMIT 1", timeout_s=STATEMENT_WITHIN_S)
        if answer.errno == LOCK_WAIT_TIMEOUT:
            return True
        answer.require(f"reading {self.table} of {server.name}")
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustedConnections(Traits):
    """Sessions of somebody else take every connection of a server, up to max_connections.

    vttablet keeps those that its pools have open; what it opens meanwhile is refused with errno 1040, but for one:
    MySQL leaves a single connection to users with CONNECTION_ADMIN, and vt_dba is such a user. A connection that
    vttablet gives back meanwhile is not taken.
    """

    targets: Targets = PRIMARIES

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: a server has more connections than we would take."""
        nodes = await servers(stage, self.targets)
        details: dict[str, int] = {}
        for node in nodes:
            (row,) = await ask(stage, node, "SELECT @@GLOBAL.max_connections AS most")
            details[f"max_connections of {node.name}"] = int(row["most"])
            if int(row["most"]) > MOST_SESSIONS:
                raise ClusterError(f"{node.name} allows {row['most']} connections; we take {MOST_SESSIONS} at most")
        return Aim(
            targets=tuple(node.name for node in nodes),
            details=details,
            claims=frozenset(f"connections of {node.name}" for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        async with AsyncExitStack() as guests:
            for name in aim.targets:
                taken = await _taken(stage, named(stage, name), guests)
                span.detail(**{f"taken of {name}": taken})
            span.active()
            yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """A session more is refused with errno 1040."""
        return all([await _refused(stage, named(stage, name)) for name in aim.targets])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        full = [name for name in aim.targets if await _refused(stage, named(stage, name))]
        return Missing(*(f"{name} has no connection left" for name in full))


FAULTS: tuple[type[Fault], ...] = (HeldMetadataLock, ExhaustedConnections)


# ---------------------------------------------------------------- guests


class Guest:
    """One idle connection of a plain user: a socket, no thread."""

    def __init__(self, host: str, port: int) -> None:
        self._settled: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._why = ""
        self._wire = Wire(self, user=PLAIN_USER)
        self._wire.dial(host, port)

    async def errno(self) -> int:
        """0 = let in; what the server refused it with."""
        return await asyncio.shield(self._settled)

    @property
    def why(self) -> str:
        return self._why

    def leave(self) -> None:
        self._wire.quit()

    def wire_ready(self) -> None:
        self._tell(0, "")

    def wire_ok(self) -> None: ...

    def wire_rows(self, rows: list[Row]) -> None: ...

    def wire_error(self, errno: int, message: str) -> None:
        self._tell(errno, message)

    def wire_lost(self, errno: int, message: str) -> None:
        self._tell(errno, message)

    def _tell(self, errno: int, why: str) -> None:
        if not self._settled.done():
            self._why = why
            self._settled.set_result(errno)


async def _arrive(ground: Ground, server: Node) -> tuple[Guest, int]:
    """A guest, and what it was refused with. Raises ClusterError: the server cannot be reached at all."""
    guest = Guest(*ground.cluster.address(server, "mysql"))
    try:
        errno = await wait.finish(f"{server.name} answers a guest", guest.errno(), timeout_s=LOOK_WITHIN_S)
    except BaseException:
        guest.leave()
        raise
    if errno not in (0, TOO_MANY_CONNECTIONS):
        raise ClusterError(f"{server.name} does not let a guest in: errno {errno}: {guest.why}")
    return guest, errno


async def _taken(stage: Stage, server: Node, guests: AsyncExitStack) -> int:
    """How many guests the server let in before it refused one. Raises ClusterError."""
    for number in range(MOST_SESSIONS):
        guest, errno = await _arrive(stage, server)
        if errno == TOO_MANY_CONNECTIONS:
            return number
        guests.callback(guest.leave)
    raise ClusterError(f"{server.name} let {MOST_SESSIONS} guests in and refused none")


async def _refused(stage: Stage, server: Node) -> bool:
    guest, errno = await _arrive(stage, server)
    guest.leave()
    return errno == TOO_MANY_CONNECTIONS
