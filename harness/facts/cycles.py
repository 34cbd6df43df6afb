"""The copy cycles of a stream: every copy of a table that began, what it delivered, and how it ended.

vttablet sends a FIELD event without a timestamp when it begins to copy a table (vstreamer/copy.go copyTable,
v0.19 to v0.24); after a cut (errno 3024) vtgate 22 and later goes on inside the same call of VStream, catch-up
first, and the copy begins again behind the last key: another FIELD event. So a FIELD event of the copy is the
begin of a cycle. Nothing is judged here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.facts.event_tally import AttemptSums, EventTally, Pause, longer, tally_of
from harness.facts.streams import HARNESS_ENDED, failed
from harness.history import History
from harness.items import MARK_TABLE
from harness.streams import NO_INDEX, Attempt, Resume, StreamLane, StreamRecord, VgtidStep

_SECOND_NS = 1_000_000_000


MAX_EXECUTION_TIME = 3024  # ER_QUERY_TIMEOUT


class CycleEnd(enum.StrEnum):
    """How a copy of a table ended."""

    CUT = "cut"  # a later cycle of the same attempt copies the same table of the shard
    COMPLETE = "table complete"  # its last key left the VGTID, the next table began, or COPY_COMPLETED followed
    ATTEMPT_ENDED = "attempt ended"  # with the code and errno of its attempt
    OPEN = "open"  # the record ends here


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One copy of a table of a shard that began. `to_ns` is the stamp of its last row, or of its begin."""

    attempt: int
    shard: str
    table: str
    from_ns: int
    to_ns: int
    rows: int
    first_key: int = 0  # of the first row that arrived; 0 when none did
    last_key: int = 0
    end: CycleEnd = CycleEnd.OPEN
    code: str = ""
    errno: int = 0

    @property
    def of_mark(self) -> bool:
        """Of the harness's own table, which is empty while it is copied."""
        return self.table == MARK_TABLE

    @property
    def failed(self) -> bool:
        """The server ended its attempt in the middle of it, with or without an error."""
        return self.end is CycleEnd.ATTEMPT_ENDED and self.code not in HARNESS_ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCopy:
    """What one call of VStream delivered. Stamps are 0 where the thing never came."""

    attempt: Attempt
    rows_copied: int = 0
    rows_replicated: int = 0  # of catch-up and replication: from the binary log
    malformed: int = 0
    cycles: int = 0  # of the item tables
    cuts: int = 0
    first_row_ns: int = 0
    last_copied_ns: int = 0  # the last row of the copy
    shards_completed_ns: Mapping[str, int] = field(default_factory=dict)  # shard → its COPY_COMPLETED
    completed_ns: int = 0  # the final COPY_COMPLETED, which names no shard
    pause: Pause = field(default_factory=Pause)  # the longest between two responses until the copy was complete

    @property
    def rows(self) -> int:
        return self.rows_copied + self.rows_replicated

    @property
    def failed(self) -> bool:
        """The server ended it, with or without an error."""
        return failed(self.attempt)

    @property
    def rows_per_s(self) -> float | None:
        """Rows of the copy a second, from the call to the last of them."""
        span_ns = (self.completed_ns or self.last_copied_ns) - self.attempt.begin_ns
        return self.rows_copied * _SECOND_NS / span_ns if self.rows_copied and span_ns > 0 else None


