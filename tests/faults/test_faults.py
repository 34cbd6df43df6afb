"""Goal: every fault takes effect, shows independent evidence of it, spares those it was not aimed at, and is gone when
its block is left; and the evidence is not there when nothing was injected, or it would prove nothing.

Method: each row of the table against a real cluster of each backend.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base import wait
from harness.contracts import Stage
from harness.faults.mysql import PurgedBinlogs
from harness.faults.reparent import HeldTransaction, LaggingReplicas, PlannedReparent
from harness.vitess.vtctld import VtctldError, vtctld_of
from tests.faults.rows import ROWS
from tests.faults.rows.row import clients_are_served
from tests.unit.run_fakes import spans, steps

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="session")]

REPLICATES_WITHIN_S = 30.0


@pytest.mark.parametrize("fault", ROWS)
async def test_smoke(fault: str, stage: Stage, tmp_path: Path) -> None:
    row = ROWS[fault]
    async with stage.inject(row.fault) as aim:
        await row.bystander(stage.cluster, aim)
    (span,) = spans(tmp_path / "run")
    assert row.says in span.error if row.says else span.error == ""
    assert span.observed, "no evidence that it took effect"
    assert span.intent_ns <= span.begin_ns
    assert bool(row.says) or span.begin_ns <= span.active_ns
    assert bool(span.healed_ns) is (bool(span.undo) or not row.fault.one_shot)
    if not row.fault.one_shot:
        assert not await row.fault.observed(stage, aim), "still in force after it was healed"
    await clients_are_served(stage.cluster, aim)


@pytest.mark.parametrize("fault", ROWS)
async def test_no_op(fault: str, stage: Stage, tmp_path: Path) -> None:
    """The evidence without the fault."""
    aim = await ROWS[fault].fault.aim(stage)
    assert not await ROWS[fault].fault.observed(stage, aim)
    assert steps(tmp_path / "run") == []


# ---------------------------------------------------------------- of single faults


@pytest.mark.parametrize("fault", ["PlannedReparent"])
async def test_the_named_tablet_is_promoted(fault: str, stage: Stage, tmp_path: Path) -> None:
    vtctld = await stage.shared(vtctld_of)
    replica = next(tablet.alias for tablet in await vtctld.tablets("ks", "0") if tablet.type == "replica")
    async with stage.inject(PlannedReparent(shard="0", new_primary=replica)):
        pass
    (span,) = spans(tmp_path / "run")
    assert span.details["promoted"] == replica
    assert await vtctld.shard_primary("ks", "0") == replica


@pytest.mark.parametrize("fault", ["PlannedReparent"])
async def test_a_reparent_that_vtctld_refuses_is_recorded_and_not_raised(
    fault: str, stage: Stage, tmp_path: Path
) -> None:
    async with stage.inject(PlannedReparent(shard="0", new_primary="zone1-0000000999")):
        pass
    (span,) = spans(tmp_path / "run")
    assert "PlannedReparentShard" in span.error
    assert not span.observed
    assert not span.active_ns


@pytest.mark.parametrize("fault", ["PlannedReparent"])
async def test_a_reparent_of_no_shard(fault: str, stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(VtctldError, match="node doesn't exist"):
        async with stage.inject(PlannedReparent(shard="nope")):
            raise AssertionError("the block is not entered")
    assert steps(tmp_path / "run") == []


@pytest.mark.parametrize("fault", ["LaggingReplicas"])
async def test_a_replica_that_was_promoted_while_it_lagged_can_be_demoted_again(
    fault: str, stage: Stage, tmp_path: Path
) -> None:
    """Healing must not touch the new primary: CHANGE REPLICATION SOURCE there made the next reparent fail."""
    there = PlannedReparent(shard="0", wait_replicas_timeout_s=30)
    async with stage.inject(LaggingReplicas(shard="0", delay_s=2)) as lagging, stage.inject(there):
        pass
    async with stage.inject(PlannedReparent(shard="0")) as back:
        pass
    assert [span.error for span in spans(tmp_path / "run")] == ["", "", ""]
    assert back.details["was_primary"] in lagging.targets
    vtctld = await stage.shared(vtctld_of)

    async def replicating() -> list[dict[str, str]]:
        return await vtctld.execute_as_dba(lagging.targets[0], "SHOW REPLICA STATUS")

    (status,) = await wait.until("the demoted tablet replicates", replicating, timeout_s=REPLICATES_WITHIN_S)
    assert (status["SQL_Delay"], status["Replica_SQL_Running"], status["Last_Error"]) == ("0", "Yes", "")


@pytest.mark.parametrize("fault", ["HeldTransaction"])
async def test_a_transaction_that_a_reparent_has_killed_is_healed_too(fault: str, stage: Stage, tmp_path: Path) -> None:
    async with stage.inject(HeldTransaction(shard="0")), stage.inject(PlannedReparent(shard="0")):
        pass
    async with stage.inject(PlannedReparent(shard="0")) as back:
        await clients_are_served(stage.cluster, back)
    held, *reparents = spans(tmp_path / "run")
    assert held.observed
    assert held.healed_ns
    assert [span.error for span in reparents] == ["", ""]


@pytest.mark.parametrize("fault", ["PurgedBinlogs"])
async def test_binary_logs_are_purged_on_one_tablet_only(fault: str, stage: Stage, tmp_path: Path) -> None:
    vtctld = await stage.shared(vtctld_of)
    aliases = [tablet.alias for tablet in await vtctld.tablets("ks", "0")]

    async def purged() -> dict[str, str]:
        sql = "SELECT @@global.gtid_purged AS purged"
        return {alias: (await vtctld.execute_as_dba(alias, sql))[0]["purged"] for alias in aliases}

    await clients_are_served(stage.cluster, await ROWS["PurgedBinlogs"].fault.aim(stage))
    was = await purged()
    async with stage.inject(PurgedBinlogs(shard="0")) as aim:
        pass
    now = await purged()
    assert [alias for alias in aliases if now[alias] != was[alias]] == list(aim.targets)
    executed = [(await vtctld.execute_as_dba(a, "SELECT @@global.gtid_executed AS e"))[0]["e"] for a in aliases]
    assert executed[0] == executed[1], "an errant transaction"
