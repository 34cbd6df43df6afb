"""An empty ledger at the start of a run on a kept cluster: rows of an earlier run would be phantoms."""

from __future__ import annotations

from harness.load.config import Target
from harness.mysql.session import admin_session

EMPTY_WITHIN_S = 60.0


async def empty_ledger(target: Target, *, keyspace: str) -> None:
    """TRUNCATE on every shard. Raises ClusterError when vtgate refuses."""
    async with admin_session(
        target.host, target.port, user=target.user, password=target.password, database=keyspace
    ) as session:
        answer = await session.query("TRUNCATE TABLE ledger", timeout_s=EMPTY_WITHIN_S)
        answer.require("emptying the ledger of the kept cluster")
