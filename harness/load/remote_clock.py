"""The clock of a place that is not this machine: how far it is from ours, and how well that is known.

Operations are stamped where they happen. A station on this machine (the same boot, as kind's nodes are) has our
clock. For any other the offset is measured by asking it the time: whatever the way there and back took, the
answer was given in between, so half the round trip is the bound of the error. The quickest of several rounds wins.
Measured when the load begins and when it has ended; in between the offset is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROUNDS = 15
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """What tells this running kernel from every other; empty where the system does not say."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measurement: at `at_ns` of our clock the other one was `offset_ns` ahead, give or take `uncertainty_ns`."""

    at_ns: int
    offset_ns: int
    uncertainty_ns: int


def reading(rounds: Sequence[tuple[int, int, int]]) -> Reading:
    """From rounds of (asked, what the other clock said, answered); the quickest counts. At least one is needed."""
    asked_ns, theirs_ns, answered_ns = min(rounds, key=lambda each: each[2] - each[0])
    middle_ns = (asked_ns + answered_ns) // 2
    return Reading(at_ns=middle_ns, offset_ns=theirs_ns - middle_ns, uncertainty_ns=(answered_ns - asked_ns + 1) // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationClock:
    """One station's clock over a run."""

    same_boot: bool  # of the same kernel as ours
    begin: Reading
    end: Reading | None = None  # None: the run did not come so far

    @property
    def is_ours(self) -> bool:
        """The same kernel, and no reading contradicts it (a container may have a time namespace of its own)."""
        return self.same_boot and all(abs(each.offset_ns) <= each.uncertainty_ns for each in self._readings)

    @property
    def uncertainty_ns(self) -> int:
        """By how much a shifted stamp may be wrong."""
        return 0 if self.is_ours else max(each.uncertainty_ns for each in self._readings)

    @property
    def drift_ns(self) -> int:
        """By how much the offset grew from begin to end, as far as the readings tell."""
        return 0 if self.is_ours or self.end is None else self.end.offset_ns - self.begin.offset_ns

    def theirs(self, ours_ns: int) -> int:
        """A stamp of ours, not far from the begin, on the other clock; 0 stays 0 (it means "not yet")."""
        if not ours_ns or self.is_ours:
            return ours_ns
        return ours_ns + (self.end or self.begin).offset_ns

    def ours(self, theirs_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Stamps of the other clock on ours; 0 stays 0. Whole nanoseconds: the order of stamps is kept."""
        if self.is_ours:
            return theirs_ns
        since = theirs_ns - (self.begin.at_ns + self.begin.offset_ns)
        shifted = theirs_ns - self.begin.offset_ns - np.rint(since * self._slope).astype(np.int64)
        return np.where(theirs_ns == 0, 0, shifted)

    def our(self, theirs_ns: int) -> int:
        """One stamp."""
        return int(self.ours(np.array([theirs_ns], dtype=np.int64))[0])

    @property
    def _readings(self) -> tuple[Reading, ...]:
        return (self.begin,) if self.end is None else (self.begin, self.end)

    @property
    def _slope(self) -> float:
        """Growth of the offset for each nanosecond of the other clock."""
        if self.end is None or self.end.at_ns <= self.begin.at_ns:
            return 0.0
        return self.drift_ns / (self.end.at_ns + self.end.offset_ns - self.begin.at_ns - self.begin.offset_ns)
