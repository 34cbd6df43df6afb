"""When the answer is clear: an interval that holds at every look, not only at the last one.

Who looks after every run and stops when an ordinary interval of 95 % says what he hoped for is wrong far more often
than in 5 % of the cases. This interval holds at all looks together: with a probability of at least 95 %, the true rate
never leaves it, however often one looks and whenever one stops.

It is the confidence sequence of the beta-binomial mixture: for a true rate p, the likelihood of what was seen averaged
over Jeffreys' prior Beta(1/2, 1/2), divided by its likelihood under p, is a martingale that starts at 1; by Ville's
inequality it ever reaches 20 with a probability of at most 1/20. The interval is all p for which it has not.
(H. Robbins, Statistical methods related to the law of the iterated logarithm, Annals of Mathematical Statistics 41
(1970), 1397-1409; S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Time-uniform, nonparametric, nonasymptotic
confidence sequences, Annals of Statistics 49 (2021), 1055-1080, section 3.) Exact for every number of runs; its price
is that it takes about twice as many of them as a number that was fixed before.
"""

from __future__ import annotations

import enum
import math

from harness.statistics.rates import CONFIDENCE

PRIOR = 0.5  # Jeffreys: as sharp near 0 and 1 as in the middle
LEAST = 1e-12  # rates are looked for between this and 1 - this


class Side(enum.StrEnum):
    """Where the true rate is, against a limit."""

    BELOW = "below"
    ABOVE = "above"
    UNCLEAR = "unclear"


def always_valid(shown: int, counted: int) -> tuple[float, float]:
    """Bounds of a rate that hold at every look."""
    if not counted:
        return 0.0, 1.0
    from scipy.optimize import brentq

    def excess(rate: float) -> float:
        return _evidence_against(rate, shown, counted) + math.log(1 - CONFIDENCE)

    seen = min(max(shown / counted, LEAST), 1 - LEAST)
    low = 0.0 if shown == 0 else float(brentq(excess, LEAST, seen))
    high = 1.0 if shown == counted else float(brentq(excess, seen, 1 - LEAST))
    return low, high


def _evidence_against(rate: float, shown: int, counted: int) -> float:
    """Logarithm of the martingale."""
    from scipy.special import betaln

    unseen = counted - shown
    averaged = float(betaln(shown + PRIOR, unseen + PRIOR) - betaln(PRIOR, PRIOR))
    return averaged - shown * math.log(rate) - unseen * math.log1p(-rate)


def side(shown: int, counted: int, limit: float) -> Side:
    """Whether the true rate is surely below or above `limit`; may be asked after every run."""
    low, high = always_valid(shown, counted)
    if high < limit:
        return Side.BELOW
    return Side.ABOVE if low > limit else Side.UNCLEAR


def runs_until_clear(limit: float) -> int:
    """How many runs in which nothing shows it takes to call a rate below `limit`: what a user must be ready for."""
    counted = 1
    while side(0, counted, limit) is Side.UNCLEAR:
        counted += 1
    return counted
