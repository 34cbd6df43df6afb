"""What clients felt has a cause, or is a finding."""

from __future__ import annotations

from harness.causes import UNEXPLAINED
from harness.checks import CHECKS
from harness.checks.judge import judge
from harness.model import CheckResult, Outcome, Verdict
from tests.fakes import HistoryBuilder, calm


def judged(builder: HistoryBuilder) -> CheckResult:
    (result,) = CHECKS["clients/explained"].check(builder.build())
    return result


def stalled(*, reparent: bool) -> HistoryBuilder:
    """-80 waits for two seconds; with its reparent, or for no reason that anybody knows."""
    builder = calm(storm=False)
    builder.op(5.1, took_s=2.0, shard="-80")
    if reparent:
        builder.reparent("-80", 5.0, 7.0)
    return builder


def test_pass_where_nobody_waited_and_where_there_is_a_cause() -> None:
    assert judged(calm(storm=False)).verdict is Verdict.PASS
    result = judged(stalled(reparent=True))
    assert (result.verdict, result.figures) == (Verdict.PASS, {"affected": 1, "unexplained": 0, "causes": 1})
    assert "own-reparent" in result.summary


def test_red_where_nothing_explains_it_and_its_details_say_where_to_look() -> None:
    result = judged(stalled(reparent=False))
    assert (result.verdict, result.figures) == (Verdict.FAIL, {"affected": 1, "unexplained": 1, "causes": 0})
    assert result.details[0] == "1 operation of -80: 1; at worst 2.0 s"
    assert "answered after 2.00 s" in result.details[-1]


def test_an_error_without_a_cause_is_red_whatever_else_went_on() -> None:
    builder = stalled(reparent=True)
    builder.buffered("-80", 5.1, 7.1)
    builder.op(6.0, shard="-80", outcome=Outcome.FAIL, errno=1064, message="You have an error in your SQL syntax")
    result = judged(builder)
    assert result.verdict is Verdict.FAIL
    assert "1 × statement-refused" in result.details[1]


def test_unknown_without_a_load() -> None:
    builder = calm(storm=False)
    builder.lanes.clear()
    builder.ops.clear()
    assert judged(builder).verdict is Verdict.UNKNOWN


def test_the_verdict_of_a_run_has_its_causes_and_the_headline_counts_them() -> None:
    for reparent, cause in ((True, "own-reparent"), (False, UNEXPLAINED)):
        verdict = judge(stalled(reparent=reparent).build())
        assert [row.cause for row in verdict.causes] == [cause]
        assert f"1 operation waited or failed: {cause} 1." in verdict.headline
