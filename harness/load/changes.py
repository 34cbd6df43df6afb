"""Changes of item rows, for streams that copy and follow the tables meanwhile (`harness.items` has the model).

    75 %   BEGIN; 2 to 4 UPDATEs of seeded rows of one shard, over the tables; COMMIT
    15 %   INSERT of a fresh row
    10 %   DELETE of a seeded row that is never updated

Invariants: a row's version is 1 when it is inserted and grows by one with every committed UPDATE, whoever did it,
because MySQL itself computes it; `pad` always belongs to id and version; every row that a transaction left carries
its `txn`, which says how many rows it wrote. So the sum of (version - 1) over the updated tables lies between the
rows of acknowledged update transactions and those of acknowledged and unknown ones.
"""

from __future__ import annotations

from harness.items import item_tables, pad_sql
from harness.load.items_pool import ItemsPool
from harness.load.ledger import Ledger
from harness.load.operation import Flight
from harness.model import OpKind
from harness.mysql.outcome import Phase
from harness.mysql.wire import Row

INSERT_SHARE = 0.15
DELETE_SHARE = 0.10
FEWEST_ROWS, MOST_ROWS = 2, 4  # of an update transaction; harness.items.ROWS_MASK holds the most
_BEGIN, _COMMIT = b"BEGIN", b"COMMIT"


class Change:
    """One lane's changes. A record has the first row's id as its key, the transaction as its value (0 of a
    DELETE), and the number of rows."""

    kind = OpKind.CHANGE

    def __init__(self, pool: ItemsPool, *, always_transaction: bool = False) -> None:
        self._pool = pool
        self._always_transaction = always_transaction
        self._tables = [_Statements(name) for name in item_tables(pool.tables)]

    def begin(self, flight: Flight, ledger: Ledger) -> bytes:
        flight.step = 0
        flight.statements = self._statements(flight)
        return flight.statements[0]

    def _statements(self, flight: Flight) -> tuple[bytes, ...]:
        chance = self._pool.chance()
        if chance < INSERT_SHARE:
            return self._whole(self._insert(flight))
        removed = self._pool.to_remove() if chance < INSERT_SHARE + DELETE_SHARE else None
        if removed is not None:
            table, flight.key = removed
            flight.value, flight.rows = 0, 1
            return self._whole(self._tables[table].delete(flight.key))
        return (_BEGIN, *self._updates(flight), _COMMIT)

    def _whole(self, statement: bytes) -> tuple[bytes, ...]:
        return (_BEGIN, statement, _COMMIT) if self._always_transaction else (statement,)

    def _insert(self, flight: Flight) -> bytes:
        table, flight.key = self._pool.fresh()
        flight.value, flight.rows = self._pool.txn(1), 1
        return self._tables[table].insert(flight.key, flight.value)

    def _updates(self, flight: Flight) -> list[bytes]:
        flight.rows = FEWEST_ROWS + int(self._pool.chance() * (MOST_ROWS - FEWEST_ROWS + 1))
        rows = self._pool.to_update(flight.rows)
        flight.key, flight.value = rows[0][1], self._pool.txn(flight.rows)
        return [self._tables[table].update(item_id, flight.value) for table, item_id in rows]

    def proceed(self, flight: Flight, ledger: Ledger, rows: list[Row] | None) -> bytes | None:
        flight.step += 1
        return flight.statements[flight.step] if flight.step < len(flight.statements) else None

    def phase(self, flight: Flight) -> Phase:
        if len(flight.statements) == 1:
            return Phase.WRITE
        return Phase.COMMIT if flight.step == len(flight.statements) - 1 else Phase.STATEMENT


class _Statements:
    """The statements of one table. Literals, not prepared statements: vtgate normalises them into one plan each."""

    def __init__(self, name: str) -> None:
        # MySQL assigns from left to right, so the pad is computed from the version that was there
        pad = pad_sql("id", "version + 1")
        self._update = f"UPDATE {name} SET pad = {pad}, version = version + 1, txn = %d WHERE id = %d".encode()
        self._insert = f"INSERT INTO {name} (id, version, txn, pad) VALUES (%d, 1, %d, {pad_sql('%d', '1')})".encode()
        self._delete = f"DELETE FROM {name} WHERE id = %d".encode()

    def update(self, item_id: int, txn: int) -> bytes:
        return self._update % (txn, item_id)

    def insert(self, item_id: int, txn: int) -> bytes:
        return self._insert % (item_id, txn, item_id)

    def delete(self, item_id: int) -> bytes:
        return self._delete % item_id
