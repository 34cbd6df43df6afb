"""Goal: every guarantee of a stream holds on what a correct Vitess sends, and its check is red when one event is
dropped, doubled, swapped or changed; no other check is. Method: made-up streams (`stream_history`), each mutation
of each of them (`stream_mutations`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks import CHECKS, VSTREAM
from harness.checks.judge import judge
from harness.checks.vstream import GUARANTEES, PREMISES
from harness.history import History
from harness.model import CheckKind, CheckResult, KnownBug, Role
from harness.streams import Change, Resume, StreamRecord
from tests.unit.stream_history import StreamRun
from tests.unit.stream_mutations import (
    ATOMIC,
    MUTATIONS,
    ORDERED,
    RELIABLE,
    Events_,
    Mutation,
    changed_twice,
    mutations,
)
from tests.unit.verdicts import FAIL, PASS, UNKNOWN

CHECKPOINT: Mapping[str, Any] = {"resume": Resume.CHECKPOINT, "cut_after": 0}
SOUND: Mapping[str, Mapping[str, Any]] = {
    "cut": {},
    "never cut": {"cut_after": 0},
    "one table, one shard": {"tables": 1, "shards": 1},
    "many tables and shards": {"tables": 5, "shards": 4, "rows": 80, "seed": 5},
    "nobody writes": {"load": False},
    "one row a packet": {"packet": 1, "rows": 30},
    "everything in one packet": {"packet": 500, "cut_after": 0},
    "catch-up ahead of the copy": {"bug": "ahead", "seed": 2},
    "catch-up ahead of a resumed copy": {**CHECKPOINT, "bug": "ahead", "leave_after": 30},
    "resumed often": {**CHECKPOINT, "leave_after": 9, "seed": 9},
    "resumed seldom": {**CHECKPOINT, "leave_after": 30, "seed": 2, "tables": 3},
}
OF_STREAMS = [check.name for check in (*PREMISES, *GUARANTEES)]


@lru_cache(maxsize=32)
def sound(name: str) -> History:
    return StreamRun(**SOUND[name]).history()


def of(history: History, record: StreamRecord) -> History:
    return dataclasses.replace(history, streams=(record,))


def red(history: History) -> frozenset[str]:
    return frozenset(r.check for check in GUARANTEES for r in check.check(history) if r.verdict is FAIL)


def only(name: str, history: History) -> CheckResult:
    (found,) = CHECKS[name].check(history)
    return found


@pytest.mark.parametrize("stream", SOUND)
@pytest.mark.parametrize("check", OF_STREAMS)
def test_holds_on_what_a_correct_vitess_sends(check: str, stream: str) -> None:
    result = only(check, sound(stream))
    assert result.verdict is PASS, result.details


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    shards=st.sampled_from((1, 2, 4)),
    tables=st.integers(1, 3),
    rows=st.integers(16, 60),
    packet=st.integers(4, 20),
    cut_after=st.integers(0, 4),
    leave_after=st.sampled_from((0, 0, 20)),  # less, and a run ends before its copy does
    bug=st.sampled_from(("", "ahead")),
)
def test_holds_whatever_is_drawn(**drawn: Any) -> None:
    resume = Resume.CHECKPOINT if drawn["leave_after"] else Resume.NONE
    assert red(StreamRun(resume=resume, **drawn).history()) == frozenset()


MUTATED = [
    (stream, mutation) for stream in ("cut", "one table, one shard", "resumed often", "resumed seldom")
    for mutation in mutations(sound(stream).streams[0])
]  # fmt: skip


@pytest.mark.parametrize(("stream", "mutation"), MUTATED, ids=[f"{m.name}: {stream}" for stream, m in MUTATED])
def test_one_wrong_event_is_seen_by_its_check_alone(stream: str, mutation: Mutation) -> None:
    assert mutation.misjudged(red(of(sound(stream), mutation.record))) == ""


def test_every_mutation_was_tried_and_every_guarantee_seen_broken() -> None:
    assert {mutation.name for _, mutation in MUTATED} == {name for name, *_ in MUTATIONS}
    needed = frozenset().union(*(mutation.must for _, mutation in MUTATED))
    assert needed == {check.name for check in GUARANTEES} - {"vstream/counters"}


# ---------------------------------------------------------------- which changes of a row can be swapped


SWAPPABLE = [
    {"rows": 30, "tables": 1, "shards": 1, "seed": 3},
    {"rows": 30, "tables": 1, "shards": 1, "seed": 5, "bug": "ahead"},
    {"rows": 30, "tables": 1, "shards": 1, "seed": 2, "resume": Resume.CHECKPOINT, "leave_after": 20},
]


@pytest.mark.parametrize("drawn", SWAPPABLE, ids=["cut", "catch-up ahead of the copy", "resumed"])
def test_whichever_two_changes_of_a_row_are_swapped(drawn: Mapping[str, Any]) -> None:
    """Not the middle ones alone: which those are depends on how a real stream went."""
    history = StreamRun(**drawn).history()
    events = Events_(history.streams[0])
    pairs = changed_twice(events)
    assert len(pairs) > 10
    for pair in pairs:
        found = red(of(history, events.exchanged(*pair)))
        assert {ORDERED} <= found <= {ORDERED, ATOMIC, RELIABLE}, pair


def test_changes_on_both_sides_of_their_rows_copy_are_no_mere_swap() -> None:
    """U2 C2 U3, as catch-up sends it for rows that the copy has not come to: swapped, U2 comes behind a copy that
    shows it. Seen on a real stream: a quarter of all pairs."""
    history = sound("cut")
    events = Events_(history.streams[0])
    one, other = _around_a_copy(events)
    assert (one, other) not in changed_twice(events)
    record = events.exchanged(one, other)
    swap = Mutation(name="swap", must=frozenset({ORDERED}), may=frozenset({ATOMIC, RELIABLE}), record=record)
    assert swap.misjudged(red(of(history, record))) == "swap: red as well: vstream/unique"
    assert swap.misjudged(frozenset({ATOMIC})) == "swap: not red: vstream/ordered"


def _around_a_copy(events: Events_) -> tuple[int, int]:
    """Two UPDATEs of a row with nothing but its copy between them."""
    for copied in np.flatnonzero(events.item & events.copy).tolist():
        mine = np.flatnonzero(events.item & (events.events["key"] == events.events["key"][copied]))
        place = int(np.searchsorted(mine, copied))
        beside = mine[[place - 1, place + 1]] if 0 < place < len(mine) - 1 else mine[:0]
        if len(beside) and (events.events["change"][beside] == Change.UPDATE).all():
            return int(beside[0]), int(beside[1])
    raise AssertionError("no row was changed, copied and changed again")


# ---------------------------------------------------------------- whole defects


def test_a_table_that_is_forgotten_between_two_cuts() -> None:
    """Seen on 24.0.3: a VGTID between two tables names no last key, and who starts from it copies nothing more."""
    history = StreamRun(bug="forgets", tables=3).history()
    assert red(history) == {"vstream/completed", "vstream/reliable"}
    assert "no COPY_COMPLETED of -80" in only("vstream/completed", history).summary
    assert "the stream never brought" in only("vstream/reliable", history).summary


def test_tables_that_are_copied_again_without_what_was_deleted_meanwhile() -> None:
    """Seen on 24.0.3: after a cut, complete tables are copied again, and their changes until then are left out; what
    was deleted in that time stays in the client's tables for ever."""
    history = StreamRun(bug="recopies").history()
    assert red(history) == {"vstream/unique", "vstream/reliable"}
    reliable = only("vstream/reliable", history)
    assert int(reliable.figures["extra"]) > 0
    assert "the stream has, the table not" in reliable.details[0]
    assert int(only("vstream/unique", history).figures["copied_again"]) >= 100


