"""Goal: what is done to a tablet's MySQL is taken back, also when Vitess has reparented the shard meanwhile; nothing of
it is done to a tablet that has become something else.

Method: single faults with a reparent inside them, on the shared cluster of every backend.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base import wait
from harness.contracts import Stage
from harness.faults.mysql import ReadOnlyPrimary
from harness.faults.mysql_replication import ErrantTransaction, SemiSyncWithoutAck, StoppedReplication
from harness.faults.mysql_servers import ask, named, replica_status
from harness.faults.mysql_sessions import HeldMetadataLock
from harness.faults.reparent import PlannedReparent
from harness.model import Role
from tests.faults.rows.row import clients_are_served, clients_are_served_soon
from tests.unit.run_fakes import spans

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="session")]

REPLICATES_WITHIN_S = 30.0
STATE = "SELECT @@GLOBAL.read_only AS plain, @@GLOBAL.super_read_only AS super"


def all_is_well(folder: Path) -> None:
    for span in spans(folder / "run"):
        assert (span.error, span.unrecovered, span.unhealthy) == ("", "", ""), span.fault
        assert span.observed, span.fault


@pytest.mark.parametrize("fault", ["ReadOnlyPrimary"])
async def test_a_read_only_primary_that_was_reparented_stays_read_only(
    fault: str, stage: Stage, tmp_path: Path
) -> None:
    async with stage.inject(ReadOnlyPrimary()) as aim, stage.inject(PlannedReparent(shard="0")):
        pass
    all_is_well(tmp_path)
    server = named(stage, aim.targets[0])
    assert await ask(stage, server, STATE) == [{"plain": 1, "super": 1}]
    assert await replica_status(stage, server)
    await clients_are_served(stage.cluster, aim)


@pytest.mark.parametrize("fault", ["StoppedReplication"])
@pytest.mark.parametrize("thread", ["", "io", "sql"])
async def test_a_stopped_replica_is_promoted_and_never_replicates_again(
    fault: str, thread: str, stage: Stage, tmp_path: Path
) -> None:
    """PlannedReparentShard starts the replication of its candidate itself."""
    async with stage.inject(StoppedReplication(thread=thread)) as aim, stage.inject(PlannedReparent(shard="0")):
        pass
    all_is_well(tmp_path)
    assert not await replica_status(stage, named(stage, aim.targets[0]))
    await clients_are_served_soon(stage.cluster, aim)


@pytest.mark.parametrize("fault", ["SemiSyncWithoutAck"])
async def test_replicas_that_receive_and_say_nothing(fault: str, stage: Stage, tmp_path: Path) -> None:
    async with stage.inject(SemiSyncWithoutAck(receiving=True)) as aim:
        for name in aim.targets:
            assert (await replica_status(stage, named(stage, name)))["Replica_IO_Running"] == "Yes"
    all_is_well(tmp_path)
    await clients_are_served(stage.cluster, aim)


@pytest.mark.parametrize("fault", ["ErrantTransaction"])
async def test_after_an_errant_transaction_all_have_executed_the_same(fault: str, stage: Stage, tmp_path: Path) -> None:
    async with stage.inject(ErrantTransaction()) as aim:
        pass
    all_is_well(tmp_path)

    async def the_same() -> bool:
        sets = [
            await ask(stage, node, "SELECT @@GLOBAL.gtid_executed AS executed")
            for node in stage.cluster.nodes(Role.MYSQLD)
        ]
        return all(each == sets[0] for each in sets)

    await wait.until("all have executed the same", the_same, timeout_s=REPLICATES_WITHIN_S)
    assert await ask(stage, named(stage, aim.targets[0]), STATE) == [{"plain": 1, "super": 1}]
    async with stage.inject(PlannedReparent(shard="0")):
        await clients_are_served_soon(stage.cluster, aim)


@pytest.mark.parametrize("fault", ["HeldMetadataLock"])
async def test_a_lock_is_let_go_when_the_block_fails(fault: str, stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ours"):
        async with stage.inject(HeldMetadataLock()) as aim:
            raise RuntimeError("ours")
    assert not await HeldMetadataLock().observed(stage, aim)
    await clients_are_served(stage.cluster, aim)
