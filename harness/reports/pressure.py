"""How busy the host was and how late the harness itself: who reads a stall must know."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.history import History, Series
from harness.reports.counters import Floats, Stamps, value_at


def busy_share(history: History, at_ns: Stamps) -> Floats | None:
    """Share of all CPUs in use, 0 to 1."""
    return _host(history, "cpu_busy_share", at_ns)


def memory_available(history: History, at_ns: Stamps) -> Floats | None:
    """Bytes."""
    return _host(history, "memory_available_bytes", at_ns)


def cpu_pressure(history: History, at_ns: Stamps) -> Floats | None:
    """Share of time in which something waited for a CPU (PSI "some"), between one stamp and the next;
    the kernel counts it in microseconds."""
    waited = _host(history, "cpu_some_us", at_ns)
    if waited is None or len(at_ns) < 2:
        return None
    share = np.diff(waited, prepend=np.nan) / (np.diff(at_ns, prepend=at_ns[0]) / 1e3 + 1e-9)
    return np.clip(share, 0.0, 1.0)


def loop_lag_ms(history: History, at_ns: Stamps) -> Mapping[str, Floats]:
    """The worst pause of every part of the harness itself, by part."""
    lags = {}
    for name, series in sorted(history.series.items()):
        if name == "harness" or name.startswith("load-"):
            lags[name] = value_at(series, "loop_lag_max_ms", at_ns)
    return lags


def pressure_sentence(history: History) -> str:
    """`Host: CPU busy up to 100 %, …; the harness itself paused for at most 9 ms.`; empty if not probed."""
    parts = []
    series = history.series.get("host")
    if series is not None and len(series.at_ns):
        parts += _host_words(history, series)
    lags = [lag for name in loop_lag_ms(history, np.empty(0, dtype=np.int64)) for lag in _numbers(history.series[name])]
    if lags:
        parts.append(f"the harness itself paused for at most {max(lags):,.0f} ms")
    return "Host: " + ", ".join(parts) + "." if parts else ""


def _host_words(history: History, series: Series) -> list[str]:
    words = []
    for share, text in (
        (busy_share(history, series.at_ns), "CPU busy up to {:.0%}"),
        (cpu_pressure(history, series.at_ns), "work waited for a CPU up to {:.0%} of the time"),
    ):
        if share is not None and not np.isnan(share).all():
            words.append(text.format(np.nanmax(share)))
    memory = memory_available(history, series.at_ns)
    if memory is not None and not np.isnan(memory).all():
        words.append(f"at least {np.nanmin(memory) / 2**30:.1f} GiB of memory free")
    return words


def _numbers(series: Series) -> list[float]:
    return [float(value) for value in series.steps("loop_lag_max_ms")[1] if not isinstance(value, str)]


def _host(history: History, key: str, at_ns: Stamps) -> Floats | None:
    series = history.series.get("host")
    if series is None or not series.steps(key)[0]:
        return None
    return value_at(series, key, at_ns)
