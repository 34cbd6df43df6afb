"""Goal: a pool whose connections rest while its readers wait is told from readers who only wait."""

from __future__ import annotations

import dataclasses

from harness.attribution.pool_signatures import PoolGivenToTheGone
from harness.model import Node, OpKind, Outcome, Role
from tests.fakes import HistoryBuilder, calm, ns
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, verdict

NAME = "tablets/pool"
TABLET = Node(name="vttablet-100", role=Role.VTTABLET, version="24.0.0", keyspace="ks", shard="-80", tablet_uid=100)


def given_up(*in_use: tuple[float, int], read_s: float = 5.0) -> HistoryBuilder:
    """Given up at 5 s; one read of -80 waited until then, and for so long after it."""
    builder = calm(storm=False)
    builder.nodes.append(TABLET)
    builder.ops = [op for op in builder.ops if op.kind is not OpKind.READ]
    builder.op(4.0, took_s=1.0 + read_s, shard="-80", kind=OpKind.READ)
    builder.fault("AbandonedQueries", TABLET.name, 3.0, 5.0)
    details = {"queries": 30_000, "connections of vttablet-100": 16}
    builder.faults[-1] = dataclasses.replace(builder.faults[-1], details=details)
    for at_s, number in in_use:
        builder.set(TABLET.name, at_s, {"ConnPoolInUse": number})
    return builder


def test_without_the_fault_there_is_nothing_to_judge() -> None:
    assert verdict(NAME, calm()) is PASS


def test_a_pool_that_rests_while_a_reader_waits() -> None:
    found = only(NAME, given_up((0.5, 0), (3.0, 16), (5.6, 0)))
    assert found.verdict is FAIL
    assert "none of the 16 connections of vttablet-100's pool was in use for 4.4 s" in found.summary
    assert found.figures["without_an_answer_s"] == 5.0


def test_a_pool_that_is_in_use_while_a_reader_waits() -> None:
    found = only(NAME, given_up((0.5, 0), (3.0, 16), (10.5, 0)))
    assert (found.verdict, found.figures["idle_s"]) == (PASS, 0.0)


def test_a_pool_that_rests_when_nobody_waits() -> None:
    assert verdict(NAME, given_up((0.5, 0), (3.0, 16), (5.6, 0), read_s=0.6)) is PASS


def test_nobody_looked_at_the_pool() -> None:
    assert verdict(NAME, given_up()) is UNKNOWN


def test_nobody_read() -> None:
    builder = given_up((0.5, 0))
    builder.ops = [op for op in builder.ops if op.kind is not OpKind.READ]
    assert verdict(NAME, builder) is UNKNOWN


def test_a_reader_who_was_never_answered() -> None:
    builder = given_up((0.5, 0), (3.0, 16), (5.6, 0))
    builder.ops[-1].outcome = Outcome.UNKNOWN
    assert verdict(NAME, builder) is FAIL


# ---------------------------------------------------------------- the cause


def test_the_cause_is_claimed_for_as_long_as_the_pool_rests() -> None:
    (claim,) = PoolGivenToTheGone().claims(given_up((0.5, 0), (3.0, 16), (5.6, 0)).build())
    assert (claim.shard, claim.from_ns, claim.to_ns) == ("-80", ns(5.6), ns(11.0))
    assert claim.evidence[0].text == "ConnPoolInUse was 0 of 16 for 4.4 s and no read was answered"


def test_no_cause_where_the_pool_was_in_use() -> None:
    assert not list(PoolGivenToTheGone().claims(given_up((0.5, 0), (3.0, 16), (10.5, 0)).build()))
