"""The streams in the live views: a line each where they fit, the ones in trouble first; totals always."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reports.live_state import Line, LiveState, Rates
from harness.reports.words import clean, plural, short_count
from harness.streams import StreamState, StreamStatus

STYLES = {
    StreamState.WAITING: "dim",
    StreamState.COPYING: "cyan",
    StreamState.COPIED: "green",
    StreamState.ENDED: "bold red",
    StreamState.STOPPED: "dim",
}
_NAME, _LONGEST_NAME = 8, 30
_STATE = max(len(state.name) for state in StreamState)


def state_word(stream: StreamStatus) -> str:
    """`copying`, `copied`, …"""
    return stream.state.name.lower()


def totals_words(streams: Sequence[StreamStatus]) -> str:
    """`streams: 2 copying, 1 ended; 1,234,567 rows, 34 cycles, 3 attempts`."""
    states = [stream.state for stream in streams]
    told = ", ".join(f"{states.count(state):,} {state.name.lower()}" for state in StreamState if state in states)
    sums = f"{sum(stream.rows for stream in streams):,} rows, {plural(sum(s.cycles for s in streams), 'cycle')}"
    return f"streams: {told}; {sums}, {plural(sum(stream.attempts for stream in streams), 'attempt')}"


def totals_line(streams: Sequence[StreamStatus]) -> Line:
    ended = any(stream.state is StreamState.ENDED for stream in streams)
    return [(totals_words(streams), "bold red" if ended else "")]


def stream_lines(state: LiveState, rates: Rates, *, height: int) -> list[Line]:
    """A heading and a line a stream, at most `height` of them in all; what does not fit is counted."""
    room = height - 1
    if not state.streams or room < 1:
        return []
    shown = _fitting(state.streams, room)
    hidden = len(state.streams) - len(shown)
    wide = min(max(_NAME, *(len(stream.name) for stream in shown)), _LONGEST_NAME)
    lines: list[Line] = [[(_heading(wide), "dim")]]
    lines += [_line(stream, rates.rows_per_s(stream.number), wide) for stream in shown]
    return [*lines, [(f"… and {plural(hidden, 'stream')} more", "dim")]] if hidden else lines


def _fitting(streams: Sequence[StreamStatus], room: int) -> list[StreamStatus]:
    """In their own order."""
    if len(streams) <= room:
        return list(streams)
    worst = sorted(streams, key=lambda stream: (-_trouble(stream), stream.number))[: room - 1]
    return sorted(worst, key=lambda stream: stream.number)


def _trouble(stream: StreamStatus) -> int:
    if stream.state is StreamState.ENDED:
        return 3
    if stream.message:
        return 2
    return int(stream.state is StreamState.COPYING)


def _heading(wide: int) -> str:
    return f" {'stream':<{wide}} {'state':<{_STATE}} {'rows':>6} {'rows/s':>6} {'cycles':>6} {'tries':>5} {'marks':>7}"


def _line(stream: StreamStatus, rows_per_s: float | None, wide: int) -> Line:
    name = clean(stream.name)
    name = name if len(name) <= wide else name[: wide - 1] + "…"
    marks = f"{stream.marks}/{stream.shards}"
    rate = "" if rows_per_s is None else short_count(round(rows_per_s))
    line: Line = [
        (f" {name:<{wide}} ", ""),
        (f"{state_word(stream):<{_STATE}}", STYLES[stream.state]),
        (f" {short_count(stream.rows):>6} {rate:>6} {stream.cycles:>6,}", ""),
        (f" {stream.attempts:>5,}", "yellow" if stream.attempts > 1 else ""),
        (f" {marks:>7}", "green" if stream.marked and stream.shards else "dim"),
    ]
    if stream.message:
        line.append((f"  {' '.join(clean(stream.message).split())}", "red" if stream.over else "yellow"))
    return line
