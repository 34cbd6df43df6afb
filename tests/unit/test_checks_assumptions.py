"""Each assumption holds on a calm run, and is seen not to hold on one where it does not."""

from __future__ import annotations

import dataclasses

import pytest

from harness.checks import ASSUMPTIONS, STANDARD, VSTREAM
from harness.checks.assumptions import RunComplete
from harness.model import ConnectionMode, LoadSpec, Outcome
from tests.fakes import END_S, STORM_S, HistoryBuilder, calm
from tests.unit.verdicts import PASS, UNKNOWN, only, results, verdict


@pytest.mark.parametrize("name", [check.name for check in ASSUMPTIONS])
def test_holds_on_a_calm_storm_and_on_a_control(name: str) -> None:
    assert verdict(name, calm()) is PASS
    assert verdict(name, calm(storm=False)) is PASS
    assert verdict(name, calm(vtgates=("21.0.2", "24.0.3"), mode=ConnectionMode.TRANSACTION)) is PASS


@pytest.mark.parametrize("name", [check.name for check in ASSUMPTIONS if check.name != "assumptions/reparents"])
def test_a_run_that_never_began_proves_nothing(name: str) -> None:
    assert verdict(name, HistoryBuilder(params={})) in ({UNKNOWN} if name != "assumptions/buffering" else {PASS})


# ---------------------------------------------------------------- rate


def without(builder: HistoryBuilder, from_s: float, to_s: float, shard: str | None = None) -> HistoryBuilder:
    """The load left some time out."""
    lanes = {lane.number for lane in builder.lanes if shard in (None, lane.shard)}
    builder.ops = [op for op in builder.ops if op.lane not in lanes or not from_s <= op.at_s < to_s]
    return builder


def test_a_load_that_was_slower_than_planned() -> None:
    result = only("assumptions/rate", without(calm(), 0, 1.5))
    assert result.verdict is UNKNOWN
    assert "140 operations of 200 planned" in result.summary


def test_poisson_arrivals_may_scatter() -> None:
    builder = without(calm(), 0, 0.7)  # 172 of 200: 3 sigma below 180 is 138
    assert verdict("assumptions/rate", builder) is UNKNOWN
    load = dataclasses.replace(builder.plan.load or LoadSpec(), poisson=True)
    builder.plan = dataclasses.replace(builder.plan, load=load)
    assert verdict("assumptions/rate", builder) is PASS


def test_a_load_that_stopped_during_the_storm() -> None:
    builder = calm()
    builder.faults.clear()
    builder.reparent("-80", 5.1, 7.5)
    assert "issued during the storm" in only("assumptions/rate", without(builder, 5.2, 7.5)).summary
    assert verdict("assumptions/rate", without(calm(), STORM_S + 0.05, END_S)) is UNKNOWN


def test_a_shard_without_an_answer_before_the_fault() -> None:
    builder = calm(shards=16)
    without(builder, 0, STORM_S, builder.shards[3])
    result = only("assumptions/rate", builder)
    assert result.verdict is UNKNOWN
    assert f"no operation of the baseline succeeded on {builder.shards[3]}" in result.summary


def test_errors_in_the_baseline() -> None:
    builder = calm()
    for at in range(3):
        builder.op(1.0 + at, outcome=Outcome.FAIL, errno=1105, message="no")
    assert "3 of 203 operations of the baseline were not OK" in only("assumptions/rate", builder).summary


def test_each_vtgate_has_its_own_rate() -> None:
    builder = calm(vtgates=("21.0.2", "24.0.3"))
    lanes = {lane.number for lane in builder.lanes if lane.vtgate == "vtgate-2"}
    builder.ops = [op for op in builder.ops if op.lane not in lanes]
    assert [result.verdict for result in results("assumptions/rate", builder)] == [PASS, UNKNOWN]


def test_no_baseline() -> None:
    builder = calm()
    builder.events = [event for event in builder.events if event.subject != "baseline"]
    assert verdict("assumptions/rate", builder) is UNKNOWN


# ---------------------------------------------------------------- reparents


def test_a_reparent_whose_call_failed_never_returned_moved_nothing_or_was_not_seen() -> None:
    for wrong in ({"error": "lock timeout"}, {"end_s": None}, {"same": True}, {"observed": False}):
        builder = calm()
        builder.faults.pop()
        builder.reparent("80-", 5.1, **{"end_s": 5.5, **wrong})  # type: ignore[arg-type]
        result = only("assumptions/reparents", builder)
        assert result.verdict is UNKNOWN, wrong
        assert "80-" in result.summary


def test_reparent_errors_may_be_expected() -> None:
    builder = calm(params={"reparents": 2, "expect_reparent_errors": 1})
    builder.faults.pop()
    builder.reparent("80-", 5.1, 5.5, error="timeout")
    assert verdict("assumptions/reparents", builder) is PASS


def test_fewer_reparents_than_intended() -> None:
    builder = calm()
    builder.faults.pop()
    assert "1 of 2 intended reparents were started" in only("assumptions/reparents", builder).summary


