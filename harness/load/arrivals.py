"""When operations arrive, in which lane, and what they want: fixed by the seed, whatever the database does.

All lanes of a worker have one rate, so their Poisson processes together are one Poisson process of the
summed rate whose arrivals fall into the lanes at random: one sequence, no heap. Evenly spaced lanes
with evenly spaced phases together are one evenly spaced sequence that visits the lanes in turn.

Drawn by numpy in chunks: an arrival costs its worker three list look-ups.
"""

from __future__ import annotations

import numpy as np

from harness.base.rng import child

CHUNK = 512


class Arrivals:
    """The arrivals of one worker, in order. `times`, `lanes` and `writes` are the present chunk, `at` the
    position in it of the next arrival; `refill` when `at` has reached the end.

    Offsets are float seconds since the start: 53 bits are 0.1 µs after ten years.
    """

    def __init__(self, *, lanes: int, rate: float, write_share: float, poisson: bool, seed: int, name: str) -> None:
        source = child(seed, f"arrivals/{name}")
        self._draw = np.random.Generator(np.random.PCG64(source.getrandbits(128)))
        self._lanes = lanes
        self._gap_s = 1.0 / (rate * lanes)
        self._write_share = write_share
        self._poisson = poisson
        self._turn = 0
        self._last_s = 0.0 if poisson else -self._draw.random() * self._gap_s
        self._start_ns = 0
        self.times: list[int] = []
        self.lanes: list[int] = []
        self.writes: list[bool] = []
        self.at = 0

    def begin(self, start_ns: int) -> None:
        """Arrivals begin at this stamp."""
        self._start_ns = start_ns
        self.refill()

    def refill(self) -> None:
        """The next chunk."""
        if self._poisson:
            gaps = self._draw.exponential(self._gap_s, CHUNK)
            lanes = self._draw.integers(0, self._lanes, CHUNK)
        else:
            gaps = np.full(CHUNK, self._gap_s)
            lanes = np.arange(self._turn, self._turn + CHUNK) % self._lanes
            self._turn += CHUNK
        offsets_s = self._last_s + np.cumsum(gaps)
        self._last_s = float(offsets_s[-1])
        self.times = ((offsets_s * 1e9).astype(np.int64) + self._start_ns).tolist()
        self.lanes = lanes.tolist()
        self.writes = (self._draw.random(CHUNK) < self._write_share).tolist()
        self.at = 0
