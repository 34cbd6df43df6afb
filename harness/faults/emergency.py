"""Primaries that are replaced without being asked: EmergencyReparentShard, and TabletExternallyReparented.

One-shot operations: an error is recorded, not raised, and nothing is healed. Only of the second, which another tool's
work belongs to, a part may be left in force when it fails: an old primary that takes no writes.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from harness.base.clock import now_ns
from harness.base.errors import ClusterError, WaitTimeout
from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults.reparent import Gate, told
from harness.faults.traits import Traits
from harness.model import Node, Remedy
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of

PRIMARY_WRITABLE = "primary-writable"
SEMI_SYNC = "rpl_semi_sync_source_enabled"
TERM_SEEN_WITHIN_S = 3.0
STEPS_DOWN_S = 15.0
ANSWERS_WITHIN_S = 15.0
CATCH_UP_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyReparent(Traits):
    """EmergencyReparentShard of one shard through vtctld's gRPC, as an operator or vtorc calls it when the primary is
    gone. It may be called while nothing is wrong, too.

    It goes on when all tablets but one have answered. Of two tablets under semi_sync that both live, this may be the
    replica alone: then nobody is promoted ("no valid candidates": nobody would acknowledge), and the primary, whose
    demotion is cancelled half-way, may stay read-only (reparentutil/replication.go, stopReplicationAndBuildStatusMaps,
    v0.24.3; seen on 24.0.3). `wait_for_all_tablets` asks both.
    `new_primary` "" lets vtctld choose; it may choose the same tablet again. `timeout_s` 0 = the client's default.
    """

    shard: str
    keyspace: str = ""  # "" = the cluster's main one
    new_primary: str = ""
    ignore_replicas: tuple[str, ...] = ()  # aliases that nobody waits for
    wait_replicas_timeout_s: float = 15.0
    prevent_cross_cell: bool = False
    wait_for_all_tablets: bool = False
    timeout_s: float = 0.0
    gate: Gate | None = field(default=None, compare=False)

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        return await aim_at_shard(stage, self.keyspace, self.shard)

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        if self.gate is not None:
            await self.gate.passed()
        call = vtctld.emergency_reparent(
            str(aim.details["keyspace"]),
            self.shard,
            new_primary=self.new_primary,
            ignore_replicas=self.ignore_replicas,
            wait_replicas_timeout_s=self.wait_replicas_timeout_s,
            prevent_cross_cell=self.prevent_cross_cell,
            wait_for_all_tablets=self.wait_for_all_tablets,
            timeout_s=self.timeout_s or None,
        )
        await told(span, call)
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The topology's shard record has a primary term that began later."""
        return await new_term(stage, aim)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class TabletExternallyReparented(Traits):
    """Another tool than Vitess moves a shard's primary, and tells vtctld afterwards.

    The tool's part: the old primary's MySQL becomes read-only, the new one catches up, forgets its source and takes
    writes. Then TabletExternallyReparented for the new one, and ReparentTablet for the replicas that are left. The old
    primary is left to Vitess: its vttablet sees the other one's term in the shard record and steps down
    (go/vt/vttablet/tabletmanager/shard_sync.go, endPrimaryTerm, v0.24.3); until then GetTablets calls it unknown.

    Whatever the durability policy says, Vitess does not switch semi-sync on for the new primary ("always handled at
    the right time by the reparent operations", rpc_replication.go, fixSemiSyncAndReplication, v0.24.3; seen on 24.0.3):
    without `semi_sync`, which is the tool's work too, its writes wait for nobody until the next reparent.
    """

    shard: str
    keyspace: str = ""  # "" = the cluster's main one
    new_primary: str = ""  # "" = the first replica in the order of the aliases
    semi_sync: bool = True  # the tool leaves the new primary with what the old one had

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: the shard has no replica."""
        aim = await aim_at_shard(stage, self.keyspace, self.shard)
        keyspace, was = str(aim.details["keyspace"]), str(aim.details["was_primary"])
        vtctld = await stage.shared(vtctld_of)
        others = sorted(t.alias for t in await vtctld.tablets(keyspace, self.shard) if t.alias != was)
        new = self.new_primary or next(iter(others), "")
        if not new:
            raise ClusterError(f"{keyspace}/{self.shard} has nobody beside {was} who could become primary")
        left = Remedy(kind=PRIMARY_WRITABLE, target=was, details={"keyspace": keyspace, "shard": self.shard})
        return Aim(
            targets=aim.targets,
            details={**aim.details, "new_primary": new, "others": " ".join(a for a in others if a != new)},
            undo=(left,),
            claims=frozenset({f"primary of {keyspace}/{self.shard}"}),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        new = str(aim.details["new_primary"])
        span.begin()
        try:
            await _move_mysql(vtctld, str(aim.details["was_primary"]), new, semi_sync=self.semi_sync)
            await vtctld.externally_reparented(new)
            span.active(now_ns())
            span.detail(promoted=new)
            for alias in str(aim.details["others"]).split():
                await vtctld.reparent_tablet(alias)
            await stage.until("the old primary steps down", partial(_steps_down, vtctld, aim), timeout_s=STEPS_DOWN_S)
        except (VtctldError, WaitTimeout) as error:
            span.failed(str(error))
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The topology's shard record has a primary term that began later."""
        return await new_term(stage, aim)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return True


