"""A MoveTables or Reshard workflow's traffic is switched to its target, or back.

One-shot: a switch is an operation, and switching back is another one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from harness.base.errors import ClusterError
from harness.contracts import Aim, Fault, SpanRecorder, Stage
from harness.faults.traits import Traits
from harness.vitess import workflows
from harness.vitess.vtctld import VtctldError, vtctld_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchedTraffic(Traits):
    """SwitchTraffic of a MoveTables or Reshard workflow, all tablet types at once; with `back` ReverseTraffic.

    MoveTables: vttablets deny the tables on the side that is left, the other side catches up, routing rules change.
    vtgate buffers meanwhile, and ends it with MoveTablesSwitchedTraffic (buffer/variables.go, v0.24.3). Reshard: the
    shards that are left refuse all queries, the others catch up, and take their place among the shards that serve.
    A switch that vtctld refuses, or that fails, is recorded, not raised.
    """

    workflow: str = "move"
    keyspace: str = "target"  # the workflow's target, whichever way the traffic goes
    reshard: bool = False  # the workflow is a Reshard within `keyspace`
    back: bool = False
    timeout_s: float = workflows.SWITCH_TIMEOUT_S

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: there is nothing that such a workflow could move."""
        was = await self._moved(stage)
        if not was:
            raise ClusterError(
                f"{self.keyspace} has no shards beside those that serve"
                if self.reshard
                else "no table has a routing rule: no MoveTables workflow has been created"
            )
        return Aim(
            targets=(f"{self.keyspace}.{self.workflow}",),
            details={"keyspace": self.keyspace, "back": self.back, "was": json.dumps(was, sort_keys=True)},
            claims=frozenset({f"traffic of {self.keyspace}.{self.workflow}", "routing rules"}),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        vtctld = await stage.shared(vtctld_of)
        span.begin()
        try:
            state = await workflows.switch_traffic(
                vtctld, self.keyspace, self.workflow, back=self.back, timeout_s=self.timeout_s
            )
        except VtctldError as error:
            span.failed(str(error))
        else:
            span.active()
            span.detail(state=state)
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The topology sends everything that it moves to the other side now: tables by routing rules, key ranges by
        the shards that serve."""
        now = await self._moved(stage)
        moved = now != json.loads(str(aim.details["was"]))
        return moved and bool(now) and all(is_there is not self.back for is_there in now.values())

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return True

    async def _moved(self, stage: Stage) -> Mapping[str, bool]:
        """Table → whether it is routed to the target; target shard → whether it serves."""
        vtctld = await stage.shared(vtctld_of)
        if self.reshard:
            serving = await workflows.serving_shards(vtctld, self.keyspace)
            own = (each for each in stage.cluster.spec.keyspaces if each.name == self.keyspace)
            return {shard: shard in serving for each in own for shard in each.further_shards}
        rules = await workflows.routes(vtctld)
        homes = {table: to.partition(".")[0] for table, to in rules.items() if "." not in table and "@" not in table}
        return {table: home == self.keyspace for table, home in homes.items()}


FAULTS: tuple[type[Fault], ...] = (SwitchedTraffic,)
