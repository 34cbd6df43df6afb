"""Goal: a load on item tables does only what the data model promises, so that whatever else a stream shows is the
database's doing: every UPDATE finds its row, rows are locked in one order, a row is removed once, every id and
every transaction is new, and what was done is what was recorded.

Method: the engine in virtual time against a table of a few lines that obeys the statements literally.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.base.errors import PlanError
from harness.items import INSERTED, ROWS_MASK, ItemsSpec, first_id, seeded_rows
from harness.load.config import Target, plan_lanes
from harness.load.items_pool import HOT_ROWS, ItemsPool
from harness.model import ConnectionMode, LoadSpec, OpKind, Outcome, Workload
from tests.fake_mysql import Ok, Reply
from tests.unit.load_fakes import Bench

SHARDS = ("-80", "80-")
ITEMS = ItemsSpec(tables=3, rows=4_000)
CHANGES = LoadSpec(rate_per_shard=50, connections_per_shard=4, workload=Workload.ITEMS, operation_timeout_s=5)
PAD = r"SHA2\(CONCAT\({0}, ':', {1}\), 512\)"
UPDATE = re.compile(
    r"UPDATE (item_\d+) SET pad = " + PAD.format("id", r"version \+ 1") + r", version = version \+ 1, txn = (\d+)"
    r" WHERE id = (\d+)"
)
INSERT = re.compile(
    r"INSERT INTO (item_\d+) \(id, version, txn, pad\) VALUES \((\d+), 1, (\d+), " + PAD.format(r"\2", "1") + r"\)"
)
DELETE = re.compile(r"DELETE FROM (item_\d+) WHERE id = (\d+)")


class Tables:
    """Item tables in memory: (table, id) → [version, txn]. A statement that means nothing here is a failure."""

    def __init__(self, spec: ItemsSpec = ITEMS, shards: tuple[str, ...] = SHARDS) -> None:
        self.rows = {
            (name, first_id(shard, table) + number): [1, 0]
            for table, name in enumerate(spec.names)
            for shard, rows in seeded_rows(spec.rows, shards).items()
            for number in range(1, rows + 1)
        }
        self.removed: list[int] = []
        self.inserted: list[int] = []

    def apply(self, statement: str) -> None:
        if found := UPDATE.fullmatch(statement):
            row = self.rows[found[1], int(found[3])]  # KeyError: an UPDATE that matches nothing
            row[0] += 1
            row[1] = int(found[2])
        elif found := INSERT.fullmatch(statement):
            key = (found[1], int(found[2]))
            assert key not in self.rows
            self.rows[key] = [1, int(found[3])]
            self.inserted.append(key[1])
        elif found := DELETE.fullmatch(statement):
            del self.rows[found[1], int(found[2])]
            self.removed.append(int(found[2]))
        else:
            assert statement in ("BEGIN", "COMMIT"), statement

    def __call__(self, query: str) -> Reply:
        self.apply(query)
        return Ok()

    def versions(self) -> int:
        """How many updates there were."""
        return sum(version - 1 for version, _ in self.rows.values())


def spec(**changes: Any) -> LoadSpec:
    return replace(CHANGES, **changes)


def ran(folder: Path, seconds: float, load: LoadSpec = CHANGES, items: ItemsSpec = ITEMS, seed: int = 7) -> Bench:
    bench = Bench(folder, load, items=items, seed=seed)
    bench.advance(seconds, answer=True)
    while bench.busy():
        bench.answer_all()
    return bench


def operations(bench: Bench) -> list[list[str]]:
    """The statements of every operation, connection after connection."""
    found: list[list[str]] = []
    for wire in bench.wires:
        within = False
        for statement in wire.statements:
            if within:
                found[-1].append(statement)
            else:
                found.append([statement])
            within = statement == "BEGIN" or (within and statement != "COMMIT")
    return found


def test_every_statement_does_what_the_model_promises(tmp_path: Path) -> None:
    bench, tables = ran(tmp_path, 30), Tables()
    for operation in operations(bench):
        for statement in operation:
            tables.apply(statement)
    ops = bench.ops()
    assert len(ops) > 2500
    assert set(ops["kind"].tolist()) == {int(OpKind.CHANGE)}
    updates, inserts, deletes = _of(ops, "update"), _of(ops, "insert"), _of(ops, "delete")
    assert int(ops[updates]["rows"].sum()) == tables.versions()
    assert sorted(ops[inserts]["key"].tolist()) == sorted(tables.inserted)
    assert sorted(ops[deletes]["key"].tolist()) == sorted(tables.removed)
    assert 0.71 < updates.mean() < 0.79
    assert 0.12 < inserts.mean() < 0.18
    assert 0.07 < deletes.mean() < 0.13
    versions = Counter(version for version, _ in tables.rows.values())
    assert max(versions) > 4  # some rows change often, …
    assert sum(versions.values()) - versions[1] > HOT_ROWS * 3 * len(SHARDS)  # … and many once


def _of(ops: Any, what: str) -> Any:
    inserted = (ops["key"] & np.uint64(INSERTED)) > 0
    return {"delete": ops["value"] == 0, "insert": inserted, "update": (ops["value"] > 0) & ~inserted}[what]


def test_a_transaction_locks_its_rows_in_one_order_and_says_how_many_they_are(tmp_path: Path) -> None:
    bench = ran(tmp_path, 10)
    recorded = {int(op["value"]): op for op in bench.ops()}
    sizes = Counter[int]()
    for begin, *statements, commit in (operation for operation in operations(bench) if len(operation) > 1):
        assert (begin, commit) == ("BEGIN", "COMMIT")
        matches = [UPDATE.fullmatch(statement) for statement in statements]
        rows = [(found[1], int(found[3])) for found in matches if found]
        (txn,) = {int(found[2]) for found in matches if found}
        assert rows == sorted(set(rows))
        assert sorted(rows) == sorted(rows, key=lambda row: row[1])  # the order of tables is that of ids
        assert len({table for table, _ in rows}) == min(len(rows), ITEMS.tables)
        assert txn & ROWS_MASK == len(statements) == recorded[txn]["rows"]
        assert recorded[txn]["key"] == rows[0][1]
        sizes[len(rows)] += 1
    assert set(sizes) == {2, 3, 4}
    assert min(sizes.values()) > sum(sizes.values()) / 4


def test_ids_say_shard_table_and_lane_and_no_transaction_is_named_twice(tmp_path: Path) -> None:
    ops = ran(tmp_path, 10).ops()
    for lane, shard in enumerate(SHARDS):
        keys = ops[ops["lane"] == lane]["key"]
        assert set((keys >> 56).tolist()) == {int(shard.split("-")[0] or "0", 16)}
        inserted = keys[(keys & INSERTED) > 0]
        assert set(((inserted >> 24) & 0xFFFF).tolist()) == {lane}
        assert sorted((inserted & 0xFFFFFF).tolist()) == list(range(1, len(inserted) + 1))
    named = ops["value"][ops["value"] > 0]
    assert len(np.unique(named)) == len(named)
    assert set(((named >> np.uint64(44)) - np.uint64(1)).tolist()) == {0, 1}


@pytest.mark.parametrize(("rows", "tables", "shares"), [(8, 1, 1), (15, 1, 2), (1000, 3, 3), (64, 2, 5)])
def test_lanes_of_a_shard_remove_every_removable_row_once_and_update_no_such_row(
    rows: int, tables: int, shares: int
) -> None:
    pools = [
        ItemsPool(
            ItemsSpec(tables=tables, rows=rows), rows=rows, shard="80-", lane=lane, share=lane, shares=shares, seed=3
        )
        for lane in range(shares)
    ]
    removed, updated = [], set[tuple[int, int]]()
    for pool in pools:
        while (row := pool.to_remove()) is not None:
            removed.append(row)
        for _ in range(rows * 12):
            drawn = pool.to_update(4)
            assert len(set(drawn)) == 4
            updated |= set(drawn)
    everything = {(table, first_id("80-", table) + n) for table in range(tables) for n in range(1, rows + 1)}
    assert len(removed) == len(set(removed))
    assert set(removed) == {(table, item) for table, item in everything if (item & 0xFFFF) % 8 == 7}
    assert updated == everything - set(removed)


def test_removed_rows_are_spread_over_the_table() -> None:
    """A copy that is half-way must see rows go on both sides of it."""
    pool = ItemsPool(ItemsSpec(rows=8_000), rows=8_000, shard="0", lane=0, share=0, shares=1, seed=1)
    first = [row[1] for row in (pool.to_remove() for _ in range(20)) if row]
    quarters = Counter(number * 4 // 8_001 for number in first)
    assert set(quarters) == {0, 1, 2, 3}
    assert max(quarters.values()) <= 8


def test_when_no_row_is_left_to_remove_the_load_goes_on_updating(tmp_path: Path) -> None:
    few = ItemsSpec(tables=1, rows=32)
    bench, tables = ran(tmp_path, 30, items=few), Tables(few)
    for operation in operations(bench):
        for statement in operation:
            tables.apply(statement)
    assert len(tables.removed) == 4
    assert len(bench.ops()) > 2500


def test_the_seed_decides(tmp_path: Path) -> None:
    same, again, other = (
        operations(ran(tmp_path / name, 3, seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same == again
    assert same != other


@pytest.mark.parametrize(
    ("lost_at", "outcome"), [("BEGIN", Outcome.FAIL), ("UPDATE", Outcome.FAIL), ("COMMIT", Outcome.UNKNOWN)]
)
def test_a_transaction_that_was_lost_may_be_applied_only_from_its_commit_on(
    tmp_path: Path, lost_at: str, outcome: Outcome
) -> None:
    bench = Bench(tmp_path, CHANGES, items=ITEMS)
    bench.advance(2)
    wire = next(wire for wire in bench.busy() if wire.asked == "BEGIN")
    while not wire.asked.startswith(lost_at):
        wire.ok()
    wire.lost()
    (op,) = bench.ops()
    assert (op["outcome"], op["errno"]) == (outcome, 2013)
    assert op["rows"] == op["value"] & ROWS_MASK
    assert bench.engine.lanes[op["lane"]].in_flight > 0


def test_a_single_statement_is_judged_as_the_autocommit_write_that_it_is(tmp_path: Path) -> None:
    """Lost, it may be applied; a lock wait that timed out surely left nothing, as it would not at a COMMIT."""
    bench = Bench(tmp_path, CHANGES, items=ITEMS)
    seen = set[tuple[str, int]]()
    for _ in range(400):
        bench.advance(0.05)
        for wire in bench.busy():
            word = wire.asked.split(" ")[0]
            if word in ("INSERT", "DELETE"):
                refused = len(bench.ops()) % 2
                seen.add((word, refused))
                if refused:
                    wire.error(1205, "Lock wait timeout exceeded")
                else:
                    wire.lost()
                assert bench.ops()[-1]["outcome"] == (Outcome.FAIL if refused else Outcome.UNKNOWN)
        bench.accept()
        bench.answer_all()
    assert seen == {(word, refused) for word in ("INSERT", "DELETE") for refused in (0, 1)}


def test_with_transactions_everything_is_one(tmp_path: Path) -> None:
    bench = ran(tmp_path, 5, spec(mode=ConnectionMode.TRANSACTION))
    done = operations(bench)
    assert {(each[0], each[-1]) for each in done} == {("BEGIN", "COMMIT")}
    assert {each[1].split(" ")[0] for each in done} == {"UPDATE", "INSERT", "DELETE"}
    assert len(done) == len(bench.ops())


def test_the_write_share_is_of_no_account(tmp_path: Path) -> None:
    assert set(ran(tmp_path, 2, spec(write_share=0.0)).ops()["kind"].tolist()) == {int(OpKind.CHANGE)}


def test_a_load_on_tables_that_are_missing_or_too_small_is_refused() -> None:
    target = Target(vtgate="vtgate-1", host="127.0.0.1", port=1)
    with pytest.raises(PlanError, match="needs item tables"):
        plan_lanes(CHANGES, [target], SHARDS)
    with pytest.raises(PlanError, match=r"at least 8 rows .*; 15 rows over 2 shards are 7"):
        plan_lanes(CHANGES, [target], SHARDS, ItemsSpec(rows=15))
    assert plan_lanes(CHANGES, [target], SHARDS, ItemsSpec(rows=16))
