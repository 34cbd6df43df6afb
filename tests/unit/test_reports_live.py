"""The live view and the plain lines: what they show, that they fit, and that nothing breaks them."""

from __future__ import annotations

import asyncio
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from harness.base import jsonio
from harness.base.rundir import LineLog, RunDir
from harness.history import History
from harness.load.live import LANE_DTYPE
from harness.model import Event, Sample
from harness.reports.live import LiveView, PlainObserver, status_words
from harness.reports.live_rows import frame
from harness.reports.live_state import LiveLane, LiveReparent, LiveState, Rates, RowState, row_state
from harness.reports.progress import Story
from harness.reports.tail import LineTail, RunTail
from tests.unit.storm_history import SECOND, START, ns, storm_history
from tests.unit.storm_playback import state_at

LIVE_ROW = np.dtype(
    [(name, "<i8") for name in ("issued", "ok", "fail", "unknown", "not_issued", "last_ok_ns", "last_error_ns")]
    + [(name, "<i8") for name in ("max_stall_ns", "in_flight", "queued", "last_errno")]
)


@pytest.fixture(scope="module")
def history() -> History:
    return storm_history()


def story_of(history: History, at_ns: int) -> Story:
    story = Story(START)
    for event in history.events:
        if event.at_ns <= at_ns:
            story.event(event)
    return story


def picture(history: History, at_s: float, width: int, height: int) -> list[str]:
    state, rates = state_at(history, ns(at_s)), Rates()
    rates.add(state_at(history, ns(at_s - 1)))
    rates.add(state)
    lines = frame("reparent/x", story_of(history, ns(at_s)), state, rates, width=width, height=height)
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("width", [20, 80, 120, 160, 240])
@pytest.mark.parametrize("height", [5, 24, 40, 100])
@pytest.mark.parametrize("vtgates", [1, 2, 3])
def test_picture_fits(width: int, height: int, vtgates: int) -> None:
    small = storm_history(vtgates=("24.0.3",) * vtgates, rate=2)
    lines = picture(small, 45.0, width, height)
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width


@pytest.mark.parametrize("width, height", [(80, 40), (160, 24)])
def test_all_32_shards_are_shown(width: int, height: int) -> None:
    one = storm_history(vtgates=("24.0.3",))
    text = "\n".join(picture(one, 44.0, width, height))
    assert all(f" {shard} " in text for shard in one.plan.cluster.shard_names)
    assert "more shards" not in text
    assert "buffering" in text


def test_small_terminal_shows_the_shards_in_trouble(history: History) -> None:
    lines = picture(history, 51.0, 80, 14)
    rows = [line for line in lines if "│" in line][2:]
    assert len(rows) == 8
    assert all("buffering" in row or "errors" in row for row in rows)
    assert any("… and 24 more shards" in line for line in lines)


def test_picture_while_the_cluster_starts() -> None:
    story = Story(START)
    story.progress("mysqlds", 64, 64, ns(3))
    story.progress("template", None, None, ns(3))
    story.progress("vttablets", 16, 64, ns(5))
    lines = frame("x", story, LiveState(now_ns=ns(9)), Rates(), width=80, height=24)
    text = ["".join(piece for piece, _ in line) for line in lines]
    assert text[1].split()[-1] == "64/64"
    assert "2.0s" in text[2]  # ended when the next step began
    assert "16/64" in text[3]
    assert text[3].count("━") == 6


def test_row_states() -> None:
    now = ns(100)
    served = {"vtgate": "vtgate-1", "shard": "-80", "ok": 5, "in_flight": 1, "last_ok_ns": now - SECOND // 2}
    silent = served | {"last_ok_ns": now - 2 * SECOND}
    running = LiveReparent(shard="-80", begin_ns=now - 1)
    table: list[tuple[dict[str, object], LiveReparent | None, RowState]] = [
        ({"vtgate": "v", "shard": "s"}, None, RowState.IDLE),
        (served, None, RowState.SERVING),
        (served, running, RowState.REPARENTING),
        (silent, running, RowState.STALLED),
        (silent | {"in_flight": 0}, None, RowState.SERVING),
        (silent | {"held": 3}, running, RowState.BUFFERING),
        (silent | {"held": 3, "last_error_ns": now - SECOND}, running, RowState.ERRORS),
        (served | {"last_error_ns": now - 9 * SECOND}, None, RowState.SERVING),
    ]
    for values, reparent, expected in table:
        assert row_state(LiveLane(**values), reparent, now) is expected  # type: ignore[arg-type]


async def test_live_view_draws_and_leaves_the_terminal_clean(history: History) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=45)
    with LiveView(lambda: state_at(history, ns(44)), title="x [bold]", console=console) as view:
        view.on_progress("vtgates", 1, 2)
        view.on_event(Event(at_ns=ns(41), kind="phase", subject="storm"))
        view.on_event(Event(at_ns=ns(43), kind="exit", subject="vtgate-1", details={"code": -9}))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await view.run()
    text = out.getvalue()
    assert "x [bold]" in text
    assert "exit: vtgate-1 (code -9)" in text
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l") == 1  # the cursor is back


