"""A starved host or harness is seen, for every row of the table; a busy one is not."""

from __future__ import annotations

import dataclasses

import pytest

from harness.checks.judge import judge
from harness.facts.host_limits import INSTRUMENTS, LIMITS, Limit, Measure, measure
from harness.history import Series
from harness.model import Plan, Sample
from tests.fakes import STORM_S, HistoryBuilder, calm
from tests.unit.verdicts import PASS, UNKNOWN, only, verdict


def pressure(builder: HistoryBuilder, key: str, from_s: float, to_s: float, share: float) -> HistoryBuilder:
    """The source's counter of microseconds grows by `share` of the time."""
    for tick in range(int(from_s * 5), int(to_s * 5) + 1):
        builder.set("host", tick / 5, {key: int((tick / 5 - from_s) * share * 1e6)})
    return builder


def starved(limit: Limit) -> HistoryBuilder:
    """A run in which exactly this row is broken."""
    builder = calm()
    source = limit.source.replace("*", "0")
    if limit.measure in (Measure.SHARE, Measure.SATURATED_S):
        builder.drop("host", limit.key)
        if limit.during == "baseline":
            pressure(builder, limit.key, 0, STORM_S, 0.95)
        else:
            for tick in range(15 * 5):
                at_s = tick / 5
                builder.set("host", at_s, {limit.key: int(max(0.0, at_s - STORM_S) * 0.99e6)})
            builder.plan = with_window(builder, "2s")
    else:
        builder.drop(source, limit.key)
        builder.set(source, STORM_S, {limit.key: limit.limit * (0.5 if limit.measure is Measure.LOWEST else 1.5)})
    return builder


def with_window(builder: HistoryBuilder, window: str) -> Plan:
    flags = {**builder.plan.cluster.vtgate_flags, "buffer-window": window}
    return dataclasses.replace(builder.plan, cluster=dataclasses.replace(builder.plan.cluster, vtgate_flags=flags))


def asked_of(limit: Limit) -> str:
    return "assumptions/harness" if limit.source in INSTRUMENTS else "assumptions/host"


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_each_limit_can_be_broken(limit: Limit) -> None:
    result = only(asked_of(limit), starved(limit))
    assert result.verdict is UNKNOWN
    assert any(limit.name in line for line in result.details)


def test_memory_is_said_in_mebibytes() -> None:
    limit = next(limit for limit in LIMITS if limit.measure is Measure.LOWEST)
    (said,) = [line for line in only(asked_of(limit), starved(limit)).details if limit.name in line]
    assert " MiB (at least 256 would be right)" in said


def test_a_starved_host_takes_nothing_from_a_run_in_which_no_promise_failed() -> None:
    limit = next(limit for limit in LIMITS if limit.measure is Measure.SATURATED_S)
    builder = starved(limit)
    builder.plan = dataclasses.replace(builder.plan, checks=("assumptions/host", "clients/errors"))
    judged = judge(builder.build())
    assert judged.verdict is PASS
    host = next(result for result in judged.results if result.check == "assumptions/host")
    assert host.verdict is PASS
    assert host.summary.startswith("No promise failed, so it excuses nothing: The host was starved")
    assert host.figures["excuses"] == "nothing"


def test_a_late_harness_makes_any_run_unknown() -> None:
    limit = next(limit for limit in LIMITS if limit.source == "harness")
    builder = starved(limit)
    builder.plan = dataclasses.replace(builder.plan, checks=("assumptions/harness", "clients/errors"))
    assert judge(builder.build()).verdict is UNKNOWN


def test_a_host_that_is_busy_for_less_than_three_quarters_of_the_window_is_not_starved() -> None:
    builder = calm()
    builder.drop("host", "cpu_some_us")
    for tick in range(15 * 5):
        at_s = tick / 5
        builder.set("host", at_s, {"cpu_some_us": int(max(0.0, at_s - STORM_S) * 0.99e6)})  # seven seconds
    assert verdict("assumptions/host", builder) is PASS


def test_what_was_not_measured_is_named_and_does_not_count() -> None:
    builder = calm()
    builder.drop("host", "cpu_some_us")
    result = only("assumptions/host", builder)
    assert result.verdict is PASS
    assert "not measured: CPU pressure before the storm" in result.details


def test_a_run_without_any_watching_is_unknown() -> None:
    builder = calm()
    for source in ("host", "harness", "load-0"):
        del builder.shown[source]
    assert only("assumptions/host", builder).summary == "The host was not watched."
    assert only("assumptions/harness", builder).summary == "The harness was not watched."


def test_a_harness_that_nobody_watched_is_unknown_although_its_load_was() -> None:
    builder = calm()
    del builder.shown["harness"]
    result = only("assumptions/harness", builder)
    assert (result.verdict, result.summary) == (UNKNOWN, "The harness was not watched.")


def test_the_worst_of_all_load_workers_counts() -> None:
    builder = calm()
    builder.set("load-1", 6.0, {"loop_lag_max_ms": 900})
    assert "longest pause of a load worker" in only("assumptions/harness", builder).summary


def test_measures_of_gauges_and_counters() -> None:
    second = 1_000_000_000
    values = [0, 500_000, 1_500_000, 2_500_000, 2_500_000]
    found = Series([Sample(at_ns=i * second, took_ns=1, values={"c": v}) for i, v in enumerate(values)])
    assert measure(found, "c", Measure.SHARE, 0, 4 * second) == pytest.approx(0.625)
    assert measure(found, "c", Measure.SATURATED_S, 0, 4 * second) == pytest.approx(2.0)
    assert measure(found, "c", Measure.HIGHEST, 0, 2 * second) == 1_500_000
    assert measure(found, "c", Measure.LOWEST, second, 2 * second) == 500_000
    assert measure(found, "c", Measure.MEAN, second, 2 * second) == 1_000_000
    assert measure(found, "absent", Measure.MEAN, 0, second) is None
    assert measure(found, "absent", Measure.SHARE, 0, second) is None
