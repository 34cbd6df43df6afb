"""The shard records as the topology has them: who is primary of each shard, and since when. Source "topology".

One call of vtctld for a keyspace, which costs the topology server one read of all its shards (topo/shard.go lists them
at once, v0.21 to v0.24). While the topology server or vtctld cannot be reached, every look is a sample with an error:
that is how an outage of either is seen from outside.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from harness.base.clock import now_ns
from harness.base.rundir import RunDir
from harness.base.wait import hold_until
from harness.contracts import Stage
from harness.facts.tablet_states import TOPOLOGY
from harness.model import Scalar
from harness.probes.samples import SampleLog
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of

PERIOD_S = 1.0
ANSWER_WITHIN_S = 2.0
LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyProbe:
    """One look a second. Values: `primary:KEYSPACE/SHARD` an alias, `term_ns:KEYSPACE/SHARD` of the wall clock."""

    name: str = TOPOLOGY
    period_s: float = PERIOD_S

    async def run(self, stage: Stage, folder: Path) -> None:
        vtctld = await stage.shared(vtctld_of)
        keyspaces = [keyspace.name for keyspace in stage.cluster.spec.keyspaces]
        with contextlib.closing(SampleLog(RunDir(folder).samples(TOPOLOGY))) as log:
            next_ns = now_ns()
            while True:
                await hold_until(next_ns)
                began_ns = now_ns()
                try:
                    log.add(await _records(vtctld, keyspaces), began_ns=began_ns)
                except VtctldError as error:
                    log.failed(str(error)[:LONGEST_TEXT], began_ns=began_ns)
                next_ns = max(next_ns + int(self.period_s * 1e9), now_ns())


async def _records(vtctld: VtctldClient, keyspaces: list[str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for keyspace in keyspaces:
        for shard, term in (await vtctld.shard_terms(keyspace, timeout_s=ANSWER_WITHIN_S)).items():
            found[f"primary:{keyspace}/{shard}"] = term.primary
            found[f"term_ns:{keyspace}/{shard}"] = term.start_ns
    return found