@dataclass(frozen=True, kw_only=True)
class StreamCopy:
    """The copy cycles and attempts of one stream, in the order in which they began."""

    lane: StreamLane
    cycles: tuple[Cycle, ...]
    attempts: tuple[AttemptCopy, ...]
    last_ns: int  # the last event, or the end of the last attempt

    @property
    def rows_copied(self) -> int:
        return sum(attempt.rows_copied for attempt in self.attempts)

    @property
    def rows_replicated(self) -> int:
        return sum(attempt.rows_replicated for attempt in self.attempts)

    @property
    def rows(self) -> int:
        return self.rows_copied + self.rows_replicated

    @cached_property
    def item_cycles(self) -> tuple[Cycle, ...]:
        """Without those of the mark table."""
        return tuple(cycle for cycle in self.cycles if not cycle.of_mark)

    @cached_property
    def cuts(self) -> int:
        """Cycles that another one went on with, and attempts that such a cut ended."""
        return sum(attempt.cuts for attempt in self.attempts)

    @property
    def begin_ns(self) -> int:
        return self.attempts[0].attempt.begin_ns if self.attempts else 0

    @property
    def completed_ns(self) -> int:
        """The final COPY_COMPLETED, or that of the last shard: where shards are complete in different attempts the
        final one never comes (vstream_manager.go, isCopyFullyCompleted). 0 when neither did."""
        shards: dict[str, int] = {}
        complete_ns = 0
        for attempt in self.attempts:
            if attempt.attempt.resume == Resume.SCRATCH and not self.lane.spec.one_by_one:
                shards, complete_ns = {}, 0  # what came before was thrown away
            shards |= attempt.shards_completed_ns
            whole = set(shards) >= set(self.lane.shards)
            complete_ns = attempt.completed_ns or complete_ns or (max(shards.values()) if whole else 0)
        return complete_ns

    @property
    def copy_ns(self) -> int | None:
        """From the first call to the final COPY_COMPLETED; None when that did not come."""
        return self.completed_ns - self.begin_ns if self.completed_ns else None

    @property
    def rows_per_s(self) -> float | None:
        """Rows of the copy a second, from the first call to the final COPY_COMPLETED or the last of them."""
        end_ns = self.completed_ns or max((attempt.last_copied_ns for attempt in self.attempts), default=0)
        span_ns = end_ns - self.begin_ns
        return self.rows_copied * _SECOND_NS / span_ns if self.rows_copied and span_ns > 0 else None

    @property
    def longest_pause(self) -> Pause:
        return max((attempt.pause for attempt in self.attempts), key=lambda pause: pause.span_ns, default=Pause())

    @property
    def failed_attempts(self) -> tuple[AttemptCopy, ...]:
        return tuple(attempt for attempt in self.attempts if attempt.failed)

    @property
    def tried_again(self) -> bool:
        """The client began anew after the server had ended an attempt."""
        return any(attempt.failed for attempt in self.attempts[:-1])

    @property
    def ended_by_server(self) -> bool:
        """The stream itself, not an attempt that was followed by another one."""
        return bool(self.attempts) and self.attempts[-1].failed


def cpu_ns_per_row(copies: Sequence[StreamCopy]) -> Mapping[str, float]:
    """vtgate → CPU of the process that reads all streams through it, for each row that it received. An attempt's
    CPU is its whole process's (`Attempt.cpu_ns`), so that of attempts at the same time counts once. A vtgate of
    which no ended attempt has rows and CPU is not in it."""
    found = {}
    for vtgate in dict.fromkeys(copy.lane.vtgate for copy in copies):
        mine = [attempt for copy in copies if copy.lane.vtgate == vtgate for attempt in copy.attempts]
        measured = [attempt for attempt in mine if attempt.attempt.cpu_ns and attempt.attempt.end_ns]
        rows = sum(attempt.rows for attempt in measured)
        if rows:
            found[vtgate] = _cpu_ns([attempt.attempt for attempt in measured]) / rows
    return found


def _cpu_ns(attempts: Sequence[Attempt]) -> float:
    total, covered_ns = 0.0, 0
    for attempt in sorted(attempts, key=lambda attempt: attempt.begin_ns):
        fresh_ns = attempt.end_ns - max(attempt.begin_ns, covered_ns)
        if fresh_ns > 0:
            total += attempt.cpu_ns * fresh_ns / (attempt.end_ns - attempt.begin_ns)
            covered_ns = attempt.end_ns
    return total


def stream_copies(history: History) -> tuple[StreamCopy, ...]:
    return tuple(stream_copy(record) for record in history.streams)


def stream_copy(record: StreamRecord) -> StreamCopy:
    """The cycles and attempts of one stream."""
    return _Telling(record, tally_of(record.events)).told()


