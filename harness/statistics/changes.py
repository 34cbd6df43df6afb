"""Where a series of figures changed, and how steeply another rises.

ruptures finds the places, a rank test says whether they could be chance: docs/decisions/change-points.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.statistics.differences import ALPHA

LEAST_RUNS = 5  # on each side: the ranks of fewer cannot differ clearly once the places are corrected for
MOST_FIGURES = 1_000  # of a series, the latest: the search grows with their square

Figures = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Between two stretches of a series."""

    index: int  # of the first figure after it
    runs_before: int
    runs_after: int
    before: float  # medians
    after: float
    p: float  # of such a difference by chance, with all places at which it could have been found

    @property
    def size(self) -> float:
        return self.after - self.before


def changes(figures: Sequence[float], matters: Callable[[Change], bool]) -> tuple[Change, ...]:
    """All that are clear and matter, in order. `figures`: one a run, in order of time, at most MOST_FIGURES."""
    values = np.asarray(figures, dtype=np.float64)
    borders = _candidates(values)
    while borders:
        edges = [0, *borders, len(values)]
        found = [_change(values, *edges[at : at + 3]) for at in range(len(borders))]
        weakest = max(found, key=lambda change: (not matters(change), change.p))
        if matters(weakest) and weakest.p < ALPHA:
            return tuple(found)
        borders.remove(weakest.index)  # its neighbours have longer stretches now, and are looked at anew
    return ()


def _candidates(values: Figures) -> list[int]:
    """Binary segmentation over ranks: the gain of a split is Kruskal and Wallis' H, which is chi-square by chance."""
    places = _places(len(values))
    if places < 1 or np.ptp(values) == 0:
        return []
    import ruptures
    from scipy.stats import chi2

    search = ruptures.Binseg(model="rank", min_size=LEAST_RUNS, jump=1).fit(values)
    return [int(at) for at in search.predict(pen=float(chi2.isf(ALPHA / places, 1)))[:-1]]


def _places(runs: int) -> int:
    return runs - 2 * LEAST_RUNS + 1


def _change(values: Figures, begin: int, at: int, end: int) -> Change:
    from scipy.stats import mannwhitneyu

    left, right = values[begin:at], values[at:end]
    alike = np.ptp(values[begin:end]) == 0
    p = 1.0 if alike else float(mannwhitneyu(left, right).pvalue)  # exact where one side is small and none are tied
    return Change(
        index=at,
        runs_before=len(left),
        runs_after=len(right),
        before=float(np.median(left)),
        after=float(np.median(right)),
        p=min(1.0, p * max(1, _places(end - begin))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Per unit of what it was measured against, with its interval of 95 % (P. K. Sen, Estimates of the regression
    coefficient based on Kendall's tau, Journal of the American Statistical Association 63 (1968), 1379-1389)."""

    value: float
    low: float
    high: float


def slope(figures: Sequence[float], at: Sequence[float]) -> Slope | None:
    """The median of the slopes between every two (Theil and Sen): one run that needed much does not tilt it. None of
    fewer than LEAST_RUNS. At most MOST_FIGURES."""
    if len(figures) < LEAST_RUNS or len(set(at)) < 2:
        return None
    if len(set(figures)) == 1:
        return Slope(value=0.0, low=0.0, high=0.0)
    from scipy.stats import theilslopes

    found = theilslopes(figures, at, alpha=1 - ALPHA)
    return Slope(value=float(found.slope), low=float(found.low_slope), high=float(found.high_slope))
