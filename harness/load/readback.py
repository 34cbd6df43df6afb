"""Tables after the run: every row of every shard's primary, each shard in a file of its own.

Read through a vtgate with the shard as the target (`ks/-80@primary`) and the OLAP workload, which
streams and knows no row limit (go/vt/vtgate, workload = olap). A file appears only when its shard was
read to the end: half a table would look like lost writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.base.rundir import RunDir
from harness.load.config import Target
from harness.model import ROW_DTYPE
from harness.mysql.session import Answer, admin_session

AT_ONCE = 4  # threads that unpack rows share one interpreter anyway
OLAP = ("SET workload = 'olap'",)
_SELECT = "SELECT id, value FROM ledger"

Progress = Callable[[str, int | None, int | None], None]
Reading = Callable[[float], Awaitable[str]]  # within so many seconds; returns why it failed, "" = done
Pack = Callable[[Sequence[tuple[Any, ...]]], bytes]  # some rows as the file has them


class Unreadable(ValueError):
    """Rows that are not what was asked for."""


def shard_target(keyspace: str, shard: str) -> str:
    """The database name under which vtgate sends everything to one shard's primary."""
    return f"{keyspace}/{shard}@primary"


async def read_ledger(
    target: Target,
    *,
    keyspace: str,
    shards: Sequence[str],
    run: RunDir,
    timeout_s: float,
    progress: Progress | None = None,
    name_of: Callable[[str, str], str] = shard_target,
    prepare: Sequence[str] = OLAP,
) -> dict[str, str]:
    """Read the ledger rows of all shards within `timeout_s`, into `rows-<shard>.bin`. Returns the shards that
    could not be read, with the reason.

    `progress` is called with ("ledger rows read", shards done, shards in all). `name_of` and `prepare` are for
    endpoints that are no vtgate.
    """

    def reading(shard: str) -> Reading:
        path, database = run.rows(shard), name_of(keyspace, shard)
        return lambda left_s: read_into(
            path, target, database, _SELECT, _ledger_rows, timeout_s=left_s, prepare=prepare
        )

    readings = {shard: reading(shard) for shard in shards}
    return await all_within("ledger rows read", readings, timeout_s=timeout_s, progress=progress)


def _ledger_rows(rows: Sequence[tuple[Any, ...]]) -> bytes:
    return np.array(list(rows), dtype=ROW_DTYPE).tobytes()


async def all_within(
    what: str, readings: Mapping[str, Reading], *, timeout_s: float, progress: Progress | None
) -> dict[str, str]:
    """Do all readings within `timeout_s`, some at once. Returns those that failed, with the reason; `progress` is
    called with (`what`, done, in all)."""
    gate = asyncio.Semaphore(AT_ONCE)
    now_s = asyncio.get_running_loop().time
    end_s = now_s() + timeout_s
    failed: dict[str, str] = {}
    done = 0

    async def one(name: str, reading: Reading) -> None:
        nonlocal done
        async with gate:
            left_s = end_s - now_s()
            why = await reading(left_s) if left_s > 0 else f"no time left of {timeout_s:g} s"
        if why:
            failed[name] = why
        done += 1
        if progress is not None:
            progress(what, done, len(readings))

    async with asyncio.TaskGroup() as group:
        for name, reading in readings.items():
            group.create_task(one(name, reading))
    return failed


async def read_into(
    path: Path,
    target: Target,
    database: str,
    select: str,
    pack: Pack,
    *,
    timeout_s: float,
    prepare: Sequence[str] = OLAP,
    size: int = 10_000,
) -> str:
    """Stream what `select` finds into a file, `size` rows at a time. Returns why it could not be read; empty when
    the file is written. `pack` raises Unreadable for rows that are not what was asked for."""
    part = path.with_name(path.name + ".part")
    end_s = asyncio.get_running_loop().time() + timeout_s
    async with admin_session(
        target.host, target.port, user=target.user, password=target.password, database=database
    ) as session:
        for statement in prepare:
            answer = await session.query(statement, timeout_s=timeout_s)
            if not answer.ok:
                return f"{statement}: {_trouble(answer)}"
        left_s = max(0.001, end_s - asyncio.get_running_loop().time())
        with part.open("wb") as out:
            async for answer in session.stream(select, timeout_s=left_s, size=size):
                if not answer.ok:
                    return f"{select}: {_trouble(answer)}"
                try:
                    out.write(pack(answer.rows))
                except Unreadable as error:
                    return f"{select}: {error}"
    part.replace(path)
    return ""


def _trouble(answer: Answer) -> str:
    return f"errno {answer.errno}: {answer.message}"
