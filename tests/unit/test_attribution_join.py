"""Operations × claims: whose is each wait, and each error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from harness.attribution import table
from harness.attribution.join import NOBODY, Joined, claims_of, join
from harness.attribution.rows import rows
from harness.attribution.signature import Claim, Rank, Signature
from harness.causes import UNEXPLAINED, Blame, CauseRow, Evidence
from harness.facts.affected import NOT_ISSUED, Affected
from harness.history import History
from tests.fakes import HistoryBuilder, ns

Op = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Made:
    """A signature that claims what it is told."""

    name: str
    rank: int
    stretches: tuple[tuple[float, float], ...]
    shard: str = "-80"
    errors: frozenset[str] = frozenset()
    waits: bool = True
    explains_errors: bool = True
    at_once: bool = False
    title: str = "made"
    blame: Blame = Blame.RUN
    advice: str = ""

    def claims(self, history: History) -> Iterator[Claim]:
        for from_s, to_s in self.stretches:
            yield Claim(
                vtgate="vtgate-1",
                shard=self.shard,
                from_ns=ns(from_s),
                to_ns=ns(to_s),
                evidence=(Evidence(source="x", subject=self.name, at_ns=ns(from_s), text=self.name),),
                waits=self.waits,
                errors=self.errors,
                explains_errors=self.explains_errors,
                at_once=self.at_once,
            )


def lane(*ops: Op, shards: tuple[str, ...] = ("-80",), stream: str = "") -> Affected:
    return Affected(
        vtgate="vtgate-1",
        shards=shards,
        stream=stream,
        index=np.arange(len(ops), dtype=np.int64),
        from_ns=np.array([ns(op[0]) for op in ops], dtype=np.int64),
        to_ns=np.array([ns(op[1]) for op in ops], dtype=np.int64),
        classes=np.array([op[2] for op in ops], dtype="<U40"),
    )


def joined(part: Affected, *signatures: Signature) -> Joined:
    (found,) = join([part], claims_of(HistoryBuilder().build(), signatures))
    return found


def causes(part: Affected, *signatures: Signature) -> list[str]:
    found = joined(part, *signatures)
    return [signatures[index].name if index != NOBODY else "" for index in found.cause.tolist()]


LOW = Made("low", Rank.REPARENT, ((10, 14),))
HIGH = Made("high", Rank.KEYSPACE, ((12, 20),))
WAITS = ((9.0, 13.5, ""), (9.0, 17.0, ""), (13.0, 13.6, ""), (25.0, 26.0, ""))


@pytest.mark.parametrize("both", [(LOW, HIGH), (HIGH, LOW)])
def test_a_wait_belongs_to_who_held_it_longest_and_a_moment_to_the_highest_rank(both: tuple[Made, Made]) -> None:
    assert causes(lane(*WAITS), *both) == ["low", "high", "high", ""]
    found = joined(lane(*WAITS), *both)
    held = {both[cause].name: times.round(6).tolist() for cause, times in found.held_s.items()}
    assert held == {"low": [2.0, 2.0, 0.0, 0.0], "high": [1.5, 5.0, 0.6, 0.0]}


def test_a_wait_of_which_less_than_half_is_claimed_is_unexplained() -> None:
    claim = Made("short", Rank.FAULT, ((10, 11),))
    assert causes(lane((10.0, 12.0, ""), (10.0, 12.1, "")), claim) == ["short", ""]


def test_of_equal_rank_the_earlier_row_holds_the_moment() -> None:
    first, second = Made("first", Rank.BUFFER, ((10, 12),)), Made("second", Rank.BUFFER, ((10, 12),))
    for both in ((first, second), (second, first)):
        assert causes(lane((10.0, 12.0, ""), (10.0, 10.1, "deadlock")), *both) == [both[0].name] * 2


def test_another_shards_claims_and_another_vtgates_are_none_of_its_business() -> None:
    claim = Made("there", Rank.BUFFER, ((10, 12),), shard="80-")
    assert causes(lane((10.0, 12.0, "")), claim) == [""]
    assert causes(lane((10.0, 12.0, "")), Made("all", Rank.BUFFER, ((10, 12),), shard="")) == ["all"]


def test_an_error_belongs_to_the_highest_claim_that_explains_its_class_and_touches_its_life() -> None:
    ops = ((9.0, 10.0, "deadlock"), (9.0, 9.9, "deadlock"), (12.0, 12.1, "read-only"), (12.0, 12.1, "deadlock"))
    low = Made("any", Rank.FAULT, ((10, 14),))
    high = Made("one", Rank.BUFFER, ((10, 14),), errors=frozenset({"deadlock"}))
    assert causes(lane(*ops), low, high) == ["one", "", "any", "one"]


def test_what_explains_waits_alone_explains_no_error_and_the_other_way_round() -> None:
    ops = ((10.0, 12.0, ""), (10.0, 12.0, "deadlock"))
    waits = Made("waits", Rank.BUFFER, ((10, 12),), explains_errors=False)
    errors = Made("errors", Rank.FAULT, ((10, 12),), waits=False)
    assert causes(lane(*ops), waits) == ["waits", ""]
    assert causes(lane(*ops), errors) == ["", "errors"]


def test_what_was_not_issued_waited_for_what_held_its_lane() -> None:
    ops = ((10.0, 15.0, NOT_ISSUED),)
    assert causes(lane(*ops), Made("held", Rank.REPARENT, ((10, 15),), errors=frozenset({"x"}))) == ["held"]
    named = Made("named", Rank.FAULT, ((10, 10.1),), errors=frozenset({NOT_ISSUED}))
    assert causes(lane(*ops), named) == ["named"]


HOST = Made("starved", Rank.HOST, ((11, 13.5),), shard="")


def test_a_starved_host_outranks_all_and_keeps_what_it_made_slow() -> None:
    ops = ((10.0, 14.0, ""), (10.0, 14.0, "deadlock"), (11.0, 13.0, ""), (20.0, 21.0, ""))
    low = Made("beneath", Rank.REPARENT, ((10, 14),))
    found = joined(lane(*ops), low, HOST)
    assert found.cause.tolist() == [1, 1, 1, NOBODY]
    assert found.through.tolist() == [0, 0, 0, NOBODY]


def test_a_starved_host_cuts_no_connection_that_a_fault_had_cut() -> None:
    """emergency/host-gone on a busy machine: connections to the tablet that was killed were lost to the host."""
    ops = ((12.0, 12.2, "vttablet-connection-lost"), (10.0, 14.0, "client-timeout"), (10.0, 14.0, ""))
    gone = frozenset({"vttablet-connection-lost", "client-timeout"})
    found = joined(lane(*ops), Made("host-lost", Rank.FAULT, ((10, 14),), errors=gone), HOST)
    assert found.cause.tolist() == [0, 1, 1]
    assert found.through.tolist() == [NOBODY, 0, 0]
    reparent = Made("own-reparent", Rank.REPARENT, ((10, 14),), errors=gone)
    assert joined(lane(*ops), reparent, HOST).cause.tolist() == [1, 1, 1]


def test_a_starved_host_brings_no_error_that_comes_at_once() -> None:
    """reparent/unbuffered on a busy machine: 38 of 39 errors were put down to the host."""
    ops = ((12.0, 12.1, "not-serving"), (10.0, 14.0, ""), (12.0, 12.1, "client-timeout"))
    refused = frozenset({"not-serving"})
    off = Made("buffering-disabled", Rank.BUFFER, ((10, 14),), errors=refused, waits=False, at_once=True)
    found = joined(lane(*ops), off, HOST)
    assert found.cause.tolist() == [0, 1, 1]
    assert found.through.tolist() == [NOBODY, NOBODY, NOBODY]
    short = Made("window-shorter", Rank.BUFFER, ((10, 14),), errors=refused, waits=False)
    assert joined(lane(*ops), short, HOST).cause.tolist() == [1, 1, 1]


def test_what_explains_only_what_nothing_else_explains_is_not_what_a_host_made_slow() -> None:
    found = joined(lane((10.0, 14.0, "")), Made("left", Rank.NOTHING_ELSE, ((10, 14),)), HOST)
    assert (found.cause.tolist(), found.through.tolist()) == ([1], [NOBODY])


def test_a_stream_is_concerned_by_claims_on_any_of_its_shards() -> None:
    ended = lane((12.0, 12.0, "deadline-or-cancelled"), shards=("-80", "80-"), stream="items-1@vtgate-1")
    assert causes(ended, Made("there", Rank.REFUSED, ((11, 13),), shard="80-", waits=False)) == ["there"]


def made_rows(*signatures: Signature) -> tuple[CauseRow, ...]:
    ops = (*WAITS, (12.0, 12.1, "read-only"))
    parts = [lane(*ops), lane((9.0, 17.0, ""), shards=("80-",))]
    return rows(tuple(join(parts, claims_of(HistoryBuilder().build(), signatures))), signatures)


def test_every_operation_is_in_one_row_and_every_moment_too() -> None:
    found = made_rows(LOW, HIGH)
    assert [(row.cause, row.operations, row.errors) for row in found] == [
        ("high", 3, 1),
        (UNEXPLAINED, 2, 0),
        ("low", 1, 0),
    ]
    assert sum(row.waited_s for row in found) == pytest.approx(4.5 + 8 + 0.6 + 1 + 0.1 + 8)
    high = found[0]
    assert (high.shards, high.classes, high.worst_s) == ({"-80": 3}, {"read-only": 1}, 8.0)
    assert (high.from_ns, high.to_ns) == (ns(9.0), ns(17.0))
    assert [evidence.text for evidence in high.evidence] == ["high"]


def test_what_is_unexplained_shows_examples_instead_of_traces() -> None:
    unexplained = made_rows(LOW, HIGH)[1]
    assert [(item.subject, item.text) for item in unexplained.evidence] == [
        ("80-", "answered after 8.00 s"),
        ("-80", "answered after 1.00 s"),
    ]
    assert (unexplained.blame, unexplained.advice) == (Blame.NOBODY, "")


def test_two_signatures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two signatures are called low"):
        table((LOW, LOW))
