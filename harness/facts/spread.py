"""Many figures of one kind in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.facts.words import seconds

MANY = 10  # from here on a ninth decile is something else than the longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Quantiles are figures that were measured (no interpolation)."""

    n: int
    median: float
    p90: float
    most: float

    @property
    def in_seconds(self) -> str:
        """median 3.1 s, 90 % within 4.8 s, longest 5.2 s (n = 32)"""
        middle = f"median {seconds(self.median)}, " if self.n > 1 else ""
        tail = f"90 % within {seconds(self.p90)}, " if self.n >= MANY else ""
        return f"{middle}{tail}longest {seconds(self.most)} (n = {self.n})"


def spread(values: Sequence[float]) -> Spread | None:
    """None of nothing."""
    if not values:
        return None
    found = np.asarray(values, dtype=float)
    median, p90 = np.quantile(found, (0.5, 0.9), method="higher").tolist()
    return Spread(n=len(found), median=float(median), p90=float(p90), most=float(found.max()))
