"""When operations arrive in a lane: an open loop, fixed by the seed, whatever the database does."""

from __future__ import annotations

import math

from harness.base.rng import child


class Arrivals:
    """The arrival times of one lane, from its common start on.

    Poisson arrivals have exponential gaps; even ones have one gap, and each lane its own phase so that
    the lanes of a run do not all knock at once. The schedule is kept in float seconds since the start:
    53 bits are 0.1 µs after ten years.
    """

    __slots__ = ("_at_s", "_draw", "_gap_s", "_poisson", "_start_ns", "next_ns")

    def __init__(self, *, rate: float, poisson: bool, seed: int, name: str) -> None:
        self._draw = child(seed, f"arrivals/{name}").random
        self._gap_s = 1.0 / rate
        self._poisson = poisson
        self._at_s = self._gap() if poisson else self._draw() * self._gap_s
        self._start_ns = 0
        self.next_ns = 0

    def _gap(self) -> float:
        return -math.log(1.0 - self._draw()) * self._gap_s

    def begin(self, start_ns: int) -> None:
        """The lane starts at this stamp."""
        self._start_ns = start_ns
        self.next_ns = start_ns + int(self._at_s * 1e9)

    def take(self) -> int:
        """The arrival that is due next; `next_ns` moves on to the one after it."""
        taken = self.next_ns
        self._at_s += self._gap() if self._poisson else self._gap_s
        self.next_ns = self._start_ns + int(self._at_s * 1e9)
        return taken
