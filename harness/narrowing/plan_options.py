"""A plan as words of `vtchaos run`: what of it differs from its experiment. Not every plan can be said so (a schedule,
flags that were taken away): who uses the words looks whether `vtchaos plan` makes the same plan of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.contracts import Experiment
from harness.model import ClusterSpec, LoadSpec, Plan
from harness.placement import DEFAULT_BACKEND
from harness.placement import words as place_words
from harness.streams import StreamSpec

_SPEC = {
    "shards": "--shards",
    "tablets_per_shard": "--tablets",
    "vitess": "--vitess",
    "upgrade_to": "--upgrade-to",
    "mysql": "--mysql",
    "durability_policy": "--durability",
}
_FLAGS = {
    "vtgate_flags": "--vtgate-flag",
    "vttablet_flags": "--vttablet-flag",
    "vtctld_flags": "--vtctld-flag",
    "mysqld_settings": "--mysqld-setting",
}
_LOAD = {
    "rate_per_shard": "--rate",
    "connections_per_shard": "--connections",
    "write_share": "--write-share",
    "mode": "--mode",
    "workers": "--workers",
    "operation_timeout_s": "--operation-timeout",
}
_STREAM = {"count": "--streams", "pause_ms": "--reader-pause", "resume": "--resume", "tablet_type": "--tablet-type"}
_ITEMS = {"rows": "--rows", "tables": "--item-tables"}


def run_words(plan: Plan, experiment: Experiment) -> tuple[str, ...]:
    """Experiment, options, seed."""
    return (plan.experiment, *_options(plan, experiment), "--seed", str(plan.seed))


def _options(plan: Plan, experiment: Experiment) -> Iterator[str]:
    if plan.backend != DEFAULT_BACKEND:
        yield from ("--backend", plan.backend)
    yield from place_words(plan.place)
    yield from _cluster(plan.cluster, experiment.cluster)
    yield from _load(plan.load, experiment.load)
    yield from _differing(plan.items, experiment.items, _ITEMS)
    yield from _streams(plan.streams, experiment.streams)
    yield from _pairs(plan.params, experiment.params, "--set")
    if plan.timeout_s != experiment.timeout_s:
        yield from ("--timeout", _text(plan.timeout_s))


def _cluster(spec: ClusterSpec, default: ClusterSpec) -> Iterator[str]:
    yield from _differing(spec, default, _SPEC)
    if spec.vtgates != default.vtgates:
        yield from ("--vtgate", ",".join(spec.vtgate_version(index) for index in range(len(spec.vtgates))))
    if spec.vtorc != default.vtorc:
        yield "--vtorc" if spec.vtorc else "--no-vtorc"
    for name, option in _FLAGS.items():
        yield from _pairs(getattr(spec, name), getattr(default, name), option)


def _load(load: LoadSpec | None, default: LoadSpec | None) -> Iterator[str]:
    yield from _differing(load, default, _LOAD)


def _streams(streams: tuple[StreamSpec, ...], default: tuple[StreamSpec, ...]) -> Iterator[str]:
    if streams and default:
        yield from _differing(streams[0], default[0], _STREAM)


def _differing(value: object, default: object, options: Mapping[str, str]) -> Iterator[str]:
    if value is None or default is None:
        return
    for name, option in options.items():
        if getattr(value, name) != getattr(default, name):
            yield from (option, _text(getattr(value, name)))


def _pairs(value: Mapping[str, Any], default: Mapping[str, Any], option: str) -> Iterator[str]:
    for name, each in value.items():
        if default.get(name) != each:
            yield from (option, f"{name}={_text(each)}" if each != "" else name)


def _text(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
