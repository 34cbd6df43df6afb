"""Charts of what shards did: states, phases of reparents, stalls; availability in figures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.facts.outages import availability, lane_stalls
from harness.facts.reparent_phases import Phase
from harness.history import History
from harness.model import LogLine
from harness.reports.bins import binned, grid_for
from harness.reports.digest import digest
from harness.reports.html_service import availability_words, service_rows
from harness.reports.state_charts import ShardState, phase_chart, shard_states, shown_phases, stall_chart, state_map
from tests.unit.storm_history import ns, storm_history

BEGAN = "Starting buffering for shard: {0} (window: 10s, size: 1000)"
ENDED = (
    "Stopping buffering for shard: {0} after: 3.0 seconds due to: a primary promotion has been detected. Draining 8 "
)


@pytest.fixture(scope="module")
def history() -> History:
    """-80's primary demoted from 42 to 44 s, buffered at vtgate-1 from 42 to 47 s."""
    made = storm_history(shards=2, rate=5)
    shard = made.plan.cluster.shard_names[0]
    old, new = "vttablet-100", "vttablet-101"
    where = f"ks/{shard}"
    told = [
        (30.0, old, "TabletServer transition: REPLICA: Not Serving -> PRIMARY: Serving"),
        (42.0, old, "TabletServer transition: PRIMARY: Serving -> PRIMARY: Not Serving"),
        (44.0, new, "TabletServer transition: REPLICA: Serving -> PRIMARY: Serving"),
        (42.0, old, "DemotePrimary"),
        (43.0, old, "TabletManager.DemotePrimary()(on zone1-0000000100 from ) took"),
        (42.0, "vtgate-1", BEGAN.format(where)),
        (47.0, "vtgate-1", ENDED.format(where)),
    ]
    lines = tuple(LogLine(at_ns=ns(at), node=node, level="info", text=text) for at, node, text in sorted(told))
    return dataclasses.replace(made, logs=lines)


def states_at(history: History, vtgate: str, at_s: float) -> ShardState:
    found = digest(history)
    cells = binned(history, grid_for(found.from_ns, found.until_ns, len(history.lanes), 5))
    _, states = shard_states(history, cells, vtgate)
    return ShardState(int(states[0, int(cells.grid.index(np.array([ns(at_s)]))[0])]))


def test_the_worst_state_shows(history: History) -> None:
    quiet = dataclasses.replace(history, ops=history.ops[history.ops["outcome"] == 0])
    assert states_at(quiet, "vtgate-1", 36) is ShardState.SERVING
    assert states_at(quiet, "vtgate-1", 43) is ShardState.NO_PRIMARY
    assert states_at(quiet, "vtgate-1", 46) is ShardState.BUFFERING
    assert states_at(quiet, "vtgate-2", 46) is ShardState.SERVING


def test_errors_show_over_everything(history: History) -> None:
    bad = history.ops.copy()
    lane = next(lane for lane in history.lanes if lane.vtgate == "vtgate-1")
    first = int(np.flatnonzero((bad["lane"] == lane.number) & (bad["done_ns"] > ns(43)))[0])
    bad["outcome"][first], bad["errno"][first] = 1, 1105
    at_s = (int(bad["done_ns"][first]) - ns(0)) / 1e9
    assert states_at(dataclasses.replace(history, ops=bad), "vtgate-1", at_s) is ShardState.ERRORS


def test_no_map_where_nothing_is_known(history: History) -> None:
    bare = dataclasses.replace(history, logs=(), series={})
    found = digest(bare)
    assert state_map(bare, found, binned(bare, grid_for(found.from_ns, found.until_ns, 4)), "vtgate-1") is None


def test_phases_are_bars_from_the_call_on(history: History) -> None:
    figure = phase_chart(history)
    assert figure is not None
    demote = next(bar for bar in figure["data"] if bar["type"] == "bar")
    assert demote["x"] == [1.0]
    begin_ns = history.faults[0].begin_ns
    assert demote["base"] == [pytest.approx((ns(42) - begin_ns) / 1e9, abs=0.001)]
    assert shown_phases(history) == [(list(Phase).index(Phase.DEMOTE), "demote")]
    assert phase_chart(dataclasses.replace(history, logs=())) is None


def test_a_curve_counts_the_stalls_that_are_not_shorter(history: History) -> None:
    figure = stall_chart(history, digest(history))
    assert figure is not None
    lengths = sorted(n for lane in lane_stalls(history) if lane.vtgate == "vtgate-1" for n in lane.lengths_s)
    first = figure["data"][0]
    assert first["y"][0] == len(lengths)
    assert first["x"][-1] == pytest.approx(lengths[-1], abs=0.001)
    assert first["y"][-1] == 1


def test_availability_is_never_rounded_up_to_all(history: History) -> None:
    found = availability(history)[0]
    assert availability_words(dataclasses.replace(found, due=1_000_000, in_time=999_999)) == "99.999 %"
    assert availability_words(dataclasses.replace(found, due=1_000_000, in_time=1_000_000)) == "100 %"
    assert [row.vtgate for row in service_rows(history)] == ["vtgate-1", "vtgate-2"]
