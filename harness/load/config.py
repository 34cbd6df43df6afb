"""What a load worker process is told: one JSON file, written by the driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import PlanError
from harness.base.rundir import RunDir
from harness.items import ItemsSpec, seeded_rows
from harness.model import Lane, LoadSpec, Workload

MAX_WORKERS = 256  # OP_DTYPE.worker is one byte
MAX_LANES = 1 << 16  # OP_DTYPE.lane, and the lane's part of a ledger id (schema.first_id) or item id
MIN_ITEM_ROWS = 8  # of a table in a shard: an operation changes several of them and may remove one


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A MySQL endpoint that gets load of its own: a vtgate, by its node name.

    `--mysql-auth-server-impl none` takes every user and password, but asks again, one round trip more,
    when the password is empty (go/mysql/server.go, v0.24.3).
    """

    vtgate: str
    host: str
    port: int
    user: str = "vtchaos"
    password: str = "vtchaos"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """One worker process: one target, some of its lanes."""

    worker: int
    target: Target
    database: str  # the keyspace
    lanes: tuple[Lane, ...]
    spec: LoadSpec
    seed: int
    run: Path
    live: Path
    abrupt: bool  # see harness.mysql.outcome
    items: ItemsSpec | None = None  # the item tables, for Workload.ITEMS
    shards: tuple[str, ...] = ()  # of the whole keyspace: they share the seeded rows
    vtgates: int = 1  # under load: they have a lane each in every shard, and share its rows

    @property
    def run_dir(self) -> RunDir:
        return RunDir(self.run)


def plan_lanes(
    spec: LoadSpec,
    targets: Sequence[Target],
    shards: Sequence[str],
    items: ItemsSpec | None = None,
    *,
    places: int = 1,
) -> tuple[Lane, ...]:
    """A lane for every shard through every vtgate. They are dealt to the places in turn (`place_of`), and in each
    place the lanes of a vtgate to its workers in turn.

    A lane is never divided: its arrivals, ids and reads are those of one process, so the same places give the
    same load, and any number of them a load of the same lanes at the same rates.

    Raises PlanError when the load does not fit the record format or means nothing.
    """
    _refuse_nonsense(spec, targets, shards, places)
    if spec.workload is Workload.ITEMS:
        _refuse_few_rows(items, shards)
    wanted = [(target, shard) for target in targets for shard in shards]
    workers = _workers(spec, [target.vtgate for target, _ in wanted], places)
    return tuple(
        Lane(
            number=number,
            vtgate=target.vtgate,
            shard=shard,
            mode=spec.mode,
            rate=spec.rate_per_shard,
            worker=workers[number],
        )
        for number, (target, shard) in enumerate(wanted)
    )


def place_of(lane: int, places: int) -> int:
    """Which of so many places a lane, given by its number, belongs to."""
    return lane % places


def _workers(spec: LoadSpec, vtgates: Sequence[str], places: int) -> dict[int, int]:
    """Lane → worker: `spec.workers` of them for each vtgate in each place, fewer where there are fewer lanes."""
    groups: dict[tuple[int, str], list[int]] = {}
    for lane, vtgate in enumerate(vtgates):
        groups.setdefault((place_of(lane, places), vtgate), []).append(lane)
    found: dict[int, int] = {}
    first = 0
    for _, lanes in sorted(groups.items(), key=lambda group: (group[0][0], group[1][0])):
        here = min(spec.workers, len(lanes))
        found |= {lane: first + position % here for position, lane in enumerate(lanes)}
        first += here
    if first > MAX_WORKERS:
        raise PlanError(f"load workers must be 1 to {MAX_WORKERS} in all; {places} places would have {first}")
    return found


def _refuse_nonsense(spec: LoadSpec, targets: Sequence[Target], shards: Sequence[str], places: int) -> None:
    if not targets or not shards:
        raise PlanError("a load needs at least one vtgate and one shard")
    if not 1 <= places <= len(targets) * len(shards):
        raise PlanError(
            f"the load cannot run in {places} pods: it has {len(targets) * len(shards)} lanes "
            f"(one a vtgate and shard), and a lane runs in one pod; 1 to {len(targets) * len(shards)} would be right"
        )
    if spec.workers < 1 or spec.workers * len(targets) > MAX_WORKERS:
        raise PlanError(f"load workers must be 1 to {MAX_WORKERS} in all, not {spec.workers} × {len(targets)} vtgates")
    if len(targets) * len(shards) > MAX_LANES:
        raise PlanError(f"{len(targets)} vtgates × {len(shards)} shards are more than {MAX_LANES} lanes")
    if spec.rate_per_shard <= 0:
        raise PlanError(f"the rate per shard must be above 0 operations a second, not {spec.rate_per_shard:g}")
    if not 0 <= spec.write_share <= 1:
        raise PlanError(f"the write share must be between 0 and 1, not {spec.write_share:g}")
    if spec.connections_per_shard < 1:
        raise PlanError(f"connections per shard must be at least 1, not {spec.connections_per_shard}")
    if spec.operation_timeout_s <= 0 or spec.issue_within_s <= 0:
        raise PlanError("the operation timeout and the time to issue must be above 0 seconds")


def _refuse_few_rows(items: ItemsSpec | None, shards: Sequence[str]) -> None:
    if items is None or items.tables < 1:
        raise PlanError("a load on item tables needs item tables")
    fewest = min(seeded_rows(items.rows, shards).values())
    if fewest < MIN_ITEM_ROWS:
        raise PlanError(
            f"a load on item tables needs at least {MIN_ITEM_ROWS} rows of a table in every shard; "
            f"{items.rows} rows over {len(shards)} shards are {fewest}"
        )
