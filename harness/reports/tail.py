"""The state of a run that is going on, read from its own run directory as it grows.

Whatever the live view shows is therefore on disk already. Only what was appended since the last call is
read; a line without its end is left for the next call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from harness.base import jsonio
from harness.base.clock import now_ns
from harness.base.rundir import RunDir
from harness.history import fold_ledger
from harness.model import FaultSpan, Lane, Node, Plan, Role, Scalar
from harness.reports.live_state import LiveLane, LiveReparent, LiveState, StreamStates

LaneCounters = Callable[[], npt.NDArray[np.void] | None]
"""Rows by lane number with the fields of `harness.load.live.LANE_DTYPE`; None before the load began."""

_COUNTS = ("issued", "ok", "unknown", "not_issued", "in_flight", "queued", "last_ok_ns", "last_error_ns")
_MORE_COUNTS = ("last_errno", "max_stall_ns")


class LineTail:
    """The objects appended to a JSON-lines file since the last call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def read(self) -> list[dict[str, Any]]:
        try:
            with self._path.open("rb") as lines:
                lines.seek(self._at)
                raw = lines.read()
        except FileNotFoundError:
            return []
        whole = raw[: raw.rfind(b"\n") + 1]
        self._at += len(whole)
        return [orjson.loads(line) for line in whole.splitlines() if line]


class ValueTail:
    """The latest value of every key of a samples file."""

    def __init__(self, path: Path) -> None:
        self._lines = LineTail(path)
        self.values: dict[str, Scalar] = {}
        self._first: dict[str, Scalar] = {}
        self.rate_per_s: dict[str, float] = {}  # of numbers that changed, between their last two samples
        self._changed_ns: dict[str, int] = {}

    def read(self) -> None:
        for line in self._lines.read():
            values: Mapping[str, Scalar] = line.get("values", {})
            if not self._first:
                self._first = dict(values)
            for key, value in values.items():
                self._rate(key, value, int(line["at_ns"]))
            self.values.update(values)

    def number(self, key: str) -> float | None:
        value = self.values.get(key)
        return float(value) if isinstance(value, int | float) else None

    def grown(self, key: str) -> float | None:
        """Growth since the first sample; a kept cluster's counters do not begin at 0."""
        now, first = self.number(key), self._first.get(key, 0)
        return now - float(first) if now is not None and isinstance(first, int | float) else None

    def _rate(self, key: str, value: Scalar, at_ns: int) -> None:
        before, since_ns = self.values.get(key), self._changed_ns.get(key, 0)
        if isinstance(value, int | float) and isinstance(before, int | float) and at_ns > since_ns:
            self.rate_per_s[key] = (value - before) / ((at_ns - since_ns) / 1e9)
        self._changed_ns[key] = at_ns


class RunTail:
    """A `Callable[[], LiveState]` over a run directory. `counters` gives the load's lanes and `streams` the
    streams, which are not lines but shared memory."""

    def __init__(self, run: RunDir, counters: LaneCounters = lambda: None, streams: StreamStates = lambda: ()) -> None:
        self._run = run
        self._counters = counters
        self._streams = streams
        self._keyspace = ""
        self._lanes: tuple[Lane, ...] = ()
        self._versions: dict[str, str] = {}
        self._vars: dict[str, ValueTail] = {}
        self._host = ValueTail(run.samples("host"))
        self._faults = LineTail(run.faults)
        self._ledger: list[dict[str, Any]] = []
        self._spans: tuple[FaultSpan, ...] = ()

    def __call__(self) -> LiveState:
        self._read()
        rows = self._counters()
        lanes = [self._lane(lane, rows) for lane in self._lanes]
        spans = self._spans
        shards = dict.fromkeys(lane.shard for lane in self._lanes)
        return LiveState(
            now_ns=now_ns(),
            shards=tuple(shards),
            versions=dict.fromkeys((lane.vtgate for lane in self._lanes), "") | self._versions,
            lanes={(lane.vtgate, lane.shard): lane for lane in lanes},
            reparents=latest_reparents(spans),
            streams=tuple(self._streams()),
            faults=tuple(_in_words(span) for span in spans if _in_force(span)),
            host=self._host_words(),
        )

    def _read(self) -> None:
        if not self._lanes and self._run.load.is_file():
            self._lanes = tuple(jsonio.structure(plain, Lane) for plain in jsonio.load(self._run.load, list[Any]))
            self._keyspace = jsonio.load(self._run.plan, Plan).cluster.keyspace
            self._vars = {lane.vtgate: ValueTail(self._run.samples(lane.vtgate)) for lane in self._lanes}
        if not self._versions and self._run.nodes.is_file():
            nodes = [jsonio.structure(plain, Node) for plain in jsonio.load(self._run.nodes, list[Any])]
            self._versions = {node.name: node.version for node in nodes if node.role is Role.VTGATE}
        for values in (self._host, *self._vars.values()):
            values.read()
        lines = self._faults.read()
        if lines:
            self._ledger += lines
            self._spans = fold_ledger(iter(self._ledger))

    def _lane(self, lane: Lane, rows: npt.NDArray[np.void] | None) -> LiveLane:
        counts: dict[str, int] = {}
        if rows is not None and lane.number < len(rows):
            row = rows[lane.number]
            counts = {name: int(row[name]) for name in (*_COUNTS, *_MORE_COUNTS)} | {"failed": int(row["fail"])}
        return LiveLane(vtgate=lane.vtgate, shard=lane.shard, **counts, **self._buffer(lane))

    def _buffer(self, lane: Lane) -> dict[str, int]:
        """Held now = buffered - drained - evicted (a law of the buffer)."""
        values, label = self._vars[lane.vtgate], f"{self._keyspace}.{lane.shard}"
        buffered = values.grown(f"BufferRequestsBuffered:{label}")
        if buffered is None:
            return {}
        gone = values.grown(f"BufferRequestsDrained:{label}") or 0
        evicted = [values.grown(f"BufferRequestsEvicted:{label}.{reason}") or 0 for reason in _EVICTED]
        return {"buffered": int(buffered), "held": max(0, int(buffered - gone - sum(evicted)))}

    def _host_words(self) -> str:
        host = self._host
        words = []
        busy, waiting = host.number("cpu_busy_share"), host.rate_per_s.get("cpu_some_us")
        if busy is not None:
            words.append(f"CPU {busy:.0%}")
        if waiting is not None:
            words.append(f"waiting for CPU {min(1.0, max(0.0, waiting / 1e6)):.0%}")
        memory = host.number("memory_available_bytes")
        if memory is not None:
            words.append(f"{memory / 2**30:.1f} GiB free")
        return ", ".join(words)


_EVICTED = ("ContextDone", "BufferFull", "WindowExceeded")


def latest_reparents(spans: Sequence[FaultSpan]) -> dict[str, LiveReparent]:
    """Shard → its latest reparent that left."""
    found: dict[str, LiveReparent] = {}
    for span in spans:
        if "Reparent" in span.fault and span.begin_ns:
            end_ns = span.active_ns or int(span.details.get("failed_ns", 0))
            for shard in span.targets:
                found[shard] = LiveReparent(shard=shard, begin_ns=span.begin_ns, end_ns=end_ns, error=span.error)
    return found


def _in_force(span: FaultSpan) -> bool:
    return bool(span.begin_ns and not span.healed_ns and not span.error and "Reparent" not in span.fault)


def _in_words(span: FaultSpan) -> str:
    return f"{span.fault} {', '.join(span.targets)}"
