"""A reparent whose caller died: its shard may be left with a primary that takes no writes.

PlannedReparentShard demotes one primary before it promotes another, and points the replicas to it in the end. When the
caller dies in between, its context ends in vtctld, and nobody goes on. Seen with 24.0.3, for as long as one waits: a
read-only primary (errno 1290), and a writable one that waits for an acknowledgement of replicas which do not follow it
(vtorc would repair both). A reparent that failed, because another fault was in its way, may leave the same. A run that
lives repairs nothing like this: what a reparent leaves behind is a finding, and stays for people to look at; `vtchaos
heal` and the watchdog of a dead run do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.base import wait
from harness.base.errors import WaitTimeout
from harness.contracts import Ground
from harness.faults import service
from harness.model import FaultSpan, Remedy, Role
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of

WRITABLE = "shard-writable"
# A vtctld that was killed leaves the shard's lock in etcd, for as long as its lease lasts (--topo-etcd-lease-ttl, 30 s,
# go/vt/topo/etcd2topo/server.go, v0.24.3; seen: every reparent waits for it).
LEASE_S = 30.0
WITHIN_S = LEASE_S + 15.0
ATTEMPT_S = 6.0
WAIT_REPLICAS_S = 5.0
_READ_ONLY = "SELECT @@global.read_only AS read_only, @@global.server_uuid AS server_uuid"


@dataclass(frozen=True, slots=True)
class _Not:
    """Not yet, and why."""

    why: str

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return self.why


def remedies_of(span: FaultSpan) -> tuple[Remedy, ...]:
    """Of an operation on a shard that did not succeed, as far as is known; () for any other fault."""
    if span.undo or span.active_ns or not {"keyspace", "shard"} <= span.details.keys():
        return ()
    return (Remedy(kind=WRITABLE, target=f"{span.details['keyspace']}/{span.details['shard']}"),)


def unheard(span: FaultSpan) -> bool:
    """Nobody heard how it ended."""
    return not span.active_ns and (not span.error or span.error.startswith("CancelledError"))


async def _writable(ground: Ground, remedy: Remedy) -> None:
    """The primary that the shard record names is promoted anew, which is how Vitess repairs a reparent that was broken
    off (go/vt/vtctl/reparentutil/planned_reparenter.go, performPartialPromotionRecovery, v0.24.3); where that is not
    enough, because its vttablet has stopped serving, another one."""
    vtctld = await ground.shared(vtctld_of)
    keyspace, _, shard = remedy.target.partition("/")
    tried: list[str] = []

    async def takes_writes() -> object:
        try:
            return await wait.finish(f"a look at {remedy.target}", look(), timeout_s=ATTEMPT_S)
        except (VtctldError, WaitTimeout) as error:  # a vttablet that was started a moment ago
            return _Not(str(error))

    async def look() -> object:
        primary = await vtctld.shard_primary(keyspace, shard)
        why = await _why_not(ground, vtctld, keyspace, shard, primary)
        if not why:
            return True
        new = "" if primary in tried else primary
        tried[:] = [primary] if new else []
        await vtctld.planned_reparent(
            keyspace, shard, new_primary=new, wait_replicas_timeout_s=WAIT_REPLICAS_S, timeout_s=ATTEMPT_S
        )
        return _Not(f"{why}: {new or 'another tablet'} was promoted")

    await ground.until(f"{remedy.target} takes writes", takes_writes, timeout_s=WITHIN_S)


async def _why_not(ground: Ground, vtctld: VtctldClient, keyspace: str, shard: str, primary: str) -> str:
    """Why the shard takes no writes; "" when it does. A primary whose replicas do not follow it waits for their
    acknowledgement for ever (semi-sync)."""
    (own,) = await vtctld.execute_as_dba(primary, _READ_ONLY)
    if own["read_only"] != "0":
        return f"{primary} is read-only"
    for tablet in await vtctld.tablets(keyspace, shard):
        rows = await vtctld.execute_as_dba(tablet.alias, "SHOW REPLICA STATUS") if tablet.alias != primary else ()
        if tablet.alias != primary and not (rows and _follows(rows[0], own["server_uuid"])):
            return f"{tablet.alias} does not replicate from {primary}"
    return await _unserved(ground, primary)


def _follows(status: Mapping[str, str], server: str) -> bool:
    return status["Source_UUID"] == server and status["Replica_IO_Running"] == "Yes"


async def _unserved(ground: Ground, primary: str) -> str:
    """The vttablet is asked, and no vtgate: that may have been started a moment ago, and wait for this primary."""
    (vttablet,) = [node for node in ground.cluster.nodes(Role.VTTABLET) if node.tablet_alias == primary]
    why = await service.serving(ground, vttablet)
    return f"{primary}: {why}" if why else ""


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {WRITABLE: _writable}
