"""What a vtgate's own counters say: growth by shard and reason, and growth over time.

Keys of a series are `Var:ks.shard` or `Var:ks.shard.Reason` (go/vt/vtgate/buffer/variables.go, 0.19 to
0.24). Growth counts from the first sample: with a kept cluster, what happened before the run is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.history import Series

Floats = npt.NDArray[np.float64]
Stamps = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferFacts:
    """The buffer of one vtgate over the run. None = the counter was never seen, or its process restarted:
    an absent key is not 0."""

    buffered: float | None = None
    drained: float | None = None
    evicted: Mapping[str, float] = field(default_factory=dict)  # by reason
    skipped: Mapping[str, float] = field(default_factory=dict)
    stops: Mapping[str, float] = field(default_factory=dict)
    promoted: float | None = None
    buffered_by_shard: Mapping[str, float] = field(default_factory=dict)

    @property
    def evicted_total(self) -> float | None:
        """None where nothing is known about the buffer at all."""
        return sum(self.evicted.values()) if self.evicted or self.buffered is not None else None


def buffer_facts(series: Series | None) -> BufferFacts:
    if series is None:
        return BufferFacts()
    buffered = by_shard(series, "BufferRequestsBuffered")
    return BufferFacts(
        buffered=_total(buffered),
        drained=_total(by_shard(series, "BufferRequestsDrained")),
        evicted=by_reason(series, "BufferRequestsEvicted"),
        skipped=by_reason(series, "BufferRequestsSkipped"),
        stops=by_reason(series, "BufferStops"),
        promoted=_total(by_shard(series, "HealthcheckPrimaryPromoted")),
        buffered_by_shard=buffered,
    )


def by_shard(series: Series, var: str) -> dict[str, float]:
    return _grouped(series, var, 1)


def by_reason(series: Series, var: str) -> dict[str, float]:
    return _grouped(series, var, 2)


def _grouped(series: Series, var: str, part: int) -> dict[str, float]:
    """Growth of every key of `var`, summed by one part of its label (0 keyspace, 1 shard, 2 reason)."""
    sums: dict[str, float] = {}
    first_ns = int(series.at_ns[0]) if len(series.at_ns) else 0
    for label in series.labels(var):
        labels = label.split(".")
        grown = series.growth(f"{var}:{label}", first_ns)
        if grown is not None and part < len(labels):
            sums[labels[part]] = sums.get(labels[part], 0.0) + grown
    return sums


def _total(parts: Mapping[str, float]) -> float | None:
    return sum(parts.values()) if parts else None


def total_at(series: Series, var: str, at_ns: Stamps) -> Floats | None:
    """The sum of all keys of `var` at each stamp, from 0 at the first sample; None when it was never seen."""
    labels = series.labels(var)
    if not labels:
        return None
    total = np.zeros(len(at_ns))
    first_ns = int(series.at_ns[0])
    for label in labels:
        key = f"{var}:{label}"
        values = value_at(series, key, at_ns, missing=0.0)
        total += values - (series.number(key, first_ns) or 0.0)
    return np.maximum(total, 0.0)


def value_at(series: Series, key: str, at_ns: Stamps, *, missing: float = np.nan) -> Floats:
    """One key at each stamp: the last value seen; `missing` before there was one."""
    times, raw = series.steps(key)
    known = [(time, float(value)) for time, value in zip(times, raw, strict=True) if not isinstance(value, str)]
    if not known:
        return np.full(len(at_ns), missing)
    stamps = np.array([time for time, _ in known], dtype=np.int64)
    values = np.array([missing, *(value for _, value in known)])
    return values[np.searchsorted(stamps, at_ns, side="right")]
