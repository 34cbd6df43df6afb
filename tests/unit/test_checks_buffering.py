"""The buffer's books, the ends of buffering, evictions, and shards held for others: good and bad."""

from __future__ import annotations

import dataclasses

import pytest

from harness.model import Outcome
from tests.fakes import HistoryBuilder, calm, ns
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, results, verdict

BUFFERING = ["buffering/conservation", "buffering/stops", "buffering/evictions", "buffering/keyspace-consistency"]
COUNTED = BUFFERING[:3]


@pytest.mark.parametrize("name", BUFFERING)
def test_pass_on_a_calm_run_its_control_and_without_a_buffer(name: str) -> None:
    for builder in (calm(), calm(storm=False), calm(buffering=False), calm(vtgates=("21.0.2", "24.0.3"))):
        assert verdict(name, builder) is PASS


@pytest.mark.parametrize("name", COUNTED)
def test_unknown_without_samples(name: str) -> None:
    builder = calm()
    del builder.shown["vtgate-1"]
    assert verdict(name, builder) is UNKNOWN


@pytest.mark.parametrize("name", BUFFERING)
def test_unknown_when_vtgate_restarted(name: str) -> None:
    ended, fell = calm(), calm()
    ended.event("exit", "vtgate-1", 6.0)
    fell.set("vtgate-1", 7.0, {"BufferStarts:ks.-80": 0})
    assert verdict(name, ended) is UNKNOWN
    assert verdict(name, fell) is UNKNOWN


# ---------------------------------------------------------------- conservation


def test_a_request_that_was_buffered_and_never_left() -> None:
    builder = calm()
    builder.set("vtgate-1", 6.0, {"BufferRequestsBuffered:ks.80-": 6})
    result = only("buffering/conservation", builder)
    assert result.verdict is FAIL
    assert result.details == ("80-: buffered 6, drained 5, evicted 0",)


def test_a_start_without_a_stop() -> None:
    builder = calm()
    builder.set("vtgate-1", 6.0, {"BufferStarts:ks.80-": 2})
    assert only("buffering/conservation", builder).details == ("80-: 2 starts, 1 stops",)


def test_books_that_still_move_in_the_quiet_cannot_be_closed() -> None:
    builder = calm()
    builder.set("vtgate-1", 13.0, {"BufferStarts:ks.80-": 2})
    result = only("buffering/conservation", builder)
    assert result.verdict is UNKNOWN
    assert "was not idle yet" in result.details[0]


def test_a_counter_that_is_not_exported_is_not_zero() -> None:
    for name in ("BufferRequestsDrained", "BufferRequestsEvicted", "BufferStops"):
        builder = calm()
        builder.drop("vtgate-1", name)
        result = only("buffering/conservation", builder)
        assert result.verdict is UNKNOWN
        assert "not exported" in result.summary


def test_a_reason_that_appears_late_is_counted() -> None:
    builder = calm()
    builder.set("vtgate-1", 6.0, {"BufferStarts:ks.80-": 2})
    builder.set("vtgate-1", 6.4, {"BufferStops:ks.80-.MoveTablesSwitchedTraffic": 1})
    assert verdict("buffering/conservation", builder) is PASS


def test_the_sum_of_durations_is_left_alone() -> None:
    builder = calm()
    builder.set("vtgate-1", 5.3, {"BufferFailoverDurationSumMs:ks.80-": 900})
    builder.set("vtgate-1", 5.9, {"BufferFailoverDurationSumMs:ks.80-": 100})  # vtgate resets it at each start
    for name in BUFFERING:
        assert verdict(name, builder) is PASS


def test_books_are_read_in_the_quiet_only() -> None:
    builder = calm()
    builder.silence("vtgate-1", 11.9, 20)
    assert verdict("buffering/conservation", builder) is UNKNOWN


# ---------------------------------------------------------------- stops


def stormy(*, own_s: float = 0.4, held_s: float = 20.0, reason: str = "MaxDurationExceeded") -> HistoryBuilder:
    """Shard 80- is buffered for so long; -80 is reparented at the same time, quickly."""
    builder = calm(storm=False)
    builder.ops.clear()
    builder.events = [event for event in builder.events if event.subject != "quiet"]
    builder.phase("quiet", 30.0)
    builder.reparent("-80", 5.1, 5.5)
    builder.reparent("80-", 5.1, 5.1 + own_s)
    builder.buffered("-80", 5.2, 5.5)
    builder.buffered("80-", 5.2, 5.2 + held_s, reason=reason, evicted={"WindowExceeded": 2} if held_s > 10 else None)
    builder.load(0, 30, outages={"-80": (5.2, 5.5), "80-": (5.2, 5.2 + held_s)})
    return builder