def test_what_was_sent_before_it_was_committed_comes_again() -> None:
    """Seen on 24.0.3 during a reparent: semi-sync shows a transaction to catch-up, and not yet to the copy."""
    history = sound("catch-up ahead of the copy")
    ordered, unique = only("vstream/ordered", history), only("vstream/unique", history)
    assert (ordered.verdict, unique.verdict) == (PASS, PASS)
    assert int(ordered.figures["setbacks"]) > 0
    assert int(unique.figures["sent_again_explained"]) > 0
    assert "a copy began behind what had been sent" in ordered.details[0]


def test_a_resume_from_where_nothing_is_left_to_copy() -> None:
    history = StreamRun(resume=Resume.CHECKPOINT, leave_after=7, seed=3, careful=False).history()
    assert {"vstream/resumable", "vstream/reliable"} <= red(history)
    assert "was not complete when attempt 2 resumed" in only("vstream/resumable", history).summary


def test_what_came_behind_a_checkpoint_may_come_again() -> None:
    history = StreamRun(**CHECKPOINT, fails_after=40, seed=3).history()
    assert red(history) == {"vstream/uninterrupted"}
    record = history.streams[0]
    assert [attempt.resume for attempt in record.attempts] == ["scratch", "checkpoint"]


def test_what_came_before_a_new_beginning_is_thrown_away() -> None:
    history = StreamRun(resume=Resume.SCRATCH, fails_after=25).history()
    assert red(history) == {"vstream/uninterrupted"}
    rows = len(history.tables["ks", "item_1", "-80"].rows)
    assert int(only("vstream/reliable", history).figures["rows"]) > 4 * rows


