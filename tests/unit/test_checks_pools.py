"""Goal: requests that got a connection too late are told from those that never got one."""

from __future__ import annotations

from harness.model import Outcome
from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, verdict

NAME = "pool/deadlines"
HANDED = (
    "target: ks.-80.primary: vttablet: rpc error: code = Canceled desc = (errno 3024) (sqlstate HY000): Query "
    "execution was interrupted, maximum statement execution time exceeded before execution started"
)
REFUSED = "target: ks.-80.primary: vttablet: rpc error: code = ResourceExhausted desc = connection pool timed out"


def storm(*, handed: int, refused: int) -> HistoryBuilder:
    builder = calm(storm=False)
    builder.fault("Paused", "vttablet-100", 5.0, 7.0)
    for message, number in ((HANDED, handed), (REFUSED, refused)):
        for _ in range(number):
            builder.op(5.5, took_s=1.5, outcome=Outcome.FAIL, errno=1105, message=message)
    return builder


def test_requests_that_never_got_a_connection_are_as_it_should_be() -> None:
    result = only(NAME, storm(handed=0, refused=40))
    assert (result.verdict, result.figures["refused"]) == (PASS, 40)


def test_connections_that_went_to_the_dead_are_red() -> None:
    result = only(NAME, storm(handed=12, refused=40))
    assert result.verdict is FAIL
    assert "12 connections went to requests whose time was up" in result.summary


def test_a_deadline_may_pass_between_two_lines_of_code() -> None:
    assert verdict(NAME, storm(handed=1, refused=40)) is PASS


def test_a_storm_in_which_nobody_ran_out_of_time_proves_nothing() -> None:
    assert verdict(NAME, storm(handed=0, refused=0)) is UNKNOWN


def test_without_a_fault_nobody_need_run_out_of_time() -> None:
    assert verdict(NAME, calm(storm=False)) is PASS
