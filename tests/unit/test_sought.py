"""What a run must show to count: the same red on every release, whatever a known bug's table says of it."""

from __future__ import annotations

import dataclasses

import pytest

from harness.base.errors import UsageError
from harness.checks.judge import judge
from harness.model import CheckKind, CheckResult, KnownBug, Outcome, Role, RunVerdict, Verdict
from harness.narrowing.sought import Sought, bare, sought_of, vote
from tests.fakes import calm

CUT = KnownBug(issue="vitess#1", check="vstream/uninterrupted", component=Role.VTGATE, says="errno 3024")
LATE = KnownBug(issue="vitess#2", check="clients/errors", component=Role.VTGATE, fixed_in="22.0.0")


def result(verdict: Verdict, subject: str = "", *, kind: CheckKind = CheckKind.PROMISE, **more: object) -> CheckResult:
    made = CheckResult(check="clients/errors", kind=kind, verdict=verdict, summary="so it was", subject=subject)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def judged(*results: CheckResult) -> RunVerdict:
    worst = max(each.verdict for each in results)
    return RunVerdict(run_id="r", experiment="x/y", verdict=worst, exit_code=0, headline="", results=results)


ERRORS = Sought(check="clients/errors")
RED, GREEN, UNSURE = result(Verdict.FAIL), result(Verdict.PASS), result(Verdict.UNKNOWN)
STARVED = result(Verdict.UNKNOWN, check="assumptions/rate", kind=CheckKind.ASSUMPTION)


@pytest.mark.parametrize(
    ("results", "shown"),
    [
        ([RED], True),
        ([GREEN], False),
        ([UNSURE], None),
        ([GREEN, STARVED], None),  # it could not have shown it
        ([RED, STARVED], True),  # of a safety check: no slowness excuses it
        ([STARVED], None),
    ],
)
def test_red_counts_and_green_only_where_red_could_have_shown(results: list[CheckResult], shown: bool | None) -> None:
    assert vote(judged(*results), ERRORS).shown is shown


WOULD_BE = result(Verdict.UNKNOWN, figures={"without_assumptions": "FAIL"}, summary="Would be a finding, but …")
SLOW = result(Verdict.UNKNOWN, check="assumptions/host", kind=CheckKind.CONDITION)
SLOW_EXCUSES_NOTHING = dataclasses.replace(SLOW, verdict=Verdict.PASS, figures={"excuses": "nothing"})


@pytest.mark.parametrize(
    ("results", "shown", "on_any_host"),
    [
        ([WOULD_BE, SLOW], None, True),
        ([GREEN, SLOW_EXCUSES_NOTHING], None, False),  # if it counted and the one above did not, bad would seem good
        ([WOULD_BE, SLOW, STARVED], None, None),  # no excuse of a slow host's, but a run without its load
        ([RED, SLOW], True, True),  # of a safety check
    ],
)
def test_a_slow_host_counts_for_neither_or_for_both(
    results: list[CheckResult], shown: bool | None, on_any_host: bool | None
) -> None:
    assert vote(judged(*results), ERRORS).shown is shown
    assert vote(judged(*results), dataclasses.replace(ERRORS, any_host=True)).shown is on_any_host


def test_of_several_vtgates_each_has_its_own_vote() -> None:
    found = judged(result(Verdict.FAIL, "items-1@vtgate-1"), result(Verdict.PASS, "items-1@vtgate-2"))
    assert vote(found, ERRORS, "vtgate-1").shown is True
    assert vote(found, ERRORS, "vtgate-2").shown is False
    assert vote(found, ERRORS).shown is True
    of_all = judged(RED, result(Verdict.PASS, "vtgate-2"))
    assert vote(of_all, ERRORS, "vtgate-2").shown is None  # whose it is nobody knows


def test_red_for_another_reason_is_not_it_and_is_said() -> None:
    sought = Sought(check="clients/errors", says="errno 3024", never=("other",))
    assert vote(judged(result(Verdict.FAIL, summary="ended: errno 3024")), sought).shown is True
    other = vote(judged(result(Verdict.FAIL, summary="ended: EOF")), sought)
    assert (other.shown, other.why) == (False, "red for another reason: ended: EOF")
    mixed = result(Verdict.FAIL, summary="ended: errno 3024", figures={"other": 1})
    assert vote(judged(mixed), sought).shown is False


def test_what_the_user_means() -> None:
    assert sought_of([CUT]) == Sought(check="vstream/uninterrupted", says="errno 3024", issue="vitess#1")
    assert sought_of([CUT, LATE], check="clients/errors") == Sought(check="clients/errors")  # for whatever reason
    assert sought_of([CUT, LATE], issue="vitess#1").check == "vstream/uninterrupted"
    assert sought_of([CUT], check="clients/stall") == Sought(check="clients/stall")
    assert sought_of([]).name == "any red check"
    with pytest.raises(UsageError, match="Give --issue or --check: vitess#1, vitess#2"):
        sought_of([CUT, LATE])
    with pytest.raises(UsageError, match="it has vitess#1"):
        sought_of([CUT], issue="vitess#9")


@pytest.mark.parametrize("version", ["21.0.2", "24.0.3"])
def test_the_same_red_counts_whether_it_was_expected_or_not(version: str) -> None:
    builder = calm(vtgates=[version], checks=("clients/errors",))
    builder.plan = dataclasses.replace(builder.plan, known_bugs=(LATE,))
    builder.op(6.0, outcome=Outcome.FAIL, errno=1105, message="gone")
    history = builder.build()
    assert judge(history).verdict is (Verdict.PASS if version == "21.0.2" else Verdict.FAIL)
    assert vote(bare(history), sought_of([LATE])).shown is True
