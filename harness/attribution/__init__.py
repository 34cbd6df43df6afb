"""Why clients waited or failed: each affected operation has one cause, out of the table of signatures.

    SIGNATURES × history ─► claims ─► joined to facts.affected ─► a cause for each operation ─► CauseRow

Names that nobody has listed do not exist: a new signature is a row of `SIGNATURES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from harness.attribution.buffer_signatures import BUFFER
from harness.attribution.defect_signatures import DEFECTS
from harness.attribution.error_signatures import ERRORS
from harness.attribution.fault_signatures import EVERYBODYS, FAULTS
from harness.attribution.host_signatures import HOSTS
from harness.attribution.join import Joined, claims_of, join
from harness.attribution.pool_signatures import POOLS
from harness.attribution.reparent_signatures import FAILOVERS
from harness.attribution.reshard_signatures import RESHARDS
from harness.attribution.rows import rows
from harness.attribution.signature import Signature
from harness.attribution.stream_signatures import STREAMS
from harness.attribution.tablet_signatures import TABLETS
from harness.attribution.topology_signatures import TOPOLOGY
from harness.attribution.waiting_signatures import WAITING
from harness.causes import CauseRow
from harness.facts.affected import affected
from harness.history import History

__all__ = ["SIGNATURES", "Joined", "attributed", "causes_of", "table"]


def table(signatures: Iterable[Signature]) -> tuple[Signature, ...]:
    """Raises ValueError when two signatures share a name."""
    found: dict[str, Signature] = {}
    for signature in signatures:
        if signature.name in found:
            raise ValueError(f"two signatures are called {signature.name}")
        found[signature.name] = signature
    return tuple(found.values())


# Where two of equal rank claim a moment, the earlier row holds it.
SIGNATURES: tuple[Signature, ...] = table(
    (
        *HOSTS,
        *RESHARDS,  # they know more than the next
        *DEFECTS,
        *POOLS,
        *WAITING,
        *ERRORS,
        *STREAMS,
        *BUFFER,
        *TABLETS,
        *TOPOLOGY,
        *FAILOVERS,
        *EVERYBODYS,
        *FAULTS,
    )
)
BY_NAME: Mapping[str, Signature] = {signature.name: signature for signature in SIGNATURES}


@lru_cache(maxsize=4)
def causes_of(history: History, signatures: Sequence[Signature] = SIGNATURES) -> tuple[Joined, ...]:
    """Lane by lane, the cause of every affected operation: an index into `signatures`, or NOBODY."""
    return tuple(join(affected(history), claims_of(history, signatures)))


@lru_cache(maxsize=4)
def attributed(history: History) -> tuple[CauseRow, ...]:
    """What each cause cost the clients of each vtgate, the most operations first."""
    return rows(causes_of(history), SIGNATURES)
