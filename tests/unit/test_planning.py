"""Goal: a plan is everything that a run depends on, and what cannot be carried out is refused before anything starts,
with a sentence that says what is wrong and what would be right."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from experiments import EXPERIMENTS
from harness import planning, refusals
from harness.base import jsonio
from harness.base.errors import PlanError
from harness.history import History
from harness.model import CheckKind, CheckResult, ClusterSpec, ConnectionMode, Plan, VtgateSpec
from harness.planning import Overrides

STORM_2 = EXPERIMENTS["reparent/storm-2"]


def built(overrides: Overrides | None = None, **more: object) -> Plan:
    given: dict[str, object] = {"backend": "local", "seed": 7, "command_line": ("vtchaos",), "harness_version": "0"}
    return planning.build(STORM_2, overrides or Overrides(), **{**given, **more})  # type: ignore[arg-type]


# ---------------------------------------------------------------- what is planned


def test_without_overrides_the_plan_is_the_experiment() -> None:
    plan = built()
    assert plan.experiment == "reparent/storm-2"
    assert plan.cluster == STORM_2.cluster
    assert plan.load == STORM_2.load
    assert plan.params == STORM_2.params
    of_every_run = ("faults/healed", "faults/clean")
    asked = (*(check.name for check in STORM_2.checks), "clients/explained", *of_every_run)  # it has a load
    assert plan.checks == asked
    assert (plan.seed, plan.timeout_s, plan.backend) == (7, STORM_2.timeout_s, "local")
    assert "reparent-storm-2" in plan.run_id


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = built(Overrides(vtgates=("24.0.3", "21.0.2"), mode=ConnectionMode.POOLED, params={"baseline_s": 1.5}))
    jsonio.save(tmp_path / "plan.json", plan)
    assert jsonio.load(tmp_path / "plan.json", Plan) == plan


def test_a_check_that_no_recorded_run_could_be_judged_by_is_refused() -> None:
    class Telepathy:
        name = "clients/telepathy"
        kind = CheckKind.PROMISE

        def check(self, history: History) -> tuple[CheckResult, ...]:
            raise NotImplementedError

    asking = dataclasses.replace(STORM_2, checks=(*STORM_2.checks, Telepathy()))
    with pytest.raises(
        PlanError, match="reparent/storm-2 asks for the check clients/telepathy, which is not in CHECKS of"
    ):
        planning.build(asking, Overrides(), backend="local", seed=7, command_line=(), harness_version="0")


def test_a_seed_is_drawn_when_none_is_given() -> None:
    assert built(seed=None).seed != built(seed=None).seed


def test_two_runs_never_share_a_name() -> None:
    assert built().run_id != built().run_id


def test_overrides_change_the_cluster() -> None:
    spec = built(
        Overrides(
            shards=4,
            tablets=3,
            vitess="v23.0.5",
            vtgates=("24.0.3", "v21.0.2"),
            mysql="8.0",
            durability="none",
            vtorc=True,
            vtgate_flags={"buffer-size": "10"},
            vttablet_flags={"health-check-interval": "1s"},
            mysqld_settings={"max_connections": "50"},
        )
    ).cluster
    assert (spec.shards, spec.tablets_per_shard, spec.vitess, spec.mysql) == (4, 3, "23.0.5", "8.0")
    assert [vtgate.version for vtgate in spec.vtgates] == ["24.0.3", "21.0.2"]
    assert (spec.durability_policy, spec.vtorc) == ("none", True)
    assert spec.vtgate_flags == {"enable-buffer": "", "buffer-size": "10"}
    assert (spec.vttablet_flags, spec.mysqld_settings) == (
        {"health-check-interval": "1s"},
        {"max_connections": "50"},
    )


def test_overrides_change_the_load() -> None:
    load = built(
        Overrides(
            rate=5, connections=2, write_share=0.0, mode=ConnectionMode.TRANSACTION, workers=2, operation_timeout_s=3
        )
    ).load
    assert load is not None
    assert (load.rate_per_shard, load.connections_per_shard, load.write_share) == (5, 2, 0.0)
    assert (load.mode, load.workers, load.operation_timeout_s) == (ConnectionMode.TRANSACTION, 2, 3)


@pytest.mark.parametrize("window, longest", [("5s", "20s"), ("30s", "30s"), ("1m30s", "90s")])
def test_a_longer_window_takes_the_longest_failover_with_it(window: str, longest: str) -> None:
    flags = built(Overrides(window=window)).cluster.vtgate_flags
    assert (flags["buffer-window"], flags["buffer-max-failover-duration"]) == (window, longest)


def test_a_given_longest_failover_stays(tmp_path: Path) -> None:
    flags = built(Overrides(window="5s", vtgate_flags={"buffer-max-failover-duration": "6s"})).cluster.vtgate_flags
    assert flags["buffer-max-failover-duration"] == "6s"


def test_a_folder_of_binaries_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(tmp_path)
    assert built(Overrides(vitess="./bin")).cluster.vitess == str(tmp_path / "bin")


def test_parameters_are_the_experiments_with_what_was_set() -> None:
    assert built(Overrides(params={"baseline_s": 1.0})).params == {**STORM_2.params, "baseline_s": 1.0}


# ---------------------------------------------------------------- a kept cluster


def test_a_kept_cluster_is_taken_as_it_is() -> None:
    running = dataclasses.replace(STORM_2.cluster, shards=4, vtgates=(VtgateSpec(version="21.0.2"),))
    plan = built(Overrides(rate=5), running=running, cluster_name="mine")
    assert plan.cluster == running
    assert plan.cluster_name == "mine"
    assert plan.load is not None
    assert plan.load.rate_per_shard == 5


def test_what_a_kept_cluster_already_is_may_be_said_again() -> None:
    assert built(Overrides(shards=2), running=STORM_2.cluster, cluster_name="mine").cluster == STORM_2.cluster


def test_a_kept_cluster_cannot_be_contradicted() -> None:
    with pytest.raises(PlanError, match="mine is already running with its own shards, vtgate_flags"):
        built(Overrides(shards=3, window="5s"), running=STORM_2.cluster, cluster_name="mine")


# ---------------------------------------------------------------- what is refused


def test_an_unknown_experiment_names_near_ones() -> None:
    with pytest.raises(PlanError, match="did you mean reparent/storm"):
        planning.choose("reparent/strom", EXPERIMENTS)


def test_an_experiment_that_is_like_no_other_gets_the_list() -> None:
    with pytest.raises(PlanError, match="no experiment is called zzz; there are reparent/control"):
        planning.choose("zzz", EXPERIMENTS)


@pytest.mark.parametrize(
    "overrides, said",
    [
        (Overrides(shards=0), r"--shards 0: a keyspace has 1 to 256 shards"),
        (Overrides(shards=257), r"--shards 257"),
        (Overrides(tablets=0), r"--tablets 0: a shard has at least one tablet"),
        (Overrides(tablets=1), r"one tablet has nothing to reparent to; use --tablets 2"),
        (Overrides(params={"reparents": 3}), r"--set reparents=3: there are only 2 shards"),
        (Overrides(params={"nope": 1}), r"no parameter nope; --set takes baseline_s, quiet_s, recovery_s, reparents"),
        (Overrides(params={"quiet_s": -1}), r"--set quiet_s=-1: it takes a number that is not negative"),
        (Overrides(params={"quiet_s": float("nan")}), r"--set quiet_s=nan"),
        (Overrides(params={"quiet_s": float("inf")}), r"--set quiet_s=inf"),
        (Overrides(rate=0), r"--rate 0 .* must be above 0"),
        (Overrides(rate=20_000), r"makes 40000 operations a second in all"),
        (Overrides(rate=float("nan")), r"--rate nan"),
        (Overrides(write_share=1.5), r"--write-share 1.5: a share is between 0 and 1"),
        (Overrides(write_share=float("nan")), r"--write-share nan"),
        (Overrides(connections=0), r"--connections and --workers must be at least 1"),
        (Overrides(workers=0), r"--connections and --workers must be at least 1"),
        (Overrides(operation_timeout_s=0), r"--operation-timeout 0: it takes seconds, above 0"),
        (Overrides(timeout_s=0), r"--timeout 0: it takes seconds, above 0"),
        (Overrides(timeout_s=-1), r"--timeout -1"),
        (Overrides(timeout_s=float("inf")), r"--timeout inf"),
        (Overrides(window="10"), r"--window takes a duration such as 10s.*not '10'"),
        (Overrides(window="500ms"), r"buffer-window \(0.5 s\) must be at least 1 s"),
        (
            Overrides(vtgate_flags={"buffer-max-failover-duration": "5s"}),
            r"vtgate-1: buffer-window \(10 s\) must be .* at most buffer-max-failover-duration \(5 s\)",
        ),
        (Overrides(vtgate_flags={"buffer-window": "soon"}), r"buffer-window takes a duration"),
        (Overrides(vitess="./no/such/folder"), r"./no/such/folder is not a folder of Vitess binaries"),
        (Overrides(durability="sometimes"), r"no durability policy is called sometimes; there are none, semi_sync"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_no_sense_is_refused(overrides: Overrides, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        built(overrides)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_file_holds_is_refused(seed: int) -> None:
    with pytest.raises(PlanError, match="a seed is a whole number from 0"):
        built(seed=seed)


def test_every_vtgates_own_flags_are_looked_at() -> None:
    vtgates = (VtgateSpec(), VtgateSpec(flags={"buffer-window": "1h"}))
    experiment = dataclasses.replace(STORM_2, cluster=dataclasses.replace(STORM_2.cluster, vtgates=vtgates))
    with pytest.raises(PlanError, match="vtgate-2: buffer-window"):
        planning.build(
            experiment, Overrides(), backend="local", seed=1, command_line=(), harness_version="0", cluster_name=""
        )


# ---------------------------------------------------------------- the table of experiments


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_planned(name: str) -> None:
    experiment = EXPERIMENTS[name]
    plan = planning.build(
        experiment, Overrides(), backend="local", seed=1, command_line=("vtchaos",), harness_version="0"
    )
    assert plan.why.endswith((".", "?"))
    known: Mapping[str, object] = dict.fromkeys(plan.checks)
    assert all(bug.check in known and set(bug.also) <= set(known) for bug in experiment.known_bugs)


def test_a_cluster_without_a_name_has_even_shards() -> None:
    assert ClusterSpec(shards=4).shard_names == ("-40", "40-80", "80-c0", "c0-")


def test_shards_that_do_not_serve_are_parts_of_those_that_do() -> None:
    spec = ClusterSpec(shards=2, further_shards=("-40", "40-80"))
    assert spec.all_shards == spec.keyspaces[0].all_shards == ("-80", "80-", "-40", "40-80")
    assert planning.cluster_spec(spec, Overrides(shards=2)).further_shards == spec.further_shards
    with pytest.raises(PlanError, match="-40, 40-80 are parts of its 2"):
        planning.cluster_spec(spec, Overrides(shards=4))


@pytest.mark.parametrize(
    ("flag", "value"),
    [("buffer-size", "many"), ("enable-buffer", "maybe"), ("buffer-min-time-between-failovers", "soon")],
)
def test_a_buffer_flag_that_vtgate_would_misread_is_refused(flag: str, value: str) -> None:
    spec = planning.cluster_spec(ClusterSpec(), Overrides(vtgate_flags={flag: value}))
    with pytest.raises(PlanError, match=flag):
        refusals.refuse_cluster(spec)