def test_buffering_to_the_maximum_after_the_reparent_had_returned_is_the_symptom_of_17629() -> None:
    builder = stormy()
    builder.set("vtgate-1", 0.0, {"HealthCheckChannelFullErrors": 0})
    builder.set("vtgate-1", 6.0, {"HealthCheckChannelFullErrors": 3})
    result = only("buffering/stops", builder)
    assert result.verdict is FAIL
    assert "1 shard to the maximum duration after the reparent had returned: 80-" in result.summary
    assert result.details[0] == "vtgate counted 2 promotions of 2 reparents; HealthCheckChannelFullErrors: 3"
    assert "the symptom of #17629" in result.details[1]
    assert "not exported" in only("buffering/stops", stormy()).details[0]


def test_buffering_to_the_maximum_while_others_are_still_reparented_is_said_to_be_that() -> None:
    builder = stormy()
    builder.faults[0] = dataclasses.replace(builder.faults[0], active_ns=ns(26.0))
    result = only("buffering/stops", builder)
    assert result.verdict is FAIL
    assert "still being reparented then: -80 (keyspace-wide consistency)" in result.details[1]


def test_buffering_to_the_maximum_in_a_reparent_that_takes_longer_is_9433() -> None:
    result = only("buffering/stops", stormy(own_s=22.0))
    assert result.verdict is PASS
    assert "while its own reparent was still running (took 22.0 s, #9433)" in result.details[1]


def test_a_new_primary_seen_before_the_own_reparent_began() -> None:
    builder = calm()
    builder.faults.pop()
    builder.reparent("80-", 7.0, 7.4)
    result = only("buffering/stops", builder)
    assert result.verdict is FAIL
    assert "like #16438" in result.summary
    builder.fault("ReadOnlyPrimary", "mysqld-101", 5.1, 9.0)  # promotes nobody
    assert verdict("buffering/stops", builder) is FAIL
    builder.fault("KillPrimary", "vttablet-101", 5.1, 9.0)  # any other fault may have promoted it
    assert verdict("buffering/stops", builder) is PASS


def test_a_reason_that_nothing_explains() -> None:
    assert (
        "ReshardingComplete, which nothing"
        in only("buffering/stops", stormy(held_s=1, reason="ReshardingComplete")).summary
    )
    assert verdict("buffering/stops", stormy(held_s=1, reason="Shutdown")) is PASS


def test_buffering_in_a_control_is_a_finding() -> None:
    builder = calm(storm=False)
    builder.buffered("80-", 6.0, 7.0)
    assert verdict("buffering/stops", builder) is FAIL


# ---------------------------------------------------------------- evictions


@pytest.mark.parametrize(
    ("builder", "cause"),
    [
        (stormy(own_s=12.0, held_s=12.5, reason="NewPrimarySeen"), "shorter than the reparent (#9433)"),
        (stormy(), "buffering did not end after the reparent"),
        (stormy(held_s=12.0, reason="NewPrimarySeen"), "unexplained"),
    ],
)
def test_requests_that_waited_for_a_whole_window(builder: HistoryBuilder, cause: str) -> None:
    result = only("buffering/evictions", builder)
    assert result.verdict is FAIL
    assert cause in result.summary
    assert (result.figures["evicted"], result.figures["evicted_WindowExceeded"]) == (2, 2)


def test_requests_evicted_because_the_storm_lasted_longer_than_the_window() -> None:
    builder = stormy(held_s=12.0, reason="NewPrimarySeen")
    builder.faults.pop(0)
    builder.reparent("-80", 5.1, 17.0)
    assert "the storm outlasted the window" in only("buffering/evictions", builder).summary


