"""GTID sets as VStream names positions: which one holds the other.

The text is "MySQL56/uuid:1-5:7,uuid:tag:1-3" (go/mysql/replication/mysql56_gtid_set.go; tags since MySQL 8.3,
https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html). The sets of one stream differ at the
end of one interval nearly always, so that texts are cached and compared as intervals only where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

Interval = tuple[int, int]
FLAVOUR = "MySQL56/"


@dataclass(frozen=True, slots=True)
class GtidSet:
    """Source (uuid, or uuid:tag) → its intervals, ascending, neither touching nor overlapping."""

    intervals: Mapping[str, tuple[Interval, ...]]

    def contains(self, other: GtidSet) -> bool:
        return all(
            all(_inside(self.intervals.get(source, ()), wanted) for wanted in intervals)
            for source, intervals in other.intervals.items()
        )


@lru_cache(maxsize=1024)
def parse(text: str) -> GtidSet:
    """Raises ValueError that shows what is no GTID set. The empty text is the empty set."""
    found: dict[str, list[Interval]] = {}
    for part in text.removeprefix(FLAVOUR).split(","):
        if not part.strip():
            continue
        source, *rest = part.strip().lower().split(":")
        if not source or not rest:
            raise ValueError(f"{text!r} is no GTID set: {part!r} has no interval")
        name = source
        for piece in rest:
            if piece[:1].isdigit():
                found.setdefault(name, []).append(_interval(piece, text))
            else:
                name = f"{source}:{piece}"
    return GtidSet({source: _joined(intervals) for source, intervals in found.items()})


def behind(one: str, other: str) -> bool:
    """Whether position `one` lacks something that `other` has: a stream that goes from `other` to `one` went back.

    Raises ValueError for what is no GTID set."""
    return one != other and not parse(one).contains(parse(other))


def _interval(piece: str, text: str) -> Interval:
    first, dash, last = piece.partition("-")
    try:
        return int(first), int(last if dash else first)
    except ValueError:
        raise ValueError(f"{text!r} is no GTID set: {piece!r} is no interval") from None


def _joined(intervals: list[Interval]) -> tuple[Interval, ...]:
    joined: list[Interval] = []
    for first, last in sorted(intervals):
        if last < first:
            continue  # MySQL discards such
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _inside(intervals: tuple[Interval, ...], wanted: Interval) -> bool:
    return any(first <= wanted[0] and wanted[1] <= last for first, last in intervals)
