"""The service that clients had, in the page: availability against the objective, stalls and recoveries in figures;
and what follows from the run for the flags of vtgate's buffer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.attribution.advice import Advice, advice, flags
from harness.facts.outages import Availability, Outages, Spread, outages
from harness.facts.storm import storms
from harness.history import History
from harness.reports.words import clean, count, duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """One vtgate's clients in words."""

    vtgate: str
    due: str
    share: str
    met: bool
    budget: str
    times: str
    stalls: str
    outages: str
    recovery: str
    undisturbed: int
    unrecovered: int


def service_rows(history: History) -> tuple[ServiceRow, ...]:
    """One for each vtgate that had clients."""
    return tuple(_row(found) for found in outages(history)) if len(history.ops) else ()


def objective_words(history: History) -> str:
    """`99.9 % answered within 500 ms`"""
    objective = history.plan.objective
    return f"{objective.percent:g} % answered within {duration(objective.within_s * 1e9)}"


def availability_words(found: Availability) -> str:
    """Never rounded up to 100 %."""
    share = found.share * 100
    return "100 %" if found.due == found.in_time else f"{math.floor(share * 1000) / 1000:.3f} %"


def _row(found: Outages) -> ServiceRow:
    service = found.availability
    return ServiceRow(
        vtgate=clean(found.vtgate),
        due=count(service.due),
        share=availability_words(service),
        met=service.met,
        budget=_times(service.budget_spent),
        times="any number" if math.isinf(service.times_a_month) else f"{service.times_a_month:,.1f}",
        stalls=_spread(found.stalls),
        outages=_spread(found.outages),
        recovery=_spread(found.recovery),
        undisturbed=found.undisturbed,
        unrecovered=found.unrecovered,
    )


def _times(factor: float) -> str:
    return "more than any" if math.isinf(factor) else f"{factor:,.1f} ×"


def _spread(found: Spread | None) -> str:
    """`64: 1.2 s, up to 8.3 s`"""
    if found is None:
        return "none"
    if found.n == 1:
        return f"1: {duration(found.most * 1e9)}"
    return f"{found.n}: {duration(found.median * 1e9)}, up to {duration(found.most * 1e9)}"


def advice_view(history: History) -> dict[str, Any]:
    """The values of `templates/advice.html`; empty rows where nothing was reparented."""
    found: Sequence[Advice] = advice(history) if storms(history) else ()
    given = [one for one in found if one.value]
    return {
        "given": given,
        "withheld": [one for one in found if not one.value],
        "flags": flags(given),
        "unknown": list(dict.fromkeys(clean(words) for one in given for words in one.unknown)),
    }
