"""How results become the verdict of a run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.checks import CHECKS, STANDARD, VSTREAM, table
from harness.checks.judge import judge
from harness.checks.results import Check
from harness.history import History, load
from harness.model import CheckKind, CheckResult, KnownBug, Outcome, Role, RunVerdict, Scalar, Verdict
from tests.fakes import HistoryBuilder, calm
from tests.unit.verdicts import FAIL, PASS, UNKNOWN, only

ASSUMPTION, PROMISE, SAFETY = CheckKind.ASSUMPTION, CheckKind.PROMISE, CheckKind.SAFETY


@dataclass(frozen=True, slots=True)
class Says:
    """A check that says what it is told to."""

    name: str
    kind: CheckKind
    verdicts: tuple[Verdict, ...]
    subjects: tuple[str, ...] = ("",)
    figures: dict[str, Scalar] = field(default_factory=dict)

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return tuple(
            CheckResult(
                check=self.name,
                kind=self.kind,
                verdict=verdict,
                summary=f"{self.name} said so",
                subject=subject,
                figures=self.figures,
            )
            for verdict, subject in zip(self.verdicts, self.subjects, strict=True)
        )


def judged(*checks: Check, builder: HistoryBuilder | None = None, bugs: tuple[KnownBug, ...] = ()) -> RunVerdict:
    builder = builder or calm()
    builder.plan = dataclasses.replace(builder.plan, checks=tuple(check.name for check in checks), known_bugs=bugs)
    return judge(builder.build(), table(checks))


def of(verdict: RunVerdict, name: str, subject: str = "") -> CheckResult:
    return next(r for r in verdict.results if (r.check, r.subject) == (name, subject))


def test_everything_holds_on_a_calm_run() -> None:
    verdict = judged(*STANDARD)
    assert (verdict.verdict, verdict.exit_code) == (PASS, 0)
    assert verdict.headline == (
        "2 of 2 shards reparented in 0.40 s; 480 operations, 0 errors; the worst shard (-80) stalled 0.20 s."
    )


@pytest.mark.parametrize(
    ("assumption", "promise", "safety", "expected"),
    [
        (PASS, PASS, PASS, PASS),
        (PASS, FAIL, PASS, FAIL),
        (PASS, UNKNOWN, PASS, UNKNOWN),
        (PASS, UNKNOWN, FAIL, FAIL),
        (UNKNOWN, PASS, PASS, UNKNOWN),
        (UNKNOWN, FAIL, PASS, UNKNOWN),
        (FAIL, FAIL, PASS, UNKNOWN),
        (FAIL, PASS, FAIL, FAIL),
        (UNKNOWN, FAIL, FAIL, FAIL),
    ],
)
def test_how_the_kinds_weigh(assumption: Verdict, promise: Verdict, safety: Verdict, expected: Verdict) -> None:
    verdict = judged(Says("p", PROMISE, (promise,)), Says("s", SAFETY, (safety,)), Says("a", ASSUMPTION, (assumption,)))
    assert verdict.verdict is expected
    assert verdict.exit_code == {PASS: 0, FAIL: 1, UNKNOWN: 3}[expected]


def test_assumptions_come_first_and_completeness_is_always_asked() -> None:
    verdict = judged(Says("p", PROMISE, (PASS,)), Says("a", ASSUMPTION, (PASS,)))
    assert [result.check for result in verdict.results] == ["assumptions/complete", "a", "p"]


def test_a_finding_without_its_assumptions_keeps_what_it_would_have_been() -> None:
    verdict = judged(Says("p", PROMISE, (FAIL,)), Says("a", ASSUMPTION, (UNKNOWN,)))
    result = of(verdict, "p")
    assert result.summary == "Would be a finding, but a did not hold: p said so"
    assert result.figures["without_assumptions"] == "FAIL"
    assert verdict.headline.endswith("This proves nothing: a said so.")


def test_a_known_bug_that_a_starved_host_made_unsure_still_explains_what_it_lost() -> None:
    checks = Says("p", PROMISE, (FAIL,)), Says("s", SAFETY, (FAIL,)), Says("a", ASSUMPTION, (UNKNOWN,))
    bug = KnownBug(issue="#1", check="p", also=("s",), component=Role.VTGATE)
    verdict = judged(*checks, bugs=(bug,))
    assert (verdict.exit_code, verdict.reproduced) == (3, ())
    assert of(verdict, "s").figures["known_bug"] == "#1"
    assert of(verdict, "p").summary == "Would be REPRODUCED #1, but a did not hold: p said so"
    assert of(verdict, "p").figures["known_bug"] == "#1"
    assert judged(*checks, bugs=(dataclasses.replace(bug, also=()),)).exit_code == 1


def test_what_a_known_bug_does_not_explain_would_be_a_finding() -> None:
    checks = Says("p", PROMISE, (FAIL,)), Says("q", PROMISE, (FAIL,)), Says("a", ASSUMPTION, (UNKNOWN,))
    bug = KnownBug(issue="#1", check="p", component=Role.VTGATE)
    assert of(judged(*checks, bugs=(bug,)), "q").summary.startswith("Would be a finding, but a did not hold")
    other = judged(*checks, bugs=(dataclasses.replace(bug, says="something else"),))
    assert of(other, "p").summary.startswith("Would be a finding, but a did not hold")


def test_an_interrupted_run_is_unknown_but_what_is_lost_is_lost() -> None:
    builder = calm()
    builder.event("interrupt", "SIGINT", 13.0)
    assert judged(*STANDARD, builder=builder).exit_code == 130
    builder.op(6.0, stored=0)
    verdict = judged(*STANDARD, builder=builder)
    assert verdict.exit_code == 1
    assert "Finding in durability/acknowledged: Of 241 rows acknowledged" in verdict.headline


def test_a_run_without_final_rows_is_unknown() -> None:
    builder = calm()
    builder.unread |= set(builder.shards)
    verdict = judged(*STANDARD, builder=builder)
    assert verdict.exit_code == 3
    assert "were not read back" in verdict.headline


def test_a_run_that_never_started_is_unknown() -> None:
    builder = HistoryBuilder()
    builder.lanes.clear()
    builder.nodes.clear()
    verdict = judged(*STANDARD, builder=builder)
    assert verdict.verdict is UNKNOWN
    assert verdict.headline.startswith("No operation was recorded.")


def test_whoever_asks_for_results_alone_gets_the_same_ones() -> None:
    builder = calm(checks=tuple(check.name for check in STANDARD))
    builder.op(6.0, outcome=Outcome.FAIL, errno=1105, message="gone")
    told, alone = judge(builder.build()), judge(builder.build(), told=False)
    assert told.headline
    assert told.causes
    assert alone == dataclasses.replace(told, headline="", causes=())


def test_safety_is_named_first() -> None:
    verdict = judged(Says("a-promise", PROMISE, (FAIL,)), Says("s", SAFETY, (FAIL,)))
    assert "Finding in s: s said so. Also: a-promise." in verdict.headline


def test_a_check_that_nobody_knows() -> None:
    builder = calm(checks=("clients/nonsense",))
    with pytest.raises(RunDirError, match="clients/nonsense"):
        judge(builder.build())


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="two checks are called"):
        table([*STANDARD, STANDARD[0]])
    assert len(STANDARD) == 19
    assert set(CHECKS) >= {check.name for check in (*STANDARD, *VSTREAM)}


# ---------------------------------------------------------------- known bugs

BUG = KnownBug(
    issue="#17629", check="stops", also=("errors",), component=Role.VTGATE, affected_from="18.0.0", fixed_in="21.0.3"
)
BOTH = ("vtgate-1", "vtgate-2")


def with_bug(
    stops: tuple[Verdict, Verdict], errors: tuple[Verdict, Verdict] = (PASS, PASS), *more: Check
) -> RunVerdict:
    """vtgate-1 has the bug, vtgate-2 does not."""
    builder = calm(vtgates=("21.0.2", "21.0.3"))
    checks = (Says("stops", PROMISE, stops, BOTH), Says("errors", PROMISE, errors, BOTH), *more)
    return judged(*checks, builder=builder, bugs=(BUG,))


def test_a_bug_that_shows_where_it_is_known_is_reproduced() -> None:
    verdict = with_bug((FAIL, PASS), (FAIL, PASS))
    assert (verdict.verdict, verdict.exit_code, verdict.reproduced) == (PASS, 0, ("#17629",))
    assert of(verdict, "stops", "vtgate-1").summary == (
        "REPRODUCED #17629, as expected of vtgate-1 21.0.2: stops said so"
    )
    assert of(verdict, "errors", "vtgate-1").figures["known_bug"] == "#17629"
    assert verdict.headline.endswith("Reproduced, as expected: #17629.")


def test_a_failure_that_says_something_else_is_not_the_bug() -> None:
    bug = dataclasses.replace(BUG, also=(), says="errno 3024")
    checks = (Says("stops", PROMISE, (FAIL, PASS), BOTH),)
    verdict = judged(*checks, builder=calm(vtgates=("21.0.2", "21.0.3")), bugs=(bug,))
    assert (verdict.exit_code, verdict.reproduced) == (1, ())
    assert of(verdict, "stops", "vtgate-1").verdict is FAIL
    absence = of(verdict, "known-bug/17629", "vtgate-1").summary
    assert absence.endswith("which has it; stops was red for another reason: stops said so")
    said = dataclasses.replace(BUG, also=(), says="stops said so")
    assert judged(*checks, builder=calm(vtgates=("21.0.2", "21.0.3")), bugs=(said,)).reproduced == ("#17629",)


def test_what_a_bug_does_not_explain_stays_a_failure() -> None:
    bug = dataclasses.replace(BUG, also=(), never=("missing",))
    for missing, exit_code in ((0, 0), (3, 1)):
        checks = (Says("stops", PROMISE, (FAIL, PASS), BOTH, figures={"missing": missing}),)
        assert judged(*checks, builder=calm(vtgates=("21.0.2", "21.0.3")), bugs=(bug,)).exit_code == exit_code


def test_a_race_is_excused_where_it_shows_and_need_not_show() -> None:
    race = dataclasses.replace(BUG, certain=False)
    for stops, reproduced in ((FAIL, ("#17629",)), (PASS, ())):
        checks = (Says("stops", PROMISE, (stops, PASS), BOTH),)
        verdict = judged(*checks, builder=calm(vtgates=("21.0.2", "21.0.3")), bugs=(race,))
        assert (verdict.exit_code, verdict.reproduced) == (0, reproduced)


def test_a_bug_that_shows_on_a_fixed_release_is_a_finding() -> None:
    verdict = with_bug((FAIL, FAIL))
    assert (verdict.exit_code, verdict.reproduced) == (1, ("#17629",))
    assert of(verdict, "stops", "vtgate-2").verdict is FAIL


def test_a_bug_that_does_not_show_where_it_is_known_is_a_finding_of_its_own() -> None:
    verdict = with_bug((PASS, PASS))
    assert (verdict.exit_code, verdict.reproduced) == (1, ())
    assert of(verdict, "known-bug/17629", "vtgate-1").verdict is FAIL
    assert "did not show on vtgate-1 21.0.2" in verdict.headline


def test_the_further_checks_alone_are_no_reproduction_and_no_excuse() -> None:
    verdict = with_bug((PASS, PASS), (FAIL, PASS))
    assert verdict.exit_code == 1
    assert of(verdict, "errors", "vtgate-1").verdict is FAIL


def test_anything_else_is_still_a_finding() -> None:
    assert with_bug((FAIL, PASS), (PASS, FAIL)).exit_code == 1
    assert with_bug((FAIL, PASS), (PASS, PASS), Says("other", PROMISE, (FAIL,))).exit_code == 1


def test_on_a_starved_host_a_bug_is_neither_reproduced_nor_missing() -> None:
    starved = Says("host", ASSUMPTION, (UNKNOWN,))
    for stops in ((FAIL, PASS), (UNKNOWN, PASS), (PASS, PASS)):
        verdict = with_bug(stops, (PASS, PASS), starved)
        assert (verdict.exit_code, verdict.reproduced) == (3, ())


def test_a_bug_of_the_cluster_shows_in_any_result() -> None:
    bug = KnownBug(issue="#1", check="s", component=Role.VTTABLET)
    verdict = judged(Says("s", SAFETY, (FAIL,)), bugs=(bug,))
    assert (verdict.exit_code, verdict.reproduced) == (0, ("#1",))
    fixed = dataclasses.replace(bug, fixed_in="24.0.1")
    assert judged(Says("s", SAFETY, (FAIL,)), bugs=(fixed,)).exit_code == 1
    assert judged(Says("s", SAFETY, (PASS,)), bugs=(fixed,)).exit_code == 0


@pytest.mark.parametrize(
    ("said", "stops", "code", "reproduced"),
    [
        ("21.0.2-SNAPSHOT", FAIL, 0, ("#17629",)),
        ("21.0.2-SNAPSHOT", PASS, 0, ()),  # this build may be the fix
        ("25.0.0-SNAPSHOT", FAIL, 1, ()),
        ("", FAIL, 1, ()),  # nobody knows which version it is: a finding is a finding
    ],
)
def test_a_build_is_of_the_version_that_it_says_and_need_not_show_a_bug(
    said: str, stops: Verdict, code: int, reproduced: tuple[str, ...]
) -> None:
    builder = calm(vtgates=("/build/bin",))
    builder.event("build", "/build/bin", 0.0, version=said)
    verdict = judged(Says("stops", PROMISE, (stops,), ("vtgate-1",)), builder=builder, bugs=(BUG,))
    assert (verdict.exit_code, verdict.reproduced) == (code, reproduced)
    if reproduced:
        assert "as expected of vtgate-1 21.0.2-SNAPSHOT" in of(verdict, "stops", "vtgate-1").summary


def test_a_test_of_the_checks_must_show_on_every_build() -> None:
    bug = KnownBug(issue="errors (a test of the checks)", check="errors", component=Role.VTGATE)
    check = Says("errors", PROMISE, (PASS,), ("vtgate-1",))
    assert judged(check, builder=calm(vtgates=("/build/bin",)), bugs=(bug,)).exit_code == 1


def test_a_bug_whose_check_was_not_run_is_unknown() -> None:
    assert (
        judged(
            Says("other", PROMISE, (PASS,)), bugs=(KnownBug(issue="#1", check="s", component=Role.VTGATE),)
        ).exit_code
        == 3
    )


# ---------------------------------------------------------------- the whole way


def buffer_off() -> HistoryBuilder:
    builder = calm(buffering=False)
    for number in range(40):
        builder.op(
            5.2 + number / 400,
            shard=builder.shards[number % 2],
            outcome=Outcome.FAIL,
            errno=1105,
            message="target: ks.-80.primary: primary is not serving, there may be a reparent operation in progress",
        )
    return builder


def test_with_the_buffer_off_the_run_is_red() -> None:
    verdict = judged(*STANDARD, builder=buffer_off())
    assert verdict.exit_code == 1
    assert "40 errors of 316 operations reached the clients of vtgate-1: reparent-in-progress." in verdict.headline


def test_the_same_run_directory_gives_the_same_bytes(tmp_path: Path) -> None:
    builder = buffer_off()
    builder.plan = dataclasses.replace(builder.plan, checks=tuple(CHECKS))
    run = builder.write(tmp_path / "run")
    first, second = jsonio.dumps(judge(load(run))), jsonio.dumps(judge(load(run)))
    assert first == second
    assert first == jsonio.dumps(judge(builder.build()))
    jsonio.save(run.verdict, judge(load(run)))
    assert jsonio.load(run.verdict, RunVerdict) == judge(load(run))


def test_a_crash_is_a_finding_unless_a_fault_or_the_end_of_the_run_explains_it() -> None:
    crashed, killed, ended = calm(), calm(), calm()
    crashed.event("exit", "vttablet-101", 6.0, code=2)
    killed.event("exit", "vttablet-101", 6.0, code=-9)
    killed.fault("Kill", "vttablet-101", 5.9, 7.0)
    ended.event("exit", "vttablet-101", 13.9, expected=True)
    assert only("processes/crashes", crashed).verdict is FAIL
    assert "vttablet-101 ended at +6.00 s of the run: code 2" in only("processes/crashes", crashed).details
    assert only("processes/crashes", killed).verdict is PASS
    assert only("processes/crashes", ended).verdict is PASS


@pytest.mark.parametrize("cause", ["killed by somebody else", "killed by the kernel: its limit of memory"])
def test_an_end_by_neither_of_ours_nor_of_vitess_is_no_finding(cause: str) -> None:
    builder = calm()
    builder.event("exit", "vttablet-101", 6.0, status=-9, cause=cause)
    assert only("processes/crashes", builder).verdict is PASS
    complete = only("assumptions/complete", builder)
    assert complete.verdict is UNKNOWN
    assert complete.summary == f"The run is not complete: vttablet-101 was {cause} (+6.00 s)."
