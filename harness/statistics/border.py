"""Where in a row of releases something changed, when a run shows it only by chance.

One change is assumed. On one side of it (the bad one, where the row begins) every run shows the thing with the same
rate, which nobody knows; on the other side no run ever does. Before anything was seen every place is as likely as any
other, and every rate too. By Bayes' theorem a place with `shown` and `silent` runs on its bad side then weighs

    ∫ rate^shown (1 - rate)^silent d rate  =  B(shown + 1, silent + 1)

and nothing at all where a run on its good side has shown the thing. Such a probability holds whenever one stops, and
however the next run was chosen. Chosen is the release whose run is expected to tell most (M. Horstein, Sequential
transmission using noiseless feedback, IEEE Transactions on Information Theory 9 (1963), 136-143; R. Waeber,
P. I. Frazier and S. G. Henderson, Bisection search with noisy responses, SIAM Journal on Control and Optimization 51
(2013), 2261-2279). Where every run of a bad release shows the thing, that is the middle, as in any bisection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the runs of one release say."""

    shown: int = 0
    silent: int = 0

    @property
    def counted(self) -> int:
        return self.shown + self.silent


def together(row: Sequence[Seen]) -> Seen:
    return Seen(shown=sum(each.shown for each in row), silent=sum(each.silent for each in row))


def chances(row: Sequence[Seen]) -> tuple[float, ...]:
    """The probability that exactly the first 1, 2, … of the row are bad; the last one: that all of them are."""
    weights = [_weight(row, bad) for bad in range(1, len(row) + 1)]
    most = max(weights)
    scaled = [math.exp(weight - most) for weight in weights]
    return tuple(each / sum(scaled) for each in scaled)


def bad_chances(row: Sequence[Seen]) -> tuple[float, ...]:
    """The probability of each of the row that it is bad; 1 of the first."""
    found = chances(row)
    return tuple(sum(found[index:]) for index in range(len(row)))


def tells(row: Sequence[Seen]) -> tuple[float, ...]:
    """How much the next run of each of the row is expected to tell about the place, in bits."""
    found = chances(row)
    rates = [_next_shows(together(row[:bad])) for bad in range(1, len(row) + 1)]
    return tuple(_tells(index, found, rates) for index in range(len(row)))


def surprise(alone: Seen, others: Seen) -> float:
    """The probability of so many runs in which nothing shows, at the rate of the others: small when one of the bad
    side is not like the rest of it."""
    return math.exp(_log_beta(others.shown, others.silent + alone.silent) - _log_beta(others.shown, others.silent))


def _tells(index: int, found: Sequence[float], rates: Sequence[float]) -> float:
    shows = [rate if index <= place else 0.0 for place, rate in enumerate(rates)]
    mixed = sum(chance * rate for chance, rate in zip(found, shows, strict=True))
    return _bits(mixed) - sum(chance * _bits(rate) for chance, rate in zip(found, shows, strict=True))


def _next_shows(seen: Seen) -> float:
    return (seen.shown + 1) / (seen.counted + 2)


def _weight(row: Sequence[Seen], bad: int) -> float:
    if any(each.shown for each in row[bad:]):
        return -math.inf
    seen = together(row[:bad])
    return _log_beta(seen.shown, seen.silent)


def _log_beta(shown: int, silent: int) -> float:
    return math.lgamma(shown + 1) + math.lgamma(silent + 1) - math.lgamma(shown + silent + 2)


def _bits(chance: float) -> float:
    """Entropy of a yes or no."""
    return -sum(each * math.log2(each) for each in (chance, 1 - chance) if each > 0)
