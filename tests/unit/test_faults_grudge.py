"""Partitions as values: what holds for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import PlanError
from harness.faults.grudge import Grudge, between, bridge, isolate, majorities_ring, one_way

NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=3), unique=True, max_size=12)
SPLITS = st.tuples(NAMES, st.integers(0, 12)).map(lambda drawn: (drawn[0][: drawn[1]], drawn[0][drawn[1] :]))


@given(SPLITS)
def test_two_sides_hear_nothing_of_each_other_and_everything_within(sides: tuple[list[str], list[str]]) -> None:
    here, there = sides
    grudge = between(here, there)
    assert len(grudge) == 2 * len(here) * len(there)
    assert ~grudge == grudge
    assert grudge == one_way(here, there) | one_way(there, here)
    assert all((source in here) is not (target in here) for source, target in grudge)


@given(SPLITS)
def test_who_is_isolated_has_the_rest_on_the_other_side(sides: tuple[list[str], list[str]]) -> None:
    here, there = sides
    assert isolate(here, here + there) == between(here, there)
    assert isolate(here, there) == between(here, there)


@given(NAMES, NAMES)
def test_one_way_is_the_other_way_turned_round_and_nobody_is_deaf_to_himself(a: list[str], b: list[str]) -> None:
    assert ~one_way(a, b) == one_way(b, a)
    assert all(source != target for source, target in one_way(a, b))


@given(NAMES, NAMES, NAMES)
def test_grudges_compose(a: list[str], b: list[str], c: list[str]) -> None:
    first, second = one_way(a, b), one_way(b, c)
    assert (first | second) == (second | first)
    assert (first | second) - second | second == first | second
    assert first | Grudge() == first
    assert ~(first | second) == ~first | ~second
    assert list(first) == sorted(set(first))


@given(st.integers(5, 40))
def test_on_a_ring_everybody_hears_a_majority_and_no_two_the_same(count: int) -> None:
    names = [f"n{number}" for number in range(count)]
    grudge = majorities_ring(names)
    hears = {
        name: frozenset({name} | {other for other in names if (other, name) not in grudge.pairs and other != name})
        for name in names
    }
    assert all(len(heard) > count / 2 for heard in hears.values())
    assert len(set(hears.values())) == count
    assert grudge == ~grudge
    assert len(grudge) > 0


def test_a_bridge_hears_both_sides() -> None:
    grudge = bridge(["a", "b"], ["c"], ["m"])
    assert grudge == between(["a", "b"], ["c"])
    assert grudge.names == ("a", "b", "c")


@pytest.mark.parametrize("count", range(5))
def test_a_ring_of_few_is_refused(count: int) -> None:
    with pytest.raises(PlanError, match=f"at least five, not {count}"):
        majorities_ring([f"n{number}" for number in range(count)])


def test_nobody_is_on_two_sides() -> None:
    with pytest.raises(PlanError, match="a partition has b on two of its sides"):
        between(["a", "b"], ["b"])
