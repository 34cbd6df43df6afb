"""The worker's own pauses: how late its ticks and its arrivals were. A load that stands still measures itself."""

from __future__ import annotations

import resource
from pathlib import Path

from harness.base.rundir import LineLog
from harness.model import Sample, Scalar


def quantile_ms(values_ns: list[int], share: float) -> float:
    """The value that `share` of the values do not exceed, in milliseconds; 0 of none. Sorts in place."""
    values_ns.sort()
    return round(values_ns[min(len(values_ns) - 1, int(share * len(values_ns)))] / 1e6, 3) if values_ns else 0.0


class Pauses:
    """Collects between two samples, and writes the samples (~4 a second) to `samples-load-W.jsonl`."""

    def __init__(self, path: Path) -> None:
        self._log = LineLog(path)
        self.ticks_ns: list[int] = []  # how late the loop called us, each time

    def sample(self, at_ns: int, arrivals_ns: list[int], **more: Scalar) -> None:
        """Write what was collected (`arrivals_ns`: how late each arrival was offered), and start anew."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        values: dict[str, Scalar] = {
            "loop_lag_max_ms": quantile_ms(self.ticks_ns, 1.0),
            "loop_lag_p99_ms": quantile_ms(self.ticks_ns, 0.99),
            "schedule_lag_max_ms": quantile_ms(arrivals_ns, 1.0),
            "schedule_lag_p99_ms": quantile_ms(arrivals_ns, 0.99),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 6),
            "involuntary_switches": usage.ru_nivcsw,
            **more,
        }
        self.ticks_ns.clear()
        arrivals_ns.clear()
        self._log.append(Sample(at_ns=at_ns, took_ns=0, values=values))

    def failed(self, at_ns: int, error: str) -> None:
        self._log.append(Sample(at_ns=at_ns, took_ns=0, error=error))

    def close(self) -> None:
        self._log.close()
