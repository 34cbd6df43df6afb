"""Rates, stopping and differences against published values, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.statistics.differences import adjusted, least_p, of_medians, of_rates
from harness.statistics.rates import rate, wilson, zero_bound
from harness.statistics.stopping import Side, always_valid, runs_until_clear, side


# Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3
@pytest.mark.parametrize(
    ("shown", "runs", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval(shown: int, runs: int, low: float, high: float) -> None:
    assert wilson(shown, runs) == pytest.approx((low, high), abs=5e-5)


def test_nothing_measured_is_anything() -> None:
    assert wilson(0, 0) == always_valid(0, 0) == (0.0, 1.0)
    assert rate(0, 0).share is None


@pytest.mark.parametrize("runs", [1, 10, 59, 300])
def test_nothing_shown_has_an_exact_upper_bound(runs: int) -> None:
    assert (1 - zero_bound(runs)) ** runs == pytest.approx(0.05)
    assert rate(0, runs).at_most == pytest.approx(zero_bound(runs))
    assert rate(1, runs).at_most is None


def test_the_interval_of_every_look_is_wider_than_that_of_one() -> None:
    for shown, counted in ((0, 20), (3, 20), (20, 20), (50, 100)):
        low, high = always_valid(shown, counted)
        once_low, once_high = wilson(shown, counted)
        assert low <= once_low <= once_high <= high


def test_looking_after_every_run_is_wrong_in_at_most_one_of_twenty() -> None:
    """500 series of up to 100 runs at the limit itself: whoever stops there is wrong."""
    limit, series, runs = 0.2, 500, 100
    decided = {(s, n): side(s, n, limit) for n in range(1, runs + 1) for s in range(min(n, 60) + 1)}
    draws = np.random.default_rng(1).random((series, runs)) < limit
    shown = draws.cumsum(axis=1)
    wrong = sum(any(decided[int(s), n + 1] is not Side.UNCLEAR for n, s in enumerate(one)) for one in shown)
    assert wrong <= 0.05 * series


def test_a_clear_answer_is_found() -> None:
    assert side(0, 10, 0.1) is Side.UNCLEAR
    assert side(0, runs_until_clear(0.1), 0.1) is Side.BELOW
    assert side(3, 3, 0.1) is Side.ABOVE
    assert runs_until_clear(0.1) < runs_until_clear(0.05) < 150


# Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10; he counts A minus B
@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((0, 10), (0, 10), -0.2775, 0.2775)],
)
def test_newcombes_interval(a: tuple[int, int], b: tuple[int, int], low: float, high: float) -> None:
    found = of_rates(*a, *b)
    assert (-found.high, -found.low) == pytest.approx((low, high), abs=5e-5)


def test_exact_tests_of_rates() -> None:
    assert of_rates(0, 5, 0, 9).p == of_rates(5, 5, 9, 9).p == 1
    assert of_rates(1, 20, 2, 20).p > 0.5
    assert of_rates(0, 20, 12, 20).p < 0.001


def test_medians_that_differ_and_that_do_not() -> None:
    a, b = [1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4]
    found = of_medians(a, b)
    assert found.change == pytest.approx(1.0)
    assert 0.7 < found.low < 1.0 < found.high < 1.3
    assert found.p == pytest.approx(least_p(5, 5))
    assert of_medians(a, a).p > 0.9
    assert of_medians(a, b) == found


def test_figures_that_are_alike() -> None:
    assert of_medians([0, 0, 0], [0, 0, 0]).p == 1
    found = of_medians([0, 0, 0, 0, 0], [0, 3, 3, 4, 9])
    assert found.p == pytest.approx(2 * 5 / math.comb(10, 5), rel=0.3)  # one tie across the groups


def test_one_run_each_has_no_interval() -> None:
    found = of_medians([1.0], [2.0])
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.p == least_p(1, 1) == 1


@pytest.mark.parametrize("many", [[1.0, 1.0, 2.0, 2.0], [2.0, 3.0]])
def test_one_run_against_several_that_are_alike(many: list[float]) -> None:
    """scipy's permutations take no group of one; `vtchaos compare RUN FOLDER` ended in a traceback."""
    assert of_medians([2.0], many).p == of_medians(many, [2.0]).p == 1


def test_one_run_far_from_many_is_as_rare_as_ranks_can_say() -> None:
    many = [0.0] * 20 + [1.0] * 20
    assert of_medians([2.0], many).p == pytest.approx(least_p(1, 40))
    assert of_medians(many, [-1.0]).p == pytest.approx(least_p(40, 1))


def test_how_few_runs_can_show_nothing() -> None:
    assert least_p(3, 3) > 0.05 > least_p(4, 4)


def test_many_comparisons_are_corrected_for() -> None:
    assert adjusted([]) == ()
    assert adjusted([0.04, 0.5, 0.9, 0.6]) == pytest.approx((0.16, 0.8, 0.9, 0.8))
