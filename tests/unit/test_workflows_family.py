"""Goal: the MoveTables family asks what it says: every known bug's checks are asked for, and controls are controls."""

from __future__ import annotations

import pytest

from experiments.movetables import EXPERIMENTS, NEVER, TARGETS
from harness.contracts import Experiment
from harness.model import Role, Workload
from harness.probes import WorkflowProbe

BY_NAME = {experiment.name.removeprefix("movetables/"): experiment for experiment in EXPERIMENTS}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_a_member_is_whole(experiment: Experiment) -> None:
    checks = {check.name for check in experiment.checks}
    for bug in experiment.known_bugs:
        assert {bug.check, *bug.also} <= checks, "a check that is not asked for cannot show a bug"
        assert bug.component is Role.VTTABLET
    (target,) = experiment.cluster.others
    (probe,) = (probe for probe in experiment.probes if isinstance(probe, WorkflowProbe))
    assert (probe.keyspace, target.name) == (TARGETS.name, TARGETS.name)
    assert experiment.load is not None
    assert experiment.load.workload is Workload.ITEMS
    assert experiment.items is not None
    assert experiment.after_load is not None
    flag = experiment.cluster.vttablet_flags["vreplication-copy-phase-duration"]
    assert (experiment.params["cuts"] > 0) is (flag != NEVER)


def test_controls_are_what_the_others_are_compared_with() -> None:
    control, atomic = BY_NAME["control"], BY_NAME["control-atomic"]
    assert (control.params["cuts"], control.known_bugs, atomic.known_bugs) == (0, (), ())
    assert [bug.certain for bug in BY_NAME["cut-300ms"].known_bugs] == [False]  # nothing must go wrong there
    assert {**control.params, "atomic_copy": 1.0} == atomic.params
    assert control.items == BY_NAME["cut-300ms"].items == BY_NAME["cut-atomic"].items


def test_only_where_the_clients_own_shards_are_reparented_may_they_feel_it() -> None:
    spared = {name for name, one in BY_NAME.items() if "clients/errors" in {check.name for check in one.checks}}
    assert set(BY_NAME) - spared == {name for name in BY_NAME if name.startswith("reparent-source")}
