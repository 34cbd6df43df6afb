"""What a run looks like at one moment, and how a shard's row is judged from it.

The live views know nothing of where this comes from: they call a `Callable[[], LiveState]`. `tail.RunTail`
is one that reads a run directory.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.streams import StreamStatus

Piece = tuple[str, str]  # text, style
Line = list[Piece]
StreamStates = Callable[[], Sequence[StreamStatus]]
"""Every stream now, as `harness.contracts.Streams.status` tells it; () before there are any. Asked four times a
second, so it must only read what is in memory."""

SILENT_NS = 1_000_000_000  # somebody waits and nothing succeeded for so long: a stall
RECENT_NS = 3_000_000_000  # an error colours its row for so long
RATE_NS = 2_000_000_000


class RowState(enum.StrEnum):
    """What the clients of a shard meet now."""

    IDLE = "idle"
    SERVING = "serving"
    REPARENTING = "reparenting"
    BUFFERING = "buffering"
    STALLED = "stalled"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLane:
    """One shard through one vtgate: the load's counters since its start."""

    vtgate: str
    shard: str
    issued: int = 0
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    not_issued: int = 0
    in_flight: int = 0
    queued: int = 0  # due, and waiting for a connection
    last_ok_ns: int = 0
    last_error_ns: int = 0
    last_errno: int = 0
    max_stall_ns: int = 0
    held: int | None = None  # requests in vtgate's buffer now; None = its counters were not seen
    buffered: int | None = None  # since the start

    @property
    def errors(self) -> int:
        return self.failed + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReparent:
    """The latest reparent of a shard; `end_ns` is 0 while it runs."""

    shard: str
    begin_ns: int
    end_ns: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """Everything at `now_ns`. `shards` names the rows; `versions` vtgate → version, in the order shown."""

    now_ns: int
    shards: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    lanes: Mapping[tuple[str, str], LiveLane] = field(default_factory=dict)  # (vtgate, shard)
    reparents: Mapping[str, LiveReparent] = field(default_factory=dict)
    streams: tuple[StreamStatus, ...] = ()
    faults: tuple[str, ...] = ()  # others in force, in words
    host: str = ""


def row_state(lane: LiveLane, reparent: LiveReparent | None, now_ns: int) -> RowState:
    """Errors show over everything; a buffer that holds requests explains a silence."""
    if lane.last_error_ns and now_ns - lane.last_error_ns < RECENT_NS:
        return RowState.ERRORS
    if lane.held:
        return RowState.BUFFERING
    waiting = lane.in_flight + lane.queued > 0
    if waiting and lane.last_ok_ns and now_ns - lane.last_ok_ns > SILENT_NS:
        return RowState.STALLED
    if reparent is not None and not reparent.end_ns:
        return RowState.REPARENTING
    return RowState.SERVING if lane.ok else RowState.IDLE


def silent_ns(lane: LiveLane, now_ns: int) -> int:
    """How long nothing has succeeded, if somebody waits for it."""
    waiting = lane.in_flight + lane.queued > 0
    return max(0, now_ns - lane.last_ok_ns) if waiting and lane.last_ok_ns else 0


class Rates:
    """What happened in a second, over the last two seconds, from successive states: successes of every lane, rows
    of every stream."""

    def __init__(self) -> None:
        self._seen: deque[LiveState] = deque()

    def add(self, state: LiveState) -> None:
        self._seen.append(state)
        while len(self._seen) > 2 and state.now_ns - self._seen[1].now_ns >= RATE_NS:
            self._seen.popleft()

    def ok_per_s(self, key: tuple[str, str]) -> float | None:
        """None until two states were seen."""
        return self._per_s(lambda state: state.lanes[key].ok if key in state.lanes else None)

    def rows_per_s(self, number: int) -> float | None:
        """Of a stream; None until two states were seen."""
        return self._per_s(lambda state: next((s.rows for s in state.streams if s.number == number), None))

    def _per_s(self, read: Callable[[LiveState], int | None]) -> float | None:
        if len(self._seen) < 2:
            return None
        first, last = self._seen[0], self._seen[-1]
        before, now = read(first), read(last)
        if before is None or now is None or last.now_ns <= first.now_ns:
            return None
        return (now - before) / ((last.now_ns - first.now_ns) / 1e9)
