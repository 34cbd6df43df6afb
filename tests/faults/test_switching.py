"""Goal: a MoveTables traffic switch shows its evidence in both directions, and none without it; its clients are served.

Method: a cluster of its own, because the target is a second keyspace.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters import BACKENDS
from experiments.switching import CLUSTER, MOVE
from harness.contracts import Stage
from harness.faults.switching import SwitchedTraffic
from harness.model import Placement
from harness.vitess import workflows
from harness.vitess.vtctld import vtctld_of
from tests.faults.rows.row import clients_are_served
from tests.unit.run_fakes import Watcher, a_stage, spans

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio]

COPIED_WITHIN_S = 30.0


async def _move(stage: Stage) -> None:
    vtctld = await stage.shared(vtctld_of)
    await workflows.create(vtctld, MOVE)

    async def copied() -> bool:
        shards = CLUSTER.others[0].shard_names
        primaries = [await vtctld.shard_primary("target", shard) for shard in shards]
        rows = [row for primary in primaries for row in await workflows.streams(vtctld, primary, MOVE.workflow)]
        return bool(rows) and all(row.state == "Running" and not row.tables for row in rows)

    await stage.until("the table is copied", copied, timeout_s=COPIED_WITHIN_S)


@pytest.mark.parametrize(("fault", "backend"), [("SwitchedTraffic", "local")])
async def test_traffic_goes_over_and_back_with_evidence_of_each(fault: str, backend: str, tmp_path: Path) -> None:
    made = BACKENDS[backend]
    reasons = await made.refusals(CLUSTER, Placement())
    if reasons:
        pytest.skip("; ".join(reasons))
    opened = made.cluster(
        CLUSTER, Placement(), run="switch", folder=tmp_path / "c", logs=tmp_path / "l", observer=Watcher()
    )
    async with opened as cluster, a_stage(tmp_path / "run", cluster) as stage:
        await _move(stage)
        for switch in (SwitchedTraffic(), SwitchedTraffic(back=True)):
            aim = await switch.aim(stage)
            assert not await switch.observed(stage, aim), "evidence without a switch"
            async with stage.inject(switch) as aim:
                await clients_are_served(cluster, aim)
            assert not await (SwitchedTraffic(back=not switch.back)).observed(stage, aim), "evidence of the other way"
        async with stage.inject(SwitchedTraffic(workflow="nope")):
            pass
    there, back, refused = spans(tmp_path / "run")
    assert [(span.error, span.observed, bool(span.active_ns)) for span in (there, back)] == [("", True, True)] * 2
    assert "nope" in refused.error
    assert not refused.observed
