"""A reparent whose caller died: its shard may be left with a primary that takes no writes.

PlannedReparentShard demotes one primary before it promotes another. When the caller dies in between, its context ends
in vtctld, and nobody goes on (seen with 24.0.3: --read-only, errno 1290, for as long as one waits; vtorc would repair
it). A run's own faults are never repaired like this: what a reparent leaves behind that came to its end is a finding.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.contracts import Ground
from harness.model import FaultSpan, Remedy
from harness.vitess.vtctld import VtctldError, vtctld_of

WRITABLE = "shard-writable"
WITHIN_S = 25.0
WAIT_REPLICAS_S = 5.0
_READ_ONLY = "SELECT @@global.read_only AS read_only"


@dataclass(frozen=True, slots=True)
class _Not:
    """Not yet, and why."""

    why: str

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return self.why


def remedies_of(span: FaultSpan) -> tuple[Remedy, ...]:
    """Of an operation on a shard of which nobody heard how it ended; () for any other fault."""
    heard = span.active_ns or (span.error and not span.error.startswith("CancelledError"))
    if span.undo or heard or not {"keyspace", "shard"} <= span.details.keys():
        return ()
    return (Remedy(kind=WRITABLE, target=f"{span.details['keyspace']}/{span.details['shard']}"),)


async def _writable(ground: Ground, remedy: Remedy) -> None:
    """The primary that the shard record names is promoted anew, which is how Vitess repairs a reparent that was broken
    off (go/vt/vtctl/reparentutil/planned_reparenter.go, performPartialPromotionRecovery, v0.24.3)."""
    vtctld = await ground.shared(vtctld_of)
    keyspace, _, shard = remedy.target.partition("/")

    async def takes_writes() -> object:
        try:
            primary = await vtctld.shard_primary(keyspace, shard)
            (row,) = await vtctld.execute_as_dba(primary, _READ_ONLY)
            if row["read_only"] == "0":
                return True
            await vtctld.planned_reparent(
                keyspace, shard, new_primary=primary, wait_replicas_timeout_s=WAIT_REPLICAS_S, timeout_s=WITHIN_S
            )
        except VtctldError as error:  # a vttablet that was started a moment ago
            return _Not(str(error))
        return _Not(f"{primary} was promoted anew")

    await ground.until(f"{remedy.target} takes writes", takes_writes, timeout_s=WITHIN_S)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {WRITABLE: _writable}
