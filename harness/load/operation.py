"""What an operation is to the driver: statements to send one after the other, and a meaning of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.load.ledger import Ledger
from harness.model import OpKind
from harness.mysql.outcome import Phase
from harness.mysql.wire import Row


@dataclass(slots=True)
class Flight:
    """The operation that a connection is busy with."""

    key: int = 0
    value: int = 0
    rows: int = 0
    step: int = 0
    statements: tuple[bytes, ...] = ()  # of an operation whose statements are all known when it begins


class Operation(Protocol):
    """A kind of operation. What one of them needs while it is out is in the Flight; rows that are remembered
    longer belong to the lane: they are in its Ledger, or in an object of this kind that the lane has for itself."""

    @property
    def kind(self) -> OpKind: ...
    def begin(self, flight: Flight, ledger: Ledger) -> bytes: ...  # the first statement
    def proceed(self, flight: Flight, ledger: Ledger, rows: list[Row] | None) -> bytes | None: ...  # None: it is OK
    def phase(self, flight: Flight) -> Phase: ...  # of the statement that is out
