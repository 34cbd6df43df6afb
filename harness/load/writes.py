"""Writes: one INSERT of a fresh ledger id in autocommit.

Invariant: after the run every acknowledged id is there exactly once with its value, no id whose
write FAILed is there, an UNKNOWN one is there at most once (`seq` is the primary key and `id` is not
unique, so a write applied twice shows as two rows).
"""

from __future__ import annotations

from harness.load.ledger import Ledger
from harness.load.operation import Flight
from harness.model import OpKind
from harness.mysql.outcome import Phase
from harness.mysql.wire import Row


class Write:
    """INSERT of one row. Literals, not a prepared statement: vtgate normalises them into one plan."""

    kind = OpKind.WRITE

    def begin(self, flight: Flight, ledger: Ledger) -> bytes:
        flight.rows = 1
        flight.key, flight.value = ledger.fresh()
        return insert(flight.key, flight.value)

    def proceed(self, flight: Flight, ledger: Ledger, rows: list[Row] | None) -> bytes | None:
        ledger.acknowledge(flight.key, flight.value)
        return None

    def phase(self, flight: Flight) -> Phase:
        return Phase.WRITE


def insert(key: int, value: int) -> bytes:
    return b"INSERT INTO ledger (id, value) VALUES (%d, %d)" % (key, value)
