"""Operations in bins of time: a million of them become a picture of fixed size.

A bin of latency belongs to the moment at which its operations were due; a bin of outcomes to the moment at
which they were known; and an operation that waits is seen in every bin between the two.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.history import History, Ops
from harness.model import Outcome

MAX_BINS = 600
MAX_CELLS = 120_000  # lanes × bins: 19 bytes each in the page
_WIDTHS_MS = (50, 100, 200, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000)
SLOW_NS = 100_000_000
STALLED_NS = 1_000_000_000

Matrix = npt.NDArray[np.float32]
Counts = npt.NDArray[np.uint32]
Stamps = npt.NDArray[np.int64]


class ClientState(enum.IntEnum):
    """What the clients of a shard met in a bin; the worst one shows."""

    NOTHING = 0
    SERVED = 1
    SLOW = 2
    STALLED = 3
    NOT_ISSUED = 4
    ERRORS = 5


STATE_WORDS = {
    ClientState.NOTHING: "nothing was due",
    ClientState.SERVED: "served",
    ClientState.SLOW: "somebody waits 0.1 s to 1 s",
    ClientState.STALLED: "somebody waits 1 s or longer",
    ClientState.NOT_ISSUED: "given up before it was issued",
    ClientState.ERRORS: "failed, or outcome unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Bins of equal width from `from_ns` on."""

    from_ns: int
    width_ns: int
    bins: int

    def index(self, at_ns: Stamps) -> Stamps:
        """The bin of each stamp; what lies outside goes to the first or last one."""
        return np.clip((at_ns - self.from_ns) // self.width_ns, 0, self.bins - 1)

    def begins_ns(self) -> Stamps:
        return self.from_ns + self.width_ns * np.arange(self.bins, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binned:
    """Lanes × bins, rows in the order of `History.lanes`. Latencies in ms, NaN where nothing was due."""

    grid: Grid
    max_ms: Matrix
    p99_ms: Matrix
    bad: Counts  # failed or unknown
    not_issued: Counts
    state: npt.NDArray[np.uint8]  # ClientState


def grid_for(from_ns: int, until_ns: int, lanes: int, rate: float = 0.0) -> Grid:
    """The finest round bin width that keeps the picture within its bounds, and, at `rate` operations a second
    and lane, leaves few bins empty by chance (as long as that takes no more than half a second)."""
    bins = min(MAX_BINS, max(50, MAX_CELLS // max(lanes, 1)))
    span_ns = max(until_ns - from_ns, 1)
    least_ns = min(4e9 / rate, 500e6) if rate else 0
    for width_ms in _WIDTHS_MS:
        width_ns = width_ms * 1_000_000
        if span_ns <= bins * width_ns and width_ns >= least_ns:
            return Grid(from_ns=from_ns, width_ns=width_ns, bins=-(-span_ns // width_ns))
    return Grid(from_ns=from_ns, width_ns=-(-span_ns // bins), bins=bins)


def binned(history: History, grid: Grid, open_since: Mapping[int, int] | None = None) -> Binned:
    """`open_since`: row → since when a lane has been waiting, of a run whose record ended in mid-stall: what
    it waited for is not on record."""
    rows = row_of(history)[history.ops["lane"]]
    known = rows >= 0
    ops, rows = history.ops[known], rows[known]
    shape = (len(history.lanes), grid.bins)
    max_ms, p99_ms = _latencies(ops, rows, grid, shape)
    outcome, done = ops["outcome"], rows * grid.bins + grid.index(ops["done_ns"])
    bad = (outcome == Outcome.FAIL) | (outcome == Outcome.UNKNOWN)
    not_issued = outcome == Outcome.NOT_ISSUED
    counts = {"bad": _counted(done[bad], shape), "not_issued": _counted(done[not_issued], shape)}
    state = np.full(shape, ClientState.NOTHING, dtype=np.uint8)
    state[~np.isnan(max_ms) | (_counted(done, shape) > 0)] = ClientState.SERVED
    for least_ns, name in ((SLOW_NS, ClientState.SLOW), (STALLED_NS, ClientState.STALLED)):
        state[_waiting(ops, rows, grid, shape, least_ns)] = name
    for row, since_ns in (open_since or {}).items():
        state[row, int(grid.index(np.array([since_ns]))[0]) :] = ClientState.STALLED
    state[counts["not_issued"] > 0] = ClientState.NOT_ISSUED
    state[counts["bad"] > 0] = ClientState.ERRORS
    return Binned(grid=grid, max_ms=max_ms, p99_ms=p99_ms, state=state, **counts)


def row_of(history: History) -> Stamps:
    """Lane number → row; -1 for a lane that load.json does not name."""
    rows = np.full(np.iinfo(np.uint16).max + 1, -1, dtype=np.int64)
    for row, lane in enumerate(history.lanes):
        rows[lane.number] = row
    return rows


def overall(history: History, vtgate: str, grid: Grid) -> tuple[Matrix, Matrix]:
    """Largest and 99th percentile latency of all shards of a vtgate together, a bin."""
    ops = history.ops_of(history.lanes_of(vtgate))
    max_ms, p99_ms = _latencies(ops, np.zeros(len(ops), dtype=np.int64), grid, (1, grid.bins))
    return max_ms[0], p99_ms[0]


def _latencies(ops: Ops, rows: Stamps, grid: Grid, shape: tuple[int, int]) -> tuple[Matrix, Matrix]:
    """Max and p99 by cell: sorted by cell and latency, both are positions."""
    top = np.full(shape[0] * shape[1], np.nan, dtype=np.float32)
    p99 = top.copy()
    if len(ops):
        latency = (ops["done_ns"] - ops["intended_ns"]) / 1e6
        cell = rows * grid.bins + grid.index(ops["intended_ns"])
        order = np.lexsort((latency, cell))
        cells, starts, counts = np.unique(cell[order], return_index=True, return_counts=True)
        ranked = latency[order]
        top[cells] = ranked[starts + counts - 1]
        p99[cells] = ranked[starts + np.ceil(counts * 0.99).astype(np.int64) - 1]
    return top.reshape(shape), p99.reshape(shape)


def _counted(cells: Stamps, shape: tuple[int, int]) -> Counts:
    return np.bincount(cells, minlength=shape[0] * shape[1]).astype(np.uint32).reshape(shape)


def _waiting(ops: Ops, rows: Stamps, grid: Grid, shape: tuple[int, int], least_ns: int) -> npt.NDArray[np.bool_]:
    """Where an operation that takes at least `least_ns` is between its intended start and its end."""
    long = ops["done_ns"] - ops["intended_ns"] >= least_ns
    steps = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(steps, (rows[long], grid.index(ops["intended_ns"][long])), 1)
    np.add.at(steps, (rows[long], grid.index(ops["done_ns"][long]) + 1), -1)
    return steps.cumsum(axis=1)[:, :-1] > 0
