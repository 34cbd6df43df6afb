"""Stalls, outages, recoveries and availability of made-up lanes."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from harness.base.errorclass import LOAD_STOPPED
from harness.facts.outages import Spread, episodes, lane_stalls, outages, pooled, recoveries
from harness.history import History
from harness.model import Objective, Outcome
from harness.reports.terminal_outages import show_outages
from tests.fakes import HistoryBuilder, calm

RATE = 10.0


def builder(shards: int = 1) -> HistoryBuilder:
    made = HistoryBuilder(shards=shards, rate=RATE)
    made.phase("baseline", 0.0)
    return made


def served(made: HistoryBuilder, from_s: float, to_s: float) -> None:
    for number in range(round((to_s - from_s) * RATE)):
        made.op(from_s + number / RATE)


def held(made: HistoryBuilder, from_s: float, to_s: float, outcome: Outcome = Outcome.OK) -> None:
    """What falls due meanwhile ends together."""
    for number in range(round((to_s - from_s) * RATE)):
        at_s = from_s + number / RATE
        made.op(at_s, took_s=to_s - at_s, outcome=outcome)


def two_stalls() -> History:
    """Ten seconds of baseline; a second without an answer; two seconds that end in errors; calm."""
    made = builder()
    served(made, 0.0, 10.0)
    made.reparent(made.shards[0], 10.0, 10.8)
    held(made, 10.0, 11.0)
    served(made, 11.0, 30.0)
    made.reparent(made.shards[0], 30.0, 30.5)
    held(made, 30.0, 32.0, Outcome.FAIL)
    served(made, 32.0, 50.0)
    return made.build()


def test_every_stall_is_told_and_which_of_them_were_outages() -> None:
    (lane,) = lane_stalls(two_stalls())
    assert lane.lengths_s == pytest.approx((1.0, 2.0), abs=0.11)
    assert [stall.bad for stall in lane.stalls] == [0, 20]
    assert [stall.length_s for stall in lane.outages] == pytest.approx([2.0], abs=0.11)
    assert not any(stall.open for stall in lane.stalls)
    assert [stall.bad for stall in pooled([lane])] == [20, 0]


def test_a_calm_lane_has_no_stall() -> None:
    made = builder()
    served(made, 0.0, 10.0)
    history = made.build()
    assert lane_stalls(history)[0].stalls == ()
    (found,) = outages(history)
    assert (found.stalls, found.recovery, found.undisturbed) == (None, None, 0)
    assert found.availability.share == 1
    assert found.availability.met
    assert found.availability.times_a_month == float("inf")


def test_a_lane_that_never_came_back_is_open() -> None:
    made = builder()
    served(made, 0.0, 10.0)
    made.reparent(made.shards[0], 10.0, None)
    held(made, 10.0, 15.0, Outcome.UNKNOWN)
    history = made.build()
    assert lane_stalls(history)[0].stalls[-1].open
    assert [recovery.took_s for recovery in recoveries(history)] == [None]
    assert outages(history)[0].unrecovered == 1


def test_recovery_counts_from_the_fault_to_the_first_answer_after_which_all_is_well() -> None:
    first, second = recoveries(two_stalls())
    assert first.took_s == pytest.approx(1.0, abs=0.01)
    assert second.took_s == pytest.approx(2.0, abs=0.11)  # the errors end at 2.0; the next success is due then


def test_what_happens_long_after_all_went_well_is_not_the_faults_doing() -> None:
    made = builder()
    served(made, 0.0, 10.0)
    made.reparent(made.shards[0], 10.0, 10.8)
    held(made, 10.0, 11.0)
    served(made, 11.0, 20.0)
    made.op(20.0, took_s=3.0)
    served(made, 20.1, 30.0)
    (found,) = recoveries(made.build())
    assert found.took_s == pytest.approx(1.0, abs=0.01)


def test_an_answer_as_slow_as_in_the_baseline_is_no_disturbance() -> None:
    made = builder()
    served(made, 0.0, 9.0)
    made.op(9.0, took_s=0.6)
    made.reparent(made.shards[0], 10.0, 10.8)
    served(made, 10.0, 15.0)
    made.op(15.0, took_s=1.1)
    (found,) = recoveries(made.build())
    assert found.limit_s == pytest.approx(1.2)
    assert not found.disturbed
    assert found.took_s == 0


def test_a_lane_without_a_fault_of_its_own_counts_from_the_first() -> None:
    made = builder(shards=2)
    made.reparent(made.shards[0], 10.0, 12.0)
    made.reparent(made.shards[1], 11.0, 12.0)
    made.reparent(made.shards[0], 20.0, 21.0)
    for shard in made.shards:
        for second in range(30):
            made.op(float(second), shard=shard)
    history = made.build()
    assert [len(episode.faults) for episode in episodes(history)] == [2, 1]
    begins = [(found.shard, found.own, found.begin_ns - history.start_ns) for found in recoveries(history)]
    s = 1_000_000_000
    assert begins == [("-80", True, 10 * s), ("80-", True, 11 * s), ("-80", True, 20 * s), ("80-", False, 20 * s)]


def test_availability_against_an_objective() -> None:
    history = two_stalls()
    found = outages(history)[0].availability
    assert found.due == 500
    assert found.in_time == 500 - 5 - 20  # of the second without an answer, five waited for more than half of it
    assert found.budget_spent == pytest.approx(25 / 0.5)
    assert found.away_s == pytest.approx(25 / 500 * found.span_s)
    assert found.times_a_month == pytest.approx(2592 / found.away_s)
    assert not found.met
    patient = Objective(percent=95.0, within_s=5.0)
    loose = dataclasses.replace(history, plan=dataclasses.replace(history.plan, objective=patient))
    assert outages(loose)[0].availability.met
    never = dataclasses.replace(history, plan=dataclasses.replace(history.plan, objective=Objective(percent=100.0)))
    assert outages(never)[0].availability.budget_spent == float("inf")


def test_what_the_end_of_the_load_cut_off_was_not_due() -> None:
    made = builder()
    served(made, 0.0, 10.0)
    made.op(10.0, took_s=0.1, outcome=Outcome.UNKNOWN, errno=LOAD_STOPPED)
    made.op(10.0, took_s=9.0, outcome=Outcome.UNKNOWN, errno=LOAD_STOPPED)  # it hung, and that counts
    found = outages(made.build())[0].availability
    assert (found.due, found.in_time) == (101, 100)


def test_outages_of_a_calm_storm() -> None:
    (found,) = outages(calm().build())
    assert found.lanes == 2
    assert found.outages is None
    assert found.worst is not None
    assert found.worst.n == 2
    assert found.unrecovered == 0


def shown(history: History) -> str:
    out = io.StringIO()
    show_outages(Console(file=out, width=200, color_system=None), history)
    return out.getvalue()


def test_what_the_summary_says() -> None:
    text = " ".join(shown(two_stalls()).split())
    assert "Service, against 99.9 % answered within 0.50 s" in text
    assert "95.000 %" in text
    spent = "uses 50 times the error budget of its 50 s, as if nobody was served for 2.5 s"
    assert f"{spent}; may happen 1,039 times a month" in text
    assert "stalls median worst outages" in text, "of operations that were never issued, too"
    made = builder()
    assert shown(made.build()) == ""
    served(made, 0.0, 10.0)
    assert "untouched" in shown(made.build())


def test_a_spread() -> None:
    assert Spread.of([]) is None
    assert Spread.of([4, 1, 3, 2, 5]) == Spread(n=5, least=1, lower=2, median=3, upper=4, most=5)
