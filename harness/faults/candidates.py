"""PlannedReparentShard with a candidate that cannot be, or had better not be, the next primary."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from harness.base.errors import ClusterError
from harness.contracts import Aim, Fault, SpanRecorder, Stage
from harness.faults.emergency import aim_at_shard
from harness.faults.reparent import told
from harness.faults.traits import Traits
from harness.model import Role
from harness.vitess.debug_vars import VarsClient, flatten
from harness.vitess.vtctld import vtctld_of

UNKNOWN = "zone1-0999999999"
CANDIDATES = ("unknown", "other-shard", "primary")
_COUNTS = "PlannedReparentCounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongCandidate(Traits):
    """PlannedReparentShard that names as new primary: a tablet that does not exist (`unknown`), one of another shard
    (`other-shard`), or the primary itself (`primary`).

    One-shot. The answer is recorded, not raised. vtctld refuses before it touches the shard ("cannot find a tablet to
    reparent to", reparentutil/util.go, ElectNewPrimary, v0.24.3); the primary itself it accepts and keeps.
    """

    shard: str
    candidate: str = "unknown"
    keyspace: str = ""  # "" = the cluster's main one
    wait_replicas_timeout_s: float = 15.0

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: there is no such candidate."""
        aim = await aim_at_shard(stage, self.keyspace, self.shard)
        keyspace = str(aim.details["keyspace"])
        new = await self._alias(stage, keyspace, str(aim.details["was_primary"]))
        counted = await _calls(stage, keyspace, self.shard)
        details = {**aim.details, "new_primary": new, "was_counted": counted}
        return Aim(targets=aim.targets, details=details)

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        call = vtctld.planned_reparent(
            str(aim.details["keyspace"]),
            self.shard,
            new_primary=str(aim.details["new_primary"]),
            wait_replicas_timeout_s=self.wait_replicas_timeout_s,
        )
        await told(span, call)
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """vtctld counted one more PlannedReparentShard of this shard, whatever became of it."""
        return await _calls(stage, str(aim.details["keyspace"]), self.shard) > int(aim.details["was_counted"])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return True

    async def _alias(self, stage: Stage, keyspace: str, primary: str) -> str:
        if self.candidate == "unknown":
            return UNKNOWN
        if self.candidate == "primary":
            return primary
        nodes = stage.cluster.nodes(Role.VTTABLET)
        others = [node.tablet_alias for node in nodes if (node.keyspace, node.shard) != (keyspace, self.shard)]
        if self.candidate != "other-shard" or not others:
            raise ClusterError(f"no candidate {self.candidate} ({', '.join(CANDIDATES)}) for {keyspace}/{self.shard}")
        return others[0]


async def _calls(stage: Stage, keyspace: str, shard: str) -> int:
    """How many calls for the shard vtctld has counted: successes and failures. Raises ClusterError."""
    vtctld = stage.cluster.nodes(Role.VTCTLD)[0]
    async with VarsClient.open() as client:
        try:
            counts = flatten(await client.read(stage.cluster.address(vtctld, "web")), (_COUNTS,))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ClusterError(f"{vtctld.name} does not tell its counters: {error}") from None
    return sum(int(number) for key, number in counts.items() if key.startswith(f"{_COUNTS}:{keyspace}.{shard}."))


FAULTS: tuple[type[Fault], ...] = (WrongCandidate,)