@pytest.mark.parametrize(("reason", "cause"), [("BufferFull", "buffer-size 1000"), ("ContextDone", "gave up first")])
def test_requests_evicted_for_other_reasons(reason: str, cause: str) -> None:
    builder = calm()
    builder.set("vtgate-1", 5.4, {f"BufferRequestsEvicted:ks.80-.{reason}": 1})
    result = only("buffering/evictions", builder)
    assert result.verdict is FAIL
    assert cause in result.summary


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("LastReparentTooRecent", "by design"),
        ("LastFailoverTooRecent", "by design"),
        ("BufferFull", "buffer-size"),
        ("Disabled", "not enabled"),
    ],
)
def test_a_skip_is_a_finding_only_where_clients_saw_errors(reason: str, cause: str) -> None:
    builder = calm()
    builder.set("vtgate-1", 5.6, {f"BufferRequestsSkipped:ks.80-.{reason}": 3})
    result = only("buffering/evictions", builder)
    assert result.verdict is PASS
    assert "none of them to the harm" in result.summary
    builder.op(5.6, shard="-80", outcome=Outcome.FAIL, errno=1105, message="primary is not serving")
    assert verdict("buffering/evictions", builder) is PASS  # another shard's
    builder.op(5.6, shard="80-", outcome=Outcome.FAIL, errno=1105, message="primary is not serving")
    result = only("buffering/evictions", builder)
    assert result.verdict is FAIL
    assert cause in result.summary


def test_a_second_reparent_within_the_minimum_is_explained_by_it() -> None:
    builder = calm()
    builder.reparent("80-", 7.0, 7.4)
    builder.set("vtgate-1", 7.2, {"BufferRequestsSkipped:ks.80-.LastFailoverTooRecent": 3})
    assert (
        "a second reparent within buffer-min-time-between-failovers 60.0 s"
        in only("buffering/evictions", builder).details[0]
    )


# ---------------------------------------------------------------- keyspace-wide consistency


def held(storm_s: float, *, evicted: int = 0) -> HistoryBuilder:
    """Seven quick shards and a slow one; every shard is buffered until the slow one is done."""
    builder = calm(storm=False, shards=8)
    builder.ops.clear()
    builder.events = [event for event in builder.events if event.subject != "quiet"]
    builder.phase("quiet", 30.0)
    for number, shard in enumerate(builder.shards):
        builder.reparent(shard, 5.0, 5.4 if number else 5.0 + storm_s)
        builder.buffered(shard, 5.1, 5.0 + storm_s, evicted={"WindowExceeded": evicted} if evicted else None)
    builder.load(0, 30, outages=dict.fromkeys(builder.shards, (5.1, 5.0 + storm_s)))
    return builder


def test_shards_that_were_held_for_the_slowest_are_reported_with_the_factor() -> None:
    result = only("buffering/keyspace-consistency", held(4.0))
    assert result.verdict is PASS
    assert result.summary.startswith("7 of 8 shards were held until the whole keyspace was consistent")
    assert "within the window" in result.summary
    assert result.figures["median_factor"] == pytest.approx(3.9 / 0.4, abs=0.05)


def test_it_is_a_finding_when_it_cost_requests_their_place() -> None:
    result = only("buffering/keyspace-consistency", held(12.0, evicted=2))
    assert result.verdict is FAIL
    assert "this evicted 14 requests" in result.summary


def test_without_the_gauge_the_clients_stall_tells() -> None:
    builder = held(4.0)
    builder.drop("vtgate-1", "BufferLastFailoverDurationMs")
    result = only("buffering/keyspace-consistency", builder)
    assert (result.verdict, result.figures["held_shards"]) == (PASS, 7)
    builder.ops.clear()
    assert verdict("buffering/keyspace-consistency", builder) is UNKNOWN


def test_rolling_reparents_hold_nobody() -> None:
    builder = calm(storm=False)
    builder.reparent("-80", 5.1, 5.5)
    builder.reparent("80-", 6.1, 6.5)
    assert "No two reparents overlapped" in only("buffering/keyspace-consistency", builder).summary


def test_what_ran_into_the_maximum_belongs_to_another_check() -> None:
    result = only("buffering/keyspace-consistency", stormy())
    assert result.verdict is PASS
    assert result.figures["measured_shards"] == 1


def test_each_vtgate_is_judged_by_its_own_counters() -> None:
    builder = calm(vtgates=("21.0.2", "24.0.3"))
    builder.set("vtgate-2", 6.0, {"BufferRequestsBuffered:ks.80-": 6})
    assert [result.verdict for result in results("buffering/conservation", builder)] == [PASS, FAIL]


def test_shards_that_ran_to_their_maximum_leave_nothing_unknown() -> None:
    """Held for others they were not, and buffering/stops tells what became of them."""
    builder = calm()
    for shard in builder.shards:
        builder.set("vtgate-1", 0.0, {f"BufferStops:ks.{shard}.MaxDurationExceeded": 0})
        builder.set("vtgate-1", 9.0, {f"BufferStops:ks.{shard}.MaxDurationExceeded": 1})
    result = only("buffering/keyspace-consistency", builder)
    assert result.verdict is PASS
    assert "maximum duration" in result.summary
