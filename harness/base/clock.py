"""The one monotonic base of a run: every stamp in a run directory is nanoseconds of this clock.

CLOCK_MONOTONIC is the same in every process of one host (and in every pid, mount and network
namespace), so stamps of the load workers, the probes and the runner are comparable as they are.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass


def now_ns() -> int:
    """Monotonic nanoseconds."""
    return time.monotonic_ns()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockBase:
    """One instant on both clocks; `wall_ns` is for people and for log lines, never for durations."""

    monotonic_ns: int
    wall_ns: int

    @classmethod
    def take(cls) -> ClockBase:
        return cls(monotonic_ns=time.monotonic_ns(), wall_ns=time.time_ns())

    def wall(self, monotonic_ns: int) -> datetime.datetime:
        """The wall-clock time of a stamp, in UTC."""
        wall_ns = self.wall_ns + (monotonic_ns - self.monotonic_ns)
        return datetime.datetime.fromtimestamp(wall_ns / 1e9, tz=datetime.UTC)

    def monotonic(self, wall_ns: int) -> int:
        """The stamp of a wall-clock time, as log lines carry it."""
        return self.monotonic_ns + (wall_ns - self.wall_ns)
