"""How sure a statistic is: between which bounds it lies when the same figures are drawn again and again (bootstrap)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.statistics.rates import CONFIDENCE

RESAMPLES = 4_000
SEED = 20_170_629  # the same figures give the same bounds


def bounds(groups: Sequence[npt.NDArray[np.float64]], statistic: Callable[..., Any]) -> tuple[float, float]:
    """Of 95 %, by percentiles, which need no shape and hold for ties; groups are drawn apart. `statistic` takes `axis`,
    and each group has at least two figures."""
    from scipy.stats import bootstrap

    found = bootstrap(
        tuple(groups),
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)
