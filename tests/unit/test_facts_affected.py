"""Which operations waited or failed."""

from __future__ import annotations

import dataclasses

import numpy as np

from harness.base.errorclass import LOAD_STOPPED
from harness.facts.affected import NOT_ISSUED, WAITED_NS, affected, total
from harness.history import History
from harness.model import Outcome
from tests.unit.storm_history import storm_history


def calm() -> History:
    history = storm_history(shards=2, vtgates=("24.0.3",))
    ops = history.ops.copy()
    ops["done_ns"] = ops["intended_ns"] + WAITED_NS - 1
    ops["outcome"], ops["errno"], ops["message"] = Outcome.OK, 0, 0
    return dataclasses.replace(history, ops=ops)


def test_what_is_answered_soon_is_not_affected() -> None:
    assert affected(calm()) == ()


def test_each_lane_has_what_waited_failed_or_never_left() -> None:
    history = calm()
    ops, first, second = history.ops, *history.lanes
    mine = np.flatnonzero(ops["lane"] == first.number)
    other = np.flatnonzero(ops["lane"] == second.number)
    ops["done_ns"][mine[3]] += 1
    ops["outcome"][mine[1]] = Outcome.NOT_ISSUED
    ops["outcome"][other[5]], ops["errno"][other[5]] = Outcome.UNKNOWN, 2013
    found = affected(history)
    assert [(part.vtgate, part.shards, part.index.tolist()) for part in found] == [
        ("vtgate-1", (first.shard,), [mine[1], mine[3]]),
        ("vtgate-1", (second.shard,), [other[5]]),
    ]
    assert found[0].classes.tolist() == [NOT_ISSUED, ""]
    assert found[1].classes.tolist() == ["connection-lost"]
    assert found[0].failed.tolist() == [False, False]
    assert (found[0].to_ns - found[0].from_ns).tolist() == [WAITED_NS - 1, WAITED_NS]
    assert total(history) == 3


def test_what_the_end_of_the_load_cut_off_is_no_error() -> None:
    history = calm()
    history.ops["outcome"][:2], history.ops["errno"][:2] = Outcome.UNKNOWN, LOAD_STOPPED
    history.ops["done_ns"][0] += 1
    (found,) = affected(history)
    assert (found.index.tolist(), found.classes.tolist()) == ([0], [""])
