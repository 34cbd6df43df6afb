"""Which VStream clients there are, and what a worker process is told: one JSON file, written by the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import PlanError
from harness.base.rundir import RunDir
from harness.streams import NO_INDEX, Resume, StreamLane, StreamSpec

TABLET_TYPES = ("primary", "replica", "rdonly")
MAX_STREAMS = 1000
MAX_ATTEMPTS = NO_INDEX  # EVENT_DTYPE.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamWorkerConfig:
    """One worker process: all streams through one vtgate."""

    worker: int
    address: str  # host:port of the vtgate's gRPC service
    lanes: tuple[StreamLane, ...]
    run: Path
    live: Path

    @property
    def run_dir(self) -> RunDir:
        return RunDir(self.run)


def lanes(
    specs: Sequence[StreamSpec], vtgates: Sequence[str], keyspace: str, shards: Sequence[str], tables: Sequence[str]
) -> tuple[StreamLane, ...]:
    """Every stream of every spec through every vtgate, numbered from 1: items-1@vtgate-1 … `tables` are all
    there are, the mark table last; a stream of some of them gets the mark table as well.

    Raises PlanError when a spec asks for what is not there, or means nothing.
    """
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise PlanError(f"streams must have different names, not {', '.join(names)}")
    for spec in specs:
        _refuse_nonsense(spec, shards, tables)
    found = [
        (f"{spec.name}-{which}@{vtgate}", vtgate, spec)
        for vtgate in vtgates
        for spec in specs
        for which in range(1, spec.count + 1)
    ]
    if len(found) > MAX_STREAMS:
        raise PlanError(f"{len(found)} streams are more than {MAX_STREAMS}")
    return tuple(
        StreamLane(
            number=number,
            name=name,
            vtgate=vtgate,
            spec=spec,
            keyspace=keyspace,
            shards=tuple(spec.shards or shards),
            tables=(*(spec.tables or tables[:-1]), tables[-1]),
        )
        for number, (name, vtgate, spec) in enumerate(found, start=1)
    )


def _refuse_nonsense(spec: StreamSpec, shards: Sequence[str], tables: Sequence[str]) -> None:
    what = f"stream {spec.name}"
    if spec.count < 1 or not 1 <= spec.attempts <= MAX_ATTEMPTS:
        raise PlanError(f"{what}: count must be at least 1, attempts 1 to {MAX_ATTEMPTS}")
    for asked, there, kind in (
        (spec.shards, shards, "shard"),
        (spec.tables, tables[:-1], "table"),
        (spec.tables_to_copy, tables, "table to copy"),
    ):
        unknown = [name for name in asked if name not in there]
        if unknown or len(set(asked)) < len(asked):
            raise PlanError(f"{what}: no {kind} {', '.join(unknown) or 'twice'}; there are {', '.join(there)}")
    if spec.tablet_type not in TABLET_TYPES:
        raise PlanError(f"{what}: the tablet type is {', '.join(TABLET_TYPES)}, not {spec.tablet_type!r}")
    if spec.pause_ms < 0 or spec.heartbeat_s < 0 or spec.leave_after < 0:
        raise PlanError(f"{what}: pauses, heartbeats and leaving must not be below 0")
    if spec.leave_after and spec.resume is Resume.NONE:
        raise PlanError(f"{what} leaves after {spec.leave_after} responses, but is not to resume: give it a resume")
