"""Which item rows a lane may change, and which it draws next.

Seeded rows are of two kinds by their number n in table and shard, `n % 8`: those with 7 are removed, each at most
once, and never updated; all others are updated by every lane of the shard and never removed. So an UPDATE always
finds its row, and no two lanes remove the same one. Half of the updated rows are drawn from a few that are
spread over the table, because a row that changes once can show neither a gap nor a wrong order of its versions.
"""

from __future__ import annotations

from math import gcd

from harness.base.rng import child
from harness.items import INSERTED, ItemsSpec, first_id, seeded_rows, txn_id
from harness.load.config import WorkerConfig

STRIDE = 8
REMOVED = 7  # n % STRIDE of the rows that are removed
HOT_ROWS = 256  # of a table in a shard
HOT_SHARE = 0.5
_INSERTED_LANE_BITS = 24
_GOLDEN = 0.6180339887


class ItemsPool:
    """The item rows of one lane. Ids are handed out as (number of the table from 0, id)."""

    def __init__(
        self, spec: ItemsSpec, *, rows: int, shard: str, lane: int, share: int, shares: int, seed: int
    ) -> None:
        """`rows` of each table are seeded in this shard; this lane removes the `share`th of `shares` parts."""
        self._firsts = [first_id(shard, table) for table in range(spec.tables)]
        self._lane = lane
        self._draw = child(seed, f"items/{lane}")
        self._updated = rows - (rows + STRIDE - REMOVED) // STRIDE
        self._hot = min(HOT_ROWS, self._updated)
        self._removable = (rows + STRIDE - REMOVED) // STRIDE
        self._mine = range(share, self._removable * spec.tables, shares)
        self._step = _coprime_to(len(self._mine))
        self._begin = self._draw.randrange(len(self._mine)) if self._mine else 0
        self._removed = self._inserted = self._txns = 0

    @property
    def tables(self) -> int:
        """How many tables there are."""
        return len(self._firsts)

    def chance(self) -> float:
        """A number in [0, 1) that decides between kinds of operations."""
        return self._draw.random()

    def txn(self, rows: int) -> int:
        """The id of a new transaction of so many rows."""
        self._txns += 1
        return txn_id(self._lane, self._txns, rows)

    def to_update(self, rows: int) -> list[tuple[int, int]]:
        """Distinct seeded rows in ascending order of their ids, of as many tables as there are: lanes that lock
        rows in one order do not deadlock each other."""
        tables = self._draw.sample(range(self.tables), min(rows, self.tables))
        found: set[tuple[int, int]] = set()
        while len(found) < rows:
            table = tables[len(found) % len(tables)]
            found.add((table, self._firsts[table] + self._number_to_update()))
        return sorted(found)

    def _number_to_update(self) -> int:
        """The number of a row: any that is not removed."""
        if self._draw.random() < HOT_SHARE:
            index = self._draw.randrange(self._hot) * self._updated // self._hot
        else:
            index = self._draw.randrange(self._updated)
        whole, rest = divmod(index + 1, STRIDE - 1)  # 1 to 6, 8 to 14, 16 to 22 …
        return whole * STRIDE + rest

    def to_remove(self) -> tuple[int, int] | None:
        """A seeded row that nobody updates and nobody else removes; None when all are gone. In an order that
        visits the whole table again and again, so that rows before and after a copy's position go."""
        if self._removed == len(self._mine):
            return None
        which = self._mine[(self._begin + self._removed * self._step) % len(self._mine)]
        self._removed += 1
        table, index = divmod(which, self._removable)
        return table, self._firsts[table] + index * STRIDE + REMOVED

    def fresh(self) -> tuple[int, int]:
        """A row that never was."""
        self._inserted += 1
        table = self._draw.randrange(self.tables)
        return table, self._firsts[table] + (INSERTED | self._lane << _INSERTED_LANE_BITS | self._inserted)


def _coprime_to(number: int) -> int:
    """A step that visits each of `number` places once and leaps over the whole range: near the golden ratio."""
    step = max(1, round(number * _GOLDEN))
    while gcd(step, number) > 1:
        step += 1
    return step


def item_pools(config: WorkerConfig) -> list[ItemsPool]:
    """The pool of every lane of a worker."""
    assert config.items is not None  # plan_lanes refuses a load on item tables without them
    rows = seeded_rows(config.items.rows, config.shards)
    return [
        ItemsPool(
            config.items,
            rows=rows[lane.shard],
            shard=lane.shard,
            lane=lane.number,
            share=lane.number // len(config.shards),
            shares=config.vtgates,
            seed=config.seed,
        )
        for lane in config.lanes
    ]
