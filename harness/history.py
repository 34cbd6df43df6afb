"""A finished (or killed) run as one value: what checks, attribution and reports see, and all they see.

Loading tolerates what `kill -9` leaves: torn last lines and records, missing files. What is missing
is empty here and named in `incomplete`, so that a check can say UNKNOWN instead of guessing.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.base import jsonio
from harness.base.clock import ClockBase
from harness.base.errors import RunDirError
from harness.base.rundir import RunDir
from harness.model import (
    OP_DTYPE,
    ROW_DTYPE,
    Event,
    FaultSpan,
    Lane,
    LogLine,
    Node,
    Plan,
    Role,
    Sample,
    Scalar,
)
from harness.streams import StreamRecord

Ops = npt.NDArray[np.void]
Rows = npt.NDArray[np.void]


class Series:
    """The samples of one source: for every key, when it took which value."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = tuple(samples)
        self.at_ns = np.array([sample.at_ns for sample in samples], dtype=np.int64)
        self._steps: dict[str, tuple[list[int], list[Scalar]]] = {}
        for sample in samples:
            for key, value in sample.values.items():
                times, values = self._steps.setdefault(key, ([], []))
                times.append(sample.at_ns)
                values.append(value)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._steps)

    def steps(self, key: str) -> tuple[Sequence[int], Sequence[Scalar]]:
        """Stamps and values of every change of `key` (the first sample included)."""
        return self._steps.get(key, ([], []))

    def at(self, key: str, at_ns: int) -> Scalar | None:
        """The value of `key` in the last sample not later than `at_ns`; None if there was none yet."""
        times, values = self.steps(key)
        index = bisect.bisect_right(times, at_ns) - 1
        return values[index] if index >= 0 else None

    def last(self, key: str) -> Scalar | None:
        values = self.steps(key)[1]
        return values[-1] if values else None

    def number(self, key: str, at_ns: int | None = None) -> float | None:
        """`at` (or `last`) as a number; None when the key was never there. An absent key is not 0."""
        value = self.last(key) if at_ns is None else self.at(key, at_ns)
        return float(value) if isinstance(value, int | float) else None

    def growth(self, key: str, since_ns: int, until_ns: int | None = None) -> float | None:
        """How much a counter grew between two stamps. A key that appears only after `since_ns` starts
        from 0 (Vitess creates most keys at the first touch), unless the very first sample has it; None
        when it never appeared, is no number, or shrank meanwhile (its process restarted)."""
        times, values = self.steps(key)
        to = len(times) if until_ns is None else bisect.bisect_right(times, until_ns)
        if to == 0:
            return None
        first = bisect.bisect_right(times, since_ns) - 1
        if first < 0 and times[0] == self.samples[0].at_ns:
            first = 0
        path = [values[index] for index in range(max(first, 0), to)]
        numbers = [float(value) for value in path if isinstance(value, int | float)]
        if len(numbers) < len(path):
            return None
        if first < 0:
            numbers.insert(0, 0.0)
        falling = any(later < earlier for earlier, later in itertools.pairwise(numbers))
        return None if falling or not numbers else numbers[-1] - numbers[0]

    @cached_property
    def _labels(self) -> Mapping[str, tuple[str, ...]]:
        labels: dict[str, list[str]] = {}
        for key in self._steps:
            name, colon, label = key.partition(":")
            if colon:
                labels.setdefault(name, []).append(label)
        return {name: tuple(found) for name, found in labels.items()}

    def labels(self, name: str) -> tuple[str, ...]:
        """The labels of a map variable: "ks.-80.NewPrimarySeen" of the key "BufferStops:ks.-80.NewPrimarySeen"."""
        return self._labels.get(name, ())

    def rises(self, key: str, since_ns: int) -> tuple[tuple[int, int, float], ...]:
        """Every step upwards after `since_ns`: (sample before, sample after, by how much). What was counted
        happened between the two stamps; the first is `since_ns` when nothing was sampled before."""
        times, values = self.steps(key)
        found: list[tuple[int, int, float]] = []
        before: float | None = None
        for at_ns, value in zip(times, values, strict=True):
            number = float(value) if isinstance(value, int | float) else None
            rise = (number or 0.0) - (before or 0.0)
            first_sample = before is None and at_ns == self.samples[0].at_ns
            if at_ns > since_ns and rise > 0 and not first_sample:
                found.append((max(since_ns, self._good_before(at_ns)), at_ns, rise))
            before = number
        return tuple(found)

    def _good_before(self, at_ns: int) -> int:
        """The stamp of the last sample before `at_ns` that was answered, 0 if none."""
        index = bisect.bisect_left(self._answered, at_ns) - 1
        return self._answered[index] if index >= 0 else 0

    @cached_property
    def _answered(self) -> tuple[int, ...]:
        return tuple(sample.at_ns for sample in self.samples if not sample.error)

    @property
    def answered_ns(self) -> Sequence[int]:
        """The stamps of the samples that the source answered."""
        return self._answered

    def failures(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.error)


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """An item table of one shard after the run, read from its primary."""

    keyspace: str
    table: str
    shard: str
    rows: Rows  # ROW_DTYPE: (id, version), in any order
    wrong: int = 0  # rows whose pad is not what their id and version say; counted by MySQL itself


