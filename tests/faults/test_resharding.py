"""Goal: a Reshard's traffic switch shows its evidence in both directions, and none without it; its clients are served.

Method: a cluster of its own, because the shards that it splits into stand beside those that serve.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters import BACKENDS
from experiments.resharding import CLUSTER, SPLIT, copied, switch
from harness.contracts import Stage
from harness.faults.switching import SwitchedTraffic
from harness.model import Placement
from harness.vitess import workflows
from harness.vitess.vtctld import vtctld_of
from tests.faults.rows.row import clients_are_served
from tests.unit.run_fakes import Watcher, a_stage, spans

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio]


async def _serving(stage: Stage) -> tuple[str, ...]:
    return await workflows.serving_shards(await stage.shared(vtctld_of), CLUSTER.keyspace)


@pytest.mark.parametrize(("fault", "backend"), [("SwitchedTraffic", "local")])
async def test_traffic_goes_to_the_new_shards_and_back(fault: str, backend: str, tmp_path: Path) -> None:
    made = BACKENDS[backend]
    reasons = await made.refusals(CLUSTER, Placement())
    if reasons:
        pytest.skip("; ".join(reasons))
    opened = made.cluster(
        CLUSTER, Placement(), run="reshard", folder=tmp_path / "c", logs=tmp_path / "l", observer=Watcher()
    )
    async with opened as cluster, a_stage(tmp_path / "run", cluster) as stage:
        assert await _serving(stage) == CLUSTER.shard_names
        await copied(stage)
        for back, serving in ((False, SPLIT.targets), (True, SPLIT.sources)):
            switching = switch(back=back)
            aim = await switching.aim(stage)
            assert not await switching.observed(stage, aim), "evidence without a switch"
            async with stage.inject(switching) as aim:
                await clients_are_served(cluster, aim)
            assert not await switch(back=not back).observed(stage, aim), "evidence of the other way"
            assert set(serving) <= set(await _serving(stage))
        assert await _serving(stage) == CLUSTER.shard_names
        async with stage.inject(SwitchedTraffic(workflow="nope", keyspace=CLUSTER.keyspace, reshard=True)):
            pass
    there, home, refused = spans(tmp_path / "run")
    assert [(span.error, span.observed, bool(span.active_ns)) for span in (there, home)] == [("", True, True)] * 2
    assert "nope" in refused.error
    assert not refused.observed
