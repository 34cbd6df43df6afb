"""Delta debugging leaves what is needed and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.narrowing.ddmin import ddmin


@given(total=st.integers(1, 24), needed=st.sets(st.integers(0, 23), min_size=1, max_size=4))
def test_what_is_needed_is_left_in_its_order(total: int, needed: set[int]) -> None:
    needed = {each for each in needed if each < total}
    found = ddmin(range(total), lambda part: needed <= set(part))
    assert found == (tuple(sorted(needed)) if needed else found[:1])
    assert len(found) >= 1


@given(total=st.integers(2, 16), masks=st.lists(st.integers(1, 2**16 - 1), min_size=1, max_size=5))
def test_nothing_of_what_is_left_can_be_left_out(total: int, masks: list[int]) -> None:
    """Also where any of several sets of them does."""
    sets = [{bit for bit in range(total) if mask >> bit & 1} for mask in masks]
    sets = [each for each in sets if each] or [{0}]

    def still(part: tuple[int, ...]) -> bool:
        return any(each <= set(part) for each in sets)

    found = ddmin(range(total), still)
    assert still(found)
    if len(found) > 1:
        assert not any(still(tuple(each for each in found if each != left)) for left in found)


def test_nobody_is_asked_about_nothing_or_everything() -> None:
    asked: list[tuple[int, ...]] = []

    def still(part: tuple[int, ...]) -> bool:
        asked.append(part)
        return False

    assert ddmin(range(5), still) == (0, 1, 2, 3, 4)
    assert all(0 < len(part) < 5 for part in asked)
