"""Goal: a MySQL server whose disk was full serves again as soon as it has room, whatever it was waiting in."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base import wait
from harness.contracts import Stage
from harness.faults.disk import FullDisk
from harness.faults.mysql_servers import ADMIN, REPLICAS, named, replica_status
from harness.model import Role
from harness.mysql.session import admin_session
from tests.faults.rows.row import clients_are_served
from tests.unit.run_fakes import spans

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="session")]

WAITS_WITHIN_S = 10.0
LOOKS_AGAIN_NS = 60_000_000_000  # MySQL's own next look (harness/faults/disk.py)
LONG_WRITE = f"CREATE DATABASE IF NOT EXISTS _vt /* {'x' * 2**20} */"


@pytest.mark.parametrize("fault", ["FullDisk"])
async def test_a_replica_that_waits_for_room_for_its_relay_log(fault: str, stage: Stage, tmp_path: Path) -> None:
    """Nobody gets at its replication meanwhile, for up to 60 s after there is room."""
    async with stage.inject(FullDisk(targets=REPLICAS)) as aim:
        (primary,) = [node for node in stage.cluster.nodes(Role.MYSQLD) if node.name not in aim.targets]
        async with admin_session(*stage.cluster.address(primary, "mysql"), user=ADMIN) as writing:
            await writing.query(LONG_WRITE, timeout_s=1)  # waits for the replica's acknowledgement
        replica = named(stage, aim.targets[0])

        async def waits() -> bool:
            return str((await replica_status(stage, replica))["Replica_IO_State"]) == "Waiting for disk space"

        await wait.until("the relay log waits for room", waits, timeout_s=WAITS_WITHIN_S)
        async with admin_session(*stage.cluster.address(replica, "mysql"), user=ADMIN) as stopping:
            await stopping.query("STOP REPLICA", timeout_s=1)  # as a reparent does; it hangs, with all who come after
    (span,) = spans(tmp_path / "run")
    assert (span.error, span.unrecovered, span.unhealthy) == ("", "", "")
    assert span.healed_ns - span.recover_ns < LOOKS_AGAIN_NS // 2, "it was left to look again by itself"
    assert (await replica_status(stage, replica))["Replica_IO_Running"] == "Yes"
    await clients_are_served(stage.cluster, aim)
