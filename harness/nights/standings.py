"""How a finding stands after this night: new, back again, ongoing, rare, not seen, resolved. Pure.

Nights are compared in runs in which the finding could have shown: runs of the same experiment on the same release in
which the check was judged. A night without such a run says nothing of it, neither that it is there nor that it is gone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.nights.night import Item, Night, Sighting
from harness.statistics.differences import ALPHA
from harness.statistics.rates import Rate, by_chance_unseen, rate


class Standing(enum.StrEnum):
    """In the order in which a reader wants them."""

    UNCOMPARED = "uncompared"  # nobody looked at the nights before
    NEW = "new"  # never before
    RETURNED = "returned"  # it had been resolved
    RESOLVED = "resolved"  # since tonight its absence means something
    ONGOING = "ongoing"  # last night, too
    RARE = "rare"  # some nights ago, not last night
    UNSEEN = "not seen"  # not tonight, in too few runs for that to mean anything
    GONE = "gone"  # resolved on an earlier night


NEWS = (Standing.NEW, Standing.RETURNED, Standing.RESOLVED)
SHOWN = (Standing.UNCOMPARED, Standing.NEW, Standing.RETURNED, Standing.ONGOING, Standing.RARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """All that is known of one item."""

    item: Item
    standing: Standing
    tonight: Rate
    earlier: Rate  # all nights before
    nights_seen: int
    nights_judged: int
    first: Sighting
    latest: Sighting
    latest_before: str  # when it was last seen before tonight, or tonight where it is new
    unseen_runs: int = 0  # runs without it since it was last seen (before tonight), in which it could have shown
    by_chance: float = 1.0  # of not seeing it in these, at the rate that it had


@dataclass(frozen=True, slots=True)
class _Count:
    """One night's."""

    shown: int
    judged: int


def standings(nights: Sequence[Night], *, compared: bool = True) -> tuple[Standings, ...]:
    """Of everything that any night showed; the last night is tonight. `compared`: the nights before are among them."""
    items = {item for night in nights for item in night.shown}
    order = list(Standing)
    return tuple(
        sorted(
            (_standings(item, nights, compared) for item in items),
            key=lambda each: (order.index(each.standing), -each.tonight.shown, -each.earlier.shown, each.item),
        )
    )


def _standings(item: Item, nights: Sequence[Night], compared: bool) -> Standings:
    counts = [_count(item, night) for night in nights]
    seen = [night.shown[item] for night in nights if item in night.shown]
    before = [night.shown[item] for night in nights[:-1] if item in night.shown]
    standing = _standing(counts) if compared else Standing.UNCOMPARED
    unseen_runs, by_chance = _absence(counts[:-1] if standing is Standing.RETURNED else counts)
    return Standings(
        item=item,
        standing=standing,
        tonight=rate(counts[-1].shown, counts[-1].judged),
        earlier=rate(sum(count.shown for count in counts[:-1]), sum(count.judged for count in counts[:-1])),
        nights_seen=len(seen),
        nights_judged=sum(count.judged > 0 for count in counts),
        first=seen[0].first,
        latest=seen[-1].last,
        latest_before=(before[-1] if before else seen[-1]).last.begin,
        unseen_runs=unseen_runs,
        by_chance=by_chance,
    )


def _count(item: Item, night: Night) -> _Count:
    shown = night.shown[item].runs if item in night.shown else 0
    return _Count(shown, max(shown, night.judged.get(item.watched, 0)))


def _standing(counts: Sequence[_Count]) -> Standing:
    before = counts[:-1]
    if not counts[-1].shown:
        return _standing_unseen(counts)
    if not any(count.shown for count in before):
        return Standing.NEW
    if _resolved(before):
        return Standing.RETURNED
    last = next(count for count in reversed(before) if count.judged)
    return Standing.ONGOING if last.shown else Standing.RARE


def _standing_unseen(counts: Sequence[_Count]) -> Standing:
    if not _resolved(counts):
        return Standing.UNSEEN
    return Standing.GONE if _resolved(counts[:-1]) else Standing.RESOLVED


def _resolved(counts: Sequence[_Count]) -> bool:
    return _absence(counts)[1] < ALPHA


def _absence(counts: Sequence[_Count]) -> tuple[int, float]:
    """Runs since it was last seen, and how probable they are without it at the rate of the nights until then."""
    seen = list(_seen(counts))
    there, since = counts[seen[0] : seen[-1] + 1], counts[seen[-1] + 1 :]
    without = sum(count.judged for count in since)
    shown, judged = sum(count.shown for count in there), sum(count.judged for count in there)
    return without, by_chance_unseen(shown, judged, without)


def _seen(counts: Sequence[_Count]) -> Iterator[int]:
    return (index for index, count in enumerate(counts) if count.shown)
