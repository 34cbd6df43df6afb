"""Reads: SELECT by id of a row that this lane wrote and that was acknowledged.

Invariant: such a read finds the row once, with the value written. What it found is recorded
(`ReadResult` in `rows`); an answer is an OK operation whatever it says, and a check judges it. A
read through another vtgate, or of a replica, would promise less and is not done here.
"""

from __future__ import annotations

from harness.load.ledger import Ledger
from harness.load.operation import Flight
from harness.model import OpKind, ReadResult
from harness.mysql.outcome import Phase
from harness.mysql.wire import Row, row


class Read:
    """SELECT of one acknowledged row; the lane must have one."""

    kind = OpKind.READ

    def begin(self, flight: Flight, ledger: Ledger) -> bytes:
        flight.rows = ReadResult.MISSING
        flight.key, flight.value = ledger.acknowledged()
        return b"SELECT id, value FROM ledger WHERE id = %d" % flight.key

    def proceed(self, flight: Flight, ledger: Ledger, rows: list[Row] | None) -> bytes | None:
        flight.rows = judge(rows, flight.key, flight.value)
        return None

    def phase(self, flight: Flight) -> Phase:
        return Phase.READ


def judge(rows: list[Row] | None, key: int, value: int) -> ReadResult:
    """What the rows say about the acknowledged row (key, value)."""
    if not rows:
        return ReadResult.MISSING
    expected = row(key, value)
    if len(rows) == 1 and rows[0] == expected:
        return ReadResult.FOUND
    return ReadResult.REPEATED if all(found == expected for found in rows) else ReadResult.WRONG_VALUE
