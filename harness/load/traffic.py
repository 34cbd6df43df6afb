"""A lane while it runs: its arrivals, its rows, its counters."""

from __future__ import annotations

from harness.base.rng import child
from harness.load.arrivals import Arrivals
from harness.load.ledger import Ledger
from harness.load.operation import Operation
from harness.load.reads import Read
from harness.load.transactions import Transaction
from harness.load.writes import Write
from harness.model import ConnectionMode, Lane, LoadSpec, Outcome

WRITE, READ, TRANSACTION = Write(), Read(), Transaction()
_OK = Outcome.OK


class Traffic:
    """Counters are plain integers that the worker copies into the live file; the records are the truth."""

    __slots__ = (
        "_always",
        "_draw",
        "_write_share",
        "arrivals",
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
        "unknown",
    )

    def __init__(self, lane: Lane, spec: LoadSpec, seed: int) -> None:
        name = f"{lane.vtgate}/{lane.shard}"
        self.number = lane.number
        self.arrivals = Arrivals(rate=lane.rate, poisson=spec.poisson, seed=seed, name=name)
        self.ledger = Ledger(shard=lane.shard, lane=lane.number, seed=seed)
        self._draw = child(seed, f"kinds/{name}").random
        self._write_share = spec.write_share
        self._always: Operation | None = TRANSACTION if lane.mode is ConnectionMode.TRANSACTION else None
        self.issued = self.ok = self.fail = self.unknown = self.not_issued = 0
        self.in_flight = self.queued = 0
        self.last_ok_ns = self.last_error_ns = self.max_stall_ns = self.last_errno = 0

    def begin(self, start_ns: int) -> None:
        self.arrivals.begin(start_ns)
        self.last_ok_ns = start_ns  # stalls are counted from here

    def draw(self) -> Operation:
        """What the next arrival wants to do. In transaction mode everything is a transaction."""
        if self._always is not None:
            return self._always
        return WRITE if self._draw() < self._write_share else READ

    def settled(self, operation: Operation) -> Operation:
        """What is really done when it is issued: with nothing acknowledged yet, a read becomes a write."""
        return WRITE if operation is READ and not len(self.ledger) else operation

    def count(self, outcome: int, errno: int, now_ns: int) -> None:
        """An operation that was issued has ended."""
        self.in_flight -= 1
        if outcome == _OK:
            self.ok += 1
            stall_ns = now_ns - self.last_ok_ns
            if stall_ns > self.max_stall_ns:
                self.max_stall_ns = stall_ns
            self.last_ok_ns = now_ns
            return
        if outcome == Outcome.FAIL:
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
