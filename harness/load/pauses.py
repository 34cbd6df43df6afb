"""The worker's own pauses: how late its ticks and its arrivals were. A load that stands still measures itself."""

from __future__ import annotations

import resource
from pathlib import Path

from harness.base.rundir import LineLog
from harness.model import Sample, Scalar


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 of none. Sorts in place."""
    values.sort()
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class Pauses:
    """Collects between two samples, and writes the samples (~4 a second) to `samples-load-W.jsonl`."""

    def __init__(self, path: Path) -> None:
        self._log = LineLog(path)
        self._loop_lags_ms: list[float] = []
        self._schedule_lags_ms: list[float] = []

    def tick(self, late_ns: int) -> None:
        """The loop was to call us `late_ns` ago."""
        self._loop_lags_ms.append(late_ns / 1e6)

    def arrival(self, late_ns: int) -> None:
        """An arrival was to be offered `late_ns` ago."""
        self._schedule_lags_ms.append(late_ns / 1e6)

    def sample(self, at_ns: int, **more: Scalar) -> None:
        """Write what was collected, and start anew."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        values: dict[str, Scalar] = {
            "loop_lag_max_ms": round(max(self._loop_lags_ms, default=0.0), 3),
            "loop_lag_p99_ms": round(quantile(self._loop_lags_ms, 0.99), 3),
            "schedule_lag_max_ms": round(max(self._schedule_lags_ms, default=0.0), 3),
            "schedule_lag_p99_ms": round(quantile(self._schedule_lags_ms, 0.99), 3),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 6),
            "involuntary_switches": usage.ru_nivcsw,
            **more,
        }
        self._loop_lags_ms.clear()
        self._schedule_lags_ms.clear()
        self._log.append(Sample(at_ns=at_ns, took_ns=0, values=values))

    def failed(self, at_ns: int, error: str) -> None:
        self._log.append(Sample(at_ns=at_ns, took_ns=0, error=error))

    def close(self) -> None:
        self._log.close()
