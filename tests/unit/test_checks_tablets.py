"""Goal: a vttablet that stops serving while its MySQL is full is told from one that was not serving anyway."""

from __future__ import annotations

from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, verdict

NAME = "tablets/serve-on"


def full(*states: tuple[float, str]) -> HistoryBuilder:
    """MySQL is full from the 5th to the 9th second."""
    builder = calm(storm=False)
    builder.fault("ExhaustedConnections", "mysqld-100", 5.0, 9.0)
    for at_s, state in states:
        builder.set("vttablet-100", at_s, {"TabletStateName": state})
    return builder


def test_without_the_fault_there_is_nothing_to_judge() -> None:
    assert verdict(NAME, calm()) is PASS


def test_it_served_on() -> None:
    assert verdict(NAME, full((0.5, "SERVING"))) is PASS


def test_it_stopped_serving() -> None:
    result = only(NAME, full((0.5, "SERVING"), (7.0, "NOT_SERVING"), (10.0, "SERVING")))
    assert result.verdict is FAIL
    assert "vttablet-100 was NOT_SERVING for 3.0 s from +2.00 s on" in result.summary


def test_what_it_said_before_and_after_does_not_count() -> None:
    states = ((0.5, "SERVING"), (2.0, "NOT_SERVING"), (3.0, "SERVING"), (9.5, "NOT_SERVING"), (9.8, "SERVING"))
    assert verdict(NAME, full(*states)) is PASS


def test_nobody_looked() -> None:
    assert verdict(NAME, full()) is UNKNOWN
