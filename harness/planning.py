"""From an experiment and what the user asked to a plan, or a sentence that says why not. Starts nothing."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from clusters.kubernetes.operator_manifest import as_it_will_be
from harness.base.errors import PlanError
from harness.base.goduration import seconds_of
from harness.base.rng import new_seed
from harness.base.taken_up import new_name
from harness.checks import EVERY_RUN, WITH_LOAD, names
from harness.contracts import Experiment
from harness.items import ItemsSpec
from harness.model import ClusterSpec, ConnectionMode, LoadSpec, Objective, Placement, Plan, VtgateSpec
from harness.refusals import DEFAULT_MAX_DURATION, refuse_load_pods, refuse_run, refuse_streams
from harness.streams import Resume, StreamSpec

T = TypeVar("T")

NOWHERE_SPECIAL = Placement()
MAX_SEED = 2**63 - 1  # what a JSON file holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line changes; None = as the experiment has it."""

    shards: int | None = None
    tablets: int | None = None
    rate: float | None = None
    connections: int | None = None
    write_share: float | None = None
    mode: ConnectionMode | None = None
    workers: int | None = None
    operation_timeout_s: float | None = None
    window: str | None = None
    vitess: str | None = None
    upgrade_to: str | None = None
    vtgates: tuple[str, ...] = ()  # versions, one vtgate each
    mysql: str | None = None
    durability: str | None = None
    vtorc: bool | None = None
    vtgate_flags: Mapping[str, str] = field(default_factory=dict)
    vttablet_flags: Mapping[str, str] = field(default_factory=dict)
    vtctld_flags: Mapping[str, str] = field(default_factory=dict)
    mysqld_settings: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    item_tables: int | None = None
    streams: int | None = None
    pause_ms: float | None = None
    resume: Resume | None = None
    tablet_type: str | None = None
    copy_phase: str | None = None
    params: Mapping[str, float] = field(default_factory=dict)
    timeout_s: float | None = None
    place: Mapping[str, str | int | float | bool] = field(default_factory=dict)  # fields of Placement
    objective: Objective | None = None


def choose(name: str, table: Mapping[str, Experiment]) -> Experiment:
    """The experiment of that name. Raises PlanError that names near ones."""
    if name in table:
        return table[name]
    close = difflib.get_close_matches(name, table, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(table)}"
    raise PlanError(f"no experiment is called {name}; {hint}")


def build(
    experiment: Experiment,
    overrides: Overrides,
    *,
    backend: str,
    place: Placement = NOWHERE_SPECIAL,
    seed: int | None,
    command_line: Sequence[str],
    harness_version: str,
    running: ClusterSpec | None = None,
    cluster_name: str = "",
) -> Plan:
    """The plan of one run. `running`: the spec of a kept cluster, which the overrides may not contradict.

    Raises PlanError.
    """
    if running is None:
        spec = cluster_spec(experiment.cluster, overrides)
        spec = as_it_will_be(spec) if place.operator else spec
    else:
        spec = _on(running, experiment, cluster_name, overrides)
    load = _load(experiment.load, overrides)
    items, streams = _items(experiment, overrides), _streams(experiment, overrides)
    params = _params(experiment, overrides.params)
    timeout_s = _given(overrides.timeout_s, experiment.timeout_s)
    refuse_run(spec, load, params)
    refuse_streams(spec, items, streams)
    refuse_load_pods(place.load_pods, spec, load)
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise PlanError(f"--timeout {timeout_s:g}: it takes seconds, above 0")
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise PlanError(f"--seed {seed}: a seed is a whole number from 0 to {MAX_SEED}")
    return Plan(
        run_id=new_name(experiment.name),
        experiment=experiment.name,
        why=experiment.why,
        backend=backend,
        cluster=spec,
        place=place,
        cluster_name=cluster_name,
        load=load,
        items=items,
        streams=streams,
        params=params,
        checks=_checks(experiment, load),
        known_bugs=experiment.known_bugs,
        seed=seed if seed is not None else new_seed(),
        timeout_s=timeout_s,
        command_line=tuple(command_line),
        harness_version=harness_version,
        notes=_own_flags(experiment.cluster, running, cluster_name) if running is not None else (),
        objective=_given(overrides.objective, Objective()),
    )


def _checks(experiment: Experiment, load: LoadSpec | None) -> tuple[str, ...]:
    return names((*experiment.checks, *(WITH_LOAD if load else ()), *EVERY_RUN), asks=experiment.name)


def _own_flags(wanted: ClusterSpec, running: ClusterSpec, name: str) -> tuple[str, ...]:
    """The flags of the experiment that the kept cluster does not have."""
    pairs = {
        "vtgate": (wanted.vtgate_flags, running.vtgate_flags),
        "vttablet": (wanted.vttablet_flags, running.vttablet_flags),
        "vtctld": (wanted.vtctld_flags, running.vtctld_flags),
    }
    return tuple(
        f"the cluster {name} runs its {role}s without the experiment's --{flag} {value}".rstrip()
        for role, (ours, theirs) in pairs.items()
        for flag, value in ours.items()
        if theirs.get(flag) != value
    )


