"""Affected operations × claims → the cause of each.

A wait is split where the claims of its lane begin and end; each moment belongs to the claim of the highest rank, and
the operation to the cause that held it longest. An error belongs to the highest claim that explains its class and
overlaps its life. Everything is done lane by lane with arrays: a storm has a million operations and many claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.attribution.signature import Claim, Rank, Signature
from harness.facts.affected import Affected, Flags, Indexes
from harness.history import History

NOBODY = -1  # no cause, where a cause is the index of its signature
# Errors of a connection that somebody cut or refused. A slow host may be why; where the run took away the other end, it
# is not.
CUT = frozenset({"connection-lost", "vttablet-refused", "vttablet-connection-lost", "tablet-gone"})
EXPLAINED_SHARE = 0.5  # of a wait: less than half of it says more about what is not known than about what is
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim and the signature that makes it. `cause` is the signature's index in the table."""

    cause: int
    rank: int
    claim: Claim


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """The causes of one lane's affected operations. All arrays are as long as `affected`."""

    affected: Affected
    cause: Indexes  # index into the table of signatures, or NOBODY
    through: Indexes  # where a starved host is the cause: what it made slow, or NOBODY; NOBODY elsewhere
    held_s: Mapping[int, Seconds]  # cause → how long it held each operation
    claims: tuple[Claimed, ...]  # of this lane

    @cached_property
    def waited_s(self) -> Seconds:
        return _seconds(self.affected.to_ns - self.affected.from_ns)


def claims_of(history: History, table: Sequence[Signature]) -> tuple[Claimed, ...]:
    """All claims of a run, lowest rank first; of equal rank, the later row of the table first."""
    found = [
        Claimed(cause=index, rank=signature.rank, claim=claim)
        for index, signature in enumerate(table)
        for claim in signature.claims(history)
    ]
    return tuple(sorted(found, key=lambda item: (item.rank, -item.cause)))


def join(parts: Iterable[Affected], claims: Sequence[Claimed]) -> Iterator[Joined]:
    """One result for each lane or stream that has affected operations."""
    for part in parts:
        yield _joined(part, [item for item in claims if _concerns(item.claim, part)])


def _concerns(claim: Claim, part: Affected) -> bool:
    return claim.vtgate in ("", part.vtgate) and (not claim.shard or claim.shard in part.shards)


def _joined(part: Affected, claims: Sequence[Claimed]) -> Joined:
    """A host that starves outranks everything; what it made slow is found by asking again without it. It cut no
    connection that a fault had cut, and brought no error that comes at once."""
    beneath = [item for item in claims if Rank.NOTHING_ELSE < item.rank < Rank.HOST]
    held = _held(part, claims)
    cause = _named(part, claims, held)
    through = np.full(len(part), NOBODY, dtype=np.int64)
    if hosts := [item.cause for item in claims if item.rank >= Rank.HOST]:
        without = _named(part, beneath, _held(part, beneath))
        faults = [item.cause for item in beneath if item.rank == Rank.FAULT]
        of_host = np.isin(cause, hosts)
        cut = np.isin(part.classes, list(CUT)) & np.isin(without, faults)
        refused = part.failed & np.isin(without, [item.cause for item in beneath if item.claim.at_once])
        cause = np.where(of_host & (cut | refused), without, cause)
        through = np.where(of_host & ~(cut | refused), without, through)
    return Joined(affected=part, cause=cause, through=through, held_s=held, claims=tuple(claims))


def _held(part: Affected, claims: Sequence[Claimed]) -> dict[int, Seconds]:
    """Cause → how long it held each operation."""
    edges, owners = _painted([item for item in claims if item.claim.waits])
    return {
        cause: _seconds(_covered(edges, owners == cause, part.to_ns) - _covered(edges, owners == cause, part.from_ns))
        for cause in np.unique(owners).tolist()
        if cause != NOBODY
    }


def _painted(claims: Sequence[Claimed]) -> tuple[npt.NDArray[np.int64], Indexes]:
    """Where claims begin and end, and who holds each stretch between: the claim that was painted last."""
    stamps = [stamp for item in claims for stamp in (item.claim.from_ns, item.claim.to_ns)]
    edges = np.unique(np.array(stamps, dtype=np.int64))
    owners = np.full(max(len(edges) - 1, 0), NOBODY, dtype=np.int64)
    for item in claims:
        from_, to = np.searchsorted(edges, (item.claim.from_ns, item.claim.to_ns))
        owners[from_:to] = item.cause
    return edges, owners


def _covered(edges: npt.NDArray[np.int64], held: Flags, at_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How much of the time before each moment is held, in ns."""
    sums = np.concatenate(([0], np.cumsum(np.where(held, np.diff(edges), 0))))
    base = int(edges[0])  # floats keep nanoseconds only of spans, not of stamps
    return np.interp((at_ns - base).astype(np.float64), (edges - base).astype(np.float64), sums.astype(np.float64))


def _named(part: Affected, claims: Sequence[Claimed], held: Mapping[int, Seconds]) -> Indexes:
    """What was not issued waited for a connection: for what held those that have one, if a claim says so; otherwise it
    is asked for like an error."""
    cause = _of_waits(part, held)
    cause[part.failed] = NOBODY
    told = (part.classes != "") & (cause == NOBODY)
    for name in np.unique(part.classes[told]).tolist():
        mine = np.flatnonzero(told & (part.classes == name))
        cause[mine] = _of_errors(part.from_ns[mine], part.to_ns[mine], name, claims)
    return cause


def _of_waits(part: Affected, held: Mapping[int, Seconds]) -> Indexes:
    if not held:
        return np.full(len(part), NOBODY, dtype=np.int64)
    causes = np.array(list(held), dtype=np.int64)
    times = np.stack([held[cause] for cause in causes.tolist()])
    waited_s = _seconds(part.to_ns - part.from_ns)
    enough = times.sum(axis=0) >= EXPLAINED_SHARE * waited_s
    found: Indexes = np.where(enough & (waited_s > 0), causes[times.argmax(axis=0)], NOBODY)
    return found


def _of_errors(
    from_ns: npt.NDArray[np.int64], to_ns: npt.NDArray[np.int64], name: str, claims: Sequence[Claimed]
) -> Indexes:
    """Claims come lowest first, so that the last one that fits is the highest."""
    found = np.full(len(from_ns), NOBODY, dtype=np.int64)
    for item in claims:
        claim = item.claim
        if claim.explains_errors and (not claim.errors or name in claim.errors):
            found[(claim.from_ns <= to_ns) & (claim.to_ns >= from_ns)] = item.cause
    return found


def _seconds(span_ns: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> Seconds:
    found: Seconds = span_ns / 1e9
    return found
