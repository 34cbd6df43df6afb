"""Goal: a run counts for a release exactly when it says something of it, and a hit is red in the named check alone."""

from __future__ import annotations

import dataclasses

from ci.lanes.lane import Arm, Lane
from ci.lanes.votes import Said, Vote, votes
from experiments.emergency import LAGGARD_DECIDES
from harness.model import CheckKind, CheckResult, ClusterSpec
from tests.unit.lane_runs import FAIL, ISSUE, NAMED, PASS, STREAMS, TWO, UNKNOWN, premise, said, shown, verdict

FINE = said(subject="items-1@vtgate-2")


def red(*results: CheckResult, lane: Lane = STREAMS) -> Vote:
    (vote,) = votes(lane, lane.red, verdict(*results), TWO)
    return vote


def green(*results: CheckResult) -> Vote:
    (vote,) = votes(STREAMS, STREAMS.green, verdict(*results), TWO)
    return vote


def test_one_run_has_a_vote_for_each_vtgate() -> None:
    results = (premise(PASS), shown(), FINE)
    assert (red(*results).release, red(*results).said) == ("21.0.2", Said.SHOWN)
    assert (green(*results).release, green(*results).said) == ("24.0.3", Said.SILENT)


def test_the_bug_must_show_in_the_check_that_is_named() -> None:
    elsewhere = said("vstream/ordered", subject="items-1@vtgate-1", known_bug=ISSUE)
    assert red(said(subject="items-1@vtgate-1"), elsewhere).said is Said.SILENT


def test_red_in_another_check_as_well_is_no_hit() -> None:
    vote = red(shown(), said("vstream/ordered", FAIL, "items-1@vtgate-1"))
    assert (vote.said, vote.why) == (Said.STRAY, "vstream/ordered")
    assert red(shown(), said("clients/errors", FAIL)).said is Said.STRAY  # of the whole cluster
    assert red(shown(), said("vstream/ordered", FAIL, "items-1@vtgate-2")).said is Said.SHOWN  # of the other one


def test_another_known_bug_where_it_is_expected_is_none_of_it() -> None:
    assert red(shown(), said("vstream/unique", known_bug="vitess#1")).said is Said.SHOWN
    assert green(FINE, said("vstream/unique", subject="vtgate-2", known_bug="vitess#1")).said is Said.SILENT


def test_a_red_named_check_on_a_release_without_the_bug_is_a_finding() -> None:
    assert green(said(verdict=FAIL, subject="items-1@vtgate-2")).said is Said.STRAY


def test_that_the_bug_did_not_show_is_no_finding_of_a_control() -> None:
    missing = said(f"known-bug/{ISSUE}", FAIL, "vtgate-1", known_bug=ISSUE)
    assert red(said(subject="items-1@vtgate-1"), missing).said is Said.SILENT
    other = said("known-bug/vitess#1", FAIL, "vtgate-1", known_bug="vitess#1")
    assert red(said(subject="items-1@vtgate-1"), other).said is Said.STRAY


def test_a_run_that_proves_nothing_does_not_count_for_whom_it_concerns() -> None:
    for_all, of_first = premise(UNKNOWN), premise(UNKNOWN, "vtgate-1")
    assert (red(for_all, shown()).said, red(for_all, shown()).why) == (Said.UNKNOWN, "assumptions/x")
    assert red(of_first, shown()).said is Said.UNKNOWN
    assert green(of_first, FINE).said is Said.SILENT
    assert green(for_all, FINE).said is Said.UNKNOWN
    assert red(said("vstream/ordered", UNKNOWN), shown()).why == "vstream/ordered"


def test_a_red_check_on_a_starved_host_is_told_and_not_counted() -> None:
    def would_be_red(check: str) -> CheckResult:
        result = said(check, UNKNOWN, "items-1@vtgate-1")
        return dataclasses.replace(result, figures={"without_assumptions": "FAIL"})

    vote = red(premise(UNKNOWN), would_be_red(NAMED))
    assert (vote.said, vote.why) == (Said.STARVED, "assumptions/x")
    assert red(premise(UNKNOWN), would_be_red(NAMED), would_be_red("vstream/ordered")).said is Said.UNKNOWN
    assert red(premise(UNKNOWN), said(subject="items-1@vtgate-1"), would_be_red("vstream/ordered")).said is Said.UNKNOWN


def test_no_slowness_excuses_what_is_unsafe() -> None:
    assert red(premise(UNKNOWN), dataclasses.replace(shown(), kind=CheckKind.SAFETY)).said is Said.SHOWN
    assert red(premise(UNKNOWN), shown(), said("rows", FAIL, kind=CheckKind.SAFETY)).said is Said.STRAY


def test_a_run_without_the_named_check_says_nothing() -> None:
    assert red(premise(PASS)).why == f"{NAMED} did not judge it"
    (vote,) = votes(STREAMS, Arm(releases=("22.0.4",)), verdict(shown()), TWO)
    assert vote.said is Said.UNKNOWN


def test_a_bug_of_another_component_concerns_every_result() -> None:
    lane = Lane(
        name="x",
        bug="x",
        issue=LAGGARD_DECIDES.issue,
        experiment="emergency/lagging-replica",
        check="emergency/reparents",
        red=Arm(releases=("24.0.3",)),
        green=Arm(releases=("24.0.3",)),
    )
    hit = said(lane.check, known_bug=lane.issue)
    found = verdict(hit, said("clients/stall", FAIL, "vtgate-1"))
    assert votes(lane, lane.red, found, ClusterSpec())[0].said is Said.STRAY
    assert votes(lane, lane.red, verdict(hit), ClusterSpec())[0].said is Said.SHOWN
    assert votes(lane, lane.red, verdict(hit), ClusterSpec(vitess="21.0.3"))[0].said is Said.UNKNOWN


def test_causes_come_from_the_named_check() -> None:
    told: dict[str, str | int | float] = {"known_bug": ISSUE, "cause_late-error": 2, "late": 1}
    assert red(dataclasses.replace(shown(), figures=told)).causes == ("late-error",)
