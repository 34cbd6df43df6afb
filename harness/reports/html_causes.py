"""The causes in the page: a table with figures, and below it, for every cause, what to do and the evidence with
the place in the record where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.causes import CauseRow, Evidence
from harness.history import History
from harness.model import RunVerdict
from harness.reports import told_causes
from harness.reports.digest import Digest
from harness.reports.evidence import Place, places


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One cause through every vtgate. An evidence that several causes have stands where it comes first."""

    rows: tuple[Told, ...]
    here: tuple[Place, ...]
    elsewhere: tuple[int, ...]  # numbers of those that stand with another cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One row of the table, with the numbers of its evidence."""

    row: CauseRow
    doing: str
    meaning: str
    summary: str
    through: str
    places: tuple[Place, ...]
    from_s: float
    to_s: float


def causes_view(history: History, verdict: RunVerdict, found: Digest) -> dict[str, Any]:
    """The values of `templates/causes.html`."""
    where = places(history, verdict.causes)
    rows = [_told(row, found, where) for row in verdict.causes]
    return {
        "rows": rows,
        "groups": _groups(rows),
        "affected": told_causes.affected(verdict.causes),
        "definition": told_causes.AFFECTED,
        "doing": told_causes.doing_sentence(verdict.causes),
    }


def _told(row: CauseRow, found: Digest, where: Mapping[Evidence, Place]) -> Told:
    return Told(
        row=row,
        doing=told_causes.DOING[row.blame],
        meaning=told_causes.MEANING[row.blame],
        summary=told_causes.summary_words(row),
        through=told_causes.through_words(row),
        places=tuple(where[evidence] for evidence in dict.fromkeys(row.evidence)),
        from_s=found.seconds(row.from_ns),
        to_s=found.seconds(row.to_ns),
    )


def _groups(rows: Sequence[Told]) -> list[Group]:
    of_cause: dict[str, list[Told]] = {}
    for told in rows:
        of_cause.setdefault(told.row.cause, []).append(told)
    groups: list[Group] = []
    shown: set[int] = set()
    for same in of_cause.values():
        every = {place.number: place for told in same for place in told.places}
        here = tuple(place for number, place in every.items() if number not in shown)
        elsewhere = tuple(number for number in every if number in shown)
        groups.append(Group(rows=tuple(same), here=here, elsewhere=elsewhere))
        shown |= set(every)
    return groups
