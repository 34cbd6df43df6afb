"""Copy cycles from recorded events: where each begins and how it ended, what it delivered, and at what price."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from harness.facts import event_tally
from harness.facts.cycles import CycleEnd, StreamCopy, cpu_ns_per_row, stream_copy
from harness.items import MARK_TABLE, first_id
from harness.streams import EVENT_DTYPE, EventFlag, EventType, Resume, StreamRecord
from tests.unit.stream_report_history import (
    SECOND,
    StreamMaker,
    broken_stream,
    copied_stream,
    lane_of,
    ns,
)


def ends(copy: StreamCopy) -> list[tuple[str, str, str, int]]:
    return [(cycle.shard, cycle.table, cycle.end.value, cycle.rows) for cycle in copy.cycles]


def test_a_cut_copy_is_as_many_cycles_as_copies_began() -> None:
    copy = stream_copy(copied_stream(lane_of(shards=("-80",)), rows=4000, cycles=4))
    assert ends(copy) == [
        ("-80", "item_1", "cut", 1000),
        ("-80", "item_1", "cut", 1000),
        ("-80", "item_1", "cut", 1000),
        ("-80", "item_1", "table complete", 1000),
        ("-80", MARK_TABLE, "table complete", 0),
    ]
    assert (len(copy.item_cycles), copy.cuts) == (4, 3)
    first = first_id("-80", 0)
    assert [(cycle.first_key, cycle.last_key) for cycle in copy.item_cycles] == [
        (first + 1000 * number + 1, first + 1000 * number + 1000) for number in range(4)
    ]
    assert copy.cycles[0].from_ns == ns(2.05)
    assert copy.cycles[0].to_ns == ns(2.05 + 0.285)


def test_shards_that_are_copied_at_the_same_time_are_kept_apart() -> None:
    copy = stream_copy(copied_stream(lane_of(), rows=5000, cycles=3))
    for shard in ("-80", "80-"):
        mine = [cycle for cycle in copy.item_cycles if cycle.shard == shard]
        assert [cycle.rows for cycle in mine] == [1667, 1667, 1666]
        assert [cycle.end for cycle in mine] == [CycleEnd.CUT, CycleEnd.CUT, CycleEnd.COMPLETE]
        assert all(first_id(shard, 0) < cycle.first_key < cycle.last_key for cycle in mine)


def test_totals_of_an_attempt() -> None:
    (attempt,) = stream_copy(copied_stream(lane_of(), rows=3000, cycles=2)).attempts
    assert (attempt.rows_copied, attempt.rows_replicated, attempt.cycles, attempt.cuts) == (6000, 3 * 2 + 5 * 2, 4, 2)
    assert sorted(attempt.shards_completed_ns) == ["-80", "80-"]
    assert attempt.completed_ns > max(attempt.shards_completed_ns.values()) > attempt.last_copied_ns
    assert attempt.attempt.begin_ns < attempt.first_row_ns < attempt.last_copied_ns
    assert attempt.rows_per_s == pytest.approx(6000 / ((attempt.completed_ns - ns(2)) / SECOND))
    assert not attempt.failed


def test_totals_of_a_stream() -> None:
    copy = stream_copy(copied_stream(lane_of(), rows=3000, cycles=2))
    assert copy.copy_ns == copy.attempts[0].completed_ns - ns(2)
    assert copy.rows_per_s == copy.attempts[0].rows_per_s
    assert cpu_ns_per_row([copy]) == {"vtgate-1": pytest.approx(0.4 * SECOND / 6016)}
    assert not copy.ended_by_server
    assert copy.last_ns == ns(13)


def test_cpu_is_of_the_process_that_reads_all_streams_of_a_vtgate() -> None:
    at_once = [stream_copy(copied_stream(lane_of(number), rows=3000, cycles=2)) for number in (1, 2)]
    other = stream_copy(copied_stream(lane_of(3, vtgate="vtgate-2"), rows=3000, cycles=2))
    whole = 0.4 * SECOND
    assert cpu_ns_per_row([*at_once, other]) == {
        "vtgate-1": pytest.approx(whole / 12032),
        "vtgate-2": pytest.approx(whole / 6016),
    }
    later = stream_copy(broken_stream(lane_of(), rows=100, at_s=20))
    overlapping = stream_copy(broken_stream(lane_of(2), rows=100, at_s=20.1))  # a quarter of it lies behind the first
    both = cpu_ns_per_row([later, overlapping])["vtgate-1"]
    assert both == pytest.approx(0.05 * 1.25 * SECOND / 400)
    assert cpu_ns_per_row([at_once[0], later])["vtgate-1"] == pytest.approx((whole + 0.05 * SECOND) / 6216)


def test_a_stream_that_the_first_cut_ended() -> None:
    copy = stream_copy(broken_stream(lane_of(), rows=2500))
    assert [(cycle.end, cycle.code, cycle.errno, cycle.failed) for cycle in copy.cycles] == [
        (CycleEnd.ATTEMPT_ENDED, "UNKNOWN", 3024, True)
    ] * 2
    assert copy.cuts == 1
    assert copy.copy_ns is None
    assert copy.ended_by_server
    assert copy.rows_per_s == pytest.approx(5000 / (copy.attempts[0].last_copied_ns / SECOND - ns(2) / SECOND))


def test_every_attempt_has_its_own_cycles() -> None:
    copy = stream_copy(broken_stream(lane_of(shards=("-80",)), rows=2500, resume=Resume.CHECKPOINT))
    assert [(cycle.attempt, cycle.end, cycle.rows) for cycle in copy.cycles] == [
        (1, CycleEnd.ATTEMPT_ENDED, 2500),
        (2, CycleEnd.ATTEMPT_ENDED, 2500),
    ]
    assert copy.cycles[1].first_key == copy.cycles[0].last_key + 1  # from the checkpoint on
    assert [attempt.rows_copied for attempt in copy.attempts] == [2500, 2500]
    assert len(copy.failed_attempts) == 2


def test_a_record_that_breaks_off_leaves_its_last_cycle_open() -> None:
    made = StreamMaker(lane_of(shards=("0",), tables=2))
    made.attempt(1)
    made.copy("0", "item_1", 1.1, rows=10)
    made.copy("0", "item_2", 1.5, rows=7)
    copy = stream_copy(made.record())
    assert ends(copy) == [("0", "item_1", "table complete", 10), ("0", "item_2", "open", 7)]
    assert copy.copy_ns is None


def test_a_table_whose_key_left_the_vgtid_is_complete() -> None:
    made = StreamMaker(lane_of(shards=("0",)))
    made.attempt(1)
    made.copy("0", "item_1", 1.1, rows=10)
    made.finish("0", "item_1", 1.5)
    made.end(2, "UNAVAILABLE", "gone")
    assert ends(stream_copy(made.record())) == [("0", "item_1", "table complete", 10)]


def test_a_key_that_a_resumed_attempt_brought_and_lost_is_a_complete_table() -> None:
    made = StreamMaker(lane_of(shards=("0",)))
    made.attempt(1)
    made.copy("0", "item_1", 1.1, rows=10)
    made.end(2, "LEFT")
    made.attempt(3, Resume.CHECKPOINT)
    made.copy("0", "item_1", 3.1, rows=0)
    made.finish("0", "item_1", 3.5)
    made.end(4, "STOPPED")
    copy = stream_copy(made.record())
    assert [cycle.end for cycle in copy.cycles] == [CycleEnd.ATTEMPT_ENDED, CycleEnd.COMPLETE]
    assert not copy.cycles[0].failed  # the client itself left


@pytest.mark.parametrize("code, failed", [("UNKNOWN", True), ("EOF", True), ("STOPPED", False), ("LEFT", False)])
def test_who_ended_an_attempt(code: str, failed: bool) -> None:
    made = StreamMaker(lane_of(shards=("0",)))
    made.attempt(1)
    made.copy("0", "item_1", 1.1, rows=10)
    made.end(2, code)
    copy = stream_copy(made.record())
    assert (copy.attempts[0].failed, copy.cycles[0].failed, copy.ended_by_server) == (failed, failed, failed)
    assert copy.cycles[0].code == code


def test_another_shards_completion_completes_nothing() -> None:
    made = StreamMaker(lane_of())
    made.attempt(1)
    made.copy("-80", "item_1", 1.1, rows=10)
    made.complete(1.6, "80-")
    assert stream_copy(made.record()).cycles[0].end is CycleEnd.OPEN
    made.complete(1.7, "-80")
    assert stream_copy(made.record()).cycles[0].end is CycleEnd.COMPLETE


def test_pauses_count_until_the_copy_is_complete() -> None:
    made = StreamMaker(lane_of(shards=("0",)))
    made.attempt(1)
    made.copy("0", "item_1", 1.2, rows=10, took_s=0.1)
    made.replicate("0", "item_1", 3.3, rows=1)
    made.complete(3.5, "0", "")
    made.replicate("0", "item_1", 60, rows=1)  # nobody wrote for a minute
    pause = stream_copy(made.record()).longest_pause
    assert (pause.from_ns, pause.span_ns) == (ns(1.3), 2 * SECOND)


def test_waiting_for_the_first_response_and_for_the_end_is_a_pause() -> None:
    late, hung = StreamMaker(lane_of(shards=("0",))), StreamMaker(lane_of(shards=("0",)))
    late.attempt(1)
    late.copy("0", "item_1", 5, rows=1)
    hung.attempt(1)
    hung.copy("0", "item_1", 1.1, rows=1)
    hung.end(9.4, "UNAVAILABLE")
    assert stream_copy(late.record()).longest_pause.span_ns == 4 * SECOND
    assert stream_copy(hung.record()).longest_pause.span_ns == 8 * SECOND


def test_rows_without_a_begin_belong_to_no_cycle() -> None:
    whole = copied_stream(lane_of(shards=("-80",)), rows=3000, cycles=3)
    fields = np.flatnonzero((whole.events["type"] == EventType.FIELD) & (whole.events["flags"] == EventFlag.COPY))
    copy = stream_copy(dataclasses.replace(whole, events=np.delete(whole.events, fields[0])))
    assert copy.rows_copied == 3000
    assert [cycle.rows for cycle in copy.item_cycles] == [1000, 1000]


def test_malformed_rows_are_counted() -> None:
    whole = copied_stream(lane_of(), rows=10, cycles=1)
    events = whole.events.copy()
    events["flags"][np.flatnonzero(events["type"] == EventType.ROW)[:3]] |= int(EventFlag.MALFORMED)
    assert stream_copy(dataclasses.replace(whole, events=events)).attempts[0].malformed == 3


def test_events_of_an_attempt_that_no_file_names() -> None:
    copy = stream_copy(dataclasses.replace(broken_stream(lane_of(), rows=5), attempts=()))
    assert [attempt.attempt.begin_ns for attempt in copy.attempts] == [ns(2.05)]
    assert {cycle.end for cycle in copy.cycles} == {CycleEnd.OPEN}


def test_a_stream_without_events() -> None:
    nothing = StreamMaker(lane_of())
    assert stream_copy(nothing.record()) == StreamCopy(lane=lane_of(), cycles=(), attempts=(), last_ns=0)
    nothing.attempt(1)
    nothing.end(2, "UNAVAILABLE", "no vtgate")
    copy = stream_copy(nothing.record())
    assert (copy.rows, copy.begin_ns, copy.last_ns, copy.ended_by_server) == (0, ns(1), ns(2), True)
    assert (copy.rows_per_s, cpu_ns_per_row([copy])) == (None, {})


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    records = [
        copied_stream(lane_of(shards=("-80", "80-"), tables=2), rows=60, cycles=3),
        broken_stream(lane_of(), rows=25, resume=Resume.SCRATCH),
    ]
    whole = [stream_copy(record) for record in records]
    monkeypatch.setattr(event_tally, "BLOCK", block)
    assert [stream_copy(record) for record in records] == whole


def test_a_million_rows_are_read_quickly_and_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "stream-1.bin"
    small = copied_stream(lane_of(), rows=250, cycles=5)
    events = np.memmap(path, dtype=EVENT_DTYPE, mode="w+", shape=1_000_000)
    events["type"], events["flags"], events["attempt"] = EventType.ROW, EventFlag.COPY, 1
    events["at_ns"], events["shard"] = ns(1) + np.arange(1_000_000), np.arange(1_000_000) % 2
    for number in range(40):  # of both shards, twenty cycles each
        events["type"][number * 25_000] = EventType.FIELD
        events["shard"][number * 25_000] = number % 2
    big = StreamRecord(lane=small.lane, events=events)
    tracemalloc.start()
    began = time.process_time()
    copy = stream_copy(big)
    took_s, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(copy.cycles) == 40
    assert copy.rows_copied == 999_960
    assert sum(cycle.rows for cycle in copy.cycles) == 999_960 - 12_500  # of the second shard, before its first cycle
    assert took_s < 5
    assert peak < 100e6
