"""Whether a fault was felt where it was not: seen and not seen."""

from __future__ import annotations

import dataclasses

from harness.model import Outcome
from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only, results, verdict

NAME = "clients/elsewhere"
GONE = "target: ks.80-.primary: vttablet: connection error"


def killed(
    shard: str = "-80", *, target: str = "vttablet-100", vtgates: tuple[str, ...] = ("24.0.3",)
) -> HistoryBuilder:
    builder = calm(storm=False, vtgates=vtgates)
    builder.fault("Killed", target, 5.2, 6.2)
    builder.faults[-1] = dataclasses.replace(builder.faults[-1], details={"shard": shard})
    return builder


def test_pass_when_only_the_shard_that_was_hit_has_errors() -> None:
    builder = killed("-80")
    builder.op(5.4, shard="-80", outcome=Outcome.UNKNOWN, errno=1105, message=GONE)
    result = only(NAME, builder)
    assert (result.verdict, result.figures["errors"]) == (PASS, 0)


def test_an_error_on_another_shard_is_a_finding() -> None:
    builder = killed("-80")
    builder.op(5.4, shard="80-", outcome=Outcome.FAIL, errno=1105, message=GONE)
    result = only(NAME, builder)
    assert result.verdict is FAIL
    assert "where no fault was" in result.summary
    assert result.details[0].startswith("first: target: ks.80-")


def test_through_a_vtgate_that_was_hit_errors_are_no_surprise_and_through_the_other_they_are() -> None:
    builder = killed("", target="vtgate-1", vtgates=("24.0.3", "24.0.3"))
    builder.op(5.4, shard="80-", outcome=Outcome.FAIL, errno=2013, message="gone")
    assert [each.verdict for each in results(NAME, builder)] == [PASS, PASS]
    builder.op(5.4, shard="80-", vtgate="vtgate-2", outcome=Outcome.FAIL, errno=2013, message="gone")
    assert [each.verdict for each in results(NAME, builder)] == [PASS, FAIL]


def test_several_shards_are_named_with_spaces() -> None:
    builder = killed("-80 80-")
    builder.op(5.4, shard="80-", outcome=Outcome.FAIL, errno=1105, message=GONE)
    assert verdict(NAME, builder) is PASS


def test_without_operations_elsewhere_nothing_is_known() -> None:
    builder = killed("-80")
    builder.ops = [op for op in builder.ops if builder.lane("80-").number != op.lane]
    assert verdict(NAME, builder) is UNKNOWN


def test_a_control_has_no_elsewhere() -> None:
    assert verdict(NAME, calm(storm=False)) is PASS
