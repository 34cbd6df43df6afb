"""Runs of streams in the page and in the summary: the numbers that must be there, bounded size, escaped text."""

from __future__ import annotations

import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs
from rich.console import Console

from harness.base.rundir import RunDir
from harness.checks.judge import judge
from harness.facts.cycles import stream_copies, stream_copy
from harness.history import History, Series
from harness.model import Event, RunVerdict, Sample, key_ranges
from harness.reports import html, render_all, terminal
from harness.reports.digest import digest
from harness.reports.stream_charts import merged_faults
from harness.reports.stream_curves import row_curves
from harness.reports.stream_lanes import COLOURS, MAX_BARS, MAX_LANES, drawn, window
from harness.reports.stream_row_chart import MAX_POINTS
from harness.reports.stream_words import attempt_kinds, cycles_line, how_ended, many_cycles_line, worst_first
from harness.reports.words import short_count
from harness.streams import Resume, StreamRecord
from tests.unit.storm_history import storm_history, storm_verdict
from tests.unit.stream_report_history import (
    SECOND,
    StreamMaker,
    broken_stream,
    copied_stream,
    lane_of,
    ns,
    span,
    stream_history,
)

HOSTILE = "</script><img src=x onerror=alert(2)> & \x1b[31m {{ 7*7 }} [red]"


def verdict_of(history: History) -> RunVerdict:
    return storm_verdict(history) if history.plan.experiment.startswith("reparent/all") else judge(history)


