"""Charts of what the shards did, beside those of what clients met: states, phases of reparents, stalls.

The states share the page's time axis. Phases and stalls have axes of their own: the question there is how long
something took, not when it was.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from harness.facts import tablet_states
from harness.facts.buffering import bufferings
from harness.facts.outages import lane_stalls
from harness.facts.reparent_phases import Phase, ReparentPhases, phases
from harness.history import History
from harness.reports.bins import Binned, Grid
from harness.reports.charts import Figure, base_layout, escaped, row_height, rows_axis, vtgate_colour
from harness.reports.digest import Digest
from harness.reports.words import clean, duration

MAX_REPARENTS = 64  # drawn, the longest ones
MAX_STEPS = 1_500  # of a distribution's curve
States = npt.NDArray[np.uint8]
PHASE_COLOURS = {phase: f"@p{index}" for index, phase in enumerate(Phase)}
PHASE_WORDS = {
    Phase.LOCK: "lock",
    Phase.ELECT: "elect",
    Phase.STOP: "stop replication",
    Phase.PREPARE: "prepare (the old primary still serves)",
    Phase.DEMOTE: "demote",
    Phase.CATCH_UP: "catch up",
    Phase.PROMOTE: "promote",
    Phase.JOURNAL: "journal",
    Phase.REST: "rest",
}


class ShardState(enum.IntEnum):
    """What a shard did for a vtgate's clients in a bin; the worst one shows."""

    UNKNOWN = 0
    SERVING = 1
    BUFFERING = 2
    READ_ONLY = 3
    NO_PRIMARY = 4
    ERRORS = 5


SHARD_WORDS = {
    ShardState.UNKNOWN: "not known",
    ShardState.SERVING: "a primary serves",
    ShardState.BUFFERING: "the vtgate buffers, though a primary serves",
    ShardState.READ_ONLY: "the primary's MySQL is read-only",
    ShardState.NO_PRIMARY: "no tablet is a serving primary",
    ShardState.ERRORS: "clients got errors",
}


# ---------------------------------------------------------------- states


def shard_states(history: History, cells: Binned, vtgate: str) -> tuple[list[str], States]:
    """Shard × time as one vtgate's clients had it; the shards of the run's own keyspace."""
    shards = list(history.plan.cluster.shard_names)
    row = {shard: index for index, shard in enumerate(shards)}
    states: States = np.full((len(shards), cells.grid.bins), ShardState.UNKNOWN, dtype=np.uint8)
    keyspace = history.plan.cluster.keyspace
    for state, spans in (
        (ShardState.SERVING, _serving(history, keyspace)),
        (ShardState.BUFFERING, _buffering(history, keyspace, vtgate)),
        (ShardState.READ_ONLY, _read_only(history, keyspace)),
        (ShardState.NO_PRIMARY, _no_primary(history, keyspace)),
    ):
        for shard, from_ns, to_ns in spans:
            if shard in row:
                states[row[shard], _bins(cells.grid, from_ns, to_ns)] = state
    for index, lane in enumerate(history.lanes):
        if lane.vtgate == vtgate and lane.shard in row:
            states[row[lane.shard], cells.bad[index] > 0] = ShardState.ERRORS
    return shards, states


def _bins(grid: Grid, from_ns: int, to_ns: int) -> slice:
    """Every bin that the stretch touches; none for one that lies outside."""
    if to_ns <= grid.from_ns:
        return slice(0)
    first, last = grid.index(np.array([from_ns, to_ns - 1])).tolist()
    return slice(first, last + 1)


Span = tuple[str, int, int]


def _serving(history: History, keyspace: str) -> Iterable[Span]:
    for each in tablet_states.stretches(history):
        if each.serving_primary and each.keyspace == keyspace:
            yield each.shard, each.from_ns, each.to_ns


def _buffering(history: History, keyspace: str, vtgate: str) -> Iterable[Span]:
    for each in bufferings(history):
        if each.vtgate == vtgate and each.keyspace == keyspace:
            yield each.shard, each.from_ns, each.to_ns


def _read_only(history: History, keyspace: str) -> Iterable[Span]:
    for each in tablet_states.read_only_primaries(history):
        if each.keyspace == keyspace:
            yield each.shard, each.seen_ns, each.to_ns


def _no_primary(history: History, keyspace: str) -> Iterable[Span]:
    for each in tablet_states.unserved(history):
        if each.keyspace == keyspace and each.before:  # before the first primary was seen nothing is known
            yield each.shard, each.from_ns, each.to_ns


def state_map(history: History, digest: Digest, cells: Binned, vtgate: str) -> Figure | None:
    """None where nothing is known of any shard."""
    shards, states = shard_states(history, cells, vtgate)
    if not (states % ShardState.ERRORS).any():
        return None
    heat = {
        "type": "heatmap",
        "x0": digest.seconds(cells.grid.from_ns) + cells.grid.width_ns / 2e9,
        "dx": cells.grid.width_ns / 1e9,
        "z": states.tolist(),
        "zmin": -0.5,
        "zmax": 5.5,
        "colorscale": "@shards",
        "showscale": False,
        "ygap": 1 if len(shards) <= 64 else 0,
        "hovertemplate": "%{text}<br>%{x:.2f} s<extra></extra>",
    }
    layout = base_layout(history, digest, row_height(len(shards)), yaxis=rows_axis(shards))
    return {"data": [heat], "layout": layout, "rows": shards, "words": list(SHARD_WORDS.values())}


# ---------------------------------------------------------------- phases of reparents


