"""The middle of a few figures, how sure it is, and a curve through several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.resampling import bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Median:
    """With its bootstrap interval of 95 %."""

    n: int
    value: float
    low: float
    high: float


def median(values: Sequence[float]) -> Median | None:
    """None of nothing; of one figure the interval is all that is known: the figure itself."""
    if not values:
        return None
    found = np.asarray(values, dtype=np.float64)
    middle = float(np.median(found))
    if len(found) == 1:
        return Median(n=1, value=middle, low=middle, high=middle)
    low, high = bounds((found,), np.median)
    return Median(n=len(found), value=middle, low=low, high=high)


def monotone(values: Sequence[float], weights: Sequence[float], *, rising: bool) -> tuple[float, ...]:
    """The curve nearest to `values` that never falls (or never rises): scipy's isotonic regression."""
    if not values:
        return ()
    from scipy.optimize import isotonic_regression

    return tuple(float(x) for x in isotonic_regression(values, weights=weights, increasing=rising).x)
