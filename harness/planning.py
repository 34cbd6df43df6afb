"""From an experiment and what the user asked to a plan, or a sentence that says why not. Starts nothing."""

from __future__ import annotations

import datetime
import difflib
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from harness.base.errors import PlanError
from harness.base.goduration import duration_s
from harness.contracts import Experiment
from harness.model import ClusterSpec, ConnectionMode, LoadSpec, Plan, VtgateSpec

T = TypeVar("T")

MAX_RATE = 20_000.0  # operations a second in all: above it one machine measures only its own load
MAX_SEED = 2**63 - 1  # what a JSON file holds
# go/vt/vtctl/policy/durability.go (v0.21 to v0.24)
DURABILITY_POLICIES = ("none", "semi_sync", "cross_cell", "semi_sync_with_rdonly_ack", "cross_cell_with_rdonly_ack")
DEFAULT_WINDOW, DEFAULT_MAX_DURATION = "10s", "20s"  # go/vt/vtgate/buffer/flags.go, v0.19 to v0.24


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
    vtgates: tuple[str, ...] = ()  # versions, one vtgate each
    mysql: str | None = None
    durability: str | None = None
    vtorc: bool | None = None
    vtgate_flags: Mapping[str, str] = field(default_factory=dict)
    vttablet_flags: Mapping[str, str] = field(default_factory=dict)
    vtctld_flags: Mapping[str, str] = field(default_factory=dict)
    mysqld_settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, float] = field(default_factory=dict)
    timeout_s: float | None = None


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
    seed: int | None,
    command_line: Sequence[str],
    harness_version: str,
    running: ClusterSpec | None = None,
    cluster_name: str = "",
) -> Plan:
    """The plan of one run. `running`: the spec of a kept cluster, which the overrides may not contradict.

    Raises PlanError.
    """
    spec = cluster_spec(experiment.cluster, overrides) if running is None else _on(running, cluster_name, overrides)
    load = _load(experiment.load, overrides)
    params = _params(experiment, overrides.params)
    timeout_s = _given(overrides.timeout_s, experiment.timeout_s)
    _refuse(spec, load, params)
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise PlanError(f"--timeout {timeout_s:g}: it takes seconds, above 0")
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise PlanError(f"--seed {seed}: a seed is a whole number from 0 to {MAX_SEED}")
    now = datetime.datetime.now(tz=datetime.UTC)
    return Plan(
        run_id=f"{now:%Y%m%d-%H%M%S}-{experiment.name.replace('/', '-')}-{secrets.token_hex(2)}",
        experiment=experiment.name,
        why=experiment.why,
        backend=backend,
        cluster=spec,
        cluster_name=cluster_name,
        load=load,
        params=params,
        checks=tuple(check.name for check in experiment.checks),
        known_bugs=experiment.known_bugs,
        seed=seed if seed is not None else secrets.randbelow(2**31),
        timeout_s=timeout_s,
        command_line=tuple(command_line),
        harness_version=harness_version,
    )


def cluster_spec(spec: ClusterSpec, overrides: Overrides) -> ClusterSpec:
    """The experiment's cluster with the overrides applied. Raises PlanError."""
    vtgate_flags = {**spec.vtgate_flags, **overrides.vtgate_flags}
    if overrides.window is not None:
        vtgate_flags["buffer-window"] = overrides.window
        if "buffer-max-failover-duration" not in vtgate_flags:
            longest = max(seconds_of(overrides.window, "--window"), seconds_of(DEFAULT_MAX_DURATION, ""))
            vtgate_flags["buffer-max-failover-duration"] = f"{longest:g}s"
    try:
        return replace(
            spec,
            shards=_given(overrides.shards, spec.shards),
            tablets_per_shard=_given(overrides.tablets, spec.tablets_per_shard),
            vitess=_version(overrides.vitess or spec.vitess),
            mysql=overrides.mysql or spec.mysql,
            durability_policy=overrides.durability or spec.durability_policy,
            vtorc=spec.vtorc if overrides.vtorc is None else overrides.vtorc,
            vtgates=tuple(VtgateSpec(version=_version(v)) for v in overrides.vtgates) or spec.vtgates,
            vtgate_flags=vtgate_flags,
            vttablet_flags={**spec.vttablet_flags, **overrides.vttablet_flags},
            vtctld_flags={**spec.vtctld_flags, **overrides.vtctld_flags},
            mysqld_settings={**spec.mysqld_settings, **overrides.mysqld_settings},
        )
    except ValueError as error:
        raise PlanError(str(error)) from None


def seconds_of(text: str, flag: str) -> float:
    """A Go duration in seconds. Raises PlanError."""
    try:
        return duration_s(text)
    except ValueError:
        raise PlanError(f"{flag} takes a duration such as 10s, 1m30s or 500ms, not {text!r}") from None


