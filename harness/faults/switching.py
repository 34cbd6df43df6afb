"""A MoveTables workflow's traffic is switched to its target, or back.

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
    """SwitchTraffic of a MoveTables workflow, all tablet types at once; with `back` ReverseTraffic.

    vttablets deny the tables on the side that is left, the other side catches up, routing rules change. vtgate buffers
    meanwhile, and ends it with MoveTablesSwitchedTraffic (buffer/variables.go, v0.24.3). A switch that vtctld refuses,
    or that fails, is recorded, not raised.
    """

    workflow: str = "move"
    keyspace: str = "target"  # the workflow's target, whichever way the traffic goes
    back: bool = False
    timeout_s: float = workflows.SWITCH_TIMEOUT_S

    @property
    def one_shot(self) -> bool:
        return True

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: no table is routed, so there is no such workflow."""
        was = await _homes(stage)
        if not was:
            raise ClusterError("no table has a routing rule: no MoveTables workflow has been created")
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
        """The topology's routing rules send every table to the other keyspace now."""
        was = json.loads(str(aim.details["was"]))
        now = await _homes(stage)
        there = [home == self.keyspace for home in now.values()]
        return now != was and bool(there) and all(is_there is not self.back for is_there in there)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return True


async def _homes(stage: Stage) -> Mapping[str, str]:
    """Table → the keyspace that its primaries' traffic goes to."""
    rules = await workflows.routes(await stage.shared(vtctld_of))
    return {table: to.partition(".")[0] for table, to in rules.items() if "." not in table and "@" not in table}


FAULTS: tuple[type[Fault], ...] = (SwitchedTraffic,)
