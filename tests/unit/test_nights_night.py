"""Goal: of a night is kept what nights are compared in, and nothing of a run that may not count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.many.records import Said
from harness.model import CheckKind, Verdict
from harness.nights.night import Item, Series, Watched, release_of, setting
from tests.unit.nights_made import ERRORS, FOUND, KNOWN, errors, gathered, run, soak, stamp
from tests.unit.soak_runs import WEIGHTS, broken, canary

RED, GREEN = errors(Verdict.FAIL), errors(Verdict.PASS)
LOST = Said(check="durability", kind=CheckKind.SAFETY, verdict=Verdict.FAIL, about="# rows are missing")
SLOW_HOST = Said(check="assumptions/host", kind=CheckKind.ASSUMPTION, verdict=Verdict.UNKNOWN)


def test_a_finding_is_counted_among_the_runs_that_could_show_it() -> None:
    night = gathered(run(1, RED), run(2, GREEN), run(3, RED))
    assert night.judged == {ERRORS: 3, replace(ERRORS, check=""): 3}
    shown = night.shown[FOUND]
    assert (shown.runs, shown.first.folder, shown.last.folder) == (2, "runs/n1/0001", "runs/n1/0003")
    assert (shown.first.begin, shown.first.seed) == (stamp(1, 1), 1)
    assert (night.runs, night.passed, night.found, night.exit_code) == (3, 1, 2, 1)


def test_a_finding_of_the_whole_cluster_is_one_of_its_release() -> None:
    night = gathered(run(1, LOST))
    assert list(night.shown) == [
        Item(watched=Watched(experiment="reparent/storm", check="durability", release="24.0.3"))
    ]


def test_a_known_bug_is_followed_by_its_issue_in_however_many_checks_it_shows() -> None:
    both = {"vtgate-1": "24.0.3", "vtgate-2": "21.0.2"}
    shows = errors(Verdict.PASS, "vtgate-2", issue="vitess#17629")
    night = gathered(
        run(1, GREEN, shows, replace(shows, check="clients/stall"), vtgates=both, reproduced=("vitess#17629",)),
        run(2, GREEN, errors(Verdict.PASS, "vtgate-2"), vtgates=both),
    )
    assert (night.judged[KNOWN.watched], night.shown[KNOWN].runs) == (2, 1)
    assert (night.passed, night.reproduced, night.found, night.exit_code) == (1, 1, 0, 0)


def test_a_sabotaged_run_says_nothing_of_vitess() -> None:
    night = gathered(run(1, GREEN), canary(2, caught=True), canary(3, caught=False), canary(4, caught=None))
    assert [each.caught for each in night.canaries] == [True, False, None]
    assert (night.runs, night.proved, night.judged[ERRORS], night.shown) == (4, 1, 1, {})
    assert sum(len(points) for points in night.points.values()) == len(gathered(run(1, GREEN)).points)
    assert night.exit_code == 1


def test_a_run_that_proves_nothing_counts_in_no_rate() -> None:
    night = gathered(run(1, GREEN), run(2, RED, SLOW_HOST, verdict=Verdict.UNKNOWN))
    assert (night.judged[ERRORS], night.shown, night.why_unknown) == (1, {}, {"assumptions/host": 1})
    assert [len(points) for points in night.points.values()] == [1, 1, 1]


def test_what_the_harness_failed_in_is_no_finding() -> None:
    red = replace(run(2, RED), exit_code=4)
    night = gathered(run(1, GREEN), red, broken(3), broken(4, exit_code=-9), broken(5))
    assert (night.broken, night.found, night.shown) == (4, 0, {})
    assert night.why_broken["reparent/storm, exit code 4: it died at #"] == 2
    assert night.why_broken["reparent/storm, killed by signal 9: it died at #"] == 1


def test_a_canary_in_which_the_harness_failed_is_told_as_a_failure_of_the_harness() -> None:
    night = gathered(replace(canary(1, caught=None), exit_code=4), canary(2, caught=True))
    assert (night.broken, night.runs) == (1, 2)


def test_a_check_whose_premise_does_not_hold_was_not_judged() -> None:
    """It is so where the premise concerns another vtgate, whose clients were red."""
    both = {"vtgate-1": "24.0.3", "vtgate-2": "21.0.2"}
    slow = replace(SLOW_HOST, subject="vtgate-1")
    night = gathered(run(1, GREEN, slow, errors(Verdict.FAIL, "vtgate-2"), vtgates=both, verdict=Verdict.FAIL))
    old = replace(ERRORS, release="21.0.2")
    assert night.judged == {old: 1, replace(old, check=""): 1}


@pytest.mark.parametrize(
    ("subject", "release"),
    [
        ("vtgate-1", "24.0.3"),
        ("vtgate-2", "21.0.2"),
        ("items-1@vtgate-2", "21.0.2"),
        ("24.0.3 (vtgate-1)", "24.0.3"),
        ("", "23.0.5"),
        ("zone1-100", "23.0.5"),
    ],
)
def test_the_release_of_a_checks_subject(subject: str, release: str) -> None:
    vtgates = {"vtgate-1": "24.0.3 (vtgate-1)", "vtgate-2": "21.0.2", "vtgate-3": "24.0.3 (vtgate-3)"}
    record = replace(run(1).record, vtgates=vtgates, setting={"vitess": "23.0.5"})
    assert release_of(record, subject) == release


def test_two_vtgates_of_one_release_are_one_place_to_show() -> None:
    vtgates = {"vtgate-1": "24.0.3 (vtgate-1)", "vtgate-2": "24.0.3 (vtgate-2)"}
    night = gathered(run(1, RED, errors(Verdict.FAIL, "vtgate-2"), vtgates=vtgates))
    assert (night.judged[ERRORS], night.shown[FOUND].runs) == (1, 1)


def test_figures_by_experiment_and_release() -> None:
    night = gathered(run(1, GREEN, stall_s=1.5), run(2, GREEN, stall_s=2.5))
    stalls = night.points[Series(experiment="reparent/storm", figure="worst_stall_s", release="24.0.3")]
    assert [(point.place, point.value) for point in stalls] == [("runs/n1/0001", 1.5), ("runs/n1/0002", 2.5)]
    assert Series(experiment="reparent/storm", figure="reparent_s", release="24.0.3") in night.points


def test_hours_are_those_of_runs_whatever_the_clock_says() -> None:
    later, earlier = run(31, took_s=1800.0), run(1, took_s=1800.0)
    assert [level.hours for level in gathered(run(1), later, earlier).levels] == [0.0, 0.5, 1.0]


def test_other_weights_are_another_setting() -> None:
    other = replace(WEIGHTS, block=7)
    assert setting(soak()) == setting(soak())
    assert setting(soak())["weights"] != setting(soak(weights=other))["weights"]
    assert setting(soak(commit=""))["commit"] == "not known"
