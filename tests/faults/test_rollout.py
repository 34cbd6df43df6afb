"""Goal: a rollout leaves every process younger, or with another release, and its clients served; and its evidence is
not there without it. Cut short it leaves every process running and the shard with a primary.

Method: a cluster of its own for each test: the upgrade needs a second release, and whose age is asked must be young.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from clusters import BACKENDS
from harness import anchors
from harness.contracts import Fault, Stage
from harness.faults.rollout import RollingRestart, RollingUpgrade
from harness.model import ClusterSpec, Placement, Role
from tests.faults.conftest import SPEC
from tests.faults.rows.row import clients_are_served
from tests.unit.run_fakes import Watcher, a_stage, spans

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio]

UPGRADED = replace(SPEC, vitess="23.0.5", upgrade_to="24.0.3")
STOPPED_WITHIN_S = 30.0


@contextlib.asynccontextmanager
async def _on(spec: ClusterSpec, backend: str, folder: Path) -> AsyncIterator[Stage]:
    made = BACKENDS[backend]
    reasons = await made.refusals(spec, Placement())
    if reasons:
        pytest.skip("; ".join(reasons))
    opened = made.cluster(spec, Placement(), run="roll", folder=folder / "c", logs=folder / "l", observer=Watcher())
    async with opened as cluster, a_stage(folder / "run", cluster) as stage:
        yield stage


@pytest.mark.parametrize("backend", ["local"])
@pytest.mark.parametrize(
    ("fault", "spec", "rollout"),
    [("RollingRestart", SPEC, RollingRestart()), ("RollingUpgrade", UPGRADED, RollingUpgrade())],
)
async def test_a_rollout(fault: str, spec: ClusterSpec, rollout: Fault, backend: str, tmp_path: Path) -> None:
    async with _on(spec, backend, tmp_path) as stage:
        aim = await rollout.aim(stage)
        assert not await rollout.observed(stage, aim), "evidence without a rollout"
        async with stage.inject(rollout):
            await clients_are_served(stage.cluster, aim)
        assert await rollout.recovered(stage, aim)
    whole, reparent = spans(tmp_path / "run")
    assert [(span.error, span.observed) for span in (whole, reparent)] == [("", True)] * 2
    assert (whole.fault, reparent.fault) == (fault, "PlannedReparent")
    assert whole.healed_ns


@pytest.mark.parametrize(("fault", "backend"), [("RollingRestart", "local")])
async def test_a_rollout_that_is_cut_short(fault: str, backend: str, tmp_path: Path) -> None:
    async with _on(SPEC, backend, tmp_path) as stage:
        (shard,) = stage.cluster.spec.shard_names
        stops = await anchors.primary_stops(stage, shard)

        async def rolling() -> None:
            async with stage.inject(RollingRestart(order="vttablet")):
                pass

        task = asyncio.create_task(rolling())
        await stops(timeout_s=STOPPED_WITHIN_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for node in stage.cluster.nodes(Role.VTTABLET):
            await stage.cluster.signal(node, 0)
        await clients_are_served(stage.cluster, await RollingRestart().aim(stage))
    assert spans(tmp_path / "run")[0].healed_ns
