"""Streams in the live view and in the plain lines: what they show, that they fit, and who comes first."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.base.rundir import RunDir
from harness.model import Event
from harness.reports.live import TOLD_STREAMS, PlainObserver, status_words
from harness.reports.live_rows import frame
from harness.reports.live_state import LiveState, Rates
from harness.reports.live_streams import totals_words
from harness.reports.progress import Story
from harness.reports.tail import RunTail
from harness.streams import StreamState, StreamStatus
from tests.unit.storm_history import START, ns, storm_history
from tests.unit.storm_playback import state_at

ERROR = "target: ks.-80.primary: maximum statement execution time exceeded (errno 3024)\x1b[2J\n and more"


def stream(number: int = 1, state: StreamState = StreamState.COPYING, **changes: int | str) -> StreamStatus:
    whole = StreamStatus(
        number=number,
        name=f"items-{number}@vtgate-1",
        state=state,
        attempts=1,
        rows=51_366,
        responses=40,
        marks=0,
        shards=2,
        cycles=7,
    )
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def picture(streams: Sequence[StreamStatus], *, width: int = 100, height: int = 40, lanes: bool = False) -> list[str]:
    state = state_at(storm_history(vtgates=("24.0.3",), rate=2), ns(45)) if lanes else LiveState(now_ns=ns(45))
    state = dataclasses.replace(state, streams=tuple(streams))
    before = tuple(dataclasses.replace(stream, rows=stream.rows - 2_000) for stream in streams)
    rates = Rates()
    rates.add(dataclasses.replace(state, now_ns=ns(44), streams=before))
    rates.add(state)
    lines = frame("vstream/x", Story(START), state, rates, width=width, height=height)
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize("width, height", [(20, 5), (80, 24), (120, 40)])
@pytest.mark.parametrize("number", [1, 20, 1000])
def test_picture_fits(number: int, width: int, height: int, lanes: bool) -> None:
    found = [stream(index + 1, message=ERROR * (index % 2)) for index in range(number)]
    lines = picture(found, width=width, height=height, lanes=lanes)
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width
    assert not any("\x1b" in line or "\n" in line for line in lines)


def test_a_line_tells_rows_rate_cycles_attempts_marks_and_the_error() -> None:
    ended = stream(state=StreamState.ENDED, attempts=3, marks=1, message=ERROR)
    (line,) = [line for line in picture([ended]) if line.lstrip().startswith("items-1")]
    assert line.split()[:7] == ["items-1@vtgate-1", "ended", "51k", "2.0k", "7", "3", "1/2"]
    assert "target: ks.-80.primary: maximum" in line


def test_totals_are_always_there() -> None:
    found = [stream(1), stream(2, StreamState.COPIED, attempts=2), stream(3, StreamState.ENDED)]
    words = "streams: 1 copying, 1 copied, 1 ended; 154,098 rows, 21 cycles, 4 attempts"
    assert totals_words(found) == words
    assert words in picture(found, height=2)
    assert words in status_words(LiveState(now_ns=0, streams=tuple(found)), [])
    assert not any("streams" in line for line in picture([]))


def test_those_in_trouble_are_shown_where_not_all_fit() -> None:
    found = [stream(number, StreamState.COPIED) for number in range(1, 31)]
    found[11] = stream(12, StreamState.ENDED, message="gone")
    found[23] = stream(24, StreamState.COPYING, message="errno 3024", attempts=2)
    found[27] = stream(28, StreamState.COPYING)
    lines = picture(found, height=7)
    assert [line.split()[0] for line in lines[3:]] == [
        "items-12@vtgate-1",
        "items-24@vtgate-1",
        "items-28@vtgate-1",
        "…",
    ]
    assert lines[-1] == "… and 27 streams more"


def test_streams_leave_room_for_shards() -> None:
    lines = picture([stream(number) for number in range(1, 50)], height=40, lanes=True)
    assert any("streams more" in line for line in lines)
    assert sum("items-" in line for line in lines) >= 10
    assert sum("reparent" in line or "buffering" in line for line in lines) >= 10


def test_rates_need_two_states_of_the_same_stream() -> None:
    rates = Rates()
    rates.add(LiveState(now_ns=ns(1), streams=(stream(1),)))
    assert rates.rows_per_s(1) is None
    rates.add(LiveState(now_ns=ns(3), streams=(stream(1, rows=51_466), stream(2))))
    assert rates.rows_per_s(1) == pytest.approx(50)
    assert rates.rows_per_s(2) is None


def told(moments: Sequence[Sequence[StreamStatus]]) -> list[str]:
    out = io.StringIO()
    states = iter([LiveState(now_ns=ns(at), streams=tuple(streams)) for at, streams in enumerate(moments)])
    observer = PlainObserver(lambda: next(states), out=out)
    observer._told_ns = ns(1000)
    for _ in moments:
        observer.refresh()
    return [line.split("] ")[1] for line in out.getvalue().splitlines()]


def test_plain_lines_tell_once_that_a_stream_copied_or_ended() -> None:
    copied, ended = stream(1, StreamState.COPIED), stream(2, StreamState.ENDED, message=ERROR)
    lines = told([[stream(1), stream(2)], [copied, stream(2)], [copied, ended], [copied, ended]])
    assert lines == [
        "stream items-1@vtgate-1 copied: 51,366 rows, 7 cycles, 1 attempt",
        "stream items-2@vtgate-1 ended: 51,366 rows, 7 cycles, 1 attempt; "
        "target: ks.-80.primary: maximum statement execution time exceeded (errno 3024)\ufffd[2J and more",
    ]


def test_plain_lines_of_very_many_streams_are_few() -> None:
    assert len(told([[stream(number, StreamState.COPIED) for number in range(1, 500)]])) == TOLD_STREAMS


def test_run_tail_passes_the_streams_on(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    found = [stream(1)]
    tail = RunTail(run, streams=lambda: found)
    assert tail().streams == (stream(1),)
    found.append(stream(2))
    assert len(tail().streams) == 2
    assert RunTail(run)().streams == ()


def test_a_phase_of_a_stream_run_is_told() -> None:
    out = io.StringIO()
    PlainObserver(lambda: LiveState(now_ns=0), out=out).on_event(Event(at_ns=ns(1), kind="phase", subject="streams"))
    assert out.getvalue().endswith("phase streams\n")
