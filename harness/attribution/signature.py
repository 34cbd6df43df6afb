"""What a signature is: a cause that is known by the traces it leaves.

A signature reads the run's facts and *claims* stretches of time of a lane (one shard through one vtgate): "from here to
there this cause held this lane's clients". It never looks at operations: what clients felt is joined to the claims
afterwards (`harness.attribution.join`), so that no cause can be made to fit what it explains. Where claims overlap, the
one of the higher rank holds the moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from harness.causes import Blame, Evidence
from harness.history import History

ANY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One cause over one stretch of time of one lane."""

    vtgate: str  # "" = every vtgate
    shard: str  # "" = every shard
    from_ns: int
    to_ns: int
    evidence: tuple[Evidence, ...]  # never empty: a claim without evidence is a guess
    waits: bool = True  # whether it explains waiting
    errors: frozenset[str] = ANY  # error classes (harness.base.errorclass) that it explains; ANY = all of them
    explains_errors: bool = True
    at_once: bool = False  # the errors that it explains come at once, and would on the fastest host: they are never its


class Signature(Protocol):
    """A frozen dataclass, a row of `harness.attribution.SIGNATURES`."""

    @property
    def name(self) -> str:
        """Of the field's own words, e.g. keyspace-wide-consistency."""

    @property
    def title(self) -> str:
        """For people, in a table."""

    @property
    def blame(self) -> Blame: ...
    @property
    def rank(self) -> int:
        """Who holds a moment that several claim: the higher one. See the table of ranks."""

    @property
    def advice(self) -> str:
        """What to do about it; "" = nothing."""

    def claims(self, history: History) -> Iterator[Claim]:
        """Pure. May be empty."""


class Rank:
    """The more specific a cause, the higher: what was done to the cluster explains less than what Vitess made of it."""

    NOTHING_ELSE = 5  # what explains a wait that nothing else explains
    FAULT = 10  # a fault was in force on the lane's way
    REPARENT = 20  # the shard's own reparent ran
    KEYSPACE = 30  # other shards' reparents held it
    BUFFER = 40  # a limit of the buffer was reached
    DEFECT = 50  # evidence of a defect of Vitess
    REFUSED = 60  # an error that says itself what it is, e.g. a query killed by the copy limit
    INSTRUMENT = 90  # the harness stood still
    HOST = 100  # the host was starved; keeps what it outranks as `through`
