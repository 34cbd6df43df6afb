"""A lane while it runs: what it does, its rows and its counters."""

from __future__ import annotations

from harness.load.ledger import Ledger
from harness.load.operation import Operation
from harness.model import Lane, Outcome


class Traffic:
    """Counters are plain integers that the worker copies into the live file; the records are the truth. Slots
    count (harness.load.pool): what succeeds there, in place; what fails, here."""

    __slots__ = (
        "fail",
        "in_flight",
        "issued",
        "last_errno",
        "last_error_ns",
        "last_ok_ns",
        "ledger",
        "max_stall_ns",
        "not_issued",
        "number",
        "ok",
        "queued",
        "read",
        "unknown",
        "write",
    )

    def __init__(self, lane: Lane, seed: int, *, write: Operation, read: Operation) -> None:
        self.number = lane.number
        self.write = write
        self.read = read
        self.ledger = Ledger(shard=lane.shard, lane=lane.number, seed=seed)
        self.issued = self.ok = self.fail = self.unknown = self.not_issued = 0
        self.in_flight = self.queued = 0
        self.last_ok_ns = self.last_error_ns = self.max_stall_ns = self.last_errno = 0

    def begin(self, start_ns: int) -> None:
        self.last_ok_ns = start_ns  # stalls are counted from here

    def failed(self, outcome: Outcome, errno: int, now_ns: int) -> None:
        self.in_flight -= 1
        if outcome is Outcome.FAIL:
            self.fail += 1
        else:
            self.unknown += 1
        self.last_errno = errno
        self.last_error_ns = now_ns

    def counters(self, now_ns: int) -> tuple[int, ...]:
        """In the order of live.LANE_DTYPE; the stall that still lasts is included."""
        stall_ns = max(self.max_stall_ns, now_ns - self.last_ok_ns) if self.last_ok_ns else 0
        return (
            self.issued,
            self.ok,
            self.fail,
            self.unknown,
            self.not_issued,
            self.last_ok_ns if self.ok else 0,
            self.last_error_ns,
            stall_ns,
            self.in_flight,
            self.queued,
            self.last_errno,
            0,
        )
