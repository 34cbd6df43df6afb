"""vtgate's buffer: how it was set, and what its counters say about a shard.

Flags and defaults: go/vt/vtgate/buffer/flags.go v0.24.3 (dashed spelling; enable-buffer off, window 10s,
max failover duration 20s, size 1000, min time between failovers 1m). Names and labels of the counters are
the same from 19 to 24: go/vt/vtgate/buffer/variables.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.base.goduration import duration_s
from harness.history import History, Series
from harness.model import VtgateSpec

DEFAULTS: Mapping[str, str] = {
    "enable-buffer": "false",
    "enable-buffer-dry-run": "false",
    "buffer-window": "10s",
    "buffer-max-failover-duration": "20s",
    "buffer-size": "1000",
    "buffer-drain-concurrency": "1",
    "buffer-min-time-between-failovers": "1m",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferSettings:
    """What a vtgate's buffer was told."""

    enabled: bool
    window_s: float
    max_failover_duration_s: float
    size: int
    drain_concurrency: int
    min_time_between_failovers_s: float


def settings(history: History, vtgate: str) -> BufferSettings:
    """The effective settings of a vtgate: its own flags over the cluster's over Vitess's defaults."""
    cluster = history.plan.cluster
    flags = {**DEFAULTS, **_dashed(cluster.vtgate_flags), **_dashed(_spec(history, vtgate).flags)}
    return BufferSettings(
        enabled=_true(flags["enable-buffer"]),
        window_s=duration_s(flags["buffer-window"]),
        max_failover_duration_s=duration_s(flags["buffer-max-failover-duration"]),
        size=int(flags["buffer-size"], 0),
        drain_concurrency=int(flags["buffer-drain-concurrency"], 0),
        min_time_between_failovers_s=duration_s(flags["buffer-min-time-between-failovers"]),
    )


def _spec(history: History, vtgate: str) -> VtgateSpec:
    """vtgate-1 is the first of the plan (harness.model.Node)."""
    number = vtgate.rpartition("-")[2]
    index = int(number) - 1 if number.isdigit() else 0
    specs = history.plan.cluster.vtgates
    return specs[index] if 0 <= index < len(specs) else VtgateSpec()


def _dashed(flags: Mapping[str, str]) -> dict[str, str]:
    return {name.lstrip("-").replace("_", "-"): value for name, value in flags.items()}


def _true(value: str) -> bool:
    """A bare flag ("") is true (pflag's NoOptDefVal)."""
    return value.strip().lower() in ("", "true", "1", "t")


def counter(series: Series, name: str, keyspace: str, shard: str, since_ns: int) -> float | None:
    """How much a per-shard counter grew; None when its key was never seen."""
    return series.growth(f"{name}:{keyspace}.{shard}", since_ns)


def by_reason(series: Series, name: str, keyspace: str, shard: str, since_ns: int) -> dict[str, float]:
    """Reason → growth of a per-shard counter with reasons; reasons that did not grow are left out."""
    prefix = f"{keyspace}.{shard}."
    found: dict[str, float] = {}
    for label in sorted(series.labels(name)):
        if label.startswith(prefix):
            growth = series.growth(f"{name}:{label}", since_ns)
            if growth:
                found[label.removeprefix(prefix)] = growth
    return found


def buffered_shards(series: Series, keyspace: str) -> tuple[str, ...]:
    """The shards for which the vtgate has buffer counters at all (they exist from the first touch on)."""
    prefix = f"{keyspace}."
    labels = {label for name in ("BufferStarts", "BufferRequestsBuffered") for label in series.labels(name)}
    return tuple(sorted(label.removeprefix(prefix) for label in labels if label.startswith(prefix)))