class _Telling:
    """From counts to cycles and attempts with names."""

    def __init__(self, record: StreamRecord, tally: EventTally) -> None:
        self._record = record
        self._tally = tally
        self._attempts = {attempt.number: attempt for attempt in record.attempts}
        for number, sums in tally.attempts.items():  # of a killed run, or a torn file: there all the same
            self._attempts.setdefault(number, Attempt(number=number, begin_ns=sums.first_ns, resume=""))

    def told(self) -> StreamCopy:
        cycles = self._cycles()
        attempts = tuple(self._attempt(self._attempts[number], cycles) for number in sorted(self._attempts))
        stamps = [sums.last_ns for sums in self._tally.attempts.values()]
        stamps += [max(attempt.begin_ns, attempt.end_ns) for attempt in self._attempts.values()]
        return StreamCopy(lane=self._record.lane, cycles=cycles, attempts=attempts, last_ns=max(stamps, default=0))

    def _cycles(self) -> tuple[Cycle, ...]:
        tally = self._tally
        made = []
        for index, (key, _, at_ns) in enumerate(tally.begun):
            attempt, shard, table = key
            cycle = Cycle(
                attempt=attempt,
                shard=_name(self._record.lane.shards, shard),
                table=_name(self._record.lane.tables, table),
                from_ns=at_ns,
                to_ns=max(at_ns, int(tally.to_ns[index])),
                rows=int(tally.rows[index]),
                first_key=int(tally.first_key[index]),
                last_key=int(tally.last_key[index]),
            )
            made.append(self._ended(index, cycle))
        return tuple(made)

    def _ended(self, index: int, cycle: Cycle) -> Cycle:
        (number, shard, _), position, _ = self._tally.begun[index]
        following = self._following[index]
        if following is CycleEnd.CUT or following is CycleEnd.COMPLETE:
            return replace(cycle, end=following)
        completed = any(
            of == number and which in (shard, NO_INDEX) and at > position for of, which, at in self._tally.completed
        )
        attempt = self._attempts[number]
        if completed or _left(cycle, attempt, self._steps.get((number, cycle.shard), ())):
            return replace(cycle, end=CycleEnd.COMPLETE)
        if attempt.code:
            return replace(cycle, end=CycleEnd.ATTEMPT_ENDED, code=attempt.code, errno=attempt.errno)
        return cycle

    @cached_property
    def _following(self) -> list[CycleEnd]:
        """What the next cycle of the same attempt and shard says of each cycle; OPEN = nothing. Tables are copied in
        the order of their names (vstreamer/uvstreamer.go, buildTablePlan): a later one begins when this one is
        complete; the same or an earlier one, when this one was cut."""
        found = [CycleEnd.OPEN] * len(self._tally.begun)
        following: dict[tuple[int, int], int] = {}
        for index in range(len(found) - 1, -1, -1):
            (number, shard, table), _, _ = self._tally.begun[index]
            if (number, shard) in following:
                found[index] = CycleEnd.COMPLETE if following[number, shard] > table else CycleEnd.CUT
            following[number, shard] = table
        return found

    @cached_property
    def _steps(self) -> Mapping[tuple[int, str], Sequence[VgtidStep]]:
        steps: dict[tuple[int, str], list[VgtidStep]] = {}
        for step in self._record.vgtids:
            steps.setdefault((step.attempt, step.position.shard), []).append(step)
        return steps

    def _attempt(self, attempt: Attempt, cycles: Sequence[Cycle]) -> AttemptCopy:
        sums = self._tally.attempts.get(attempt.number)
        if sums is None:
            return AttemptCopy(attempt=attempt)
        mine = [cycle for cycle in cycles if cycle.attempt == attempt.number and not cycle.of_mark]
        return AttemptCopy(
            attempt=attempt,
            rows_copied=sums.rows_copied,
            rows_replicated=sums.rows_replicated,
            malformed=sums.malformed,
            cycles=len(mine),
            cuts=sum(cycle.end is CycleEnd.CUT for cycle in mine) + (attempt.errno == MAX_EXECUTION_TIME),
            first_row_ns=sums.first_row_ns,
            last_copied_ns=sums.last_copied_ns,
            shards_completed_ns={
                _name(self._record.lane.shards, shard): at_ns for shard, at_ns in sums.shards_completed_ns.items()
            },
            completed_ns=sums.completed_ns,
            pause=_whole_pause(attempt, sums),
        )


def _left(cycle: Cycle, attempt: Attempt, steps: Sequence[VgtidStep]) -> bool:
    """Whether the table's last key was in the shard's VGTID, and left it: vttablet names only unfinished tables."""
    known = [position.last_pks for position in attempt.start if position.shard == cycle.shard]
    known += [step.position.last_pks for step in steps if step.at_ns >= cycle.from_ns]
    return bool(known) and any(cycle.table in pks for pks in known) and cycle.table not in known[-1]


def _whole_pause(attempt: Attempt, sums: AttemptSums) -> Pause:
    """Also from the call to the first response, and from the last one to the end of an attempt that never had
    its copy complete."""
    pause = longer(sums.pause, Pause(from_ns=attempt.begin_ns, span_ns=sums.first_ns - attempt.begin_ns))
    if sums.completed_ns or not attempt.end_ns:
        return pause
    return longer(pause, Pause(from_ns=sums.last_ns, span_ns=attempt.end_ns - sums.last_ns))


def _name(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else "?"
