"""A tablet's host that is gone, or stands still: its vttablet and its mysqld at the same moment."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from harness.base.errors import PlanError
from harness.contracts import Aim, Fault, SpanRecorder, Stage
from harness.faults import evidence, service
from harness.faults.emergency import writable_again
from harness.faults.process import runs_again
from harness.faults.targets import Targets
from harness.faults.traits import Traits
from harness.model import Capability, Node, Role

PRIMARY_HOST = Targets(role=Role.VTTABLET, tablet_type="primary")
SIGNALS: Mapping[str, signal.Signals] = {"gone": signal.SIGKILL, "still": signal.SIGSTOP}
REJOIN_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LostHost(Traits):
    """Everything of a tablet is killed (`gone`) or paused (`still`) at once; leaving the block brings it back.

    A vttablet alone that dies leaves a MySQL behind that EmergencyReparentShard cannot ask and that replicates on. Of a
    host that is gone nothing is left. One that stood still goes on where it was: its vttablet thinks that it is
    primary until it reads the shard record (tabletmanager/shard_sync.go, v0.24.3). A primary that comes back before
    anybody replaced it has a MySQL that begins read-only, and nobody but vtorc would change that: it is undone, too.

    Recovered: each serves again, as primary or with both replication threads running, and its shard takes writes
    through every vtgate. A primary that had transactions which no replica got (also those that were never
    acknowledged: semi-sync waits after they are in the binary log) has errant GTIDs when it comes back. It refuses to
    replicate then (tm_init.go, errantGTIDDetection, v0.24.3), and the span says so.
    """

    targets: Targets = PRIMARY_HOST
    how: str = "gone"  # gone | still
    rejoin_within_s: float = REJOIN_WITHIN_S

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL, Capability.RESTART})

    async def aim(self, stage: Stage) -> Aim:
        """`targets` are vttablets; each one's mysqld goes with it."""
        if self.how not in SIGNALS:
            raise PlanError(f"a lost host is {' or '.join(SIGNALS)}, not {self.how}")
        vttablets = await self.targets.chosen(stage)
        uids = {node.tablet_uid for node in vttablets}
        nodes = [node for node in _tablet_nodes(stage) if node.tablet_uid in uids]
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={
                "how": self.how,
                "aliases": " ".join(node.tablet_alias for node in vttablets),
                "shard": " ".join(dict.fromkeys(node.shard for node in vttablets)),
            },
            undo=(
                *[await writable_again(stage, node) for node in vttablets],
                *(runs_again(node.name) for node in nodes),
            ),
            claims=frozenset(f"process {node.name}" for node in nodes),
            recover_within_s=self.rejoin_within_s,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        nodes = [node for node in _tablet_nodes(stage) if node.name in aim.targets]
        async with asyncio.TaskGroup() as group:
            for node in nodes:
                group.create_task(stage.cluster.signal(node, SIGNALS[self.how]))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Every port is refused where they are gone; connected to and silent where they stand still."""
        seen = evidence.refuses if self.how == "gone" else evidence.stands_still
        nodes = [node for node in _tablet_nodes(stage) if node.name in aim.targets]
        return all(await asyncio.gather(*(seen(stage, node) for node in nodes)))

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        vttablets = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.name in aim.targets]
        return await service.missing(stage, tuple(vttablets))


def _tablet_nodes(stage: Stage) -> tuple[Node, ...]:
    return (*stage.cluster.nodes(Role.VTTABLET), *stage.cluster.nodes(Role.MYSQLD))


FAULTS: tuple[type[Fault], ...] = (LostHost,)
