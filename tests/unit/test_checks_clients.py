"""Errors and stalls of clients, seen and not seen."""

from __future__ import annotations

import pytest

from harness.model import ConnectionMode, OpKind, Outcome
from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, results, verdict

NOT_SERVING = "target: ks.80-.primary: primary is not serving, there may be a reparent operation in progress"


@pytest.mark.parametrize("name", ["clients/errors", "clients/stall"])
def test_pass_on_a_calm_run_and_unknown_without_load(name: str) -> None:
    assert verdict(name, calm()) is PASS
    assert verdict(name, calm(storm=False)) is PASS
    assert verdict(name, HistoryBuilder()) is UNKNOWN
    builder = calm()
    builder.lanes.clear()
    builder.ops.clear()
    assert verdict(name, builder) is UNKNOWN


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.UNKNOWN])
def test_one_error_after_the_first_fault_is_a_finding(outcome: Outcome) -> None:
    builder = calm()
    builder.op(5.4, shard="80-", outcome=outcome, errno=1105, message=NOT_SERVING)
    result = only("clients/errors", builder)
    assert result.verdict is FAIL
    assert result.summary == "1 error of 277 operations reached the clients of vtgate-1: reparent-in-progress."
    (line,) = result.details
    assert line.startswith(f"1 × reparent-in-progress ({outcome.name}), +0.30 s to +0.30 s; 80-: 1; first: target:")


def test_an_error_before_the_first_fault_is_the_baselines_business() -> None:
    builder = calm()
    builder.op(4.0, outcome=Outcome.FAIL, errno=1105, message=NOT_SERVING)
    assert verdict("clients/errors", builder) is PASS


def test_what_never_left_the_harness_is_counted_and_is_no_error_of_vitess() -> None:
    builder = calm()
    builder.op(5.4, outcome=Outcome.NOT_ISSUED)
    result = only("clients/errors", builder)
    assert (result.verdict, result.figures["not_issued"]) == (PASS, 1)


def test_what_the_end_of_the_load_cut_off_is_no_error_of_vitess() -> None:
    builder = calm()
    builder.op(11.99, outcome=Outcome.UNKNOWN, errno=2901, message="load stopped before the reply")
    assert (verdict("clients/errors", builder), verdict("durability/phantoms", builder)) == (PASS, PASS)


def test_with_the_buffer_off_errors_are_errors_all_the_same() -> None:
    builder = calm(buffering=False)
    builder.op(5.4, outcome=Outcome.FAIL, errno=1105, message=NOT_SERVING)
    assert verdict("clients/errors", builder) is FAIL


def test_errors_are_counted_by_class_and_outcome_and_each_vtgate_has_its_own() -> None:
    builder = calm(vtgates=("21.0.2", "24.0.3"))
    for number in range(3):
        builder.op(
            5.4 + number / 10, outcome=Outcome.FAIL, errno=1105, message=f"{NOT_SERVING} {number}", vtgate="vtgate-2"
        )
    builder.op(5.4, outcome=Outcome.UNKNOWN, errno=2013, message="Lost connection", vtgate="vtgate-2")
    good, bad = results("clients/errors", builder)
    assert (good.verdict, bad.verdict) == (PASS, FAIL)
    assert [line.split(",")[0] for line in bad.details] == [
        "3 × reparent-in-progress (FAIL)",
        "1 × connection-lost (UNKNOWN)",
    ]
    assert (bad.figures["errors"], bad.figures["failed"], bad.figures["unknown"]) == (4, 3, 1)


def lost_transaction(builder: HistoryBuilder, at_s: float, connection: int, message: str = NOT_SERVING) -> None:
    builder.op(
        at_s,
        kind=OpKind.TRANSACTION,
        outcome=Outcome.FAIL,
        errno=1105,
        message=message,
        connection=connection,
        shard="80-",
    )


def test_a_transaction_may_be_lost_once_for_each_connection_and_reparent() -> None:
    builder = calm(mode=ConnectionMode.TRANSACTION)
    lost_transaction(builder, 5.3, 1)
    lost_transaction(builder, 5.3, 2)
    result = only("clients/errors", builder)
    assert (result.verdict, result.figures["tolerated"]) == (PASS, 2)
    assert "[tolerated]" in result.details[0]
    lost_transaction(builder, 5.35, 2)
    assert only("clients/errors", builder).summary.startswith("1 error of")


def test_what_no_tolerance_covers() -> None:
    too_early, other_class, other_mode = (
        calm(mode=ConnectionMode.TRANSACTION),
        calm(mode=ConnectionMode.TRANSACTION),
        calm(),
    )
    too_early.faults.pop()  # 80- is not reparented at all
    lost_transaction(too_early, 5.3, 1)
    lost_transaction(other_class, 5.3, 1, "context was canceled before failover finished")
    lost_transaction(other_mode, 5.3, 1)
    for builder in (too_early, other_class, other_mode):
        assert verdict("clients/errors", builder) is FAIL


# ---------------------------------------------------------------- stalls


def stalled(seconds: float, *, own_s: float = 0.4, **more: object) -> HistoryBuilder:
    """Shard 80- gives no answer for so long."""
    builder = calm(storm=False, **more)  # type: ignore[arg-type]
    builder.ops.clear()
    builder.reparent("80-", 5.1, 5.1 + own_s)
    builder.load(0, 30, outages={"80-": (5.2, 5.2 + seconds)})
    return builder


def test_a_stall_within_the_window_is_reported_and_passes() -> None:
    result = only("clients/stall", stalled(9.0))
    assert result.verdict is PASS
    assert result.figures["worst_stall_shard"] == "80-"
    assert result.figures["worst_stall_s"] == pytest.approx(9.0, abs=0.1)
    assert result.figures["worst_latency_s"] == pytest.approx(9.0, abs=0.1)


def test_a_stall_beyond_the_window_fails_with_the_reparents_own_time() -> None:
    result = only("clients/stall", stalled(11.0))
    assert result.verdict is FAIL
    assert result.summary.startswith("1 shard stalled for longer than the buffer window of 10.0 s on vtgate-1")
    assert "#9433" not in result.summary
    assert "#9433" in only("clients/stall", stalled(13.0, own_s=12.5)).summary


def test_without_a_buffer_a_stall_is_only_reported() -> None:
    assert only("clients/stall", stalled(11.0, buffering=False)).verdict is PASS


def test_operations_that_were_given_up_make_a_stall_too() -> None:
    builder = stalled(1.0, flags={"buffer-window": "2s"})
    for number in range(20):
        builder.op(30.0 + number / 10, took_s=5, shard="-80", outcome=Outcome.NOT_ISSUED)
    result = only("clients/stall", builder)
    assert (result.verdict, result.figures["worst_stall_shard"], result.figures["not_issued"]) == (FAIL, "-80", 20)
