"""Transactions: BEGIN; INSERTs of fresh, consecutive ids of one shard; COMMIT.

Invariant: after the run either all rows of a transaction are there or none; all when it was
acknowledged, none when it FAILed. An error before COMMIT was sent is FAIL (the connection is thrown
away, and vtgate rolls back); at COMMIT the outcome table decides.
"""

from __future__ import annotations

from harness.load.ledger import Ledger
from harness.load.operation import Flight
from harness.load.writes import insert
from harness.model import OpKind
from harness.mysql.outcome import Phase
from harness.mysql.wire import Row

ROWS = 2  # the fewest whose atomicity can break
_MASK = 0xFFFFFFFFFFFFFFFF


class Transaction:
    """`step` counts the statements that were answered: BEGIN, `ROWS` INSERTs, COMMIT."""

    kind = OpKind.TRANSACTION

    def begin(self, flight: Flight, ledger: Ledger) -> bytes:
        flight.rows = ROWS
        flight.step = 0
        flight.key, flight.value = ledger.fresh(ROWS)
        return b"BEGIN"

    def proceed(self, flight: Flight, ledger: Ledger, rows: list[Row] | None) -> bytes | None:
        step = flight.step
        flight.step = step + 1
        if step < ROWS:
            return insert(flight.key + step, (flight.value + step) & _MASK)
        if step == ROWS:
            return b"COMMIT"
        ledger.acknowledge(flight.key, flight.value, ROWS)
        return None

    def phase(self, flight: Flight) -> Phase:
        return Phase.COMMIT if flight.step > ROWS else Phase.STATEMENT
