"""How often something shows, and between which bounds that is."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`shown` of `counted` runs, with the interval of 95 % that holds when the number of runs was fixed before.

    Wilson's score interval (E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927), 209-212) holds for small numbers, and at 0 and 1. Where
    nothing showed, `at_most` is the exact bound (Clopper and Pearson, one-sided): "fewer than 3 in N" for large N.
    """

    shown: int
    counted: int
    low: float
    high: float
    at_most: float | None = None  # only where nothing showed: the one bound that is of interest then

    @property
    def share(self) -> float | None:
        return self.shown / self.counted if self.counted else None


def rate(shown: int, counted: int) -> Rate:
    """Of nothing: everything between 0 and 1 is possible."""
    if not counted:
        return Rate(shown=0, counted=0, low=0.0, high=1.0)
    low, high = wilson(shown, counted)
    return Rate(shown=shown, counted=counted, low=low, high=high, at_most=None if shown else zero_bound(counted))


@functools.lru_cache(maxsize=4096)  # scipy also tests what nobody asked for; a night has the same counts many times
def wilson(shown: int, counted: int) -> tuple[float, float]:
    """Bounds of a rate; (0, 1) where nothing was measured."""
    if not counted:
        return 0.0, 1.0
    from scipy.stats import binomtest

    bounds = binomtest(shown, counted).proportion_ci(CONFIDENCE, method="wilson")
    return float(bounds.low), float(bounds.high)


def zero_bound(counted: int) -> float:
    """A rate above this would have shown in `counted` runs, with a probability of 95 %."""
    from scipy.stats import binomtest

    return float(binomtest(0, counted, alternative="less").proportion_ci(CONFIDENCE, method="exact").high)


def by_chance_unseen(shown: int, counted: int, further: int) -> float:
    """What showed in `shown` of `counted` runs is not seen in `further` ones, at an unchanged rate.

    The rate is not known, only estimated: the probability is averaged over what the rate may be (the beta-binomial
    predictive distribution with Jeffreys' prior). So one sighting in one run does not make every run without it news.
    """
    from scipy.special import betaln

    unshown = counted - shown + 0.5
    return math.exp(float(betaln(shown + 0.5, unshown + further) - betaln(shown + 0.5, unshown)))
