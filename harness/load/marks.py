"""The last write of a run in every shard: a stream that has seen it has seen everything before it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from harness.items import MARK_TABLE
from harness.load.config import Target
from harness.load.readback import shard_target
from harness.mysql.session import admin_session


async def write_marks(target: Target, *, keyspace: str, shards: Sequence[str], number: int, timeout_s: float) -> None:
    """Write `number` into one row of the mark table in every shard: the shard's place in `shards`, from 1, is its id.

    Straight to each shard's primary, not by vindex. Raises ClusterError when one is not written within `timeout_s`
    in all.
    """
    now_s = asyncio.get_running_loop().time
    end_s = now_s() + timeout_s
    for place, shard in enumerate(shards, start=1):
        async with admin_session(
            target.host,
            target.port,
            user=target.user,
            password=target.password,
            database=shard_target(keyspace, shard),
        ) as session:
            insert = f"INSERT INTO {MARK_TABLE} (id, value) VALUES ({place}, {number})"
            answer = await session.query(
                f"{insert} ON DUPLICATE KEY UPDATE value = {number}", timeout_s=max(0.001, end_s - now_s())
            )
            answer.require(f"the mark of {keyspace}/{shard} through {target.vtgate}")
