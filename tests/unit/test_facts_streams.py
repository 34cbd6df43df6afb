"""What is read off a recorded stream: which attempts belong together, what counts, and a row's history in arrays.

The arrays are held against a plain reading of the same rules, event by event.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.facts.stream_copies import completions, false_bookmarks, past_the_copy
from harness.facts.stream_rows import Rows, Story, copies_back, difference, gaps, repeats, state, steps_back
from harness.facts.streams import Chain, Stream
from harness.streams import (
    EVENT_DTYPE,
    Attempt,
    Change,
    EventFlag,
    EventType,
    Position,
    Resume,
    StreamLane,
    StreamRecord,
    StreamSpec,
    VgtidStep,
)
from tests.unit.stream_history import StreamRun

LANE = StreamLane(
    number=1,
    name="items-1@vtgate-1",
    vtgate="vtgate-1",
    spec=StreamSpec(),
    keyspace="ks",
    shards=("-80", "80-"),
    tables=("item_1", "item_2", "stream_mark"),
)

# ---------------------------------------------------------------- a row's history

COPY, INSERT, UPDATE, DELETE = "copy", Change.INSERT, Change.UPDATE, Change.DELETE
Row = tuple[int, str | Change, int]  # key, how, version


def story(*rows: Row) -> Story:
    events = np.zeros(len(rows), dtype=EVENT_DTYPE)
    events["type"] = EventType.ROW
    for event, (key, how, version) in zip(events, rows, strict=True):
        event["key"], event["version"] = key, version
        event["change"] = INSERT if how == COPY else how
        event["flags"] = EventFlag.COPY if how == COPY else 0
        event["before"] = version - 1 if how == UPDATE else version if how == DELETE else 0
    return Story.of(events, np.arange(len(events)), 0)


def places(flags: np.ndarray) -> list[int]:
    return [int(place) for place in np.flatnonzero(flags)]


def test_what_comes_twice_and_what_is_explained() -> None:
    found = repeats(story((1, COPY, 1), (5, UPDATE, 2), (1, UPDATE, 2), (5, COPY, 2), (1, UPDATE, 2), (1, COPY, 2)))
    assert places(found.explained) == [3]
    assert places(found.again) == [4, 5]


def test_a_delete_is_not_the_update_before_it() -> None:
    told = story((1, COPY, 1), (1, UPDATE, 2), (1, DELETE, 2), (1, DELETE, 2))
    assert places(repeats(told).again) == [3]
    assert len(state(told).key) == 0


def test_steps_back() -> None:
    told = story(
        (1, COPY, 3), (1, UPDATE, 5), (1, UPDATE, 4), (2, UPDATE, 2), (2, COPY, 1), (3, DELETE, 2), (3, UPDATE, 2)
    )
    assert places(steps_back(told, repeats(told).again)) == [2, 4, 6]
    assert places(copies_back(story((1, COPY, 1), (3, COPY, 1), (2, COPY, 1), (4, COPY, 1)), np.zeros(4, bool))) == [2]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (((1, COPY, 1), (1, UPDATE, 2), (1, UPDATE, 3)), {}),
        (((1, COPY, 1), (1, UPDATE, 3)), {"skipped": [1]}),
        (((5, UPDATE, 2), (5, COPY, 2)), {}),
        (((5, UPDATE, 2), (5, COPY, 3)), {"unheard": [1]}),
        (((1, COPY, 1), (1, DELETE, 1)), {}),
        (((1, COPY, 1), (1, DELETE, 2)), {"unheard": [1]}),
        (((1, COPY, 1), (1, DELETE, 1), (1, UPDATE, 2)), {"revived": [2]}),
        (((7, COPY, 1), (3, UPDATE, 2)), {"first": [1]}),
        (((7, COPY, 1), (9, UPDATE, 2), (9, DELETE, 2)), {}),
        (((7, COPY, 1), (3, INSERT, 1)), {}),
    ],
)
def test_gaps(rows: tuple[Row, ...], expected: dict[str, list[int]]) -> None:
    found = gaps(story(*rows), complete=None, copied=True)
    named = {field.name: places(getattr(found, field.name)) for field in dataclasses.fields(found)}
    assert {name: at for name, at in named.items() if at} == expected


def test_a_change_of_an_unknown_row_is_a_gap_once_the_table_is_copied() -> None:
    told = story((1, COPY, 1), (9, UPDATE, 2))
    assert places(gaps(told, complete=1, copied=True).first) == [1]
    assert places(gaps(told, complete=1, copied=False).first) == []


def test_an_update_is_from_one_version_to_the_next() -> None:
    told = story((1, COPY, 1), (1, UPDATE, 2))
    told.before[1] = 7
    assert places(gaps(told, complete=None, copied=True).torn) == [1]


HOWS = st.sampled_from((COPY, INSERT, UPDATE, DELETE))
ROWS = st.lists(st.tuples(st.integers(1, 4), HOWS, st.integers(1, 4)), max_size=12)


@settings(max_examples=300)
@given(ROWS)
def test_arrays_say_what_reading_row_by_row_says(rows: list[Row]) -> None:
    told = story(*rows)
    again, explained, back = [], [], []
    seen: dict[tuple[int, int], list[bool]] = {}
    copied: set[int] = set()
    highest: dict[int, int] = {}
    for place, (key, how, version) in enumerate(rows):
        rank = 2 * version + (how == DELETE)
        before = seen.setdefault((key, rank), [])
        is_again = key in copied if how == COPY else bool(before)
        if is_again:
            again.append(place)
        elif how == COPY and before:
            explained.append(place)
        if rank < highest.get(key, 0) and not is_again:
            back.append(place)
        highest[key] = max(rank, highest.get(key, 0))
        before.append(how == COPY)
        if how == COPY:
            copied.add(key)
    found = repeats(told)
    assert (places(found.again), places(found.explained)) == (again, explained)
    assert places(steps_back(told, found.again)) == back
    alive = {key: rank // 2 for key, rank in highest.items() if rank % 2 == 0}
    rebuilt = state(told)
    assert dict(zip(rebuilt.key.tolist(), rebuilt.version.tolist(), strict=True)) == alive


@given(
    st.dictionaries(st.integers(1, 9), st.integers(1, 3), max_size=6),
    st.dictionaries(st.integers(1, 9), st.integers(1, 3), max_size=6),
)
def test_the_difference_of_two_tables(told: dict[int, int], actual: dict[int, int]) -> None:
    def rows(table: dict[int, int]) -> Rows:
        keys = sorted(table)
        return Rows(key=np.array(keys, dtype=np.uint64), version=np.array([table[key] for key in keys], dtype=np.int64))

    found = difference(rows(told), rows(actual))
    assert set(found.missing.tolist()) == actual.keys() - told.keys()
    assert set(found.extra.tolist()) == told.keys() - actual.keys()
    keys = sorted(told)
    assert {keys[place] for place in found.older.tolist()} == {k for k in told if told[k] < actual.get(k, 0)}
    assert {keys[place] for place in found.newer.tolist()} == {k for k in told if k in actual and told[k] > actual[k]}
    assert found.count == sum(told.get(key) != actual.get(key) for key in told.keys() | actual.keys())


# ---------------------------------------------------------------- attempts and positions


def stream(*attempts: Attempt) -> Stream:
    return Stream(StreamRecord(lane=LANE, events=np.empty(0, dtype=EVENT_DTYPE), attempts=attempts))


def attempt(number: int, resume: str = "scratch", tables: tuple[str, ...] = LANE.tables) -> Attempt:
    return Attempt(number=number, begin_ns=number, resume=resume, tables=tables)


def numbers(chain: Chain) -> list[int]:
    return [attempt.number for attempt in chain.attempts]


def test_attempts_from_checkpoints_continue_the_one_before() -> None:
    found = stream(attempt(1), attempt(2, "checkpoint"), attempt(3), attempt(4, "checkpoint")).chains
    assert [(numbers(chain), chain.current) for chain in found] == [([1, 2], False), ([3, 4], True)]


def test_tables_that_are_copied_one_by_one_have_attempts_of_their_own() -> None:
    one, two = ("item_1", "stream_mark"), ("item_2", "stream_mark")
    found = stream(
        attempt(1, tables=one), attempt(2, tables=two), attempt(3, "checkpoint", one), attempt(4, "checkpoint", two)
    ).chains
    assert [(numbers(chain), chain.tables, chain.current) for chain in found] == [
        ([1, 3], one, True),
        ([2, 4], two, True),
    ]


def test_what_counts_ends_with_the_vgtid_that_was_resumed_from() -> None:
    made = Stream(StreamRun(resume=Resume.CHECKPOINT, leave_after=9, seed=9).record)
    (chain,) = made.chains
    assert not chain.lost
    for shard in range(2):
        rows = made.counting(chain, shard)
        assert len(rows) <= sum(len(made.events_of(attempt.number, shard)) for attempt in chain.attempts)
        for before in chain.attempts[:-1]:
            upto = chain.kept[before.number, shard]
            assert upto == 0 or made.events["type"][upto - 1] == EventType.VGTID


def placed(*positions: Position, vgtids: int = 0) -> Stream:
    """One attempt on -80 whose VGTID events say these positions, and some that say nothing new."""
    total = len(positions) + vgtids
    events = np.zeros(total, dtype=EVENT_DTYPE)
    events["type"], events["attempt"], events["vgtid"] = EventType.VGTID, 1, np.arange(1, total + 1)
    steps = tuple(
        VgtidStep(number=number, at_ns=number, attempt=1, position=position)
        for number, position in enumerate(positions, start=1)
    )
    return Stream(StreamRecord(lane=LANE, events=events, vgtids=steps, attempts=(attempt(1),)))


def position(gtid: str, **last_pks: int) -> Position:
    return Position(shard="-80", gtid=gtid, last_pks=last_pks)


def test_a_position_lasts_to_the_last_vgtid_that_says_it() -> None:
    found = placed(position("a:1", item_1=5), position("a:2"), vgtids=2).places[1, 0]
    assert found.kept(position("a:1", item_1=5)) == 1
    assert found.kept(position("a:2")) == 4
    assert found.kept(position("a:3")) is None
    assert found.kept(position("a:1", item_1=6)) is None


def test_where_nothing_is_left_to_copy() -> None:
    assert past_the_copy(position("a:1"))
    assert not past_the_copy(position("a:1", item_1=5))
    assert not past_the_copy(position(""))
    assert not past_the_copy(None)


def test_tables_are_complete_when_their_last_key_left_or_nothing_was_to_copy() -> None:
    made = Stream(StreamRun().record)
    (one,) = made.record.attempts
    found = completions(made, one, 0)
    assert set(found) == {0, 1, 2}
    assert found[0] < found[1] < found[2]
    assert all(made.events["type"][index] == EventType.VGTID for index in found.values())


def test_a_vgtid_without_its_row_is_a_false_bookmark() -> None:
    record = StreamRun().record
    (one,) = record.attempts
    assert not list(false_bookmarks(Stream(record), one, 0))
    step = next(s for s in record.vgtids if s.position.shard == "-80" and s.position.last_pks)
    vgtid = int(np.flatnonzero(record.events["vgtid"] == step.number)[0])
    torn = Stream(dataclasses.replace(record, events=np.delete(record.events, vgtid - 1)))
    last = step.position.last_pks["item_1"]
    before = int(record.events["key"][vgtid - 2])
    assert list(false_bookmarks(torn, one, 0)) == [(vgtid - 1, "item_1", last, before)]
