"""A bounded session for administration and verification: one statement at a time, errors as values.

mysql-connector-python's blocking flavour in a thread of its own. Its asyncio flavour was seen handing
the previous query's rows to the next query after a cancellation; here a query that failed, timed out
or was cancelled takes its connection with it, and the next query makes a new one. No TLS
(`ssl_disabled`: without it the driver fails against a server that has none), no retries.

The load does not come this way: see harness.mysql.wire.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import mysql.connector

from harness.base.errors import ClusterError
from harness.mysql.outcome import CR_CLIENT_TIMEOUT, CR_CONN_HOST_ERROR

T = TypeVar("T")
CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said: rows, or the error it gave instead."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    affected: int = 0
    errno: int = 0
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.errno == 0

    def require(self, what: str) -> Answer:
        """This answer. Raises ClusterError that names `what` if it is an error."""
        if not self.ok:
            raise ClusterError(f"{what}: errno {self.errno}: {self.message}")
        return self


class Session(Protocol):
    """Statements one after the other."""

    async def query(self, statement: str, *, timeout_s: float) -> Answer: ...
    def stream(self, statement: str, *, timeout_s: float, size: int = 10_000) -> AsyncIterator[Answer]: ...
    async def close(self) -> None: ...


class AdminSession:
    """A Session on mysql-connector-python. It connects at the first query."""

    def __init__(self, host: str, port: int, *, user: str = "root", password: str = "", database: str = "") -> None:
        self._where: dict[str, Any] = {"host": host, "port": port, "user": user, "password": password}
        if database:
            self._where["database"] = database
        self._connection: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"mysql-{port}")

    async def query(self, statement: str, *, timeout_s: float) -> Answer:
        """The answer to one statement; an error of the server, the connection or our patience is an Answer too."""

        def work() -> Answer:
            cursor = self._cursor(timeout_s)
            cursor.execute(statement)
            rows = tuple(cursor.fetchall()) if cursor.description else ()
            answer = Answer(columns=_names(cursor), rows=rows, affected=max(0, cursor.rowcount))
            cursor.close()
            return answer

        return await self._bounded(work, timeout_s)

    async def stream(self, statement: str, *, timeout_s: float, size: int = 10_000) -> AsyncIterator[Answer]:
        """The rows in pieces of `size`, never all in memory; the bound is for the whole. Ends after the first
        piece that is an error. An abandoned stream takes its connection with it."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        cursor: Any = None

        def begin() -> Answer:
            nonlocal cursor
            cursor = self._cursor(timeout_s)
            cursor.execute(statement)
            return Answer()

        def piece() -> Answer:
            return Answer(columns=_names(cursor), rows=tuple(cursor.fetchmany(size)))

        complete = False
        try:
            answer = await self._bounded(begin, timeout_s)
            begun = answer.ok
            while answer.ok:
                answer = await self._bounded(piece, max(0.001, end_s - loop.time()))
                complete = answer.ok and not answer.rows
                if complete:
                    return
                yield answer
            if not begun:
                yield answer
        finally:
            if not complete:
                self._discard()

    async def close(self) -> None:
        """Close the connection; a statement that is still out is cut off."""
        self._discard()
        await asyncio.to_thread(self._thread.shutdown)

    # ------------------------------------------------ in the session's thread

    def _cursor(self, timeout_s: float) -> Any:
        if self._connection is None:
            self._connection = mysql.connector.connect(
                **self._where,
                ssl_disabled=True,
                use_pure=True,
                autocommit=True,  # the library switches it off otherwise
                connection_timeout=CONNECT_TIMEOUT_S,
            )
        return self._connection.cursor(read_timeout=math.ceil(timeout_s), write_timeout=math.ceil(timeout_s))

    # ------------------------------------------------ in the loop

    async def _bounded(self, work: Callable[[], Answer], timeout_s: float) -> Answer:
        """Run `work` in our thread. What does not end well ends the connection, and with it the thread's wait."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(future)
        except TimeoutError:
            await self._cut(future)
            return Answer(errno=CR_CLIENT_TIMEOUT, message=f"client timeout: no answer within {timeout_s:g} s")
        except mysql.connector.Error as error:
            self._discard()
            return Answer(errno=error.errno if error.errno > 0 else CR_CONN_HOST_ERROR, message=error.msg or str(error))
        except OSError as error:
            self._discard()
            return Answer(errno=CR_CONN_HOST_ERROR, message=str(error))
        except asyncio.CancelledError:
            await self._cut(future)
            raise

    async def _cut(self, future: asyncio.Future[Answer]) -> None:
        self._discard()
        await asyncio.wait([future], timeout=CONNECT_TIMEOUT_S)
        if future.done() and not future.cancelled():
            future.exception()  # seen: it is only the echo of our cut
        self._discard()  # the thread may have connected meanwhile

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(mysql.connector.Error, OSError, AttributeError):  # it may be closing itself just now
                connection.shutdown()


def _names(cursor: Any) -> tuple[str, ...]:
    return tuple(str(column[0]) for column in cursor.description or ())


@asynccontextmanager
async def admin_session(
    host: str, port: int, *, user: str = "root", password: str = "", database: str = ""
) -> AsyncIterator[AdminSession]:
    """An AdminSession for the length of a block."""
    session = AdminSession(host, port, user=user, password=password, database=database)
    try:
        yield session
    finally:
        await session.close()
