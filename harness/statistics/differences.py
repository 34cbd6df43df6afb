"""What differs between two groups of runs, and whether that could be chance.

The unit is the run: the shards of one run share one host, one storm and one vtgate, so that 32 stalls of one run are
not 32 independent observations. A figure is therefore one number a run, and groups of runs are compared. Two single
runs can only be compared in what they were, by their lanes; that says nothing of the next run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.statistics.rates import CONFIDENCE, wilson
from harness.statistics.resampling import RESAMPLES, SEED, bounds

ALPHA = 1 - CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """B minus A, with an interval of 95 %, and the probability of such a difference by chance alone."""

    a: float
    b: float
    low: float
    high: float
    p: float

    @property
    def change(self) -> float:
        return self.b - self.a


def of_rates(shown_a: int, counted_a: int, shown_b: int, counted_b: int) -> Difference:
    """Difference of two rates. Both counts must be above 0.

    Interval: Newcombe's hybrid of two Wilson intervals (R. G. Newcombe, Interval estimation for the difference between
    independent proportions, Statistics in Medicine 17 (1998), 873-890, method 10). Test: Boschloo's, exact, and at
    least as powerful as Fisher's.
    """
    a, b = shown_a / counted_a, shown_b / counted_b
    (low_a, high_a), (low_b, high_b) = wilson(shown_a, counted_a), wilson(shown_b, counted_b)
    low = b - a - math.hypot(b - low_b, high_a - a)
    high = b - a + math.hypot(high_b - b, a - low_a)
    return Difference(a=a, b=b, low=low, high=high, p=_boschloo(shown_a, counted_a, shown_b, counted_b))


def _boschloo(shown_a: int, counted_a: int, shown_b: int, counted_b: int) -> float:
    if shown_a + shown_b in (0, counted_a + counted_b):  # the same in all runs: no table is more equal
        return 1.0
    from scipy.stats import boschloo_exact

    found = boschloo_exact([[shown_a, shown_b], [counted_a - shown_a, counted_b - shown_b]])
    return min(1.0, float(found.pvalue))


def of_medians(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Difference of the medians of two groups of figures, one a run. Neither may be empty.

    Interval: bootstrap (percentiles of resampled differences; groups are resampled apart). Test: Mann and Whitney's,
    exact where no two figures are alike and by permutation where some are (of one figure against many, every one).
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    low, high = _resampled(left, right)
    return Difference(a=float(np.median(left)), b=float(np.median(right)), low=low, high=high, p=_ranks(left, right))


def _resampled(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> tuple[float, float]:
    if len(a) < 2 or len(b) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):  # nothing to resample
        change = float(np.median(b) - np.median(a))
        spread = np.inf if len(a) < 2 or len(b) < 2 else 0.0
        return change - spread, change + spread

    def change_of(x: Any, y: Any, axis: int) -> Any:
        return np.median(y, axis=axis) - np.median(x, axis=axis)

    return bounds((a, b), change_of)


def _ranks(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    both = np.concatenate((a, b))
    if np.ptp(both) == 0:
        return 1.0
    from scipy.stats import PermutationMethod, mannwhitneyu

    if len(np.unique(both)) == len(both):
        return float(mannwhitneyu(a, b, method="exact").pvalue)
    if min(len(a), len(b)) == 1:
        return _rank_of_one(both, 0 if len(a) == 1 else -1)
    ways = math.comb(len(both), len(a))  # fewer than asked for: every one of them is looked at
    method = PermutationMethod(n_resamples=min(ways, RESAMPLES), rng=np.random.default_rng(SEED))
    return float(mannwhitneyu(a, b, method=method).pvalue)


def _rank_of_one(figures: npt.NDArray[np.float64], index: int) -> float:
    """How often one drawn from all of them lies as far out as this one: scipy's permutations take no group of one."""
    from scipy.stats import rankdata

    ranks = rankdata(figures)
    tail = min(np.mean(ranks <= ranks[index]), np.mean(ranks >= ranks[index]))
    return min(1.0, 2 * float(tail))


def least_p(runs_a: int, runs_b: int) -> float:
    """The smallest probability that the ranks of so many figures can give: all of A below all of B. Where it is not
    below 5 %, no figures whatever could show a difference."""
    return min(1.0, 2 / math.comb(runs_a + runs_b, runs_a))


def adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """Probabilities corrected for how many were looked at: of what is called different at 5 %, at most 5 % is chance
    on average (Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical
    Society B 57 (1995), 289-300)."""
    if not p_values:
        return ()
    from scipy.stats import false_discovery_control

    return tuple(float(p) for p in false_discovery_control(p_values))
