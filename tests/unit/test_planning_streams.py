"""Goal: what the command line says about item tables, streams and the copy phase is in the plan, or is refused with a
sentence before anything starts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from experiments import EXPERIMENTS
from harness import planning
from harness.base import jsonio
from harness.base.errors import PlanError
from harness.contracts import Experiment
from harness.items import ItemsSpec
from harness.model import ClusterSpec, KeyspaceSpec, Plan, Workload
from harness.planning import Overrides
from harness.streams import Resume, StreamSpec

STORM_2 = EXPERIMENTS["reparent/storm-2"]
STREAMING = dataclasses.replace(STORM_2, items=ItemsSpec(tables=2, rows=1000), streams=(StreamSpec(),), params={})


def built(
    overrides: Overrides, experiment: Experiment = STREAMING, *, running: ClusterSpec | None = None, name: str = ""
) -> Plan:
    return planning.build(
        experiment,
        overrides,
        backend="local",
        seed=7,
        command_line=("vtchaos",),
        harness_version="0",
        running=running,
        cluster_name=name,
    )


def refusal(overrides: Overrides, experiment: Experiment = STREAMING, running: ClusterSpec | None = None) -> str:
    with pytest.raises(PlanError) as refused:
        built(overrides, experiment, running=running, name="mine" if running else "")
    return str(refused.value)


def test_without_overrides_the_experiments_own() -> None:
    plan = built(Overrides())
    assert (plan.items, plan.streams) == (STREAMING.items, STREAMING.streams)


def test_everything_about_streams_can_be_changed(tmp_path: Path) -> None:
    wanted = Overrides(rows=77, item_tables=3, streams=4, pause_ms=2.5, resume=Resume.SCRATCH, tablet_type="replica")
    plan = built(wanted)
    assert plan.items == ItemsSpec(tables=3, rows=77)
    assert plan.streams == (StreamSpec(count=4, pause_ms=2.5, resume=Resume.SCRATCH, tablet_type="replica"),)
    jsonio.save(tmp_path / "plan.json", plan)
    assert jsonio.load(tmp_path / "plan.json", Plan) == plan


def test_the_copy_phase_is_a_flag_of_vttablet_and_a_flag_given_as_such_wins() -> None:
    flag = "vreplication-copy-phase-duration"
    assert built(Overrides(copy_phase="50ms")).cluster.vttablet_flags[flag] == "50ms"
    both = Overrides(copy_phase="50ms", vttablet_flags={flag: "1s"})
    assert built(both).cluster.vttablet_flags[flag] == "1s"


def test_further_keyspaces_and_the_workload_survive_the_plans_file(tmp_path: Path) -> None:
    cluster = dataclasses.replace(STORM_2.cluster, others=(KeyspaceSpec(name="target", shards=2),))
    assert STORM_2.load is not None
    load = dataclasses.replace(STORM_2.load, workload=Workload.ITEMS)
    plan = built(Overrides(), dataclasses.replace(STREAMING, cluster=cluster, load=load))
    jsonio.save(tmp_path / "plan.json", plan)
    assert jsonio.load(tmp_path / "plan.json", Plan) == plan


@pytest.mark.parametrize(
    "overrides, said",
    [
        (Overrides(rows=15), "--rows 15: it takes 16 (8 a shard) to 10000000"),
        (Overrides(rows=10_000_001), "--rows 10000001"),
        (Overrides(item_tables=0), "--item-tables 0: it takes 1 to 200"),
        (Overrides(item_tables=100, rows=1_000_000), "100 tables of 1000000 rows are more than 10000000 rows in all"),
        (Overrides(streams=0), "--streams 0: it takes at least 1, and at most 200 of all vtgates"),
        (Overrides(streams=101, vtgates=("24.0.3", "21.0.2")), "at most 200 of all vtgates"),
        (Overrides(pause_ms=-1.0), "--reader-pause -1: it takes milliseconds"),
        (Overrides(pause_ms=float("nan")), "--reader-pause nan"),
        (Overrides(copy_phase="300"), "--copy-phase takes a duration"),
        (Overrides(copy_phase="0s"), "--copy-phase 0s: it takes at least 1ms"),
        (Overrides(tablets=1, tablet_type="replica"), "a shard with one tablet has only a primary"),
        (
            Overrides(operation_timeout_s=1e300),
            "--operation-timeout 1e+300: it takes seconds, above 0 and at most 3600",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(overrides: Overrides, said: str) -> None:
    assert said in refusal(overrides)


@pytest.mark.parametrize(
    "overrides, said",
    [
        (Overrides(rows=5), "reparent/storm-2 has no item tables, so --rows means nothing to it"),
        (Overrides(streams=5), "reparent/storm-2 has no streams, so --streams means nothing to it"),
        (Overrides(resume=Resume.NONE), "so --resume means nothing to it"),
    ],
)
def test_an_option_that_means_nothing_to_the_experiment_is_refused(overrides: Overrides, said: str) -> None:
    assert said in refusal(overrides, STORM_2)


def test_a_kept_cluster_that_lacks_a_flag_is_told() -> None:
    flagged = dataclasses.replace(STORM_2.cluster, vttablet_flags={"vreplication-copy-phase-duration": "300ms"})
    experiment = dataclasses.replace(STREAMING, cluster=flagged)
    (note,) = built(Overrides(), experiment, running=STORM_2.cluster, name="mine").notes
    assert note == (
        "the cluster mine runs its vttablets without the experiment's --vreplication-copy-phase-duration 300ms"
    )
    assert built(Overrides(), experiment, running=flagged, name="mine").notes == ()


def test_a_stream_that_leaves_must_resume() -> None:
    leaving = dataclasses.replace(STREAMING, streams=(StreamSpec(leave_after=1, resume=Resume.CHECKPOINT),))
    assert "leave on purpose, and must resume" in refusal(Overrides(resume=Resume.NONE), leaving)


def test_a_kept_cluster_without_the_keyspace_that_is_needed_is_refused() -> None:
    moving = dataclasses.replace(STORM_2.cluster, others=(KeyspaceSpec(name="target"),))
    said = refusal(Overrides(), dataclasses.replace(STREAMING, cluster=moving), running=STORM_2.cluster)
    assert "needs other keyspaces than the cluster mine has (beside the main one: target)" in said
