"""A lost host and its ports, at which nobody listens."""

from __future__ import annotations

import contextlib

import pytest

from harness.faults import hosts, process
from harness.faults.hosts import LostHost
from harness.faults.targets import Targets
from harness.model import Role
from harness.stage import RunStage
from tests.unit import test_faults_emergency
from tests.unit.test_faults_emergency import cluster

stage = test_faults_emergency.stage


@pytest.mark.parametrize(
    ("how", "back"),
    [("gone", ["start mysqld-100", "start vttablet-100"]), ("still", ["SIGCONT mysqld-100", "SIGCONT vttablet-100"])],
)
async def test_a_host_is_lost_as_a_whole_and_its_mysqld_comes_back_first(
    stage: RunStage, how: str, back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MYSQLD_FIRST_S", 0.1)
    primary = Targets(role=Role.VTTABLET, tablet_type="primary")
    with contextlib.suppress(AttributeError):  # nobody can be asked whether it has rejoined
        async with stage.inject(LostHost(targets=primary, how=how, rejoin_within_s=0.1)) as aim:
            assert sorted(aim.targets) == ["mysqld-100", "vttablet-100"]
            hit = cluster(stage).story.copy()
    signum = hosts.SIGNALS[how].name
    assert sorted(hit) == [f"{signum} mysqld-100", f"{signum} vttablet-100"]
    assert sorted(cluster(stage).story[len(hit) :]) == back
