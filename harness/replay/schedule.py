"""What a run did to its cluster and when, read off its record: to issue it again, and to compare it with that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.facts.storm import seconds_between
from harness.history import History
from harness.model import Drawn, Event, FaultSpan

FAULTS = "faults"  # the phase in which experiments/random.py draws
_DRAWN = re.compile(r"fault (\d+) drawn")
_REFUSED = re.compile(r"fault (\d+) could not be injected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """One fault whose act began."""

    fault: str
    targets: tuple[str, ...]
    at_s: float  # from the beginning of the phase in which faults are drawn, or of the timeline
    hold_s: float | None  # from in force until it was let go; None: an operation, or it never was in force
    error: str = ""  # the operation's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same fault in two runs; None where one of them does not have it."""

    then: Issued | None
    now: Issued | None


# ---------------------------------------------------------------- to issue it again


def recorded(history: History) -> tuple[Drawn, ...]:
    """The random faults that came into force, as they were drawn: which attempt it was, when, and for how long."""
    begin_ns = _phase_ns(history, FAULTS)
    if begin_ns is None:
        return ()
    notes = [event for event in history.events if event.kind == "note"]
    refused = {(_number(_REFUSED, event), _attempt(event)) for event in notes if _REFUSED.match(event.subject)}
    found = [
        Drawn(
            number=_number(_DRAWN, event),
            attempt=_attempt(event),
            at_s=round(seconds_between(begin_ns, event.at_ns), 6),
            hold_s=float(event.details["hold_s"]),
            fault=str(event.details["fault"]),
        )
        for event in notes
        if _DRAWN.fullmatch(event.subject)
    ]
    return tuple(each for each in found if (each.number, each.attempt) not in refused)


def _number(pattern: re.Pattern[str], event: Event) -> int:
    match = pattern.match(event.subject)
    assert match is not None
    return int(match[1])


def _attempt(event: Event) -> int:
    return int(event.details["attempt"])


def _phase_ns(history: History, name: str) -> int | None:
    begins = [event.at_ns for event in history.events if event.kind == "phase" and name in ("", event.subject)]
    return begins[0] if begins else None


# ---------------------------------------------------------------- to compare it


def issued(history: History) -> tuple[Issued, ...]:
    """Every fault whose act began, in that order."""
    zero_ns = _phase_ns(history, FAULTS) or _phase_ns(history, "") or history.start_ns
    begun = sorted((span for span in history.faults if span.begin_ns), key=lambda span: (span.begin_ns, span.number))
    return tuple(_issued(span, zero_ns) for span in begun)


def _issued(span: FaultSpan, zero_ns: int) -> Issued:
    held = bool(span.active_ns and span.recover_ns)
    return Issued(
        fault=span.fault,
        targets=span.targets,
        at_s=round(seconds_between(zero_ns, span.begin_ns), 3),
        hold_s=round(seconds_between(span.active_ns, span.recover_ns), 3) if held else None,
        error=span.error,
    )


def compared(then: Sequence[Issued], now: Sequence[Issued]) -> tuple[Pair, ...]:
    """Fault by fault, in the order of the earlier run: first those that hit the same, then those that are at least the
    same fault (who is primary may differ), then what only one of the runs has."""
    left = list(now)
    partners: dict[int, Issued] = {}
    for same_targets in (True, False):
        for place, each in enumerate(then):
            partner = None if place in partners else _partner(each, left, same_targets=same_targets)
            if partner is not None:
                left.remove(partner)
                partners[place] = partner
    pairs = [Pair(then=each, now=partners.get(place)) for place, each in enumerate(then)]
    return (*pairs, *(Pair(then=None, now=each) for each in left))


def _partner(one: Issued, others: Sequence[Issued], *, same_targets: bool) -> Issued | None:
    """The one that is nearest in time."""
    fitting = [o for o in others if o.fault == one.fault and (not same_targets or set(o.targets) == set(one.targets))]
    return min(fitting, key=lambda other: abs(other.at_s - one.at_s), default=None)
