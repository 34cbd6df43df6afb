"""Goal: a soak is bounded, tells its canaries from its findings and the harness's failures from Vitess's, and never
removes what a finding rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import CheckKind, Clean, Verdict
from harness.soak.limits import (
    FAILED_IN_A_ROW,
    FIRST_RUNS,
    Came,
    Tally,
    came_to,
    caught,
    end,
    exit_code,
    expected_s,
    removable,
    why_replaced,
)
from harness.soak.values import Ended, SoakRun
from tests.unit.soak_runs import broken, canary, found, record, said, soak_run

CLEAN = Clean(at_ns=1, found={"nodes that do not run": ()})


def tally(*runs: SoakRun) -> Tally:
    result = Tally()
    for run in runs:
        result.add(run)
    return result


# ---------------------------------------------------------------- what it comes to


@pytest.mark.parametrize(
    ("run", "came"),
    [
        (soak_run(1), Came.PASSED),
        (soak_run(1, Verdict.UNKNOWN), Came.UNKNOWN),
        (found(1), Came.FOUND),
        (broken(1), Came.FAILED),
        (broken(1, exit_code=1), Came.FAILED),  # a traceback ends with 1 too
        (broken(1, exit_code=-9), Came.FAILED),
        (replace(found(1), exit_code=4), Came.FAILED),  # what is red in a run that the harness failed in is no finding
        (canary(1, caught=True), Came.CAUGHT),
        (canary(1, caught=False, verdict=Verdict.PASS), Came.UNCAUGHT),
        (canary(1, caught=None, verdict=Verdict.UNKNOWN), Came.UNSURE),
    ],
)
def test_what_a_run_came_to(run: SoakRun, came: Came) -> None:
    assert came_to(run) is came


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([], 3),
        ([canary(1, caught=True)], 3),  # which says nothing of Vitess
        ([soak_run(1, Verdict.UNKNOWN), canary(2, caught=True)], 3),
        ([soak_run(1), soak_run(2, Verdict.UNKNOWN)], 0),
        ([soak_run(1), canary(2, caught=True)], 0),
        ([soak_run(1), canary(2, caught=False, verdict=Verdict.PASS)], 1),
        ([soak_run(1), soak_run(2), found(3)], 1),
        ([soak_run(1), soak_run(2, Verdict.UNKNOWN), soak_run(3, Verdict.UNKNOWN)], 3),
        ([soak_run(1), broken(2)], 0),  # one failure is no rate
        ([*(soak_run(number) for number in range(1, 10)), *(broken(number) for number in range(10, 13))], 4),
        ([*(soak_run(number) for number in range(1, 20)), *(broken(number) for number in range(20, 23))], 0),
        ([found(1), *(broken(number) for number in range(2, 6))], 1),
    ],
)
def test_the_exit_code(runs: list[SoakRun], code: int) -> None:
    assert tally(*runs).exit_code == code


@pytest.mark.parametrize(
    ("verdict", "row", "code", "expected"),
    [
        (Verdict.FAIL, Verdict.FAIL, 1, True),
        (Verdict.PASS, Verdict.PASS, 0, False),
        (Verdict.UNKNOWN, Verdict.UNKNOWN, 3, None),  # nobody could have seen it
        (Verdict.UNKNOWN, Verdict.PASS, 3, False),  # the check looked, and was content
        (Verdict.FAIL, Verdict.PASS, 1, False),  # red, but for another reason
        (Verdict.FAIL, Verdict.FAIL, 4, None),  # red because the harness failed: it may have broken nothing
        (Verdict.UNKNOWN, Verdict.UNKNOWN, 4, None),
    ],
)
def test_a_canary_is_caught_by_the_check_whose_business_it_is(
    verdict: Verdict, row: Verdict, code: int, expected: bool | None
) -> None:
    results = said("durability/acknowledged", row, CheckKind.SAFETY), said("clients/errors", verdict)
    assert caught("lost-row", code, replace(record(verdict, *results), sabotaged="lost-row")) is expected


@pytest.mark.parametrize("code", [1, 4])
def test_what_is_red_catches_no_canary_in_a_run_in_which_nothing_was_broken(code: int) -> None:
    red = record(Verdict.FAIL, said("durability/acknowledged", Verdict.FAIL, CheckKind.SAFETY))
    assert caught("lost-row", code, red) is None
    assert caught("altered-row", code, replace(red, sabotaged="lost-row")) is None


def test_a_canary_whose_run_came_to_nothing_proves_nothing() -> None:
    assert caught("lost-row", 1, broken(1).record) is None


def test_canaries_are_in_no_other_count() -> None:
    counted = tally(soak_run(1), canary(2, caught=True), found(3))
    assert {came: count for came, count in counted.came.items() if count} == {
        Came.PASSED: 1,
        Came.CAUGHT: 1,
        Came.FOUND: 1,
    }
    assert counted.runs == 3
    assert list(counted.first.values()) == [[3]]


# ---------------------------------------------------------------- when it ends


def why(runs: Tally, **more: float) -> str:
    given = {"left_s": 1000.0, "needed_s": 60.0, "free_bytes": 10**11, "most_runs": 0, **more}
    found = end(runs, **given)  # type: ignore[arg-type]
    return found.why if found else ""


def test_it_ends_when_there_is_no_time_room_or_sense() -> None:
    some = tally(soak_run(1), soak_run(2))
    assert why(some) == ""
    assert "59 s are left of the budget, the next run may take 60 s" in why(some, left_s=59.4)
    assert "0 s are left" in why(some, left_s=-5.0)
    assert "4.0 GB of disk are free" in why(some, free_bytes=4_000_000_000)
    assert "2 runs were made" in why(some, most_runs=2)
    assert why(some, most_runs=3) == ""
    failures = [broken(number) for number in range(3, 3 + FAILED_IN_A_ROW)]
    assert why(tally(*failures[:-1])) == ""
    assert "in a row" in why(tally(*failures))
    assert why(tally(*failures[:-1], soak_run(9), failures[-1])) == ""


def test_a_soak_comes_to_the_worse_of_its_runs_and_its_end() -> None:
    fine, none = tally(soak_run(1)), tally(soak_run(1, Verdict.UNKNOWN))
    assert exit_code(fine, None) == 0
    assert exit_code(fine, Ended(why="interrupted", exit_code=130)) == 130
    assert exit_code(none, Ended(why="interrupted", exit_code=130)) == 130
    assert exit_code(none, Ended(why="0 s are left")) == 3
    assert exit_code(tally(found(1)), Ended(why="no room", exit_code=4)) == 1
    in_a_row = tally(*(soak_run(number) for number in range(1, 100)), *(broken(number) for number in range(100, 105)))
    assert exit_code(in_a_row, end(in_a_row, left_s=99.0, needed_s=9.0, free_bytes=10**11, most_runs=0)) == 4


def test_how_long_a_run_may_take_is_learned() -> None:
    assert expected_s("storms", 600, {}) == 120
    assert expected_s("storms", 30, {}) == 90
    assert expected_s("storms", 600, {"other": 90.0, "third": 30.0}) == 90
    assert expected_s("storms", 600, {"other": 90.0, "storms": 40.0}) == 40
    assert expected_s("storms", 20, {"other": 90.0}) == 80


# ---------------------------------------------------------------- what may be removed


OUTCOMES = st.lists(st.sampled_from(["passed", "unknown", "a", "b", "broken", "caught", "uncaught"]), max_size=40)


def made(number: int, what: str) -> SoakRun:
    match what:
        case "passed":
            return soak_run(number)
        case "unknown":
            return soak_run(number, Verdict.UNKNOWN)
        case "broken":
            return broken(number)
        case "caught":
            return canary(number, caught=True)
        case "uncaught":
            return canary(number, caught=False, verdict=Verdict.PASS)
    return found(number, what)


@given(OUTCOMES)
def test_the_first_runs_of_a_finding_and_uncaught_canaries_are_never_removed(outcomes: list[str]) -> None:
    runs = [made(number, what) for number, what in enumerate(outcomes, start=1)]
    gone = removable(runs, tally(*runs).first)
    for what in ("a", "b", "broken"):
        folders = [run.folder for run, outcome in zip(runs, outcomes, strict=True) if outcome == what]
        assert not set(folders[:FIRST_RUNS]) & set(gone)
        assert set(folders[FIRST_RUNS:]) <= set(gone)
    assert not {run.folder for run in runs if came_to(run) is Came.UNCAUGHT} & set(gone)
    passed = [run.folder for run in runs if came_to(run) in (Came.PASSED, Came.CAUGHT)]
    assert gone[: len(passed)] == passed


def test_every_finding_of_a_run_counts() -> None:
    both = soak_run(4, Verdict.FAIL, said("a", Verdict.FAIL), said("b", Verdict.FAIL))
    runs = [found(1, "a"), found(2, "a"), found(3, "a"), both, found(5, "a")]
    assert removable(runs, tally(*runs).first) == ["0005"]


def test_what_is_remembered_does_not_grow_with_the_runs() -> None:
    few, many = (
        tally(*(made(number, ("a", "passed", "broken")[number % 3]) for number in range(1, n))) for n in (20, 900)
    )
    assert few.first == many.first
    assert len(many.longest_s) == 1


# ---------------------------------------------------------------- the kept cluster


def test_a_healthy_cluster_stays() -> None:
    assert why_replaced(0, record(Verdict.PASS), CLEAN) == ""
    assert why_replaced(3, record(Verdict.UNKNOWN), CLEAN) == ""
    assert why_replaced(1, record(Verdict.FAIL, said("clients/errors", Verdict.FAIL)), CLEAN) == ""


def test_a_cluster_goes_that_is_not_what_it_was() -> None:
    assert "exit code 4" in why_replaced(4, record(Verdict.UNKNOWN), CLEAN)
    assert "exit code 0" in why_replaced(0, broken(1).record, CLEAN)
    red = said("durability/acknowledged", Verdict.FAIL, CheckKind.SAFETY)
    assert "durability/acknowledged failed" in why_replaced(1, record(Verdict.FAIL, red), CLEAN)
    again = said("clients/served-again", Verdict.FAIL)
    assert "served-again" in why_replaced(1, record(Verdict.FAIL, again), CLEAN)
    unsure = said("clients/served-again", Verdict.UNKNOWN)  # on a starved host
    assert "not sure" in why_replaced(3, record(Verdict.UNKNOWN, unsure), CLEAN)
    assert "nobody looked" in why_replaced(0, record(Verdict.PASS), None)
    left = Clean(at_ns=1, found={"nodes that do not run": ("vttablet-101",), "faults in force": ()})
    assert why_replaced(0, record(Verdict.PASS), left) == "nodes that do not run: vttablet-101"
