"""Goal: every lane is of a known bug that its experiment still has, in the check it names, on releases that fit."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from ci.lanes.folders import BOTH, lines
from ci.lanes.lane import VITESS, VTGATE, Arm, Lane
from ci.lanes.table import LANES, chosen
from clusters.software.releases import RELEASES
from experiments import EXPERIMENTS
from harness.checks import names
from harness.model import Role

every_lane = pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.name)


@every_lane
def test_the_experiment_has_the_bug_in_that_check(lane: Lane) -> None:
    assert {bug.check for bug in lane.known} == {lane.check}


@every_lane
def test_a_lane_is_red_on_releases_that_have_the_bug_and_green_on_others_or_in_a_control(lane: Lane) -> None:
    assert all(lane.has(release) for release in lane.red.releases)
    fixed = [release for release in lane.green.releases if not lane.has(release)]
    assert fixed == list(lane.green.releases) or lane.green.unlike, "say in what the control differs"
    assert not (fixed and lane.green.unlike), "a fixed release is compared with the same run"


@every_lane
def test_the_named_check_judges_both_arms(lane: Lane) -> None:
    for arm in lane.arms.values():
        experiment = EXPERIMENTS[lane.experiment_of(arm)]
        assert lane.check in names(experiment.checks, asks=experiment.name)


@every_lane
def test_what_is_judged_is_what_is_run(lane: Lane) -> None:
    option = VTGATE if lane.component is Role.VTGATE else VITESS
    for arm in lane.arms.values():
        cluster = EXPERIMENTS[lane.experiment_of(arm)].cluster
        runs = arm.words[arm.words.index(option) + 1].split(",") if option in arm.words else [cluster.vitess]
        assert set(arm.releases) <= set(runs)
        assert set(runs) <= set(RELEASES)


def test_names_are_unique() -> None:
    assert max(Counter(lane.name for lane in LANES).values()) == 1


def test_a_bug_that_an_experiment_has_no_longer_is_told() -> None:
    lane = LANES[0]
    with pytest.raises(LookupError, match="has no known bug 'vitess#1'"):
        _ = dataclasses.replace(lane, issue="vitess#1").known
    with pytest.raises(LookupError, match="there is no experiment x/y"):
        _ = dataclasses.replace(lane, experiment="x/y").known


def test_lanes_are_found_by_name_or_a_part_of_it() -> None:
    assert [lane.name for lane in chosen(("17778",))] == ["17778"]
    assert [lane.name for lane in chosen(("vitess#17778", "9433"))] == ["9433", "17778"]
    assert len(chosen(("17629",))) > 2
    assert chosen(()) == LANES
    with pytest.raises(LookupError, match="no lane is called nothing"):
        chosen(("nothing",))


def test_arms_with_the_same_command_line_share_their_runs() -> None:
    lane = dataclasses.replace(LANES[0], red=Arm(releases=("21.0.2",)), green=Arm(releases=("24.0.3",)))
    assert [(line.name, line.arms) for line in lines(lane)] == [(BOTH, ("red", "green"))]
    apart = dataclasses.replace(lane, green=Arm(releases=("24.0.3",), experiment="health/control"))
    assert [(line.name, line.words[0]) for line in lines(apart)] == [
        ("red", lane.experiment),
        ("green", "health/control"),
    ]
