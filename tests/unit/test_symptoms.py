"""Goal: what is wrong in the same way has the same symptoms, however much of it there is, and where.

Method: runs that differ in numbers, shards and in what is listed; and every golden verdict.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base import jsonio
from harness.base.particulars import first_clause, without_particulars
from harness.checks.clients import LONG_REPARENT, LONG_STALL
from harness.model import Outcome, RunVerdict
from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import PASS, only

GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("*.verdict.json"))
NO_TABLET = "target: ks.80-.primary: no healthy tablet available for"
NOT_SERVING = "operation not allowed in state NOT_SERVING"


def errors(number: int, *messages: str) -> HistoryBuilder:
    """So many of each."""
    builder = calm()
    for at in range(number):
        for message in messages:
            builder.op(5.4 + at / 100, shard="80-", outcome=Outcome.FAIL, errno=1105, message=message)
    return builder


def symptoms(check: str, builder: HistoryBuilder) -> tuple[str, ...]:
    return only(check, builder).symptoms


def test_one_error_is_the_same_as_many_and_each_class_is_one() -> None:
    assert symptoms("clients/errors", errors(1, NO_TABLET)) == ("no-healthy-tablet",)
    assert symptoms("clients/errors", errors(26, NO_TABLET)) == ("no-healthy-tablet",)
    assert symptoms("clients/errors", errors(3, NOT_SERVING, NO_TABLET)) == ("no-healthy-tablet", "not-serving")
    assert symptoms("clients/errors", calm()) == ()


def stalled(shards: tuple[str, ...], own_s: float) -> HistoryBuilder:
    """These give no answer for longer than the window."""
    builder = calm(storm=False)
    builder.ops.clear()
    for shard in shards:
        builder.reparent(shard, 5.1, 5.1 + own_s)
    builder.load(0, 30, outages=dict.fromkeys(shards, (5.2, 18.0)))
    return builder


@pytest.mark.parametrize(("own_s", "expected"), [(0.5, LONG_STALL), (12.0, LONG_REPARENT)])
def test_one_shard_that_stalls_is_the_same_as_two(own_s: float, expected: str) -> None:
    for shards in (("80-",), ("-80", "80-")):
        assert symptoms("clients/stall", stalled(shards, own_s)) == (expected,)


def test_what_was_evicted_has_the_cause_without_its_settings() -> None:
    found = set()
    for size in ("1000", "10"):
        builder = calm(flags={"buffer-size": size})
        builder.set("vtgate-1", 5.4, {"BufferRequestsEvicted:ks.80-.BufferFull": int(size)})
        found |= set(symptoms("buffering/evictions", builder))
    assert found == {"more requests at once than buffer-size #"}


def test_processes_that_crash_are_told_by_what_they_are() -> None:
    builder = calm()
    for name in ("vttablet-101", "vttablet-201"):
        builder.event("exit", name, 6.0, code=2)
    assert symptoms("processes/crashes", builder) == ("vttablet",)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.removesuffix(".verdict.json"))
def test_symptoms_hold_no_particulars_and_only_red_ones_have_them(path: Path) -> None:
    for result in jsonio.load(path, RunVerdict).results:
        assert [without_particulars(symptom) for symptom in result.symptoms] == list(result.symptoms)
        assert not result.symptoms or result.verdict is not PASS or "known_bug" in result.figures


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("25 errors of 5,369 operations, +1.80 s to +2.22 s", "# errors of # operations, # s to # s"),
        ("1 error: errno 1290 (3 times)", "# error: errno 1290 (# times)"),
        ("shard -80 stalled 5.0 s, 80- 3.2 s", "shard # stalled # s, # # s"),
        ("vttablet-100 and vtgate-1 of 40-80", "vttablet-# and vtgate-# of #"),
        ("on -40, 40-80 and 2 more it took 1e-05 s (#9433)", "on # it took # s (#9433)"),
        ("item_1 and item_02 at zone1-0000000101: 0x1f", "item_# and item_# at zone1-#: #"),
        ("a re-parent", "a re-parent"),
    ],
)
def test_a_text_without_particulars(text: str, left: str) -> None:
    assert without_particulars(text) == left


@pytest.mark.parametrize(
    ("message", "clause"),
    [
        (
            "EmergencyReparentShard: UNKNOWN: could not apply all relay logs within the provided waitReplicasTimeout "
            "(15s): rpc error: code = DeadlineExceeded",
            "could not apply all relay logs within the provided waitReplicasTimeout (#s)",
        ),
        ("MoveTablesCreate: UNKNOWN: no vschema\nfound: for target", "no vschema found"),
        ("failed.", "failed"),
        ("", ""),
    ],
)
def test_the_first_clause_of_what_a_server_says(message: str, clause: str) -> None:
    assert first_clause(message) == clause
