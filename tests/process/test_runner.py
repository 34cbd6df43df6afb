"""The proof that nothing is left, from the machine itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.clean import Marks
from tests.unit import test_runner
from tests.unit.test_runner import WITH_LOAD, World, nothing, run

world = test_runner.world


async def test_every_run_ends_with_a_proof_of_cleanliness(world: World, tmp_path: Path) -> None:
    ended, seen = await run(world, tmp_path, lambda stage: nothing(), marks=Marks(run="run-1"))
    assert ended.error is None
    assert seen.clean is not None
    assert {"processes", "namespaces", "links", "mounts", "listening ports"} <= set(seen.clean.found)
    assert not any(seen.clean.found.values())


async def test_of_a_cluster_that_stays_it_is_seen_what_is_in_force(world: World, tmp_path: Path) -> None:
    kept = dataclasses.replace(WITH_LOAD, cluster_name="mine")
    _, seen = await run(world, tmp_path, lambda stage: nothing(), planned=kept, marks=Marks(run="run-1"))
    assert seen.clean is not None
    assert seen.clean.found["nodes that do not run"] == ()
    assert "faults in force" in seen.clean.blind  # the fake cannot be looked at