def half_of(history: History) -> History:
    """Its stream comes to no mark."""
    record = history.streams[0]
    return of(history, dataclasses.replace(record, events=record.events[: len(record.events) // 3]))


def test_a_stream_that_hangs() -> None:
    half = half_of(sound("cut"))
    assert red(half) == {"vstream/completed"}
    assert "not compared, its mark never came" in only("vstream/reliable", half).details[0]


def test_tables_that_were_not_read_cannot_be_compared() -> None:
    history = dataclasses.replace(sound("cut"), tables={})
    assert only("vstream/reliable", history).verdict is UNKNOWN


# ---------------------------------------------------------------- how a stream ended


def test_a_stream_that_the_copy_phase_duration_ended() -> None:
    """#17778: vtgate 21.0.x; nothing else is wrong with such a stream."""
    history = StreamRun(fails_after=20).history()
    assert red(history) == {"vstream/uninterrupted"}
    result = only("vstream/uninterrupted", history)
    assert (result.kind, result.figures["errno"]) == (CheckKind.PROMISE, 3024)
    assert result.summary == "Stream items-1@vtgate-1 ended after 0.04 s and 58 rows: errno 3024."
    assert "maximum statement execution time exceeded" in result.details[0]
    assert only("vstream/completed", history).details[0] == "attempt 1 ended before, see vstream/uninterrupted"


@pytest.mark.parametrize("code", ["EOF", "UNAVAILABLE", "UNKNOWN"])
def test_every_end_by_the_server_is_one(code: str) -> None:
    record = sound("cut").streams[0]
    ended = dataclasses.replace(record, attempts=(dataclasses.replace(record.attempts[0], code=code),))
    assert red(of(sound("cut"), ended)) == {"vstream/uninterrupted"}


@pytest.mark.parametrize("code", ["", "STOPPED", "LEFT"])
def test_a_client_may_end_its_own_stream(code: str) -> None:
    record = sound("cut").streams[0]
    ended = dataclasses.replace(record, attempts=(dataclasses.replace(record.attempts[0], code=code),))
    assert red(of(sound("cut"), ended)) == frozenset()


def test_a_completion_that_gets_lost_between_two_attempts_is_said_but_is_no_defect() -> None:
    history = sound("resumed often")
    result = only("vstream/completed", history)
    assert result.verdict is PASS
    record = history.streams[0]
    without = dataclasses.replace(record, events=record.events[record.events["type"] != 20])
    result = only("vstream/completed", of(history, without))
    assert result.verdict is PASS
    assert "its COPY_COMPLETED was lost between two attempts" in result.details[0]


def test_a_stream_that_never_began_and_one_that_was_not_recorded() -> None:
    whole = sound("cut")
    record = dataclasses.replace(whole.streams[0], events=whole.streams[0].events[:0], vgtids=(), attempts=())
    assert only("vstream/completed", of(whole, record)).verdict is FAIL
    for name in (check.name for check in GUARANTEES if check.name != "vstream/counters"):
        assert only(name, dataclasses.replace(whole, streams=())).verdict is UNKNOWN
    none = dataclasses.replace(whole, streams=(), plan=dataclasses.replace(whole.plan, streams=()))
    for name in OF_STREAMS:
        assert only(name, none).verdict is PASS


# ---------------------------------------------------------------- the verdict of a run


def judged(history: History, *bugs: KnownBug) -> Any:
    checks = tuple(check.name for check in VSTREAM)
    return judge(dataclasses.replace(history, plan=dataclasses.replace(history.plan, checks=checks, known_bugs=bugs)))


BUG = KnownBug(
    issue="#17778",
    check="vstream/uninterrupted",
    component=Role.VTGATE,
    affected_from="18.0.0",
    fixed_in="22.0.0",
)


def test_a_sound_run_passes_and_says_what_it_saw() -> None:
    verdict = judged(sound("cut"))
    assert (verdict.verdict, verdict.exit_code) == (PASS, 0)
    assert verdict.headline == (
        "1 stream of 240 rows through 20 copy cycles, all rows delivered; 280 operations, 0 errors."
    )


def test_a_known_bug_shows_in_the_streams_of_its_vtgate() -> None:
    verdict = judged(StreamRun(fails_after=20, vtgate="21.0.2").history(), BUG)
    assert (verdict.exit_code, verdict.reproduced) == (0, ("#17778",))
    assert verdict.headline.startswith("Stream items-1@vtgate-1 ended after 0.04 s and 58 rows: errno 3024;")
    assert judged(StreamRun(fails_after=20, vtgate="22.0.0").history(), BUG).exit_code == 1
    assert judged(StreamRun(vtgate="21.0.2").history(), BUG).exit_code == 1  # it has the bug, and it did not show


def test_a_fault_that_is_not_on_record_proves_nothing() -> None:
    whole = sound("cut")
    planned = dataclasses.replace(
        whole, plan=dataclasses.replace(whole.plan, params={**whole.plan.params, "faults": 1})
    )
    assert only("assumptions/streams", whole).verdict is PASS
    said = only("assumptions/streams", planned)
    assert (said.verdict, "0 of 1 faults are on record" in said.summary) == (UNKNOWN, True)


def test_positions_that_are_not_on_record_prove_nothing() -> None:
    whole = sound("cut")
    (record,) = whole.streams
    gone = of(whole, dataclasses.replace(record, vgtids=()))
    assert "the positions of items-1@vtgate-1 are not on record" in only("assumptions/streams", gone).summary


def test_a_reader_that_only_pauses_cannot_blame_the_server() -> None:
    whole = StreamRun(bug="forgets", tables=3).history()
    (record,) = whole.streams
    (attempt,) = record.attempts
    took_ms = (attempt.end_ns - attempt.begin_ns) / 1e6
    for share, verdict in ((0.5, FAIL), (0.95, UNKNOWN)):
        spec = dataclasses.replace(record.lane.spec, pause_ms=share * took_ms / 100)
        slow = dataclasses.replace(
            record,
            lane=dataclasses.replace(record.lane, spec=spec),
            attempts=(dataclasses.replace(attempt, responses=100),),
        )
        assert only("vstream/completed", of(whole, slow)).verdict is verdict


def test_what_trying_again_came_to_is_in_the_headline() -> None:
    headline = judged(StreamRun(**CHECKPOINT, fails_after=40, seed=3).history()).headline
    assert "items-1@vtgate-1 was complete after 2 attempts and 1." in headline
    assert "never complete" not in headline


def test_the_gravest_finding_is_in_the_headline() -> None:
    verdict = judged(StreamRun(bug="recopies").history())
    assert verdict.exit_code == 1
    assert "Finding in vstream/reliable" in verdict.headline
    assert "all rows delivered" not in verdict.headline


def test_a_run_without_streams_says_so() -> None:
    assert judged(dataclasses.replace(sound("cut"), streams=())).headline.startswith("No stream was recorded")
