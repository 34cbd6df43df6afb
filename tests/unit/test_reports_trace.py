"""trace.json.gz against a strict reader of its format.

Perfetto's own reader (trace_processor) comes with no package; what it takes is written in "Trace Event Format" and in
its importer: known phases, numbers where numbers are due, stretches of one thread that nest, one name a process.
"""

from __future__ import annotations

import dataclasses
import gzip
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from harness.history import History
from harness.model import LogLine
from harness.reports import RENDERERS, trace
from tests.fakes import calm, ns
from tests.unit.storm_history import storm_history, storm_verdict
from tests.unit.test_timeline import eventful

Event = dict[str, Any]
FIELDS = {
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
    "i": {"name", "cat", "ph", "ts", "s", "pid", "tid", "args"},
    "C": {"name", "ph", "ts", "pid", "args"},
    "M": {"name", "ph", "pid", "tid", "args"},
}
META = {"process_name": str, "process_sort_index": int, "thread_name": str, "thread_sort_index": int}


def written(history: History, folder: Path) -> dict[str, Any]:
    path = trace.render(history, storm_verdict(storm_history(shards=2)), folder / "trace.json.gz")
    found: dict[str, Any] = orjson.loads(gzip.decompress(path.read_bytes()))
    return found


def read(document: dict[str, Any]) -> list[Event]:
    """The events of a document that is right; says what is not."""
    assert set(document) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    events: list[Event] = document["traceEvents"]
    for event in events:
        right(event)
    nested(events)
    named(events)
    return events


def right(event: Event) -> None:
    assert set(event) == FIELDS[event["ph"]], event
    assert event["name"]
    assert isinstance(event["name"], str)
    assert event["pid"] > 0
    assert isinstance(event["args"], dict)
    if event["ph"] == "M":
        assert len(event["args"]) == 1
        assert isinstance(next(iter(event["args"].values())), META[event["name"]])
        return
    assert math.isfinite(event["ts"])
    if event["ph"] == "X":
        assert event["dur"] >= 0
    elif event["ph"] == "i":
        assert event["s"] in ("g", "p", "t")
    else:
        assert all(isinstance(value, int | float) and math.isfinite(value) for value in event["args"].values())


def nested(events: list[Event]) -> None:
    """Two stretches of a thread lie apart, or one holds the other."""
    rows: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            rows[event["tid"]].append((round(event["ts"] * 1000), -round(event["dur"] * 1000)))
    for spans in rows.values():
        ends: list[int] = []
        for from_ns, minus_ns in sorted(spans):
            to_ns = from_ns - minus_ns
            while ends and ends[-1] <= from_ns:
                ends.pop()
            assert not ends or to_ns <= ends[-1]
            ends.append(to_ns)


def named(events: list[Event]) -> None:
    """Every process and thread that is used has a name, and a thread belongs to one process."""
    processes = {event["pid"] for event in events if event["name"] == "process_name"}
    threads = {event["tid"]: event["pid"] for event in events if event["name"] == "thread_name"}
    for event in events:
        assert event["pid"] in processes
        if event["ph"] in "Xi":
            assert threads[event["tid"]] == event["pid"]


def names(events: list[Event], what: str) -> list[str]:
    return [event["args"]["name"] for event in events if event["name"] == what]


def test_an_eventful_run(tmp_path: Path) -> None:
    events = read(written(eventful(), tmp_path))
    assert names(events, "process_name") == ["run", "shard -80", "shard 80-", "vtgate-1", "vtctld and others", "host"]
    tracks = names(events, "thread_name")
    wanted = ("phases", "faults", "reparent", "reparent phases", "no serving primary", "vttablet-100 tablet")
    assert set(wanted) <= set(tracks)
    counters = {event["name"] for event in events if event["ph"] == "C"}
    assert {"CPU busy, %", "harness pause, ms"} & counters == {"harness pause, ms"}  # that host was not asked how busy
    assert {"requests in the buffer", "longest latency vtgate-1, ms", "errors vtgate-1"} <= counters


def test_what_is_in_the_buffer_is_what_came_and_has_not_gone(tmp_path: Path) -> None:
    events = read(written(eventful(), tmp_path))
    held = [event["args"]["value"] for event in events if event["name"] == "requests in the buffer"]
    assert max(held) == 5
    assert held[-1] == 0


def test_stretches_that_overlap_get_rows_of_their_own(tmp_path: Path) -> None:
    made = calm(storm=False)
    made.fault("Paused", "vttablet-100", 6.0, 9.0)
    made.fault("Slow", "vttablet-101", 7.0, 10.0)
    made.fault("Killed", "vttablet-100", 11.0, 12.0)
    assert [name for name in names(read(written(made.build(), tmp_path)), "thread_name") if "faults" in name] == [
        "faults",
        "faults (2)",
    ]


def test_a_storm_and_one_that_was_cut_short(tmp_path: Path) -> None:
    for killed_at_s in (None, 43.0):
        events = read(written(storm_history(killed_at_s=killed_at_s), tmp_path))
        assert sum(name.startswith("shard ") for name in names(events, "process_name")) == 32
        assert (tmp_path / "trace.json.gz").stat().st_size < 3 << 20


def test_a_run_that_recorded_nothing(tmp_path: Path) -> None:
    made = calm(storm=False).build()
    bare = dataclasses.replace(made, nodes=(), lanes=(), ops=made.ops[:0], events=(), series={}, faults=(), rows={})
    assert names(read(written(bare, tmp_path)), "process_name") == ["host"]


def test_it_is_bounded_and_says_what_it_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST_OF_A_KIND", 10)
    logs = tuple(LogLine(at_ns=ns(5) + n, node="vtctld", level="info", text=f"line {n}") for n in range(25))
    document = written(dataclasses.replace(calm(storm=False).build(), logs=logs), tmp_path)
    assert document["otherData"]["left out"] == {"log": 15}
    assert sum(event["ph"] == "i" for event in read(document)) == 10


def test_counters_are_thinned_and_keep_their_peaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST_POINTS", 5)
    made = calm(storm=False)
    for tick in range(40):
        made.set("harness", tick / 5, {"loop_lag_max_ms": 40.0 if tick == 17 else tick / 10})
    events = read(written(made.build(), tmp_path))
    lags = [event["args"]["value"] for event in events if event["name"] == "harness pause, ms"]
    assert len(lags) <= 5
    assert max(lags) == 40.0


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    written(eventful(), tmp_path)
    before = (tmp_path / "trace.json.gz").read_bytes()
    written(eventful(), tmp_path)
    assert (tmp_path / "trace.json.gz").read_bytes() == before


def test_numbers_of_numpy_do_not_get_in(tmp_path: Path) -> None:
    """orjson refuses them, and a trace is not where one finds out."""
    made = eventful()
    assert isinstance(made.ops["done_ns"][0], np.int64)
    assert read(written(made, tmp_path))


def test_it_is_a_report() -> None:
    assert RENDERERS["trace"] == (trace.render, "trace.json.gz")