@dataclass(frozen=True, kw_only=True)
class History:
    """Everything a run recorded, typed."""

    plan: Plan
    clock: ClockBase
    host: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    lanes: tuple[Lane, ...] = ()
    ops: Ops = field(default_factory=lambda: np.empty(0, dtype=OP_DTYPE))  # sorted by intended_ns
    messages: Mapping[tuple[int, int], str] = field(default_factory=dict)  # (worker, number) → text
    rows: Mapping[str, Rows] = field(default_factory=dict)  # shard → ledger rows after the run
    tables: Mapping[tuple[str, str, str], TableRead] = field(default_factory=dict)  # (keyspace, table, shard)
    streams: tuple[StreamRecord, ...] = ()
    faults: tuple[FaultSpan, ...] = ()
    events: tuple[Event, ...] = ()
    series: Mapping[str, Series] = field(default_factory=dict)  # source (node name, "host", "harness")
    logs: tuple[LogLine, ...] = ()
    incomplete: tuple[str, ...] = ()  # what the run directory lacks

    @cached_property
    def phases(self) -> Mapping[str, tuple[int, int]]:
        """Phase → (from, to) stamps; a phase that is entered twice spans both."""
        marks = [event for event in self.events if event.kind == "phase"]
        end_ns = self.end_ns
        spans: dict[str, tuple[int, int]] = {}
        for index, mark in enumerate(marks):
            to_ns = marks[index + 1].at_ns if index + 1 < len(marks) else max(end_ns, mark.at_ns)
            from_ns = spans[mark.subject][0] if mark.subject in spans else mark.at_ns
            spans[mark.subject] = (from_ns, to_ns)
        return spans

    @cached_property
    def start_ns(self) -> int:
        return self.clock.monotonic_ns

    @cached_property
    def end_ns(self) -> int:
        """The last stamp of the run."""
        stamps = [self.clock.monotonic_ns]
        stamps += [event.at_ns for event in self.events[-1:]]
        stamps += [max(span.begin_ns, span.active_ns, span.recover_ns, span.healed_ns) for span in self.faults]
        if len(self.ops):
            stamps.append(int(self.ops["done_ns"].max()))
        return max(stamps)

    @property
    def vtgates(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role is Role.VTGATE)

    def lanes_of(self, vtgate: str, shard: str | None = None) -> tuple[Lane, ...]:
        return tuple(lane for lane in self.lanes if lane.vtgate == vtgate and shard in (None, lane.shard))

    @cached_property
    def _by_lane(self) -> tuple[npt.NDArray[np.int64], Mapping[int, tuple[int, int]]]:
        """Positions of the operations grouped by lane, and where each lane's group lies: with 32 shards and
        several vtgates, a scan of a million operations for every lane and check would be most of a verdict."""
        order = np.argsort(self.ops["lane"], kind="stable")
        lanes, starts = np.unique(self.ops["lane"][order], return_index=True)
        bounds = [*starts.tolist(), len(order)]
        spans = zip(lanes.tolist(), itertools.pairwise(bounds), strict=True)
        return order, {int(lane): span for lane, span in spans}

    def ops_of(self, lanes: Sequence[Lane]) -> Ops:
        """The operations of some lanes, in order of their intended start."""
        order, spans = self._by_lane
        parts = [order[slice(*spans[lane.number])] for lane in lanes if lane.number in spans]
        if not parts:
            return self.ops[:0]
        return self.ops[parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))]

    @cached_property
    def lane_by_number(self) -> Mapping[int, Lane]:
        return {lane.number: lane for lane in self.lanes}

    def message(self, op: Any) -> str:
        return self.messages.get((int(op["worker"]), int(op["message"])), "")

    def spans(self, fault: str) -> tuple[FaultSpan, ...]:
        return tuple(span for span in self.faults if span.fault == fault)


