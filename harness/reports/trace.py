"""trace.json.gz: the run's timeline as Perfetto (https://ui.perfetto.dev) and chrome://tracing open it.

Trace Event Format ("Trace Event Format", the document that Perfetto's importer follows too): X = a stretch, i = an
instant, C = a counter's value, M = names and order of processes and threads; stamps are microseconds. Here a "process"
is the run, a shard, a vtgate, vtctld or the host, and a "thread" is one track of it. Stretches of one thread have to
nest, so that a track gets as many threads as its stretches overlap. Counters are binned and kinds bounded: the file
stays small whatever the run was.
"""

from __future__ import annotations

import gzip
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from harness.attribution.moments import Kind, Moment
from harness.attribution.timeline import Timeline
from harness.base.files import replaced
from harness.facts.storm import REPARENTS
from harness.history import History, Series
from harness.model import Node, Role, RunVerdict
from harness.reports.bins import binned, grid_for
from harness.reports.digest import window
from harness.reports.pressure import Curve, busy_share, cpu_pressure, loop_lag_ms

Event = dict[str, Any]

MOST_OF_A_KIND = 10_000  # moments; what comes later is counted in otherData
MOST_POINTS = 600  # of a counter
LONGEST_TEXT = 200
RUN, HOST, CLUSTER = "run", "host", "vtctld and others"
INSTANTS = frozenset(
    {Kind.EVENT, Kind.FAULT_STEP, Kind.COUNTER, Kind.POSITION, Kind.REPLICATION, Kind.TOPOLOGY, Kind.LOG}
)
# Kind → its track; what is not here has a track named after its subject
_TRACKS: Mapping[Kind, str] = {
    Kind.PHASE: "phases",
    Kind.EVENT: "events",
    Kind.FAULT: "faults",
    Kind.FAULT_STEP: "fault steps",
    Kind.REPARENT: "reparent",
    Kind.REPARENT_PHASE: "reparent phases",
    Kind.NO_PRIMARY: "no serving primary",
    Kind.TOPOLOGY: "topology",
}


@dataclass(frozen=True, slots=True, order=True)
class Track:
    """Where an event is drawn: a process and a thread of it, by name."""

    process: str
    thread: str


def render(history: History, verdict: RunVerdict, out: Path) -> Path:
    """Write the file whole or not at all; the same run gives the same bytes."""
    with replaced(out) as part:
        part.write_bytes(gzip.compress(orjson.dumps(trace(history, verdict)), mtime=0))
    return out


def trace(history: History, verdict: RunVerdict) -> dict[str, Any]:
    """The whole document."""
    shown, left_out = _bounded(Timeline.of(history).moments)
    nodes = {node.name: node for node in history.nodes}
    placed = [(_track(nodes, moment), moment) for moment in shown]
    threads = _threads(placed)
    names = sorted({track for track, _ in placed} | {Track(name, "") for name in _processes(history)})
    pids = {name: number for number, name in enumerate(_ordered(names), start=1)}
    events = [*_named(pids, threads), *_drawn(history, pids, threads), *_counted(history, pids)]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "run": verdict.run_id,
            "experiment": verdict.experiment,
            "headline": verdict.headline,
            "zero": str(history.clock.wall(history.start_ns)),
            "left out": {str(kind): number for kind, number in sorted(left_out.items())},
        },
    }


def _bounded(moments: Iterable[Moment]) -> tuple[list[Moment], Counter[Kind]]:
    kept, seen = [], Counter[Kind]()
    for moment in moments:
        if moment.kind is Kind.FAULT and moment.subject in REPARENTS:
            continue  # its shard's own track has it
        seen[moment.kind] += 1
        if seen[moment.kind] <= MOST_OF_A_KIND:
            kept.append(moment)
    return kept, Counter({kind: n - MOST_OF_A_KIND for kind, n in seen.items() if n > MOST_OF_A_KIND})


# ---------------------------------------------------------------- where


def _track(nodes: Mapping[str, Node], moment: Moment) -> Track:
    thread = _TRACKS.get(moment.kind, "")
    if moment.kind in (Kind.PHASE, Kind.EVENT, Kind.FAULT, Kind.FAULT_STEP):
        return Track(RUN, thread)
    if moment.kind in (Kind.HOST, Kind.HARNESS):
        return Track(HOST, moment.subject)
    shard = str(moment.details.get("shard", ""))
    node = nodes.get(moment.subject)
    if moment.kind in (Kind.CLIENTS, Kind.BUFFERING):
        return Track(f"shard {shard}", f"{moment.kind} {moment.subject}")
    if node is not None and node.role is Role.VTGATE:
        return Track(moment.subject, str(moment.kind))
    if node is not None and node.shard:
        return Track(f"shard {node.shard}", f"{moment.subject} {moment.kind}")
    if shard:
        return Track(f"shard {shard}", thread or str(moment.kind))
    return Track(CLUSTER, f"{moment.subject} {moment.kind}")


def _processes(history: History) -> Iterator[str]:
    """Those that have counters."""
    yield HOST
    yield from (node.name for node in history.vtgates)
    yield from (f"shard {lane.shard}" for lane in history.lanes)


def _ordered(tracks: Iterable[Track]) -> list[str]:
    """The run first, then the shards, the vtgates, the rest."""
    order = {RUN: 0, CLUSTER: 3, HOST: 4}
    names = {track.process for track in tracks}
    return sorted(names, key=lambda name: (order.get(name, 1 if name.startswith("shard ") else 2), name))


