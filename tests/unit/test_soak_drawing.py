"""Goal: what run number k is hangs on the seed, on k and on the weights, and on nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.soak.drawing import drawing, extremes, first_canary, words_of_option
from harness.soak.values import Values
from tests.unit.soak_runs import WEIGHTS

SEEDS = st.integers(min_value=0, max_value=2**31)


@given(seed=SEEDS, number=st.integers(min_value=1, max_value=2000))
def test_the_same_seed_and_number_give_the_same(seed: int, number: int) -> None:
    assert drawing(seed, number, WEIGHTS) == drawing(seed, number, WEIGHTS)


@given(seed=SEEDS)
def test_a_further_option_shifts_no_other_draw(seed: int) -> None:
    storms, *others = WEIGHTS.lots
    more = replace(storms, load={**storms.load, "connections": Values(choices=("4", "8"))})
    for number in range(1, 11):
        before, after = drawing(seed, number, WEIGHTS), drawing(seed, number, replace(WEIGHTS, lots=(more, *others)))
        words = [word for word in after.words if word not in ("--connections", "4", "8")]
        assert words == [word for word in before.words if word not in ("4", "8")]
        assert (after.lot, after.seed, after.sabotage) == (before.lot, before.seed, before.sabotage)


@given(seed=SEEDS)
def test_every_block_has_one_canary_on_a_cluster_of_its_own(seed: int) -> None:
    for first in (1, 6, 11):
        drawn = [drawing(seed, number, WEIGHTS) for number in range(first, first + 5)]
        (canary,) = [each for each in drawn if each.sabotage]
        assert canary.cluster == ()
        assert canary.lot in WEIGHTS.sabotages[canary.sabotage]
        assert canary.words[-2:] == ("--sabotage", canary.sabotage)


@given(seed=SEEDS)
def test_the_first_canary_is_known_beforehand(seed: int) -> None:
    drawn = [number for number in range(1, 6) if drawing(seed, number, WEIGHTS).sabotage]
    assert first_canary(seed, WEIGHTS) == drawn[0]
    assert first_canary(seed, replace(WEIGHTS, sabotages={})) == 0
    assert first_canary(seed, replace(WEIGHTS, kept_in_block=WEIGHTS.block)) == 0


@given(seed=SEEDS, turn=st.integers(min_value=0, max_value=20))
def test_every_kind_of_canary_comes_once_before_one_comes_again(seed: int, turn: int) -> None:
    runs = WEIGHTS.block * len(WEIGHTS.sabotages)
    drawn = [drawing(seed, turn * runs + number, WEIGHTS).sabotage for number in range(1, runs + 1)]
    assert sorted(filter(None, drawn)) == sorted(WEIGHTS.sabotages)


@given(seed=SEEDS)
def test_the_first_runs_of_a_block_share_one_cluster_and_say_nothing_of_it(seed: int) -> None:
    drawn = [drawing(seed, number, WEIGHTS) for number in range(1, 6)]
    assert drawn[0].cluster == drawn[1].cluster != ()
    assert not any(each.cluster for each in drawn[2:])
    assert not any({"--shards", "--vtgate"} & set(each.words) for each in drawn[:2])
    assert all(each.lot != "late" for each in drawn[:2])


def test_weights_are_kept_to_and_values_are_in_their_range() -> None:
    drawn = [drawing(7, number, replace(WEIGHTS, kept_in_block=0, sabotages={})) for number in range(1, 1201)]
    lots = Counter(each.lot for each in drawn)
    assert lots["storms"] == pytest.approx(600, rel=0.15)
    assert lots["late"] == pytest.approx(200, rel=0.25)
    rates = {each.words[each.words.index("--rate") + 1] for each in drawn if "--rate" in each.words}
    assert rates == {"5", "10", "15", "20"}
    vtgates = {each.words[each.words.index("--vtgate") + 1] for each in drawn if "--vtgate" in each.words}
    assert vtgates == {"24.0.3,21.0.2", "24.0.3"}  # of two that are the same, one
    assert len({each.seed for each in drawn}) == len(drawn)


def test_a_lot_without_weight_is_never_drawn() -> None:
    lots = (replace(WEIGHTS.lots[0], weight=0), *WEIGHTS.lots[1:])
    weights = replace(WEIGHTS, lots=lots, sabotages={})
    assert "storms" not in {drawing(1, number, weights).lot for number in range(1, 200)}


def test_flags_and_options_that_are_left_out() -> None:
    assert words_of_option("vtorc", "yes") == ("--vtorc",)
    assert words_of_option("vtorc", "no") == ("--no-vtorc",)
    assert words_of_option("vtgate", "") == ()
    assert words_of_option("rate", "5") == ("--rate", "5")


def test_both_ends_of_a_range_are_its_extremes() -> None:
    assert tuple(extremes(Values(low=1, high=5, step=1))) == ("1", "5")
    assert tuple(extremes(Values(low=2, high=2, step=1))) == ("2",)
    assert tuple(extremes(Values(choices=("a", "", "b")))) == ("a", "", "b")
