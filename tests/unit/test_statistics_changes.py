"""Goal: a change that is there is found where it is, and none in noise. Method: drawn series, from fixed seeds."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from harness.statistics.changes import Change, changes, slope
from harness.statistics.rates import by_chance_unseen


def anything(change: Change) -> bool:
    return change.size != 0


def drawn(seed: int, *stretches: tuple[int, float]) -> list[float]:
    """So many figures around so much, with the long tail that stalls have."""
    draw = random.Random(seed)
    return [draw.lognormvariate(0, 0.2) * middle for count, middle in stretches for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_is_found_where_it_is(seed: int) -> None:
    (found,) = changes(drawn(seed, (40, 1.0), (30, 1.5)), anything)
    assert abs(found.index - 40) <= 3
    assert found.before == pytest.approx(1.0, rel=0.15)
    assert found.after == pytest.approx(1.5, rel=0.15)
    assert (found.runs_before + found.runs_after, found.p < 0.001) == (70, True)


def test_the_places_it_could_have_been_at_make_it_less_sure() -> None:
    """Five below all fifteen others: two of so many orders, times the eleven places that leave five on each side."""
    (found,) = changes([3.0, 1.0, 5.0, 2.0, 4.0, *(10.0 + 7 * at % 15 for at in range(1, 16))], anything)
    assert found.index == 5
    assert found.p == pytest.approx(11 * 2 / math.comb(20, 5))


def test_noise_alone_has_no_change() -> None:
    """At 5 % a series, of 60 some may; many would be a test that finds what is not there."""
    assert sum(bool(changes(drawn(seed, (80, 1.0)), anything)) for seed in range(60)) <= 6


def test_two_shifts_are_two() -> None:
    found = changes(drawn(1, (30, 1.0), (30, 2.0), (30, 1.0)), anything)
    assert [round(change.index, -1) for change in found] == [30, 60]
    assert [change.size > 0 for change in found] == [True, False]


def test_outliers_are_no_change() -> None:
    figures = drawn(3, (60, 1.0))
    figures[20:22] = [90.0, 120.0]
    assert changes(figures, anything) == ()


def test_a_change_that_does_not_matter_is_not_told() -> None:
    figures = drawn(1, (40, 1.0), (40, 1.5))
    assert changes(figures, lambda change: abs(change.size) > 2) == ()


def test_what_does_not_matter_does_not_hide_what_does() -> None:
    figures = drawn(2, (40, 1.0), (40, 1.3), (40, 4.0))
    (found,) = changes(figures, lambda change: abs(change.size) > 1)
    assert abs(found.index - 80) <= 2
    assert found.runs_before >= 78


@pytest.mark.parametrize(
    "figures", [[], [1.0], [1.0, 9.0] * 2, [1.0] * 4 + [9.0] * 5, [2.0] * 100], ids=["0", "1", "4", "few", "same"]
)
def test_too_few_or_all_alike_have_none(figures: Sequence[float]) -> None:
    assert changes(figures, anything) == ()


def test_ties_are_no_obstacle() -> None:
    (found,) = changes([0.0] * 30 + [1.0] * 30, anything)
    assert (found.index, found.before, found.after) == (30, 0.0, 1.0)


def test_a_slope_is_not_tilted_by_one_outlier() -> None:
    flat = slope([5.0] * 10 + [500.0] + [5.0] * 10, range(21))
    assert flat is not None
    assert (flat.low, flat.value, flat.high) == (0.0, 0.0, 0.0)


def test_a_leak_rises() -> None:
    draw = random.Random(5)
    found = slope([100 + 2 * hour + draw.gauss(0, 3) for hour in range(40)], range(40))
    assert found is not None
    assert 0 < found.low < 2 < found.high


def test_a_slope_of_few_is_not_told() -> None:
    assert slope([1.0, 2.0, 3.0, 4.0], range(4)) is None


def test_what_showed_once_in_one_run_may_well_be_missing_in_the_next() -> None:
    assert by_chance_unseen(1, 1, 1) == pytest.approx(0.25)
    assert by_chance_unseen(5, 10, 0) == pytest.approx(1.0)
    assert by_chance_unseen(5, 10, 20) < 0.001 < by_chance_unseen(5, 100, 20)