def plain_lines(history: History, at_s: list[float]) -> str:
    out = io.StringIO()
    moments = iter(at_s)
    observer = PlainObserver(lambda: state_at(history, ns(next(moments))), out=out)
    observer._told_ns = 0
    for _ in at_s:
        observer.refresh()
    return out.getvalue()


def test_plain_lines_tell_every_reparent_once(history: History) -> None:
    text = plain_lines(history, [35, 43, 44, 46, 60])
    assert text.count("reparent of ") == 32
    assert text.count(" issued") - text.count("not issued") == 3  # a status at most every ten seconds
    assert "lanes serving" in text


def test_plain_steps_and_events() -> None:
    out = io.StringIO()
    observer = PlainObserver(lambda: LiveState(now_ns=0), out=out)
    for done in (0, 1, 2, 2):
        observer.on_progress("vtgates", done, 2)
    observer.on_event(Event(at_ns=ns(1), kind="phase", subject="storm\x1b[2J"))
    told = [line.split("] ")[1] for line in out.getvalue().splitlines()]
    assert told[0] == "vtgates …"
    assert told[1].startswith("vtgates: 2 of 2 after")
    assert told[2] == "phase storm\ufffd[2J"


def test_plain_lines_survive_a_reader_that_went_away() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    observer = PlainObserver(lambda: LiveState(now_ns=0), out=Gone())
    observer.on_event(Event(at_ns=ns(1), kind="phase", subject="storm"))
    observer.on_event(Event(at_ns=ns(2), kind="phase", subject="recovery"))


def test_status_before_the_load(history: History) -> None:
    assert status_words(LiveState(now_ns=0), []) == "nothing to tell yet"


def test_line_tail_leaves_a_torn_line_for_later(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    tail = LineTail(path)
    assert tail.read() == []
    path.write_bytes(b'{"a": 1}\n{"a"')
    assert tail.read() == [{"a": 1}]
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n')
    assert tail.read() == [{"a": 2}]
    assert tail.read() == []


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path / "run")


def test_run_tail_reads_what_a_run_appends(run: RunDir) -> None:
    small = storm_history(shards=2)
    counters = np.zeros(4, dtype=LIVE_ROW)
    tail = RunTail(run, lambda: counters)
    assert tail().lanes == {}
    jsonio.save(run.plan, small.plan)
    jsonio.save(run.load, small.lanes)
    jsonio.save(run.nodes, small.nodes)
    counters["ok"], counters["fail"], counters["issued"] = [5, 6, 7, 8], 1, 20
    assert tail().lanes["vtgate-1", "80-"].ok == 6
    assert tail().lanes["vtgate-1", "80-"].held is None

    samples, ledger = LineLog(run.samples("vtgate-1")), LineLog(run.faults)
    label = "ks.80-"
    samples.append(Sample(at_ns=1, took_ns=1, values={f"BufferRequestsBuffered:{label}": 100}))
    samples.append(Sample(at_ns=2, took_ns=1, values={f"BufferRequestsBuffered:{label}": 109}))
    samples.append(Sample(at_ns=3, took_ns=1, values={f"BufferRequestsEvicted:{label}.WindowExceeded": 2}))
    steps = {"number": 1, "fault": "PlannedReparent", "targets": ["80-"]}
    ledger.append({**steps, "step": "intent", "at_ns": 10})
    ledger.append({"number": 1, "step": "begin", "at_ns": 11})
    state = tail()
    assert state.lanes["vtgate-1", "80-"].held == 7  # of the kept cluster's 100 none is ours
    assert state.lanes["vtgate-1", "80-"].buffered == 9
    assert state.reparents["80-"] == LiveReparent(shard="80-", begin_ns=11)
    ledger.append({"number": 1, "step": "active", "at_ns": 15})
    assert tail().reparents["80-"].end_ns == 15
    assert state.versions == {"vtgate-1": "21.0.2", "vtgate-2": "21.0.3"}
    samples.close()
    ledger.close()


def test_run_tail_tells_the_host_and_faults_in_force(run: RunDir) -> None:
    host, ledger = LineLog(run.samples("host")), LineLog(run.faults)
    for at_s, waited in ((1, 0), (2, 250_000)):
        values = {"cpu_busy_share": 0.5, "cpu_some_us": waited, "memory_available_bytes": 2**31}
        host.append(Sample(at_ns=at_s * SECOND, took_ns=1, values=values))
    ledger.append({"number": 1, "fault": "Pause", "targets": ["vtgate-1"], "step": "intent", "at_ns": 10})
    ledger.append({"number": 1, "step": "begin", "at_ns": 11})
    tail = RunTail(run)
    assert tail().host == "CPU 50%, waiting for CPU 25%, 2.0 GiB free"
    assert tail().faults == ("Pause vtgate-1",)
    ledger.append({"number": 1, "step": "healed", "at_ns": 12})
    assert tail().faults == ()
    host.close()
    ledger.close()
    shutil.rmtree(run.path)
    assert tail().faults == ()  # a view never fails because a file went away


def test_the_load_counts_what_the_view_asks_for() -> None:
    assert set(LIVE_ROW.names or ()) <= set(LANE_DTYPE.names or ())
