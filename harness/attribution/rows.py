"""The causes of operations, added up to rows of a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.attribution.join import NOBODY, Claimed, Joined
from harness.attribution.signature import Signature
from harness.causes import UNEXPLAINED, Blame, CauseRow, Evidence
from harness.facts.affected import Affected, Flags

EVIDENCE_SHOWN = 5  # a verdict is read by people; the run directory has the rest
ONE_CLAIM_SHOWS = 4
EXAMPLES_SHOWN = 8


def rows(joined: Sequence[Joined], table: Sequence[Signature]) -> tuple[CauseRow, ...]:
    """One row for each vtgate and cause that at least one operation is named for, the most operations first."""
    found: list[CauseRow] = []
    for vtgate in dict.fromkeys(part.affected.vtgate for part in joined):
        mine = [part for part in joined if part.affected.vtgate == vtgate]
        causes = np.unique(np.concatenate([part.cause for part in mine])).tolist()
        found.extend(_row(vtgate, cause, mine, table) for cause in causes)
    return tuple(sorted(found, key=lambda row: (-row.operations, row.vtgate, row.cause)))


@dataclass(slots=True)
class _Sums:
    """What the lanes of one vtgate have of one cause."""

    shards: Counter[str]
    classes: Counter[str]
    through: Counter[str]
    errors: int = 0
    waited_s: float = 0.0
    worst_s: float = 0.0
    from_ns: int = np.iinfo(np.int64).max
    to_ns: int = 0

    def add(self, part: Joined, mine: Flags, table: Sequence[Signature]) -> None:
        affected = part.affected
        self.shards[affected.where] += int(np.count_nonzero(mine))
        self.classes.update(name for name in affected.classes[mine].tolist() if name)
        self.through.update(table[index].name for index in part.through[mine].tolist() if index != NOBODY)
        self.errors += int(np.count_nonzero(affected.failed & mine))
        self.worst_s = max(self.worst_s, float(part.waited_s[mine].max()))
        self.from_ns = min(self.from_ns, int(affected.from_ns[mine].min()))
        self.to_ns = max(self.to_ns, int(affected.to_ns[mine].max()))


def _row(vtgate: str, cause: int, parts: Sequence[Joined], table: Sequence[Signature]) -> CauseRow:
    sums = _Sums(Counter(), Counter(), Counter())
    for part in parts:
        mine = part.cause == cause
        if mine.any():
            sums.add(part, mine, table)
        sums.waited_s += _held_s(part, cause)
    signature = table[cause] if cause != NOBODY else None
    return CauseRow(
        cause=signature.name if signature else UNEXPLAINED,
        blame=signature.blame if signature else Blame.NOBODY,
        vtgate=vtgate,
        title=signature.title if signature else "no signature explains it",
        operations=sum(sums.shards.values()),
        errors=sums.errors,
        waited_s=round(sums.waited_s, 3),
        worst_s=round(sums.worst_s, 3),
        from_ns=sums.from_ns,
        to_ns=sums.to_ns,
        shards=_most_first(sums.shards),
        classes=_most_first(sums.classes),
        through=_most_first(sums.through),
        evidence=_evidence(parts, cause) if signature else _examples(parts),
        advice=signature.advice if signature else "",
    )


def _most_first(counts: Counter[str]) -> Mapping[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _held_s(part: Joined, cause: int) -> float:
    """Every moment for who held it, also of operations that are named for another cause."""
    if cause != NOBODY:
        return float(part.held_s[cause].sum()) if cause in part.held_s else 0.0
    return float(part.waited_s.sum()) - sum(float(held.sum()) for held in part.held_s.values())


def _evidence(parts: Sequence[Joined], cause: int) -> tuple[Evidence, ...]:
    """All of the claim that touches most of the operations, then the best piece of the others."""
    weights: Counter[Claimed] = Counter()
    for part in parts:
        weights.update(dict(_weights(part, cause)))
    claims = [item.claim for item, _ in sorted(weights.items(), key=lambda item: (-item[1], item[0].claim.from_ns))]
    pieces = [*claims[0].evidence[:ONE_CLAIM_SHOWS], *(claim.evidence[0] for claim in claims[1:])] if claims else []
    return tuple(dict.fromkeys(pieces))[:EVIDENCE_SHOWN]


def _weights(part: Joined, cause: int) -> Iterator[tuple[Claimed, int]]:
    mine = part.cause == cause
    from_ns, to_ns = part.affected.from_ns[mine], part.affected.to_ns[mine]
    for item in part.claims:
        if item.cause == cause:
            touched = int(np.count_nonzero((item.claim.from_ns <= to_ns) & (item.claim.to_ns >= from_ns)))
            if touched:
                yield item, touched


def _examples(parts: Sequence[Joined]) -> tuple[Evidence, ...]:
    """What stays unexplained has no traces; the operations themselves say where to look."""
    found = [example for part in parts for example in _unexplained(part.affected, part.cause == NOBODY)]
    return tuple(sorted(found, key=lambda item: (item.at_ns, item.subject)))[:EXAMPLES_SHOWN]


def _unexplained(part: Affected, mine: Flags) -> Iterator[Evidence]:
    for index in np.flatnonzero(mine)[:EXAMPLES_SHOWN].tolist():
        waited_s = (int(part.to_ns[index]) - int(part.from_ns[index])) / 1e9
        said = str(part.classes[index]) or "answered"
        source = "stream-*.attempts.jsonl" if part.stream else "ops-*.bin"
        yield Evidence(
            source=source, subject=part.where, at_ns=int(part.from_ns[index]), text=f"{said} after {waited_s:.2f} s"
        )