def test_a_reparent_that_was_intended_but_never_left() -> None:
    builder = calm()
    builder.faults[1] = dataclasses.replace(builder.faults[1], begin_ns=0, active_ns=0)
    assert verdict("assumptions/reparents", builder) is UNKNOWN


def test_vtctld_counted_fewer_successes() -> None:
    builder = calm()
    for values in builder.shown["vtctld"].values():
        values.pop("PlannedReparentCounts:ks.80-.success", None)
    result = only("assumptions/reparents", builder)
    assert result.verdict is UNKNOWN
    assert "vtctld counted 0 successes" in result.summary


def test_a_vtgate_that_missed_a_promotion_is_reported_and_judged_elsewhere() -> None:
    builder = calm()
    builder.drop("vtgate-1", "HealthcheckPrimaryPromoted")
    result = only("assumptions/reparents", builder)
    assert (result.verdict, result.details) == (PASS, ("vtgate-1 counted no promotion of -80, 80-",))


# ---------------------------------------------------------------- probes


def test_a_vtgate_that_was_sampled_too_seldom() -> None:
    builder = calm()
    for tick in range(int(END_S)):
        builder.silence("vtgate-1", tick + 0.1, tick + 0.9)
    assert "was sampled every" in only("assumptions/probes", builder).summary


def test_a_hole_counts_only_in_the_storm_and_only_without_a_fault() -> None:
    def storm() -> HistoryBuilder:
        builder = calm()
        builder.reparent("80-", 5.0, 9.0)
        return builder

    early, late, excused = storm(), storm(), storm()
    early.silence("vtgate-1", 1.0, 4.0)
    late.silence("vtgate-1", 6.0, 8.6)
    excused.silence("vtgate-1", 6.0, 8.6)
    excused.fault("Pause", "vtgate-1", 5.9, 8.4)
    assert verdict("assumptions/probes", early) is PASS
    assert only("assumptions/probes", late).verdict is UNKNOWN
    assert "2.6" in only("assumptions/probes", late).summary or "2.8" in only("assumptions/probes", late).summary
    assert verdict("assumptions/probes", excused) is PASS


# ---------------------------------------------------------------- buffering


def test_buffering_that_never_started_although_primaries_moved() -> None:
    builder = calm()
    for values in builder.shown["vtgate-1"].values():
        for key in values:
            if key.startswith("BufferStarts"):
                values[key] = 0
    assert "never started buffering" in only("assumptions/buffering", builder).summary


def test_an_absent_counter_is_not_zero() -> None:
    builder = calm()
    builder.drop("vtgate-1", "BufferStarts")
    assert "showed no BufferStarts counter" in only("assumptions/buffering", builder).summary
    assert verdict("assumptions/buffering", calm(buffering=False)) is PASS


# ---------------------------------------------------------------- complete


def test_what_makes_a_run_incomplete() -> None:
    interrupted, crashed, cut, unread, unsettled, spoiled = (calm() for _ in range(6))
    spoiled.event("spoiled", "the Docker engine", 6.0, why="the ends of processes could not be heard any more")
    interrupted.event("interrupt", "SIGINT", 6.0)
    crashed.event("harness-error", "probe", 6.0, error="boom")
    cut.events = [event for event in cut.events if event.subject != "quiet"]
    unread.unread.add("80-")
    unsettled.reparent("80-", 6.0, None)
    for builder, words in (
        (interrupted, "interrupt: SIGINT"),
        (crashed, "harness-error: boom"),
        (cut, "its last phase was recovery"),
        (unread, "the tables of 80- were not read back"),
        (unsettled, "1 fault never came into force"),
        (spoiled, "the ends of processes could not be heard any more ("),
    ):
        result = only("assumptions/complete", builder)
        assert result.verdict is UNKNOWN
        assert words in result.summary


def test_a_run_directory_without_operations_is_incomplete() -> None:
    builder = calm()
    builder.incomplete.append("ops-*.bin (no load was recorded)")
    assert only("assumptions/complete", builder).verdict is UNKNOWN


@pytest.mark.parametrize("what", ["faults.jsonl", "samples-host.jsonl", "loglines.jsonl"])
def test_what_every_run_has_is_missed_without_a_load_too(what: str) -> None:
    whole = calm().build()
    idle = dataclasses.replace(whole, plan=dataclasses.replace(whole.plan, load=None))
    (result,) = RunComplete().check(idle)
    assert result.verdict is PASS
    (result,) = RunComplete().check(dataclasses.replace(idle, incomplete=(what,)))
    assert result.verdict is UNKNOWN


def test_every_assumption_has_a_test_here() -> None:
    asked = {check.name for check in (*STANDARD, *VSTREAM)}  # those of a workflow: test_checks_workflows.py
    assert {name for name in asked if name.startswith("assumptions/")} == {
        "assumptions/rate",
        "assumptions/reparents",
        "assumptions/probes",
        "assumptions/buffering",
        "assumptions/complete",
        "assumptions/harness",  # test_checks_host.py
        "assumptions/host",  # test_checks_host.py
        "assumptions/streams",  # test_checks_vstream_premises.py
        "assumptions/copy-cut",  # test_checks_vstream_premises.py
    }
