"""Lost, doubled, altered, refused-yet-applied and unexplained rows are seen, each by its check."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.load.schema import first_id
from harness.model import ConnectionMode, OpKind, Outcome, ReadResult
from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, results, verdict

ROWS = ["durability/acknowledged", "durability/failed", "durability/phantoms"]
SAFETY = [*ROWS, "reads/acknowledged", "atomicity/transactions"]


@pytest.mark.parametrize("name", SAFETY)
def test_pass_on_a_calm_run(name: str) -> None:
    for builder in (
        calm(),
        calm(storm=False),
        calm(mode=ConnectionMode.TRANSACTION),
        calm(vtgates=("21.0.2", "24.0.3")),
    ):
        assert verdict(name, builder) is PASS


@pytest.mark.parametrize("name", ROWS)
def test_tables_that_were_not_read_back_are_not_judged(name: str) -> None:
    builder = calm()
    builder.unread.add("80-")
    result = only(name, builder)
    assert result.verdict is UNKNOWN
    assert "80-" in result.summary


@pytest.mark.parametrize("name", ROWS)
def test_a_violation_is_seen_although_other_tables_are_missing(name: str) -> None:
    builder = calm()
    builder.unread.add("80-")
    builder.op(6.0, shard="-80", stored=0)
    builder.op(6.0, shard="-80", outcome=Outcome.FAIL, stored=1)
    builder.op(6.0, shard="-80", outcome=Outcome.UNKNOWN, stored=2)
    assert verdict(name, builder) is FAIL


@pytest.mark.parametrize("name", [*ROWS, "reads/acknowledged"])
def test_nothing_written_or_read_proves_nothing(name: str) -> None:
    builder = calm()
    builder.ops.clear()
    assert verdict(name, builder) is UNKNOWN
    assert builder.plan.load is not None
    builder.plan = dataclasses.replace(builder.plan, load=None)
    assert verdict(name, builder) is PASS


# ---------------------------------------------------------------- acknowledged, failed, phantoms


def test_an_acknowledged_row_that_is_missing_twice_there_or_altered() -> None:
    lost, twice, altered, elsewhere = calm(), calm(), calm(), calm()
    lost.op(6.0, shard="80-", stored=0)
    twice.op(6.0, shard="80-", stored=2)
    op = altered.op(6.0, shard="80-", stored=0)
    altered.extra_rows.append(("80-", op.key, op.value + 1))
    op = elsewhere.op(6.0, shard="80-", stored=0)
    elsewhere.extra_rows.append(("-80", op.key, op.value))
    for builder, figure in ((lost, "lost"), (twice, "twice"), (altered, "wrong"), (elsewhere, "wrong")):
        result = only("durability/acknowledged", builder)
        assert (result.verdict, result.figures[figure]) == (FAIL, 1)
        assert len(result.details) == 1
        assert "80- through vtgate-1: OK" in result.details[0]


def test_a_second_copy_with_another_value_is_seen() -> None:
    builder = calm()
    op = builder.op(6.0)
    builder.extra_rows.append(("-80", op.key, op.value + 1))
    assert only("durability/acknowledged", builder).figures["twice"] == 1


def test_each_vtgate_answers_for_its_own_writes() -> None:
    builder = calm(vtgates=("21.0.2", "24.0.3"))
    builder.op(6.0, vtgate="vtgate-2", stored=0)
    assert [result.verdict for result in results("durability/acknowledged", builder)] == [PASS, FAIL]


def test_a_write_reported_as_failed_must_not_be_there() -> None:
    builder = calm()
    builder.op(6.0, outcome=Outcome.FAIL, stored=0)
    assert verdict("durability/failed", builder) is PASS
    builder.op(6.0, outcome=Outcome.FAIL, stored=1)
    assert (only("durability/failed", builder).verdict, only("durability/failed", builder).figures["applied"]) == (
        FAIL,
        1,
    )


@pytest.mark.parametrize(
    ("outcome", "stored", "expected"),
    [
        (Outcome.UNKNOWN, 0, PASS),
        (Outcome.UNKNOWN, 1, PASS),
        (Outcome.UNKNOWN, 2, FAIL),
        (Outcome.NOT_ISSUED, 0, PASS),
        (Outcome.NOT_ISSUED, 1, FAIL),
    ],
)
def test_how_often_a_write_may_be_stored(outcome: Outcome, stored: int, expected: object) -> None:
    builder = calm()
    builder.op(6.0, outcome=outcome, stored=stored)
    assert verdict("durability/phantoms", builder) is expected


def test_an_unsure_write_must_keep_its_value() -> None:
    builder = calm()
    op = builder.op(6.0, outcome=Outcome.UNKNOWN, stored=0)
    builder.extra_rows.append(("-80", op.key, op.value + 1))
    assert only("durability/phantoms", builder).figures["unknown_wrong"] == 1


def test_a_row_that_nobody_wrote_is_a_finding_unless_the_records_were_cut_off() -> None:
    whole, cut = calm(), calm()
    for builder in (whole, cut):
        builder.extra_rows.append(("-80", first_id("-80", 0) + 999_999, 5))
    cut.event("interrupt", "SIGKILL", 13.0)
    assert only("durability/phantoms", whole).figures["unwritten"] == 1
    assert verdict("durability/phantoms", whole) is FAIL
    assert verdict("durability/phantoms", cut) is UNKNOWN
    whole.incomplete.append("ops-0.messages.jsonl: the text of 1 of 1 messages")
    assert verdict("durability/phantoms", whole) is FAIL
    whole.incomplete.append("ops-0.bin: its end (it is torn within operation 3)")
    assert verdict("durability/phantoms", whole) is UNKNOWN


# ---------------------------------------------------------------- reads, transactions


@pytest.mark.parametrize("result", [ReadResult.MISSING, ReadResult.WRONG_VALUE, ReadResult.REPEATED])
def test_a_read_that_does_not_find_the_acknowledged_row(result: ReadResult) -> None:
    builder = calm()
    builder.read(6.0, result, shard="80-")
    found = only("reads/acknowledged", builder)
    assert found.verdict is FAIL
    assert f"on 80-: {result.name}" in found.details[0]


def test_a_read_that_failed_found_nothing_out() -> None:
    builder = calm()
    builder.op(6.0, kind=OpKind.READ, outcome=Outcome.FAIL, rows=int(ReadResult.MISSING))
    assert verdict("reads/acknowledged", builder) is PASS


def part_of_a_transaction(outcome: Outcome) -> HistoryBuilder:
    builder = calm(mode=ConnectionMode.TRANSACTION)
    op = builder.op(6.0, kind=OpKind.TRANSACTION, rows=3, outcome=outcome, stored=0)
    builder.extra_rows.append(("-80", op.key + 1, op.value + 1))
    return builder


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN])
def test_a_transaction_that_is_stored_in_part(outcome: Outcome) -> None:
    result = only("atomicity/transactions", part_of_a_transaction(outcome))
    assert (result.verdict, result.figures["torn"]) == (FAIL, 1)


def test_an_acknowledged_transaction_that_is_gone() -> None:
    builder = calm(mode=ConnectionMode.TRANSACTION)
    builder.op(6.0, kind=OpKind.TRANSACTION, rows=3, stored=0)
    result = only("atomicity/transactions", builder)
    assert (result.verdict, result.figures["acknowledged_and_gone"]) == (FAIL, 1)
    builder.ops[-1].outcome = Outcome.UNKNOWN
    assert verdict("atomicity/transactions", builder) is PASS


# ---------------------------------------------------------------- against a plain reference


@st.composite
def ledgers(draw: st.DrawFn) -> HistoryBuilder:
    """A few writes and transactions with any outcome, and any rows in the tables: right, wrong, moved, strange."""
    builder = HistoryBuilder(shards=2, params={})
    builder.phase("baseline", 0)
    builder.phase("quiet", 50)
    shard = st.sampled_from(builder.shards)
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from([OpKind.WRITE, OpKind.TRANSACTION]))
        builder.op(
            number,
            shard=draw(shard),
            kind=kind,
            rows=draw(st.integers(1, 3)) if kind is OpKind.TRANSACTION else 1,
            outcome=draw(st.sampled_from(list(Outcome))),
            stored=draw(st.integers(0, 2)),
        )
    for _ in range(draw(st.integers(0, 3))):
        where, key = draw(shard), draw(st.integers(0, 4))
        builder.extra_rows.append((where, first_id(where, builder.lane(where).number) + key, draw(st.integers(0, 3))))
    if draw(st.booleans()):
        builder.unread.add(draw(shard))
    return builder


def reference(builder: HistoryBuilder) -> dict[str, bool]:
    """Check → whether it must find a violation, row by row with dictionaries."""
    history = builder.build()
    stored = [(shard, int(r["id"]), int(r["value"])) for shard, rows in history.rows.items() for r in rows]
    copies = Counter(key for _, key, _ in stored)
    found = dict.fromkeys([*ROWS, "atomicity/transactions"], False)
    mine: set[int] = set()
    for op in builder.ops:
        shard = history.lane_by_number[op.lane].shard
        keys = [op.key + step for step in range(op.rows)]
        mine |= set(keys)
        present = [key for key in keys if copies[key]]
        if op.outcome is Outcome.NOT_ISSUED and present:
            found["durability/phantoms"] = True
        if shard not in history.rows:
            continue
        for step, key in enumerate(keys):
            value = (op.value + step) & 0xFFFFFFFFFFFFFFFF
            right = all((s, v) == (shard, value) for s, k, v in stored if k == key)
            if op.outcome is Outcome.OK and (copies[key] != 1 or not right):
                found["durability/acknowledged"] = True
            if op.outcome is Outcome.FAIL and copies[key]:
                found["durability/failed"] = True
            if op.outcome is Outcome.UNKNOWN and copies[key] and (copies[key] > 1 or not right):
                found["durability/phantoms"] = True
        if op.kind is OpKind.TRANSACTION:
            torn = 0 < len(present) < len(keys)
            found["atomicity/transactions"] |= torn or (op.outcome is Outcome.OK and not present)
    found["durability/phantoms"] |= any(key not in mine for _, key, _ in stored)
    return found


@given(ledgers())
@settings(max_examples=300, deadline=None)
def test_the_checks_agree_with_a_plain_reference(builder: HistoryBuilder) -> None:
    for name, violated in reference(builder).items():
        assert (verdict(name, builder) is FAIL) == violated, name