class Tags(HTMLParser):
    """Every tag, and the text of the page outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        if self.found[-1:] and self.found[-1] not in ("script", "style"):
            self.text += f" {data}"


def page(history: History, tmp_path: Path) -> str:
    text = html.render(history, verdict_of(history), tmp_path / "report.html").read_text(encoding="utf-8")
    return text.replace(get_plotlyjs(), "")


def told(text: str) -> str:
    tags = Tags()
    tags.feed(text)
    return " ".join(tags.text.split())


def figures(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return orjson.loads(found[1])["figures"]


def summary(history: History, width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    terminal.show(history, verdict_of(history), console, folder=Path("runs/r1"))
    return out.getvalue()


def many_streams(streams: int, shards: int, cycles: int) -> History:
    """Every fifth ends with the first cut."""
    records = []
    for number in range(1, streams + 1):
        lane = lane_of(number, shards=key_ranges(shards))
        whole = copied_stream(lane, rows=2 * cycles, cycles=cycles, cut_s=0.02)
        records.append(whole if number % 5 else broken_stream(lane, rows=3))
    return stream_history(records, vtgates=("24.0.3",), shards=shards, rows=2 * cycles * shards)


# ---------------------------------------------------------------- the page


def test_page_tells_cycles_rows_and_ends(tmp_path: Path) -> None:
    text = told(page(stream_history(), tmp_path))
    assert "25,028 rows delivered to 2 streams" in text
    assert "10 copy cycles 7 of them cut 1 attempt ended by the server" in text
    assert "items-1@vtgate-1 vtgate-1 21.0.2 1 2 1 5,000 0 never" in text
    assert "items-2@vtgate-2 vtgate-2 24.0.3 1 8 6 20,000 28 1.6 s 12,531 20.0 µs 90.0 ms stopped when the" in text
    assert "maximum statement execution time exceeded (errno 3024)" in text
    assert "seconds since the streams' begin" in text.lower()


def test_a_run_without_load_or_reparents_shows_nothing_of_them(tmp_path: Path) -> None:
    text = page(stream_history(), tmp_path)
    assert sorted(figures(text)) == ["cycles", "host", "stream-rows"]
    assert not re.search("No operation was recorded|not issued|What clients saw|own reparent|evicted", told(text))


def test_a_run_with_load_has_both(tmp_path: Path) -> None:
    fault = span("PlannedReparent", "-80", 2.6, 2.9)
    text = page(stream_history(load=True, faults=(fault,)), tmp_path)
    assert {"cycles", "stream-rows", "heat-0", "heat-1", "gantt"} <= set(figures(text))
    assert "300 ms reparent of -80" in told(text)
    assert "800 operations on record" in told(text)
    assert "buffering ended by" not in told(text)  # no buffer was seen
    assert "own reparent" in told(text)


def test_a_run_with_load_and_no_reparent_has_no_column_for_it(tmp_path: Path) -> None:
    text = told(page(stream_history(load=True), tmp_path))
    assert "What clients saw" in text
    assert not re.search("own reparent|factor", text)


@pytest.mark.parametrize("buffered", [0, 3])
def test_buffers_are_told_where_they_did_something(tmp_path: Path, buffered: int) -> None:
    counted = {"BufferRequestsBuffered:ks.-80": buffered, "BufferStops:ks.-80.NewPrimarySeen": 0}
    first = Sample(at_ns=ns(1), took_ns=1, values=dict.fromkeys(counted, 0))
    series = {"vtgate-1": Series([first, Sample(at_ns=ns(3), took_ns=1, values=counted)])}
    history = dataclasses.replace(stream_history(load=True), series=series)
    text = page(history, tmp_path)
    assert ("buffer" in figures(text)) == ("buffering ended by" in told(text)) == bool(buffered)
    assert ("buffering ended by" in summary(history)) == bool(buffered)


def test_a_storm_has_no_section_of_streams(tmp_path: Path) -> None:
    text = page(storm_history(), tmp_path)
    assert "Copy cycles" not in told(text)
    assert "cycles" not in figures(text)
    assert "buffering ended by" in told(text)


def test_planned_streams_that_never_were(tmp_path: Path) -> None:
    nothing = stream_history([])
    assert "No stream was recorded." in told(page(nothing, tmp_path))
    assert "No stream was recorded." in summary(nothing)


def test_neither_streams_nor_load(tmp_path: Path) -> None:
    bare = stream_history([])
    bare = dataclasses.replace(bare, plan=dataclasses.replace(bare.plan, streams=(), items=None), series={})
    text = page(bare, tmp_path)
    assert figures(text) == {}
    assert not re.search("No operation|No stream|Copy cycles", told(text))
    assert not re.search("No operation|No stream|Streams", summary(bare))


def test_a_stream_that_a_vtgate_refused_has_its_error_on_the_timeline(tmp_path: Path) -> None:
    refused = StreamMaker(lane_of())
    refused.attempt(2)
    refused.end(2.5, "UNAVAILABLE", "nobody is there")
    text = page(stream_history([refused.record()], vtgates=("24.0.3",)), tmp_path)
    drawing = figures(text)["cycles"]["data"]
    assert "nobody is there" in drawing[3]["hovertext"][0]
    assert drawing[0]["x"] == []
    assert "stream-rows" not in figures(text)


def test_bars_are_the_cycles(tmp_path: Path) -> None:
    bars = figures(page(stream_history(), tmp_path))["cycles"]["data"][0]
    assert bars["text"] == ["2.5k"] * 10
    assert [bars["marker"]["color"].count(COLOURS[how]) for how in ("failed", "cut", "complete")] == [2, 6, 2]
    assert bars["base"][0] == 0.05  # seconds since the streams began
    assert "2,500 rows" in bars["hovertext"][0]
    assert "errno 3024" in bars["hovertext"][0]


def test_markers_are_the_ends(tmp_path: Path) -> None:
    _, _, completed, failed = figures(page(stream_history(), tmp_path))["cycles"]["data"]
    assert failed["x"] == [0.4]
    assert "errno 3024" in failed["hovertext"][0]
    assert len(completed["x"]) == 3  # of two shards, and of all
    assert "COPY_COMPLETED of all shards" in " ".join(completed["hovertext"])


def test_faults_are_shaded_and_named(tmp_path: Path) -> None:
    fault = span("KillVttablet", "vttablet-100", 2.6, 2.9)
    for name in ("cycles", "stream-rows"):
        layout = figures(page(stream_history(faults=(fault,)), tmp_path))[name]["layout"]
        (shade,) = [shape for shape in layout["shapes"] if shape["type"] == "rect"]
        assert (shade["x0"], shade["x1"]) == (0.6, 0.9)
    layout = figures(page(stream_history(faults=(fault,)), tmp_path))["cycles"]["layout"]
    assert "KillVttablet vttablet-100" in [note["text"] for note in layout["annotations"]]


def test_a_phase_that_is_too_short_for_its_name_has_a_line_only(tmp_path: Path) -> None:
    history = stream_history()
    short = Event(at_ns=ns(11.9), kind="phase", subject="settle")
    history = dataclasses.replace(history, events=(history.events[0], short, *history.events[1:]))
    layout = figures(page(history, tmp_path))["host"]["layout"]
    assert [note["text"] for note in layout["annotations"]] == ["streams", "quiet"]
    assert len(layout["shapes"]) == 3


def test_overlapping_faults_are_one_shade() -> None:
    storm = storm_history()
    ((begin, end, words),) = merged_faults(storm)
    assert words == "32 × PlannedReparent"
    assert (begin, end) == (min(s.begin_ns for s in storm.faults), max(s.active_ns for s in storm.faults))


def test_rows_of_cycles_and_over_time(tmp_path: Path) -> None:
    data = figures(page(stream_history(), tmp_path))["stream-rows"]["data"]
    bars = [trace for trace in data if trace["type"] == "bar"]
    assert [trace["y"] for trace in bars] == [[2500.0]] * 2 + [[2500.0] * 4] * 2
    assert [trace.get("yaxis") for trace in bars] == ["y", "y", "y2", "y2"]  # a panel a stream
    curves = [trace for trace in data if trace["type"] == "scatter"]
    assert [trace["y"][-1] for trace in curves] == [2500, 2500, 10014, 10014, 10000]  # the last: what was seeded
    assert {trace["yaxis"] for trace in curves} == {"y3"}


@pytest.mark.parametrize("streams, shards, cycles", [(1, 1, 3), (4, 2, 2), (20, 8, 30), (30, 8, 3)])
def test_figures_are_valid_plotly_and_bounded(tmp_path: Path, streams: int, shards: int, cycles: int) -> None:
    history = many_streams(streams, shards, cycles)
    text = page(history, tmp_path)
    found = figures(text)
    for name in ("cycles", "stream-rows"):
        go.Figure(data=_with_colours(found[name]["data"]), layout=_with_colours(found[name]["layout"]))
        assert found[name]["layout"]["height"] < 2500
    assert len(found["cycles"]["data"][0]["x"]) <= MAX_BARS
    points = sum(len(trace["x"]) for trace in found["stream-rows"]["data"])
    assert points <= MAX_BARS + MAX_POINTS + 3 * MAX_LANES
    assert len(text) < 2_500_000
    lanes = streams * shards
    assert ("neighbouring cycles" in told(text)) == (lanes * cycles > 2 * MAX_BARS)
    assert ("are not drawn" in told(text)) == (lanes > MAX_LANES)
    assert ("the other" in told(text)) == (streams > 12)


def _with_colours(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("@"):
        return "#123456"
    if isinstance(value, list):
        return [_with_colours(item) for item in value]
    return {key: _with_colours(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_hostile_names_and_messages_stay_text(tmp_path: Path) -> None:
    lane = dataclasses.replace(lane_of(shards=("-80",)), name=f"{HOSTILE}@v", tables=(HOSTILE, "stream_mark"))
    made = StreamMaker(lane)
    made.attempt(2)
    made.copy("-80", HOSTILE, 2.1, rows=10)
    made.end(3, HOSTILE, HOSTILE, 1)
    history = stream_history([made.record()], vtgates=(HOSTILE,))
    text = page(history, tmp_path)
    tags = Tags()
    tags.feed(text)
    assert "img" not in tags.found
    assert tags.found.count("script") == 3
    assert "onerror=alert(2)" in tags.text
    drawing = orjson.dumps(figures(text)["cycles"]).decode() + orjson.dumps(figures(text)["stream-rows"]).decode()
    assert "&lt;img" in drawing
    assert "<img" not in drawing
    assert "\x1b" not in text + summary(history)


def test_the_page_of_a_cut_run_folds_what_it_could_not_judge(tmp_path: Path) -> None:
    text = told(page(interrupted(), tmp_path))
    assert re.search(r"UNKNOWN \d+ more could not be judged, as the run was cut short: assumptions/rate,", text)


# ---------------------------------------------------------------- what is drawn


def test_bars_are_joined_beyond_the_bound_and_keep_all_rows() -> None:
    copies = stream_copies(many_streams(2, 2, 50))
    shown = drawn(copies, max_bars=20)
    assert shown.bars <= 20
    assert shown.per_bar == 10
    assert sum(bar.rows for lane in shown.lanes for bar in lane.bars) == sum(copy.rows_copied for copy in copies)
    assert {bar.how for bar in shown.lanes[0].bars} == {"cut"}  # the worst of its cycles
    assert drawn(copies).per_bar == 1


def test_the_worst_streams_are_drawn_when_not_all_can_be() -> None:
    copies = stream_copies(many_streams(10, 2, 2))
    shown = drawn(copies, max_lanes=6)
    assert [copy.lane.number for copy in shown.streams] == [1, 5, 10]  # two that the server ended, and one more
    assert shown.left_out == 14


def test_the_time_axis_is_that_of_the_copy_if_it_is_short() -> None:
    found = digest(stream_history())
    from_ns, until_ns = window(found)
    assert ns(1.9) < from_ns < ns(2)
    assert ns(3.5) < until_ns < ns(4)
    whole = digest(stream_history([copied_stream(lane_of(), rows=400, cycles=20)], vtgates=("24.0.3",)))
    assert window(whole) == (whole.from_ns, whole.until_ns)


@pytest.mark.parametrize("block", [1, 64, 1 << 18])
@pytest.mark.parametrize("points", [1, 7, 10_000])
def test_curves_end_with_all_rows_and_are_bounded(monkeypatch: pytest.MonkeyPatch, block: int, points: int) -> None:
    monkeypatch.setattr("harness.reports.stream_curves.BLOCK", block)
    record = copied_stream(lane_of(), rows=100, cycles=3)
    curves = row_curves(record, points)
    assert sorted(curves) == ["-80", "80-"]
    for at_ns, rows in curves.values():
        assert len(at_ns) <= points + 1
        assert rows[0] == 1
        assert rows[-1] == 100 + 2 * 3 + 5
        assert (np.diff(rows) > 0).all()
        assert (np.diff(at_ns) >= 0).all()


def test_curves_of_nothing() -> None:
    assert row_curves(StreamMaker(lane_of()).record(), 10) == {}


# ---------------------------------------------------------------- the summary


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("streams", [1, 30])
def test_summary_fits(width: int, streams: int) -> None:
    copied = ("reproduce", "report", "run ")
    lines = summary(many_streams(streams, 2, 3), width).splitlines()
    assert max(len(line) for line in lines if not line.startswith(copied)) <= width


def test_summary_tells_every_stream_in_a_line() -> None:
    text = summary(stream_history(), 100)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("items-")}
    assert "Streams (2 streams, 25,028 rows)" in text
    assert "items-1@vtgate-1: 2 copy cycles, 1 cut; 2,500 + 2,500 rows" in text
    assert "items-2@vtgate-2: 8 copy cycles, 6 cut; 2,500 + 2,500 + 2,500 + 2,500 + … rows" in text
    assert rows["items-1@vtgate-1"] == ["21.0.2", "1", "2", "1", "5,000", "0", "never", "13,889", "10.0", "µs"]
    told_ = " ".join(text.split())
    assert "1 attempt of items-1@vtgate-1 ended with errno 3024 (UNKNOWN), +0.4 s target: ks.-80" in told_
    assert "stopped when the run was over: items-2@vtgate-2" in told_
    assert "No operation was recorded" not in told_


def test_summary_tells_from_when_to_when_attempts_ended() -> None:
    again = broken_stream(lane_of(), rows=5, resume=Resume.SCRATCH)
    assert "2 attempts of items-1@vtgate-1 ended with errno 3024 (UNKNOWN), +0.4 s to +1.4 s" in summary(
        stream_history([again], vtgates=("21.0.2",))
    )


def test_summary_of_many_streams_tells_the_worst_and_how_many_more() -> None:
    text = summary(many_streams(30, 2, 3), 100)
    named = [line.split()[0] for line in text.splitlines() if re.match(r"items-\d+@vtgate-1 +\d", line)]
    assert named[:6] == [f"items-{number}@vtgate-1" for number in (5, 10, 15, 20, 25, 30)]
    assert len(named) == 8
    assert "… and 22 streams more in the report" in text
    assert "156 copy cycles of 30 streams, 102 cut; 2 to 3 rows each" in text
    assert "6 attempts of 6 streams ended with errno 3024" in text


def test_summary_with_load_has_no_columns_of_buffers_or_reparents() -> None:
    text = summary(stream_history(load=True), 100)
    assert "Clients, by vtgate" in text
    assert not re.search(r"buffered|\bown\b|factor", text)


def test_the_files_of_a_stream_run_are_all_written(tmp_path: Path) -> None:
    history = stream_history(load=True)
    written = render_all(history, verdict_of(history), RunDir.create(tmp_path / "run"))
    assert all(path.stat().st_size for path in written.values())


# ---------------------------------------------------------------- words


def test_how_streams_ended() -> None:
    made = StreamMaker(lane_of(shards=("0",)))
    assert how_ended(stream_copy(made.record())) == "never began"
    made.attempt(1)
    made.copy("0", "item_1", 1.1, rows=1)
    assert how_ended(stream_copy(made.record())) == "still open when the record ended, before its copy was complete"
    made.end(3, "EOF")
    ended = "ended by the server without an error, before its copy was complete"
    assert how_ended(stream_copy(made.record())) == ended
    made.end(3, "UNAVAILABLE", "gone", 2013)
    assert how_ended(stream_copy(made.record())) == "errno 2013 (UNAVAILABLE): gone"


def test_attempts_are_grouped_by_what_the_client_was_told() -> None:
    records = [
        broken_stream(lane_of(number, shards=shards), rows=5, resume=Resume.SCRATCH)
        for number, shards in ((1, ("-80", "80-")), (2, ("80-",)))
    ]
    (kind,) = attempt_kinds([stream_copy(record) for record in records])
    assert (kind.number, list(kind.streams), kind.errno) == (4, ["items-1@vtgate-1", "items-2@vtgate-1"], 3024)
    assert kind.last_ns - kind.first_ns == SECOND


def test_no_cycle_is_no_cycle() -> None:
    assert cycles_line([], 0) == "no copy cycle"
    assert many_cycles_line([]) == "no copy cycle"


def test_the_worst_stream_comes_first() -> None:
    slow = copied_stream(lane_of(1), rows=100, cycles=4, cut_s=0.9)
    quick, broken = copied_stream(lane_of(2), rows=100, cycles=2), broken_stream(lane_of(3), rows=1)
    unfinished = StreamMaker(lane_of(4))
    unfinished.attempt(1)
    records: list[StreamRecord] = [quick, unfinished.record(), slow, broken]
    order = worst_first([stream_copy(record) for record in records])
    assert [copy.lane.number for copy in order] == [3, 4, 1, 2]


def test_short_counts() -> None:
    numbers = (0, 999, 1_000, 9_949, 51_366, 999_499, 1_000_000, 12_345_678)
    assert [short_count(number) for number in numbers] == ["0", "999", "1.0k", "9.9k", "51k", "999k", "1.0M", "12.3M"]
    assert max(len(short_count(number)) for number in range(0, 10_000_000, 7_919)) <= 5


# ---------------------------------------------------------------- runs that were cut short


def interrupted() -> History:
    """A storm's run that somebody ended in mid-storm, judged by all the checks of such a run."""
    from harness.checks import STANDARD

    cut = storm_history(shards=4, killed_at_s=44)
    events = (*cut.events, Event(at_ns=cut.end_ns, kind="interrupt", subject="while the experiment ran"))
    plan = dataclasses.replace(
        cut.plan, experiment="reparent/some", checks=tuple(check.name for check in STANDARD), known_bugs=()
    )
    return dataclasses.replace(cut, events=events, plan=plan)


def test_an_interrupted_run_is_told_in_a_few_lines() -> None:
    text = summary(interrupted())
    checks = text[text.index("\nChecks") : text.index("\nClients")]
    assert len([line for line in checks.splitlines() if line.startswith("?")]) == 2
    assert "assumptions/complete: The run is not complete: interrupt: while the experiment ran." in checks
    assert re.search(r"\? \d+ more could not be judged, as the run was cut short: assumptions/rate,", checks)


def test_what_would_be_a_finding_is_not_folded() -> None:
    cut = interrupted()
    ops = cut.ops.copy()
    ops["outcome"][ops["done_ns"] > cut.faults[0].begin_ns] = 1
    text = summary(dataclasses.replace(cut, ops=ops))
    assert "Would be a finding, but assumptions/complete" in " ".join(text.split())
    assert "more could not be judged" in text


def test_a_whole_run_is_not_folded() -> None:
    whole = storm_history(shards=4)
    text = summary(dataclasses.replace(whole, plan=interrupted().plan))
    assert "cut short" not in text
