"""Goal: who reads in the morning sees what is new and what is gone, and not by chance. Method: nights given by how many
runs showed a finding, of how many that could have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.nights.standings import Standing, Standings, standings
from harness.nights.words import again, told
from tests.unit.nights_made import ERRORS, FOUND, counted


def standing(*nights: tuple[int, int]) -> Standings:
    """Shown and judged, night by night; the last is tonight."""
    (found,) = standings([counted(day, *night) for day, night in enumerate(nights, start=1)])
    return found


@pytest.mark.parametrize(
    ("nights", "expected"),
    [
        ([(1, 10)], Standing.NEW),
        ([(0, 50), (1, 10)], Standing.NEW),
        ([(3, 10), (1, 10)], Standing.ONGOING),
        ([(3, 10), (0, 0), (1, 10)], Standing.ONGOING),  # a night without such a run says nothing
        ([(2, 10), (0, 2), (1, 10)], Standing.RARE),
        ([(2, 50), (0, 30), (1, 10)], Standing.RARE),
        ([(5, 10), (0, 40), (1, 10)], Standing.RETURNED),
        ([(5, 10), (0, 40)], Standing.RESOLVED),
        ([(5, 10), (0, 4), (0, 40)], Standing.RESOLVED),
        ([(5, 10), (0, 40), (0, 40)], Standing.GONE),
        ([(5, 10), (0, 40), (0, 0)], Standing.GONE),
        ([(5, 10), (0, 2)], Standing.UNSEEN),
        ([(5, 10), (0, 0)], Standing.UNSEEN),
        ([(1, 100), (0, 100)], Standing.UNSEEN),  # at one in a hundred, a hundred without are nothing special
        ([(1, 1), (0, 3)], Standing.UNSEEN),
    ],
)
def test_standing(nights: list[tuple[int, int]], expected: Standing) -> None:
    assert standing(*nights).standing is expected


def test_what_is_counted() -> None:
    found = standing((2, 10), (1, 5), (3, 20))
    assert (found.tonight.shown, found.tonight.counted) == (3, 20)
    assert (found.earlier.shown, found.earlier.counted) == (3, 15)
    assert (found.nights_seen, found.nights_judged) == (3, 3)
    assert 0.05 < found.tonight.low < 0.15 < found.tonight.high < 0.4
    assert told(found).startswith("3 of 20 runs (15 %; 5.2 % to 36 %) tonight, 3 of 15 runs (20 %; ")


def test_a_resolved_one_says_how_likely_that_is_chance() -> None:
    found = standing((5, 10), (0, 40))
    assert found.unseen_runs == 40
    assert found.by_chance < 0.001
    assert told(found).startswith("Not in 40 runs since 2026-11-01, by chance in ")
    assert "Before: 5 of 10 runs" in told(found)


def test_a_new_one_says_in_how_many_runs_it_never_was() -> None:
    assert told(standing((0, 50), (1, 10))).endswith("never in 50 earlier runs.")
    assert told(standing((1, 10))).endswith("no earlier run could have shown it.")


def test_one_that_is_back_says_how_long_it_was_gone() -> None:
    assert "It had not been seen in 40 runs since 2026-11-01" in told(standing((5, 10), (0, 40), (1, 10)))


def test_the_same_check_elsewhere_is_another_finding() -> None:
    other = replace(FOUND, watched=replace(ERRORS, release="21.0.2"))
    found = standings([counted(1, 1, 10), counted(2, 1, 10, other)])
    assert [(each.item, each.standing) for each in found] == [(other, Standing.NEW), (FOUND, Standing.UNSEEN)]


def test_news_come_first_and_the_frequent_before_the_rare() -> None:
    items = [replace(FOUND, symptom=symptom) for symptom in "abc"]
    nights = [counted(1, 1, 10, items[0]), counted(2, 2, 10, items[0])]
    tonight = replace(nights[1], shown={**nights[1].shown, **counted(2, 1, 10, items[1]).shown,
                                        **counted(2, 7, 10, items[2]).shown})  # fmt: skip
    assert [each.item.symptom for each in standings([nights[0], tonight])] == ["c", "b", "a"]


def test_the_commands_that_repeat_it_survive_a_shell() -> None:
    found = standing((2, 10))
    first = replace(found.first, folder="my runs/n1/0001")
    assert again(replace(found, first=first)) == (
        "vtchaos replay 'my runs/n1/0001'",
        "vtchaos replay runs/n1/0002",
        "vtchaos shrink 'my runs/n1/0001'",
    )