def cluster_spec(spec: ClusterSpec, overrides: Overrides) -> ClusterSpec:
    """The experiment's cluster with the overrides applied. Raises PlanError."""
    vtgate_flags = {**spec.vtgate_flags, **overrides.vtgate_flags}
    if overrides.window is not None:
        vtgate_flags["buffer-window"] = overrides.window
        if "buffer-max-failover-duration" not in vtgate_flags:
            longest = max(seconds_of(overrides.window, "--window"), seconds_of(DEFAULT_MAX_DURATION, ""))
            vtgate_flags["buffer-max-failover-duration"] = f"{longest:g}s"
    if spec.further_shards and _given(overrides.shards, spec.shards) != spec.shards:
        raise PlanError(f"--shards {overrides.shards}: {', '.join(spec.further_shards)} are parts of its {spec.shards}")
    try:
        return replace(
            spec,
            shards=_given(overrides.shards, spec.shards),
            tablets_per_shard=_given(overrides.tablets, spec.tablets_per_shard),
            vitess=_version(overrides.vitess or spec.vitess),
            upgrade_to=_version(overrides.upgrade_to or spec.upgrade_to),
            mysql=overrides.mysql or spec.mysql,
            durability_policy=overrides.durability or spec.durability_policy,
            vtorc=spec.vtorc if overrides.vtorc is None else overrides.vtorc,
            vtgates=tuple(VtgateSpec(version=_version(v)) for v in overrides.vtgates) or spec.vtgates,
            vtgate_flags=vtgate_flags,
            vttablet_flags={**spec.vttablet_flags, **_copy_phase(overrides), **overrides.vttablet_flags},
            vtctld_flags={**spec.vtctld_flags, **overrides.vtctld_flags},
            mysqld_settings={**spec.mysqld_settings, **overrides.mysqld_settings},
        )
    except ValueError as error:
        raise PlanError(str(error)) from None


def _version(text: str) -> str:
    """A release as the tables name it; a folder of binaries becomes an absolute path."""
    if "/" in text:
        folder = Path(text).expanduser().absolute()
        if not folder.is_dir():
            raise PlanError(f"{text} is not a folder of Vitess binaries")
        return str(folder)
    return text.removeprefix("v")


def _copy_phase(overrides: Overrides) -> dict[str, str]:
    if overrides.copy_phase is None:
        return {}
    if seconds_of(overrides.copy_phase, "--copy-phase") < 0.001:  # MAX_EXECUTION_TIME has milliseconds; 0 = no limit
        raise PlanError(
            f"--copy-phase {overrides.copy_phase}: it takes at least 1ms, or 1h for a copy that is never cut"
        )
    return {"vreplication-copy-phase-duration": overrides.copy_phase}


def _on(running: ClusterSpec, experiment: Experiment, name: str, overrides: Overrides) -> ClusterSpec:
    if experiment.cluster.others != running.others:
        beside = ", ".join(other.name for other in experiment.cluster.others) or "none"
        raise PlanError(
            f"{experiment.name} needs other keyspaces than the cluster {name} has (beside the main one: {beside})"
        )
    if experiment.cluster.further_shards != running.further_shards:
        raise PlanError(
            f"{experiment.name} needs shards that do not serve, other than those that {name} has: leave --cluster out"
        )
    wanted = cluster_spec(running, overrides)
    different = [key for key in ClusterSpec.__dataclass_fields__ if getattr(wanted, key) != getattr(running, key)]
    if different:
        raise PlanError(
            f"the cluster {name} is already running with its own {', '.join(different)}; leave those options out, "
            f"or make another cluster with `vtchaos up`"
        )
    return running


def _load(load: LoadSpec | None, overrides: Overrides) -> LoadSpec | None:
    if load is None:
        return None
    return replace(
        load,
        rate_per_shard=_given(overrides.rate, load.rate_per_shard),
        connections_per_shard=_given(overrides.connections, load.connections_per_shard),
        write_share=_given(overrides.write_share, load.write_share),
        mode=overrides.mode or load.mode,
        workers=_given(overrides.workers, load.workers),
        operation_timeout_s=_given(overrides.operation_timeout_s, load.operation_timeout_s),
    )


def _items(experiment: Experiment, overrides: Overrides) -> ItemsSpec | None:
    given = {"--rows": overrides.rows, "--item-tables": overrides.item_tables}
    if experiment.items is None:
        _nothing_given(experiment, given, "has no item tables")
        return None
    return replace(
        experiment.items,
        rows=_given(overrides.rows, experiment.items.rows),
        tables=_given(overrides.item_tables, experiment.items.tables),
    )


def _streams(experiment: Experiment, overrides: Overrides) -> tuple[StreamSpec, ...]:
    given = {
        "--streams": overrides.streams,
        "--reader-pause": overrides.pause_ms,
        "--resume": overrides.resume,
        "--tablet-type": overrides.tablet_type,
    }
    if not experiment.streams:
        _nothing_given(experiment, given, "has no streams")
    return tuple(
        replace(
            stream,
            count=_given(overrides.streams, stream.count),
            pause_ms=_given(overrides.pause_ms, stream.pause_ms),
            resume=_given(overrides.resume, stream.resume),
            tablet_type=_given(overrides.tablet_type, stream.tablet_type),
        )
        for stream in experiment.streams
    )


def _nothing_given(experiment: Experiment, given: Mapping[str, object], why: str) -> None:
    for option, value in given.items():
        if value is not None:
            raise PlanError(f"{experiment.name} {why}, so {option} means nothing to it")


def _params(experiment: Experiment, given: Mapping[str, float]) -> Mapping[str, float]:
    for name, value in given.items():
        if name not in experiment.params:
            raise PlanError(
                f"{experiment.name} has no parameter {name}; --set takes {', '.join(sorted(experiment.params))}"
            )
        if not (math.isfinite(value) and value >= 0):
            raise PlanError(f"--set {name}={value:g}: it takes a number that is not negative")
    return {**experiment.params, **given}


def _given(value: T | None, default: T) -> T:
    return default if value is None else value
