"""Goal: a vttablet that stops serving while its MySQL is full is told from one that was not serving anyway; and one
that a vtgate has forgotten from one that does not serve."""

from __future__ import annotations

from harness.model import Node, Role
from tests.fakes import END_S, HistoryBuilder, calm
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


# ---------------------------------------------------------------- known to all

KNOWN = "tablets/known"


def three(*, known: int, third: str = "SERVING") -> HistoryBuilder:
    """A primary and two replicas; vtgate knows so many of the latter in the end."""
    builder = calm(storm=False)
    for uid, kind in ((100, "primary"), (101, "replica"), (102, "replica")):
        name = f"vttablet-{uid}"
        builder.nodes.append(
            Node(name=name, role=Role.VTTABLET, version="24.0.3", keyspace="ks", shard="-80", tablet_uid=uid)
        )
        builder.set(name, 0.0, {"TabletType": kind, "TabletStateName": third if uid == 102 else "SERVING"})
    builder.set("vtgate-1", 0.0, {"known tablets:ks.-80": 1 + known})
    return builder


def test_every_tablet_that_serves_is_known() -> None:
    assert verdict(KNOWN, three(known=2)) is PASS


def test_a_tablet_that_serves_was_forgotten() -> None:
    found = only(KNOWN, three(known=1))
    assert found.verdict is FAIL
    assert "vtgate-1 knows 2 of the 3 tablets of ks/-80 that serve" in found.summary


def test_a_tablet_that_does_not_serve_need_not_be_known() -> None:
    assert verdict(KNOWN, three(known=1, third="NOT_SERVING")) is PASS


def test_a_tablet_that_serves_only_now_may_not_be_known_yet() -> None:
    builder = three(known=1, third="NOT_SERVING")
    builder.set("vttablet-102", END_S - 1, {"TabletStateName": "SERVING"})
    assert verdict(KNOWN, builder) is PASS


def test_a_tablet_that_is_silent_in_the_end_need_not_be_known() -> None:
    builder = three(known=1)
    builder.silence("vttablet-102", END_S - 1, END_S + 1)
    assert verdict(KNOWN, builder) is PASS


def test_nobody_saw_what_a_vtgate_knows() -> None:
    builder = three(known=1)
    builder.drop("vtgate-1", "known tablets")
    assert verdict(KNOWN, builder) is UNKNOWN


def test_what_an_operator_mends_when_all_is_over_was_forgotten_before() -> None:
    builder = three(known=1)
    builder.phase("anew", END_S - 1)
    builder.set("vtgate-1", END_S - 0.5, {"known tablets:ks.-80": 3})
    assert verdict(KNOWN, builder) is FAIL
