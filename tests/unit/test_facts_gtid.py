"""GTID sets are read as MySQL writes them, and compared as sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.facts.gtid import behind, parse

A, B = "16b1039f-22b6-11ed-b765-0a43f95f28a3", "e6c8ad58-0f9d-11ee-8b4c-0a43f95f28a3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("MySQL56/", {}),
        (f"MySQL56/{A}:1-5", {A: ((1, 5),)}),
        (f"{A}:7", {A: ((7, 7),)}),
        (f"MySQL56/{A}:1-5:6-7:9,{B}:3", {A: ((1, 7), (9, 9)), B: ((3, 3),)}),
        (f"MySQL56/{A.upper()}:1-5,\n{A}:9", {A: ((1, 5), (9, 9))}),
        (f"MySQL56/{A}:1-5:blue:1-3", {A: ((1, 5),), f"{A}:blue": ((1, 3),)}),
        (f"MySQL56/{A}:5-1", {A: ()}),
    ],
)
def test_reading(text: str, expected: dict[str, tuple[tuple[int, int], ...]]) -> None:
    assert dict(parse(text).intervals) == expected


@pytest.mark.parametrize("text", ["nonsense", f"MySQL56/{A}", f"{A}:1-", f"{A}:1-2-3", ":1"])
def test_what_is_no_gtid_set(text: str) -> None:
    with pytest.raises(ValueError, match="no GTID set"):
        parse(text)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (f"MySQL56/{A}:1-6", f"MySQL56/{A}:1-5", False),
        (f"MySQL56/{A}:1-5", f"MySQL56/{A}:1-6", True),
        (f"MySQL56/{A}:1-5", f"MySQL56/{A}:1-5", False),
        (f"MySQL56/{A}:1-5,{B}:1", f"MySQL56/{A}:1-5", False),  # after a reparent
        (f"MySQL56/{A}:1-9", f"MySQL56/{A}:1-5,{B}:1", True),
        (f"MySQL56/{A}:1-3:5-9", f"MySQL56/{A}:4", True),
        (f"MySQL56/{A}:1", "", False),
    ],
)
def test_who_is_behind(one: str, other: str, expected: bool) -> None:
    assert behind(one, other) is expected


NUMBERS = st.sets(st.integers(1, 30), max_size=12)


def text_of(numbers: set[int]) -> str:
    return f"MySQL56/{A}:" + ":".join(str(number) for number in sorted(numbers)) if numbers else ""


@given(NUMBERS, NUMBERS)
def test_behind_is_what_sets_say(one: set[int], other: set[int]) -> None:
    assert behind(text_of(one), text_of(other)) is (not one >= other)
