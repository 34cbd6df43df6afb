"""How busy the host was and how late the harness itself: who reads a stall must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.history import History, Series
from harness.reports.counters import Floats, Stamps, value_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One measure at the samples of its source."""

    at_ns: Stamps
    values: Floats

    def thinned(self, points: int) -> Curve:
        """At most `points` of them, each the largest of its neighbours: a pause must not be thinned away."""
        step = -(-len(self.values) // points)
        if step <= 1:
            return self
        starts = np.arange(0, len(self.values), step)
        return Curve(at_ns=self.at_ns[starts], values=np.fmax.reduceat(self.values, starts))


def busy_share(history: History) -> Curve | None:
    """Share of all CPUs in use, 0 to 1."""
    return _curve(history.series.get("host"), "cpu_busy_share")


def memory_available(history: History) -> Curve | None:
    """Bytes."""
    return _curve(history.series.get("host"), "memory_available_bytes")


def cpu_pressure(history: History) -> Curve | None:
    """Share of the time between two samples in which something waited for a CPU (PSI "some"); the kernel
    counts it in microseconds."""
    waited = _curve(history.series.get("host"), "cpu_some_us")
    if waited is None or len(waited.at_ns) < 2:
        return None
    between_us = np.maximum(np.diff(waited.at_ns) / 1e3, 1.0)
    return Curve(at_ns=waited.at_ns[1:], values=np.clip(np.diff(waited.values) / between_us, 0.0, 1.0))


def loop_lag_ms(history: History) -> Mapping[str, Curve]:
    """The worst pause of every part of the harness itself, by part."""
    lags = {}
    for name, series in sorted(history.series.items()):
        curve = _curve(series, "loop_lag_max_ms")
        if curve is not None:
            lags[name] = curve
    return lags


def pressure_sentence(history: History) -> str:
    """`Host: CPU busy up to 100 %, …; the harness itself paused for at most 9 ms.`; empty if not probed."""
    parts = _host_words(history)
    lags = [float(np.nanmax(lag.values)) for lag in loop_lag_ms(history).values()]
    if lags:
        parts.append(f"the harness itself paused for at most {max(lags):,.0f} ms")
    return "Host: " + ", ".join(parts) + "." if parts else ""


def _host_words(history: History) -> list[str]:
    words = []
    for share, text in (
        (busy_share(history), "CPU busy up to {:.0%}"),
        (cpu_pressure(history), "work waited for a CPU up to {:.0%} of the time"),
    ):
        if share is not None:
            words.append(text.format(np.nanmax(share.values)))
    memory = memory_available(history)
    if memory is not None:
        words.append(f"at least {np.nanmin(memory.values) / 2**30:.1f} GiB of memory free")
    return words


def _curve(series: Series | None, key: str) -> Curve | None:
    """From the first sample that has the key on; None if none has (or only as text)."""
    if series is None:
        return None
    times, values = series.steps(key)
    if not times or all(isinstance(value, str) for value in values):
        return None
    at_ns = series.at_ns[series.at_ns >= times[0]]
    return Curve(at_ns=at_ns, values=value_at(series, key, at_ns))
