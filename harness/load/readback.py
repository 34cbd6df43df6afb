"""The ledger after the run: every row of every shard's primary, as `rows-<shard>.bin`.

Read through a vtgate with the shard as the target (`ks/-80@primary`) and the OLAP workload, which
streams and knows no row limit (go/vt/vtgate, workload = olap). A file appears only when its shard was
read to the end: half a ledger would look like lost writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np

from harness.base.rundir import RunDir
from harness.load.config import Target
from harness.model import ROW_DTYPE
from harness.mysql.session import Answer, admin_session

AT_ONCE = 4  # threads that unpack rows share one interpreter anyway
_SELECT = "SELECT id, value FROM ledger"

Progress = Callable[[str, int | None, int | None], None]


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
    prepare: Sequence[str] = ("SET workload = 'olap'",),
) -> dict[str, str]:
    """Read all shards within `timeout_s`. Returns the shards that could not be read, with the reason.

    `progress` is called with ("ledger rows read", shards done, shards in all). `name_of` and `prepare` are for
    endpoints that are no vtgate.
    """
    gate = asyncio.Semaphore(AT_ONCE)
    end_s = asyncio.get_running_loop().time() + timeout_s
    failed: dict[str, str] = {}
    done = 0

    async def one(shard: str) -> None:
        nonlocal done
        async with gate:
            left_s = end_s - asyncio.get_running_loop().time()
            why = f"no time left of {timeout_s:g} s"
            if left_s > 0:
                why = await _read_shard(target, name_of(keyspace, shard), prepare, run, shard, left_s)
        if why:
            failed[shard] = why
        done += 1
        if progress is not None:
            progress("ledger rows read", done, len(shards))

    async with asyncio.TaskGroup() as group:
        for shard in shards:
            group.create_task(one(shard))
    return failed


async def _read_shard(
    target: Target, database: str, prepare: Sequence[str], run: RunDir, shard: str, timeout_s: float
) -> str:
    """Why the shard could not be read; empty when its file is written."""
    path = run.rows(shard)
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
            async for answer in session.stream(_SELECT, timeout_s=left_s):
                if not answer.ok:
                    return f"{_SELECT}: {_trouble(answer)}"
                out.write(np.array(list(answer.rows), dtype=ROW_DTYPE).tobytes())
    part.replace(path)
    return ""


def _trouble(answer: Answer) -> str:
    return f"errno {answer.errno}: {answer.message}"
