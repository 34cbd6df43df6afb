"""Starts a MoveTables workflow, watches it copy, and lets its target catch up: what the timelines have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.base.errors import WaitTimeout
from harness.contracts import Stage
from harness.facts.workflows import BEHIND, CAUGHT_UP, DIFF_BEGINS, DIFFED, NOT_CREATED, RUNNING, TERMINAL
from harness.items import ItemsSpec, vschema
from harness.vitess import workflows
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of
from harness.vitess.workflows import MoveTables, StreamRow

WORKFLOW = "move"
TARGET = "target"


def target_shards(stage: Stage) -> tuple[str, ...]:
    return stage.cluster.spec.others[0].shard_names


async def created(stage: Stage) -> bool:
    """That vtctld refuses is for the checks to judge."""
    stage.phase("copy")
    vtctld = await stage.shared(vtctld_of)
    items = stage.plan.items or ItemsSpec()
    atomic = bool(stage.plan.params["atomic_copy"])
    move = MoveTables(
        workflow=WORKFLOW,
        source=stage.cluster.spec.keyspace,
        target=TARGET,
        tables=() if atomic else items.names,
        atomic_copy=atomic,
    )
    try:
        if stage.cluster.spec.others[0].shards > 1:  # tables of an unsharded keyspace need no vindex
            await vtctld.apply_vschema(TARGET, vschema(items.names))
        await workflows.create(vtctld, move)
    except VtctldError as error:
        stage.note(NOT_CREATED, why=str(error))
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Seen:
    """The streams of all target shards, as a condition of a wait."""

    streams: Mapping[str, tuple[StreamRow, ...]]
    good: bool
    why: str = ""

    def __bool__(self) -> bool:
        return self.good

    def __repr__(self) -> str:
        if self.why:
            return self.why
        return "; ".join(
            f"{TARGET}/{shard} #{row.number} {row.state}"
            + (f", left {', '.join(row.tables)}" if row.tables else "")
            + (f", {row.message[:200]}" if row.message else "")
            for shard, rows in self.streams.items()
            for row in rows
        )


async def _streams(stage: Stage, vtctld: VtctldClient) -> dict[str, tuple[StreamRow, ...]]:
    found = {}
    for shard in target_shards(stage):
        primary = await vtctld.shard_primary(TARGET, shard)
        found[shard] = await workflows.streams(vtctld, primary, WORKFLOW)
    return found


def _done(row: StreamRow) -> bool:
    return row.state == RUNNING and not row.tables and bool(row.position)


async def until_copied(stage: Stage) -> None:
    """Until every stream has copied everything or is over. That it does not is for the checks to judge."""
    vtctld = await stage.shared(vtctld_of)

    async def copied() -> _Seen:
        try:
            found = await _streams(stage, vtctld)
        except VtctldError as error:
            return _Seen({}, False, str(error))
        rows = [row for rows in found.values() for row in rows]
        return _Seen(found, all(found.values()) and all(_done(row) or row.state in TERMINAL for row in rows))

    try:
        await stage.until("every stream has copied its tables", copied, timeout_s=stage.plan.params["copied_within_s"])
    except WaitTimeout as error:
        stage.note("the copy did not come to its end", why=str(error))


async def until_rows(stage: Stage, shard: str, more: int) -> None:
    """Until a target shard has received `more` rows from now on, or copies no more."""
    vtctld = await stage.shared(vtctld_of)
    before: list[int] = []

    async def received() -> _Seen:
        try:
            found = await _streams(stage, vtctld)
        except VtctldError as error:
            return _Seen({}, False, str(error))
        copied = sum(_copied(row) for row in found[shard])
        before.append(copied)
        over = all(_done(row) or row.state in TERMINAL for row in found[shard])
        return _Seen(found, over or copied >= before[0] + more)

    try:
        await stage.until(f"{more} more rows in {shard}", received, timeout_s=stage.plan.params["copied_within_s"])
    except WaitTimeout as error:
        stage.note("the copy did not go on", why=str(error))


def _copied(row: StreamRow) -> int:
    """Rows by the last key of each table: `rows_copied` is written only once in a copy phase. Keys count on from
    their shard's and table's first one (harness.items)."""
    return sum(key & ((1 << 47) - 1) for key in row.tables.values())


# ---------------------------------------------------------------- afterwards


async def settle(stage: Stage) -> None:
    """The clients have stopped: the target reaches the source's position, then VDiff compares, too."""
    stage.phase("settle")
    if await _caught_up(stage) and stage.plan.params["diffed_within_s"]:
        await _diffed(stage)
    stage.phase("quiet")
    await stage.hold(stage.plan.params["quiet_s"])


async def _caught_up(stage: Stage) -> bool:
    """Whether every stream has reached what its source had executed when the clients had stopped; noted."""
    vtctld = await stage.shared(vtctld_of)
    reached: dict[str, str] = {}

    async def behind() -> _Seen:
        try:
            if not reached:
                reached.update(await _executed(stage, vtctld))
            found = await _streams(stage, vtctld)
            rows = [(shard, row) for shard, rows in found.items() for row in rows]
            if not rows or any(row.state in TERMINAL for _, row in rows):
                return _Seen(found, True)
            for shard, row in rows:
                primary = await vtctld.shard_primary(TARGET, shard)
                inner, outer = reached[row.source_shard], workflows.gtid_set(row.position)
                if not _done(row) or not await workflows.contains(vtctld, primary, outer, inner):
                    return _Seen(found, False)
        except VtctldError as error:
            return _Seen({}, False, str(error))
        return _Seen(found, True)

    try:
        seen = await stage.until(
            "the target has reached the source's position", behind, timeout_s=stage.plan.params["settled_within_s"]
        )
    except WaitTimeout as error:
        stage.note(BEHIND, why=str(error))
        return False
    if not seen.streams or not all(_done(row) for rows in seen.streams.values() for row in rows):
        stage.note(BEHIND, why=repr(seen) or "there is no stream")
        return False
    stage.note(CAUGHT_UP)
    return True


async def _executed(stage: Stage, vtctld: VtctldClient) -> dict[str, str]:
    """Source shard → the GTID set that its primary has executed."""
    spec = stage.cluster.spec
    primaries = {shard: await vtctld.shard_primary(spec.keyspace, shard) for shard in spec.shard_names}
    return {shard: await workflows.executed(vtctld, primary) for shard, primary in primaries.items()}


async def _diffed(stage: Stage) -> None:
    """Vitess's own comparison, noted beside ours."""
    vtctld = await stage.shared(vtctld_of)
    stage.note(DIFF_BEGINS)

    async def finished() -> tuple[workflows.DiffRow, ...]:
        rows = await workflows.diff(vtctld, TARGET, WORKFLOW, uuid)
        return rows if rows and all(row.state in ("completed", "error", "stopped") for row in rows) else ()

    try:
        uuid = await workflows.start_diff(vtctld, TARGET, WORKFLOW)
        rows = await stage.until("VDiff is complete", finished, timeout_s=stage.plan.params["diffed_within_s"])
    except (VtctldError, WaitTimeout) as error:
        stage.note("VDiff did not come to its end", why=str(error))
        return
    if any(row.state != "completed" for row in rows):
        stage.note("VDiff did not come to its end", why=next(row.error for row in rows if row.state != "completed"))
        return
    stage.note(DIFFED, mismatch=any(row.mismatch for row in rows), compared=sum(row.compared for row in rows))