async def aim_at_shard(stage: Stage, keyspace: str, shard: str) -> Aim:
    """What every reparent of a shard writes down before."""
    vtctld = await stage.shared(vtctld_of)
    name = keyspace or stage.cluster.spec.keyspace
    was = await vtctld.shard_term(name, shard)
    details: Mapping[str, str | int | float | bool] = {
        "keyspace": name,
        "shard": shard,
        "was_primary": was.primary,
        "was_term_ns": was.start_ns,
    }
    return Aim(targets=(f"{keyspace}/{shard}" if keyspace else shard,), details=details)


async def new_term(stage: Stage, aim: Aim) -> bool:
    """The topology's shard record, which the promoted tablet writes itself a moment after its promotion, has a new
    term; of the same tablet, perhaps."""
    vtctld = await stage.shared(vtctld_of)

    async def another() -> bool:
        term = await vtctld.shard_term(str(aim.details["keyspace"]), str(aim.details["shard"]))
        return bool(term.primary) and term.start_ns != aim.details["was_term_ns"]

    try:
        return await stage.until("a new term", another, timeout_s=TERM_SEEN_WITHIN_S)
    except WaitTimeout:
        return False


async def _steps_down(vtctld: VtctldClient, aim: Aim) -> bool:
    details = aim.details
    tablets = await vtctld.tablets(str(details["keyspace"]), str(details["shard"]))
    return all(tablet.type == "replica" for tablet in tablets if tablet.alias == details["was_primary"])


async def _move_mysql(vtctld: VtctldClient, was: str, new: str, *, semi_sync: bool) -> None:
    """What an outside tool does to the two servers."""
    await vtctld.execute_as_dba(was, "SET GLOBAL super_read_only = ON")
    (had,) = await vtctld.execute_as_dba(was, f"SHOW GLOBAL VARIABLES LIKE '{SEMI_SYNC}'")
    (row,) = await vtctld.execute_as_dba(was, "SELECT @@global.gtid_executed AS executed")
    wait = f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{row['executed']}', {CATCH_UP_WITHIN_S:g}) AS late"
    (row,) = await vtctld.execute_as_dba(new, wait)
    if row["late"] != "0":
        raise VtctldError("ExecuteFetchAsDBA", "DEADLINE_EXCEEDED", f"{new} did not catch up with {was}")
    keep = [f"SET GLOBAL {SEMI_SYNC} = {had['Value']}"] if semi_sync else []
    for sql in ("STOP REPLICA", "RESET REPLICA ALL", *keep, "SET GLOBAL read_only = OFF"):
        await vtctld.execute_as_dba(new, sql)


async def writable_again(ground: Ground, vttablet: Node) -> Remedy:
    """What a primary lacks whose mysqld was started anew before anybody replaced it: writes, and semi-sync."""
    vtctld = await ground.shared(vtctld_of)
    (had,) = await vtctld.execute_as_dba(vttablet.tablet_alias, f"SHOW GLOBAL VARIABLES LIKE '{SEMI_SYNC}'")
    details = {"keyspace": vttablet.keyspace, "shard": vttablet.shard, "semi_sync": had["Value"]}
    return Remedy(kind=PRIMARY_WRITABLE, target=vttablet.tablet_alias, details=details)


async def _writable(ground: Ground, remedy: Remedy) -> None:
    """As long as the shard record names it. A primary that was replaced must stay read-only."""
    vtctld = await ground.shared(vtctld_of)
    keyspace, shard = str(remedy.details["keyspace"]), str(remedy.details["shard"])
    if await vtctld.shard_primary(keyspace, shard) != remedy.target:
        return
    reached = partial(_answers, vtctld, remedy.target)
    await ground.until(f"{remedy.target} reaches its MySQL", reached, timeout_s=ANSWERS_WITHIN_S)
    if "semi_sync" in remedy.details:
        await vtctld.execute_as_dba(remedy.target, f"SET GLOBAL {SEMI_SYNC} = {remedy.details['semi_sync']}")
    await vtctld.execute_as_dba(remedy.target, "SET GLOBAL read_only = OFF")


async def _answers(vtctld: VtctldClient, alias: str) -> bool:
    try:
        return bool(await vtctld.execute_as_dba(alias, "SELECT 1 AS one"))
    except VtctldError:
        return False


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {PRIMARY_WRITABLE: _writable}
FAULTS: tuple[type[Fault], ...] = (EmergencyReparent, TabletExternallyReparented)