def drawn_reparents(history: History) -> tuple[ReparentPhases, ...]:
    """Those whose phases are on record, the longest ones, in order of their begin."""
    found = [one for one in phases(history) if one.spans]
    longest = sorted(found, key=lambda one: -one.reparent.duration_s)[:MAX_REPARENTS]
    return tuple(sorted(longest, key=lambda one: (one.reparent.begin_ns, one.reparent.number)))


def phase_chart(history: History) -> Figure | None:
    """A row a reparent, from the moment its call left; below its phases, how long its shard had no serving primary."""
    shown = drawn_reparents(history)
    if not shown:
        return None
    data = [_phase_bars(history, shown, phase) for phase in Phase]
    data = [trace for trace in data if trace["x"]]
    lines = _unserved_lines(shown)
    names = [one.reparent.shard for one in shown]
    layout = {
        "height": row_height(len(shown), 18),
        "margin": {"l": 74, "r": 14, "t": 8, "b": 40},
        "barmode": "overlay",
        "hovermode": "closest",
        "showlegend": False,
        "xaxis": {"ticksuffix": " s", "title": {"text": "since the reparent's call left"}, "rangemode": "tozero"},
        "yaxis": rows_axis(names),
    }
    return {"data": [*data, *([lines] if lines["x"] else [])], "layout": layout, "own": True}


def _phase_bars(history: History, shown: Sequence[ReparentPhases], phase: Phase) -> Figure:
    bars = [(row, one, span) for row, one in enumerate(shown) for span in one.spans if span.phase is phase]
    ends = [span.to_ns or one.reparent.end_ns or history.end_ns for _, one, span in bars]
    return {
        "type": "bar",
        "orientation": "h",
        "width": 0.5,
        "base": [_since(one, span.from_ns) for _, one, span in bars],
        "x": [round(max(end - span.from_ns, 0) / 1e9, 4) for (_, _, span), end in zip(bars, ends, strict=True)],
        "y": [row - 0.1 for row, _, _ in bars],
        "marker": {"color": PHASE_COLOURS[phase], "line": {"width": 0}},
        "hovertext": [
            escaped(f"{one.reparent.shard}: {span.phase} ")
            + (duration(span.to_ns - span.from_ns) if span.to_ns else "without an end on record")
            + escaped(f"{', failed' if span.failed else ''} ({span.node})")
            for _, one, span in bars
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _unserved_lines(shown: Sequence[ReparentPhases]) -> Figure:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for row, one in enumerate(shown):
        if one.unserved_s:
            xs += [_since(one, one.stopped_ns), _since(one, one.serving_ns), None]
            ys += [row + 0.3, row + 0.3, None]
    line = {"color": "@fail", "width": 2}
    return {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": line, "hoverinfo": "skip"}


def _since(one: ReparentPhases, at_ns: int) -> float:
    return round((at_ns - one.reparent.begin_ns) / 1e9, 4)


def shown_phases(history: History) -> list[tuple[int, str]]:
    """(number of its colour, words) of the phases that are drawn."""
    seen = {span.phase for one in drawn_reparents(history) for span in one.spans}
    return [(index, PHASE_WORDS[phase]) for index, phase in enumerate(Phase) if phase in seen]


# ---------------------------------------------------------------- stalls


def stall_chart(history: History, digest: Digest) -> Figure | None:
    """How many stalls were at least so long, a curve a vtgate; dashed, the same of the reparents themselves."""
    curves = [
        (vtgate_colour(index), "solid", "stalls through " + vtgate.name, _lengths(history, vtgate.name))
        for index, vtgate in enumerate(digest.vtgates)
    ]
    if not any(lengths for _, _, _, lengths in curves):
        return None
    took = [one.reparent.duration_s for one in phases(history) if one.reparent.end_ns]
    curves.append(("@muted", "dash", "reparents", took))
    layout = {
        "height": 260,
        "margin": {"l": 74, "r": 14, "t": 8, "b": 40},
        "hovermode": "closest",
        "showlegend": False,
        "xaxis": {"type": "log", "title": {"text": "at least so long"}, "range": _decades(curves)}
        | {"tickvals": [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]}
        | {"ticktext": ["0.1 s", "0.2 s", "0.5 s", "1 s", "2 s", "5 s", "10 s", "20 s", "50 s", "100 s"]},
        "yaxis": {"title": {"text": "how many"}, "rangemode": "tozero", "fixedrange": True},
    }
    return {"data": [_survival(*curve) for curve in curves if curve[3]], "layout": layout, "own": True}


def _decades(curves: Sequence[tuple[str, str, str, list[float]]]) -> list[float]:
    """A tenth of a second, the shortest that counts as a stall, is always on the left."""
    longest_s = max(length for _, _, _, lengths in curves for length in lengths)
    return [-1.05, round(max(float(np.log10(longest_s)), 0.0) + 0.15, 2)]


def _lengths(history: History, vtgate: str) -> list[float]:
    return [length for lane in lane_stalls(history) if lane.vtgate == vtgate for length in lane.lengths_s]


def _survival(colour: str, dash: str, name: str, lengths_s: Sequence[float]) -> Figure:
    """Stairs down from all of them: at a length x, as many as are not shorter."""
    longest_first = np.sort(np.array(lengths_s))[::-1]
    step = -(-len(longest_first) // MAX_STEPS)
    x = longest_first[::step]
    at_least = np.arange(1, len(longest_first) + 1)[::step]
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(x) <= 64 else "lines",
        "x": [round(float(value), 4) for value in x[::-1]],
        "y": [int(number) for number in at_least[::-1]],
        "line": {"color": colour, "width": 1.6, "shape": "vh", "dash": dash},
        "marker": {"color": colour, "size": 4},
        "hovertemplate": f"%{{y}} {escaped(clean(name))} of at least %{{x:.3~g}} s<extra></extra>",
    }