def _threads(placed: Iterable[tuple[Track, Moment]]) -> list[tuple[Track, int, Moment]]:
    """Each moment with its row in its track: two that overlap without nesting are never in one row."""
    free: dict[Track, list[tuple[int, int]]] = {}  # (until when it is taken, row)
    found = []
    for track, moment in placed:
        if moment.kind in INSTANTS:
            found.append((track, 0, moment))
            continue
        rows = free.setdefault(track, [])
        row = rows[0][1] if rows and rows[0][0] <= moment.at_ns else len(rows)
        taken = (moment.until_ns, row)
        if row < len(rows):
            heapq.heapreplace(rows, taken)
        else:
            heapq.heappush(rows, taken)
        found.append((track, row, moment))
    return found


# ---------------------------------------------------------------- what


def _tids(threads: Iterable[tuple[Track, int, Moment]]) -> dict[tuple[Track, int], int]:
    rows = sorted({(track, row) for track, row, _ in threads})
    return {row: number for number, row in enumerate(rows, start=1)}


def _named(pids: Mapping[str, int], threads: list[tuple[Track, int, Moment]]) -> Iterator[Event]:
    for name, pid in pids.items():
        yield _meta("process_name", pid, 0, name=name)
        yield _meta("process_sort_index", pid, 0, sort_index=pid)
    for (track, row), tid in _tids(threads).items():
        name = track.thread if not row else f"{track.thread} ({row + 1})"
        yield _meta("thread_name", pids[track.process], tid, name=name)
        yield _meta("thread_sort_index", pids[track.process], tid, sort_index=tid)


def _meta(what: str, pid: int, tid: int, **args: str | int) -> Event:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": args}


def _drawn(history: History, pids: Mapping[str, int], threads: list[tuple[Track, int, Moment]]) -> Iterator[Event]:
    tids = _tids(threads)
    for track, row, moment in threads:
        event: Event = {
            "name": moment.text[:LONGEST_TEXT],
            "cat": str(moment.kind),
            "pid": pids[track.process],
            "tid": tids[track, row],
            "ts": _us(moment.at_ns - history.start_ns),
            "args": {name: value for name, value in moment.details.items() if value != ""},
        }
        if moment.kind in INSTANTS:
            yield event | {"ph": "i", "s": "t"}
        else:
            yield event | {"ph": "X", "dur": _us(moment.until_ns - moment.at_ns)}


def _us(span_ns: int) -> float:
    return round(span_ns / 1000, 3)


# ---------------------------------------------------------------- counters


def _counted(history: History, pids: Mapping[str, int]) -> Iterator[Event]:
    yield from _of_host(history, pids[HOST])
    for node in history.vtgates:
        series = history.series.get(node.name)
        if series is not None:
            yield from _of_vtgate(history, pids[node.name], series)
    if len(history.ops):
        yield from _of_lanes(history, pids)


def _of_host(history: History, pid: int) -> Iterator[Event]:
    curves = {"CPU busy, %": (busy_share(history), 100.0), "waiting for a core, %": (cpu_pressure(history), 100.0)}
    curves |= {f"{name} pause, ms": (curve, 1.0) for name, curve in loop_lag_ms(history).items()}
    for name, (curve, factor) in curves.items():
        if curve is not None and len(curve.at_ns):
            yield from _curve(history, pid, name, curve, factor)


def _of_vtgate(history: History, pid: int, series: Series) -> Iterator[Event]:
    """Requests in the buffer: those that came in without those that left it."""
    at_ns = np.array(series.answered_ns, dtype=np.int64)
    if not len(at_ns):
        return
    total = np.zeros(len(at_ns))
    for name, sign in (("BufferRequestsBuffered", 1), ("BufferRequestsDrained", -1), ("BufferRequestsEvicted", -1)):
        for label in series.labels(name):
            times, values = series.steps(f"{name}:{label}")
            steps = np.diff(np.array([0.0, *(float(value) for value in values if not isinstance(value, str))]))
            if len(steps) == len(times):
                total += sign * np.concatenate(([0.0], steps.cumsum()))[np.searchsorted(times, at_ns, side="right")]
    yield from _curve(history, pid, "requests in the buffer", Curve(at_ns=at_ns, values=np.maximum(total, 0)), 1.0)


def _of_lanes(history: History, pids: Mapping[str, int]) -> Iterator[Event]:
    """Of every bin the longest latency, where anything was due, and the errors."""
    from_ns, until_ns = window(history)
    rates = [lane.rate for lane in history.lanes if lane.rate]
    grid = grid_for(from_ns, until_ns, len(history.lanes), min(rates, default=0.0))
    cells = binned(history, grid)
    begins_ns = grid.begins_ns()
    for row, lane in enumerate(history.lanes):
        pid = pids[f"shard {lane.shard}"]
        due = np.flatnonzero(~np.isnan(cells.max_ms[row]))
        latency = Curve(at_ns=begins_ns[due], values=cells.max_ms[row][due].astype(np.float64))
        yield from _curve(history, pid, f"longest latency {lane.vtgate}, ms", latency, 1.0)
        errors = cells.bad[row] + cells.not_issued[row]
        if errors.any():
            curve = Curve(at_ns=begins_ns, values=errors.astype(np.float64))
            yield from _curve(history, pid, f"errors {lane.vtgate}", curve, 1.0)


def _curve(history: History, pid: int, name: str, curve: Curve, factor: float) -> Iterator[Event]:
    """Only what differs from the value before, as a person reads it."""
    thin = curve.thinned(MOST_POINTS)
    before: float | None = None
    for at_ns, value in zip(thin.at_ns.tolist(), thin.values.tolist(), strict=True):
        shown = float(f"{value * factor:.3g}")
        if value == value and shown != before:  # not NaN
            yield {"ph": "C", "name": name, "pid": pid, "ts": _us(at_ns - history.start_ns), "args": {"value": shown}}
            before = shown
