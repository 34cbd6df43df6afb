"""Goal: advice follows from figures, keeps what vtgate demands of its flags, and is not given where the figures do not
carry it. Method: histories whose holds, gaps and drains are written in the test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click.testing
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.attribution.advice import Advice, Observed, advice, advised, flags
from harness.attribution.advice_rules import KNOBS
from harness.cli import main
from harness.facts.buffer import BufferSettings
from harness.facts.needs import Drain, Held, Needs, StormNeed, needs, without_core_s
from harness.facts.notice import Notice, notice
from harness.history import History
from harness.model import ConnectionMode, LogLine
from tests.fakes import HistoryBuilder, calm, ns

WINDOW, MAX, SIZE = "buffer-window", "buffer-max-failover-duration", "buffer-size"
BETWEEN, DRAIN, SHARDS = "buffer-min-time-between-failovers", "buffer-drain-concurrency", "shards reparented at once"
DEFAULTS = BufferSettings(
    enabled=True,
    window_s=10,
    max_failover_duration_s=20,
    size=1000,
    drain_concurrency=1,
    min_time_between_failovers_s=60,
)


def of(found: tuple[Advice, ...], knob: str) -> Advice:
    return next(each for each in found if each.knob == knob)


def run(*held_s: float, notice: Notice | None = None, **more: object) -> Observed:
    """A storm of as many shards as there are holds."""
    held = tuple(
        Held(
            vtgate="vtgate-1",
            shard=str(n),
            from_ns=ns(20),
            to_ns=ns(20 + s),
            lasted_s=s,
            most=4,
            reason="NewPrimarySeen",
        )
        for n, s in enumerate(held_s)
    )
    storm = StormNeed(shards=len(held_s), lasted_s=max(held_s), own_s=held_s)
    values: dict[str, object] = {
        "run_id": "run-1", "rate": 10.0, "connections": 8, "storms": (storm,), "held": held, "at_once": 4,
    }  # fmt: skip
    return Observed(needs=Needs(**{**values, **more}), buffer=DEFAULTS, notice=notice)  # type: ignore[arg-type]


# ---------------------------------------------------------------- what is read off a run


def test_what_a_calm_storm_asked_of_the_buffer() -> None:
    found = needs(calm().build())
    assert [held.lasted_s for held in found.held] == [0.2, 0.2]
    assert [(storm.shards, round(storm.lasted_s, 3)) for storm in found.storms] == [(2, 0.401)]
    assert (found.failed, found.refused, found.gaps_s, found.late_s, found.doubts) == (0, 0, (), (), ())
    assert found.rate == pytest.approx(20, rel=0.02)
    assert found.connections == 8


def test_requests_of_shards_that_are_held_together_add_up() -> None:
    builder = calm()
    for shard, most in zip(builder.shards, (3, 5), strict=True):
        builder.set("vtgate-1", 5.2, {f"BufferLastRequestsInFlightMax:ks.{shard}": most})
    assert needs(builder.build()).at_once == 8


def twice(gap_s: float, *, late_s: float = 0.0) -> History:
    """One shard is reparented again `gap_s` after its buffering had ended at 5.3 s."""
    builder = calm()
    shard = builder.shards[0]
    builder.reparent(shard, 5.501 + gap_s, 5.9 + gap_s)
    if late_s:
        builder.set("vtgate-1", 0.0, {f"BufferRequestsSkipped:ks.{shard}.LastFailoverTooRecent": 0})
        builder.set("vtgate-1", 5.3 + late_s, {f"BufferRequestsSkipped:ks.{shard}.LastFailoverTooRecent": 2})
    return builder.build()


def test_gaps_and_late_errors_of_a_shard() -> None:
    found = needs(twice(4.0, late_s=1.1))
    assert list(found.gaps_s) == pytest.approx([4.0], abs=0.01)
    assert list(found.late_s) == pytest.approx([1.1], abs=0.25)  # as near as vtgate is sampled


def test_drains_come_from_vtgates_log() -> None:
    text = "buffer/shard_buffer.go:700 Draining finished for shard: ks/-80 Took: 12.5ms for: 5 requests."
    other = text.replace("ks/", "elsewhere/")
    lines = [LogLine(at_ns=ns(6), node="vtgate-1", level="info", text=each) for each in (text, other)]
    lines.append(LogLine(at_ns=ns(6), node="vtgate-1", level="info", text=text.replace("5 requests", "0 requests")))
    found = needs(dataclasses.replace(calm().build(), logs=tuple(lines))).drains
    assert found == (Drain(requests=5, took_s=0.0125, concurrency=1),)
    assert found[0].each_s == 0.0025


# ---------------------------------------------------------------- rules


def test_a_window_is_twice_the_longest_hold_and_not_below_the_default_after_few_storms() -> None:
    found = advised([run(3.0, 7.2)])
    assert (of(found, WINDOW).value, of(found, MAX).value) == ("15s", "30s")
    assert of(advised([run(1.0)]), WINDOW).value == "10s"
    assert of(advised([run(1.0)] * 10), WINDOW).value == "2s"
    assert flags(found).startswith("--enable-buffer --buffer-window=15s --buffer-max-failover-duration=30s")


def test_a_hold_that_ran_into_the_maximum_is_no_measure_and_the_storm_stands_for_it() -> None:
    one = run(2.0)
    cut = dataclasses.replace(one.needs.held[0], lasted_s=20.0, reason="MaxDurationExceeded")
    storm = StormNeed(shards=1, lasted_s=8.0, own_s=(8.0,))
    found = advised([dataclasses.replace(one, needs=dataclasses.replace(one.needs, held=(cut,), storms=(storm,)))])
    assert of(found, WINDOW).value == "16s"
    assert any("1 hold would have lasted" in each for each in of(found, WINDOW).unknown)


def test_a_hold_that_outlasts_the_reparents_is_a_defect_and_no_need() -> None:
    one = run(2.0, 2.0)
    late = dataclasses.replace(one.needs.held[0], lasted_s=18.0)
    found = advised([dataclasses.replace(one, needs=dataclasses.replace(one.needs, held=(late, one.needs.held[1])))])
    assert of(found, WINDOW).value == "10s"
    assert any("1 hold would have lasted" in each for each in of(found, WINDOW).unknown)


def test_the_size_has_a_place_for_all_that_arrive_within_the_window() -> None:
    assert of(advised([run(1.0, connections=0)]), SIZE).value == "1000"
    big = of(advised([run(*[2.0] * 32, connections=0, rate=40.0)]), SIZE)
    assert big.value == str(2 * 40 * 10 * 32)
    bounded = of(advised([run(*[2.0] * 32, connections=64, rate=40.0)]), SIZE)
    assert bounded.value == "4100"  # 32 shards x 64 connections, twice
    assert of(advised([run(1.0, rate=0.0)]), SIZE).why_not


@pytest.mark.parametrize(
    ("gap_s", "late_s", "value"),
    [(9.0, 0.0, "4s"), (500.0, 0.0, "60s"), (9.0, 5.0, ""), (1.5, 0.0, "")],
)
def test_half_of_the_shortest_gap_unless_late_errors_come_in(gap_s: float, late_s: float, value: str) -> None:
    found = of(advised([run(1.0, gaps_s=(gap_s, 1000.0), late_s=(late_s,) if late_s else ())]), BETWEEN)
    assert found.value == value
    assert bool(found.why_not) is not bool(value)


def test_without_a_second_reparent_nothing_is_said_of_the_gap() -> None:
    assert "no shard was reparented twice" in of(advised([run(1.0)]), BETWEEN).why_not


@pytest.mark.parametrize(("each_ms", "value"), [(2.5, "1"), (100.0, "2"), (1000.0, "16"), (9000.0, "16")])
def test_a_shard_is_drained_in_half_a_second(each_ms: float, value: str) -> None:
    drain = Drain(requests=8, took_s=8 * each_ms / 1000, concurrency=1)
    assert of(advised([run(1.0, drains=(drain,))]), DRAIN).value == value


def felt(stall_s: float, errors: int = 0) -> Notice:
    return Notice(stall_s=stall_s, errors=errors, not_issued=0)


def test_as_many_shards_at_once_as_nobody_noticed() -> None:
    quiet, loud, wrong = felt(0.5), felt(2.0), felt(0.5, errors=1)
    assert of(advised([run(1.0, 1.0, notice=quiet)]), SHARDS).value == "2"
    assert of(advised([run(1.0, notice=quiet), run(1.0, 1.0, notice=loud)]), SHARDS).value == "1"
    assert of(advised([run(1.0, notice=wrong), run(1.0, 1.0, notice=quiet)]), SHARDS).why_not
    assert of(advised([run(1.0)]), SHARDS).why_not.startswith("the runs had no clients")


# ---------------------------------------------------------------- where there is none


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (calm(storm=False), "the run reparented nothing"),
        (HistoryBuilder(), "never came to its baseline"),
    ],
)
def test_no_advice_without_a_reparent_or_a_run(history: HistoryBuilder, why: str) -> None:
    found = advice(history.build())
    assert len(found) == 6
    assert all(why in each.why_not and not each.value for each in found)
    assert flags(found) == ""


def starved() -> HistoryBuilder:
    """No core was free from the storm on."""
    builder = calm()
    for tick in range(25, 71):
        builder.set("host", tick / 5, {"cpu_some_us": 1_000_000 + 200_000 * (tick - 25)})
    short = dataclasses.replace(builder.plan.cluster, vtgate_flags={"enable-buffer": "", WINDOW: "4s"})
    builder.plan = dataclasses.replace(builder.plan, cluster=short)
    return builder


def test_a_starved_host_is_no_measure() -> None:
    assert without_core_s(starved().build()) == pytest.approx(6.9)  # from the first reparent until it is quiet
    found = advice(starved().build())
    assert all("the host was starved: time without a free core" in each.why_not for each in found)


def test_a_starved_run_is_left_out_beside_a_good_one() -> None:
    bad = dataclasses.replace(run(30.0), needs=dataclasses.replace(run(30.0).needs, doubts=("the host was starved",)))
    found = of(advised([bad, run(6.0)]), WINDOW)
    assert found.value == "12s"
    assert "run-1 is left out: the host was starved" in found.unknown


def test_no_runs_no_advice() -> None:
    assert all(each.why_not == "there is no run" for each in advised([]))


@given(
    st.lists(st.lists(st.floats(0.001, 500), min_size=1, max_size=4), min_size=1, max_size=12),
    st.floats(0, 5000),
    st.lists(st.floats(0, 600), max_size=3),
)
def test_what_vtgate_demands_of_its_flags_always_holds(held: list[list[float]], rate: float, gaps: list[float]) -> None:
    """go/vt/vtgate/buffer/flags.go verifyFlags: vtgate does not start otherwise."""
    found = {each.knob: each.value for each in advised([run(*each, rate=rate, gaps_s=tuple(gaps)) for each in held])}
    window, longest = (int(found[knob].removesuffix("s")) for knob in (WINDOW, MAX))
    assert 1 <= window <= longest
    assert window >= max(max(each) for each in held)
    assert not found[SIZE] or int(found[SIZE]) >= 1
    assert not found[BETWEEN] or int(found[BETWEEN].removesuffix("s")) >= 1


# ---------------------------------------------------------------- notice, and the command


def test_what_clients_noticed_of_a_run() -> None:
    found = notice(calm().build())
    assert found is not None
    assert (round(found.stall_s, 1), found.errors, found.not_issued) == (0.2, 0, 0)
    assert notice(HistoryBuilder(mode=ConnectionMode.POOLED).build()) is None


def test_advise_prints_flags_and_json(tmp_path: Path) -> None:
    folder = calm().write(tmp_path / "run").path
    told = click.testing.CliRunner().invoke(main, ["advise", str(folder)])
    assert told.exit_code == 0, told.output
    assert "--enable-buffer --buffer-window=10s --buffer-max-failover-duration=20s --buffer-size=1000" in told.stdout
    plain = orjson.loads(click.testing.CliRunner().invoke(main, ["advise", "--json", str(folder)]).stdout)
    assert plain["advice"][0]["flag"] == "--buffer-window=10s"
    assert len(plain["advice"]) == 6


def test_a_reason_for_every_knob_is_said_once(tmp_path: Path) -> None:
    folder = calm(storm=False).write(tmp_path / "run").path
    told = " ".join(click.testing.CliRunner().invoke(main, ["advise", str(folder)]).stdout.split())
    assert told.count("the run reparented nothing") == 1
    assert "Rule:" not in told
    assert all(knob.name in told for knob in KNOBS)
