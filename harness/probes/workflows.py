"""A VReplication workflow while it copies: what `_vt` on the target primaries says, and what vtctld says.

Two kinds of sources, because a check wants them apart (`harness.facts.workflows` reads them):

    workflow-KEYSPACE.SHARD   `_vt.vreplication`, `_vt.copy_state` and `_vt.vreplication_log` of the shard's primary
    workflow-KEYSPACE         vtctld's WorkflowStatus, once there is a stream
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from harness.base.clock import now_ns
from harness.base.rundir import RunDir
from harness.base.wait import hold_until
from harness.contracts import Stage
from harness.model import Scalar
from harness.probes.samples import SampleLog
from harness.vitess import workflows
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of

LONGEST_TEXT = 600
STATUS_PERIOD_S = 1.0  # vtctld asks every source and target tablet for it


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowProbe:
    """Three samples a second of every target shard, one a second of vtctld's account."""

    keyspace: str
    workflow: str
    name: str = "workflow"
    period_s: float = 0.33

    async def run(self, stage: Stage, folder: Path) -> None:
        vtctld = await stage.shared(vtctld_of)
        run = RunDir(folder)
        (target,) = (each for each in stage.cluster.spec.keyspaces if each.name == self.keyspace)
        found = _Found()
        async with asyncio.TaskGroup() as group:
            for shard in target.shard_names:
                source = _Shard(vtctld, self.keyspace, shard, self.workflow, found)
                log = SampleLog(run.samples(f"workflow-{self.keyspace}.{shard}"))
                group.create_task(_follow(log, source.sample, self.period_s))
            source_of_all = _Whole(vtctld, self.keyspace, self.workflow, found)
            group.create_task(
                _follow(SampleLog(run.samples(f"workflow-{self.keyspace}")), source_of_all.sample, STATUS_PERIOD_S)
            )


async def _follow(log: SampleLog, sample: Callable[[], Awaitable[dict[str, Scalar]]], period_s: float) -> None:
    with contextlib.closing(log):
        next_ns = now_ns()
        while True:
            await hold_until(next_ns)
            began_ns = now_ns()
            try:
                log.add(await sample(), began_ns=began_ns)
            except VtctldError as error:
                log.failed(str(error)[:LONGEST_TEXT], began_ns=began_ns)
            next_ns = max(next_ns + int(period_s * 1e9), now_ns())


@dataclass(slots=True)
class _Found:
    """Whether a stream of the workflow has been seen yet."""

    yet: bool = False


@dataclass(slots=True)
class _Shard:
    """The sidecar database of one target shard's primary; log rows are read once, the last one again."""

    vtctld: VtctldClient
    keyspace: str
    shard: str
    workflow: str
    found: _Found
    last_log: int = 0

    async def sample(self) -> dict[str, Scalar]:
        primary = await self.vtctld.shard_primary(self.keyspace, self.shard)
        rows = await workflows.streams(self.vtctld, primary, self.workflow)
        values: dict[str, Scalar] = {"tablet": primary, "streams": len(rows)}
        for row in rows:
            values.update(_of_stream(row))
        if rows:
            self.found.yet = True
            values.update(self._of_log(await workflows.log(self.vtctld, primary, since=self.last_log)))
        return values

    def _of_log(self, rows: Iterable[workflows.LogRow]) -> dict[str, Scalar]:
        values: dict[str, Scalar] = {}
        for row in rows:
            self.last_log = row.number
            entry = [row.stream, row.type, row.state, row.count, row.message[:LONGEST_TEXT]]
            values[f"log:{row.number}"] = orjson.dumps(entry).decode()
        return values


def _of_stream(row: workflows.StreamRow) -> dict[str, Scalar]:
    """`left` names the tables that are not complete; the keys of a table stay when it is."""
    values: dict[str, Scalar] = {
        f"source:{row.number}": row.source_shard,
        f"state:{row.number}": row.state,
        f"message:{row.number}": row.message[:LONGEST_TEXT],
        f"position:{row.number}": row.position,
        f"rows_copied:{row.number}": row.rows_copied,
        f"left:{row.number}": ",".join(sorted(row.tables)),
    }
    values.update({f"last_pk:{row.number}.{table}": key for table, key in row.tables.items()})
    return values


@dataclass(slots=True)
class _Whole:
    """vtctld's account; nothing before there is a workflow to ask for."""

    vtctld: VtctldClient
    keyspace: str
    workflow: str
    found: _Found

    async def sample(self) -> dict[str, Scalar]:
        if not self.found.yet:
            return {}
        answer = await workflows.status(self.vtctld, self.keyspace, self.workflow)
        values: dict[str, Scalar] = {"traffic": answer.traffic, "tables": len(answer.tables)}
        for stream in answer.streams:
            values[f"status:{stream.shard}/{stream.number}"] = stream.status
            values[f"info:{stream.shard}/{stream.number}"] = stream.info[:LONGEST_TEXT]
        values.update({f"table:{table}": text for table, text in answer.tables.items()})
        return values