def load(run: RunDir) -> History:
    """Read a run directory. Raises RunDirError when what is there cannot be read: a broken file is no evidence."""
    try:
        plan = jsonio.load(run.plan, Plan)
    except ValueError as error:
        raise RunDirError(f"{run.plan} does not fit this version of vtchaos: {error}") from None
    try:
        return _load(run, plan)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RunDirError(f"{run.path} is not whole: {type(error).__name__}: {error}") from error


def _load(run: RunDir, plan: Plan) -> History:
    missing: list[str] = []
    clock = ClockBase(monotonic_ns=0, wall_ns=0)
    if run.clock.is_file():
        clock = jsonio.load(run.clock, ClockBase)
    else:
        missing.append("clock.json (the run never started)")
    lanes = _load_json_list(run.load, Lane, missing)
    nodes = _load_json_list(run.nodes, Node, missing)
    ops, messages = _load_ops(run, missing)
    return History(
        plan=plan,
        clock=clock,
        host=_plain(run.host),
        nodes=nodes,
        lanes=lanes,
        ops=ops,
        messages=messages,
        rows=_load_rows(run, missing),
        faults=fold_ledger(jsonio.read_lines(run.faults)),
        events=tuple(jsonio.structure(line, Event) for line in jsonio.read_lines(run.events)),
        series={source: Series(samples) for source, samples in _samples(run.path)},
        logs=tuple(jsonio.structure(line, LogLine) for line in jsonio.read_lines(run.path / "loglines.jsonl")),
        incomplete=tuple(missing),
    )


def fold_ledger(lines: Iterator[dict[str, Any]]) -> tuple[FaultSpan, ...]:
    """Ledger lines into spans. A line is {"number", "at_ns", "step", …}; steps: intent, begin, active,
    detail, failed, recover, healed, observed."""
    spans: dict[int, dict[str, Any]] = {}
    for line in lines:
        number, step, at_ns = int(line["number"]), str(line["step"]), int(line["at_ns"])
        if step == "intent":
            spans[number] = {
                "number": number,
                "fault": line["fault"],
                "targets": tuple(line["targets"]),
                "details": dict(line.get("details", {})),
                "intent_ns": at_ns,
            }
        elif number in spans:
            _fold_step(spans[number], step, at_ns, line)
    return tuple(FaultSpan(**span) for span in spans.values())


def _fold_step(span: dict[str, Any], step: str, at_ns: int, line: Mapping[str, Any]) -> None:
    if step in ("begin", "active", "recover", "healed"):
        span[f"{step}_ns"] = at_ns
    elif step == "failed":
        span["error"] = str(line["error"])
        span["details"]["failed_ns"] = int(line["at_ns"])  # a call that failed returned, too
    elif step == "observed":
        span["observed"] = bool(line["observed"])
    elif step == "detail":
        span["details"].update(line["details"])


def _plain(path: Path) -> Mapping[str, Any]:
    return jsonio.load(path, dict[str, Any]) if path.is_file() else {}


def _load_json_list(path: Path, kind: type[Any], missing: list[str]) -> tuple[Any, ...]:
    if not path.is_file():
        missing.append(path.name)
        return ()
    return tuple(jsonio.structure(plain, kind) for plain in jsonio.load(path, list[Any]))


def _load_ops(run: RunDir, missing: list[str]) -> tuple[Ops, Mapping[tuple[int, int], str]]:
    parts: list[Ops] = []
    messages: dict[tuple[int, int], str] = {}
    for path in sorted(run.path.glob("ops-*.bin")):
        worker = int(path.stem.removeprefix("ops-"))
        whole = path.stat().st_size // OP_DTYPE.itemsize
        parts.append(np.fromfile(path, dtype=OP_DTYPE, count=whole))
        for line in jsonio.read_lines(run.messages(worker)):
            messages[worker, int(line["number"])] = str(line["text"])
    if not parts:
        missing.append("ops-*.bin (no load was recorded)")
        return np.empty(0, dtype=OP_DTYPE), messages
    ops = np.concatenate(parts)
    return ops[np.argsort(ops["intended_ns"], kind="stable")], messages


def _load_rows(run: RunDir, missing: list[str]) -> Mapping[str, Rows]:
    rows = {
        path.stem.removeprefix("rows-"): np.fromfile(
            path, dtype=ROW_DTYPE, count=path.stat().st_size // ROW_DTYPE.itemsize
        )
        for path in sorted(run.path.glob("rows-*.bin"))
    }
    if not rows:
        missing.append("rows-*.bin (the tables were not read after the run)")
    return rows


def _samples(folder: Path) -> Iterator[tuple[str, list[Sample]]]:
    for path in sorted(folder.glob("samples-*.jsonl")):
        source = path.stem.removeprefix("samples-")
        yield source, [Sample(**line) for line in jsonio.read_lines(path)]
