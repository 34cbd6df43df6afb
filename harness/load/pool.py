"""Connections and the arrivals that wait for them.

A `Pool` belongs to one lane, or to all lanes of a worker (mode POOLED). Each `Slot` of it holds one
connection at a time and carries one operation at a time:

    DOWN ──► CONNECTING ──► IDLE ◄──► BUSY          (mode PER_OPERATION: IDLE is "may connect")
      ▲           │           │         │
      └───────────┴───────────┴─────────┘  any error, timeout or cancellation discards the connection

An arrival takes an idle slot, or waits for one in the pool's queue, in order, for `issue_within_s`;
then it is recorded as NOT_ISSUED. Nothing is tried twice: reconnecting after an error makes the slot
usable for the next operation, and a failed reconnection is recorded as an operation of its own, a
READ with key 0 that FAILed.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.load.operation import Flight, Operation
from harness.load.recorder import Recorder
from harness.load.traffic import Traffic
from harness.model import OpKind, Outcome
from harness.mysql.outcome import CR_CLIENT_TIMEOUT, CR_CONN_HOST_ERROR, CR_LOAD_STOPPED, Phase, outcome_of
from harness.mysql.wire import Row, WireOwner

NEVER_NS = 1 << 62
CONNECT_TIMEOUT_NS = 5_000_000_000
BACKOFF_FIRST_NS = 50_000_000  # after the first failed attempt; doubled with each that follows
BACKOFF_LAST_NS = 1_000_000_000
_OK, _NOT_ISSUED = int(Outcome.OK), int(Outcome.NOT_ISSUED)


class Connection(Protocol):
    """What a slot needs of a wire."""

    def query(self, statement: bytes) -> None: ...
    def discard(self) -> None: ...
    def quit(self) -> None: ...


class SlotState(enum.IntEnum):
    DOWN = 0  # until `deadline_ns`, then the next attempt
    CONNECTING = 1
    IDLE = 2
    BUSY = 3


_IDLE, _BUSY = SlotState.IDLE, SlotState.BUSY


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRules:
    """The same for every pool of a worker."""

    connect: Callable[[WireOwner], Connection]
    recorder: Recorder
    clock: Callable[[], int]
    operation_timeout_ns: int
    issue_within_ns: int
    per_operation: bool
    abrupt: bool


class Slot:
    """One connection at a time; the owner of its wire."""

    __slots__ = (
        "_attempts",
        "_clock",
        "_flight",
        "_intended_ns",
        "_lane",
        "_operation",
        "_per_operation",
        "_pool",
        "_ready",
        "_record",
        "_rules",
        "_sent_ns",
        "_since_ns",
        "_statement",
        "_timeout_ns",
        "_wire",
        "deadline_ns",
        "number",
        "state",
    )

    def __init__(self, pool: Pool, number: int) -> None:
        self._pool = pool
        self._rules = pool.rules
        self._clock = pool.rules.clock
        self._record = pool.rules.recorder.record
        self._timeout_ns = pool.rules.operation_timeout_ns
        self._per_operation = pool.rules.per_operation
        self._wire: Connection | None = None
        self._lane: Traffic | None = None
        self._operation: Operation | None = None
        self._flight = Flight()
        self._statement = b""
        self._intended_ns = self._sent_ns = self._since_ns = 0
        self._attempts = 0
        self._ready = False
        self.number = number
        self.state = SlotState.DOWN
        self.deadline_ns = NEVER_NS

    # ------------------------------------------------ an operation

    def start(self, lane: Traffic, operation: Operation, intended_ns: int, now_ns: int) -> None:
        """Carry this operation; the slot is idle."""
        self._lane = lane
        self._operation = operation
        self._intended_ns = intended_ns
        self._sent_ns = now_ns
        self.deadline_ns = now_ns + self._timeout_ns
        self.state = _BUSY
        lane.issued += 1
        lane.in_flight += 1
        statement = operation.begin(self._flight, lane.ledger)
        if self._wire is None:  # one connection per operation
            self._statement = statement
            self._ready = False
            self._wire = self._rules.connect(self)
        else:
            self._wire.query(statement)

    def _answered(self, rows: list[Row] | None) -> None:
        """The hot path: in one piece, because every call costs when the caches are cold."""
        lane, operation, flight, wire = self._lane, self._operation, self._flight, self._wire
        assert lane is not None
        assert operation is not None
        assert wire is not None
        following = operation.proceed(flight, lane.ledger, rows)
        if following is not None:
            wire.query(following)
            return
        now_ns = self._clock()
        self._record(
            self._intended_ns, self._sent_ns, now_ns, flight.key, flight.value, 0, 0, lane.number, self.number,
            operation.kind, _OK, flight.rows,
        )  # fmt: skip
        lane.ok += 1
        lane.in_flight -= 1
        if now_ns - lane.last_ok_ns > lane.max_stall_ns:
            lane.max_stall_ns = now_ns - lane.last_ok_ns
        lane.last_ok_ns = now_ns
        if self._per_operation:
            wire.quit()
            self._wire = None
        self.state = _IDLE
        self.deadline_ns = NEVER_NS
        pool = self._pool
        if pool.waiting:
            pool.release(self, now_ns)
        else:
            pool.free.append(self)

    def _failed(self, errno: int, message: str) -> None:
        """The operation that is out ended with an error; its connection goes with it."""
        self._lose(errno, message)
        if self._per_operation:
            self._settle()
        else:
            self.connect()

    def _lose(self, errno: int, message: str) -> None:
        lane, operation, flight = self._lane, self._operation, self._flight
        assert lane is not None
        assert operation is not None
        phase = operation.phase(flight) if self._ready else Phase.CONNECT
        outcome = outcome_of(errno, message, phase, abrupt=self._rules.abrupt)
        now_ns = self._clock()
        self._record(
            self._intended_ns, self._sent_ns, now_ns, flight.key, flight.value,
            self._rules.recorder.messages.number(errno, message), errno, lane.number, self.number,
            operation.kind, outcome, flight.rows,
        )  # fmt: skip
        lane.failed(outcome, errno, now_ns)
        self._drop()

    def _settle(self) -> None:
        """Ready for the next operation."""
        self.state = _IDLE
        self.deadline_ns = NEVER_NS
        self._pool.release(self, self._clock())

    # ------------------------------------------------ its connection

    def connect(self) -> None:
        """Begin an attempt to connect."""
        self.state = SlotState.CONNECTING
        self._ready = False
        self._since_ns = self._clock()
        self.deadline_ns = self._since_ns + CONNECT_TIMEOUT_NS
        self._wire = self._rules.connect(self)

    def _not_connected(self, errno: int, message: str) -> None:
        """Record the failed attempt, and wait longer before each next one."""
        self._drop()
        now_ns = self._clock()
        number = self._rules.recorder.messages.number(errno, message)
        self._record(
            self._since_ns, self._since_ns, now_ns, 0, 0, number, errno, self._pool.lane_of_errors,
            self.number, OpKind.READ, Outcome.FAIL, 0,
        )  # fmt: skip
        self._pool.trouble = message
        self.state = SlotState.DOWN
        self.deadline_ns = now_ns + min(BACKOFF_FIRST_NS << min(self._attempts, 8), BACKOFF_LAST_NS)
        self._attempts += 1

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.discard()
            self._wire = None

    def expire(self) -> None:
        """`deadline_ns` has passed."""
        if self.state is SlotState.DOWN:
            self.connect()
        elif self.state is SlotState.CONNECTING:
            self._not_connected(CR_CONN_HOST_ERROR, "client timeout: not connected within 5 s")
        elif self.state is _BUSY:
            seconds = self._rules.operation_timeout_ns / 1e9
            self._failed(
                CR_CLIENT_TIMEOUT if self._ready else CR_CONN_HOST_ERROR,
                f"client timeout: no reply within {seconds:g} s",
            )

    def abandon(self) -> None:
        """The load ends now."""
        if self.state is _BUSY:
            self._lose(CR_LOAD_STOPPED, "load stopped before the reply")
        self.state = SlotState.DOWN
        self.deadline_ns = NEVER_NS
        self._drop()

    # ------------------------------------------------ WireOwner

    def wire_ready(self) -> None:
        self._ready = True
        if self.state is _BUSY:
            assert self._wire is not None
            self._wire.query(self._statement)
            return
        self._attempts = 0
        self._settle()

    def wire_ok(self) -> None:
        self._answered(None)

    def wire_rows(self, rows: list[Row]) -> None:
        self._answered(rows)

    def wire_error(self, errno: int, message: str) -> None:
        self._failed(errno, message)

    def wire_lost(self, errno: int, message: str) -> None:
        if self.state is _BUSY:
            self._failed(errno, message)
        elif self.state is SlotState.CONNECTING:
            self._not_connected(errno, message)
        else:  # closed while idle: no operation was harmed
            self._pool.withdraw(self)
            self._drop()
            self.connect()


class Pool:
    """Slots, and the queue of arrivals that found none free."""

    def __init__(self, rules: PoolRules, *, slots: int, queue_limit: int, lane_of_errors: int) -> None:
        self.rules = rules
        self.slots = [Slot(self, number) for number in range(slots)]
        self.lane_of_errors = lane_of_errors  # which lane a failed reconnection is recorded under
        self.trouble = ""
        self.free: deque[Slot] = deque()
        self.waiting: deque[tuple[int, Traffic, Operation]] = deque()
        self._queue_limit = queue_limit

    def open(self) -> None:
        """Begin to connect; one connection per operation has nothing to do."""
        for slot in self.slots:
            if self.rules.per_operation:
                slot.state = _IDLE
                self.free.append(slot)
            else:
                slot.connect()

    def offer(self, lane: Traffic, operation: Operation, intended_ns: int, now_ns: int) -> None:
        """An arrival."""
        if self.free:
            self.free.popleft().start(lane, operation, intended_ns, now_ns)
        elif len(self.waiting) < self._queue_limit:
            lane.queued += 1
            self.waiting.append((intended_ns, lane, operation))
        else:
            self._give_up(lane, operation, intended_ns)

    def release(self, slot: Slot, now_ns: int) -> None:
        """The slot is idle: the arrival that waited longest gets it."""
        while self.waiting:
            intended_ns, lane, operation = self.waiting.popleft()
            lane.queued -= 1
            if now_ns - intended_ns <= self.rules.issue_within_ns:
                slot.start(lane, operation, intended_ns, now_ns)
                return
            self._give_up(lane, operation, intended_ns)
        self.free.append(slot)

    def withdraw(self, slot: Slot) -> None:
        """An idle slot lost its connection."""
        if slot in self.free:
            self.free.remove(slot)

    def scan(self, now_ns: int) -> None:
        """Give up what waited too long; expire what is due. Every 20 ms."""
        oldest_ns = now_ns - self.rules.issue_within_ns
        while self.waiting and self.waiting[0][0] < oldest_ns:
            self._drop_oldest()
        for slot in self.slots:
            if slot.deadline_ns <= now_ns:
                slot.expire()

    def abandon(self) -> None:
        """The load ends now: what waits was never issued, what is out is given up."""
        while self.waiting:
            self._drop_oldest()
        self.free.clear()
        for slot in self.slots:
            slot.abandon()

    def _drop_oldest(self) -> None:
        intended_ns, lane, operation = self.waiting.popleft()
        lane.queued -= 1
        self._give_up(lane, operation, intended_ns)

    def _give_up(self, lane: Traffic, operation: Operation, intended_ns: int) -> None:
        lane.not_issued += 1
        self.rules.recorder.record(
            intended_ns, 0, self.rules.clock(), 0, 0, 0, 0, lane.number, 0, operation.kind, _NOT_ISSUED, 0
        )

    @property
    def connected(self) -> int:
        return sum(slot.state >= SlotState.IDLE for slot in self.slots)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is out."""
        return not self.waiting and all(slot.state is not _BUSY for slot in self.slots)