def _version(text: str) -> str:
    """A release as the tables name it; a folder of binaries becomes an absolute path."""
    if "/" in text:
        folder = Path(text).expanduser().absolute()
        if not folder.is_dir():
            raise PlanError(f"{text} is not a folder of Vitess binaries")
        return str(folder)
    return text.removeprefix("v")


def _on(running: ClusterSpec, name: str, overrides: Overrides) -> ClusterSpec:
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


def _params(experiment: Experiment, given: Mapping[str, float]) -> Mapping[str, float]:
    for name, value in given.items():
        if name not in experiment.params:
            raise PlanError(
                f"{experiment.name} has no parameter {name}; --set takes {', '.join(sorted(experiment.params))}"
            )
        if not (math.isfinite(value) and value >= 0):
            raise PlanError(f"--set {name}={value:g}: it takes a number that is not negative")
    return {**experiment.params, **given}


def refuse_cluster(spec: ClusterSpec) -> None:
    """Raises PlanError for a cluster that cannot be."""
    if not 1 <= spec.shards <= 256:
        raise PlanError(f"--shards {spec.shards}: a keyspace has 1 to 256 shards here")
    if spec.tablets_per_shard < 1:
        raise PlanError(f"--tablets {spec.tablets_per_shard}: a shard has at least one tablet, 2 or more to reparent")
    if spec.durability_policy not in DURABILITY_POLICIES:
        raise PlanError(
            f"no durability policy is called {spec.durability_policy}; there are {', '.join(DURABILITY_POLICIES)}"
        )
    _refuse_flags(spec)


def _refuse(spec: ClusterSpec, load: LoadSpec | None, params: Mapping[str, float]) -> None:
    refuse_cluster(spec)
    if spec.tablets_per_shard < 2 and "reparents" in params:
        raise PlanError("a shard with one tablet has nothing to reparent to; use --tablets 2 or more")
    if params.get("reparents", 0) % 1:
        raise PlanError(f"--set reparents={params['reparents']:g}: it takes a whole number of shards, 0 for all")
    if params.get("reparents", 0) > spec.shards:
        raise PlanError(f"--set reparents={params['reparents']:g}: there are only {spec.shards} shards")
    if load is not None:
        _refuse_load(load, spec)


def _refuse_flags(spec: ClusterSpec) -> None:
    for number, vtgate in enumerate(spec.vtgates, start=1):
        flags = {**spec.vtgate_flags, **vtgate.flags}
        _refuse_misread(flags)
        window = seconds_of(flags.get("buffer-window", DEFAULT_WINDOW), "buffer-window")
        longest = seconds_of(
            flags.get("buffer-max-failover-duration", DEFAULT_MAX_DURATION), "buffer-max-failover-duration"
        )
        if not 1 <= window <= longest:  # vtgate itself refuses to start (buffer/flags.go verifyFlags)
            raise PlanError(
                f"vtgate-{number}: buffer-window ({window:g} s) must be at least 1 s and at most "
                f"buffer-max-failover-duration ({longest:g} s)"
            )


def _refuse_misread(flags: Mapping[str, str]) -> None:
    """The checks read these flags, so they must mean what vtgate reads in them."""
    for flag in ("buffer-size", "buffer-drain-concurrency"):
        try:
            int(flags.get(flag, "1"), 0)
        except ValueError:
            raise PlanError(f"--vtgate-flag {flag} takes a whole number, not {flags[flag]!r}") from None
    if "buffer-min-time-between-failovers" in flags:
        seconds_of(flags["buffer-min-time-between-failovers"], "buffer-min-time-between-failovers")
    if flags.get("enable-buffer", "").lower() not in ("", "true", "false", "1", "0", "t", "f"):
        raise PlanError(f"--vtgate-flag enable-buffer takes true or false, not {flags['enable-buffer']!r}")


def _refuse_load(load: LoadSpec, spec: ClusterSpec) -> None:
    total = load.rate_per_shard * spec.shards * len(spec.vtgates)
    if not (load.rate_per_shard > 0 and total <= MAX_RATE):
        raise PlanError(
            f"--rate {load.rate_per_shard:g} a shard makes {total:g} operations a second in all; "
            f"it must be above 0 and at most {MAX_RATE:g}"
        )
    if not 0 <= load.write_share <= 1:
        raise PlanError(f"--write-share {load.write_share:g}: a share is between 0 and 1")
    if load.connections_per_shard < 1 or load.workers < 1:
        raise PlanError("--connections and --workers must be at least 1")
    if not (math.isfinite(load.operation_timeout_s) and load.operation_timeout_s > 0):
        raise PlanError(f"--operation-timeout {load.operation_timeout_s:g}: it takes seconds, above 0")


def _given(value: T | None, default: T) -> T:
    return default if value is None else value
