"""Responses into records: every kind of event exactly, and the fast way of copied rows beside the slow one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.items import expected_digest
from harness.load import stream_decode
from harness.load.stream_decode import Decoder, Progress, StreamBuffers
from harness.streams import EVENT_DTYPE, NO_INDEX, Change, EventFlag, Events, EventType, StreamLane, StreamSpec
from harness.vitess.proto import binlogdata_pb2
from harness.vitess.vstream import Checkpoint
from tests.unit.vstream_fakes import (
    ITEM,
    MARK,
    cells,
    completed,
    copied_rows,
    event,
    fields,
    item,
    position,
    response,
    row,
    vgtid,
)

SHARDS = ("-80", "80-")
LANE = StreamLane(
    number=1,
    name="items-1@vtgate-1",
    vtgate="vtgate-1",
    spec=StreamSpec(),
    keyspace="ks",
    shards=SHARDS,
    tables=("item_1", "item_2", "stream_mark"),
)
BIG = (1 << 64) - 1


class Recorded:
    """What an attempt recorded."""

    def __init__(self, *responses: Any, start: Checkpoint | None = None, attempt: int = 3) -> None:
        self.buffers, self.progress = StreamBuffers(), Progress()
        self.decoder = Decoder(LANE, attempt, self.buffers, self.progress, start)
        for number, each in enumerate(responses, start=1):
            self.decoder.receive(each.SerializeToString(), 1000 + number)

    @property
    def events(self) -> Events:
        return np.frombuffer(bytes(self.buffers.records), dtype=EVENT_DTYPE)

    @property
    def steps(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.buffers.steps.splitlines()]

    def only(self) -> dict[str, Any]:
        """The one record, without what is 0."""
        (one,) = self.events
        return {name: value for name in EVENT_DTYPE.names or () if name != "spare" and (value := one[name].item())}


def test_an_insert_an_update_and_a_delete_from_the_binlog() -> None:
    common = {"at_ns": 1001, "response": 1, "attempt": 3, "type": EventType.ROW, "key": 7, "shard": 1}
    inserted = Recorded(response(row(item(7, 1, 99), shard="80-", timestamp=5))).only()
    assert inserted == common | {"change": Change.INSERT, "version": 1, "txn": 99, "digest": expected_digest(7, 1)}
    updated = Recorded(response(row(item(7, 3, 98), item(7, 2, 97), shard="80-", timestamp=5))).only()
    assert updated == common | {
        "change": Change.UPDATE,
        "version": 3,
        "before": 2,
        "txn": 98,
        "digest": expected_digest(7, 3),
    }
    deleted = Recorded(response(row(None, item(7, 4, 96), shard="80-", timestamp=5))).only()
    assert deleted == common | {
        "change": Change.DELETE,
        "version": 4,
        "before": 4,
        "txn": 96,
        "digest": expected_digest(7, 4),
    }


def test_a_copied_row_has_no_timestamp() -> None:
    assert Recorded(response(row(item(7)))).only()["flags"] == EventFlag.COPY
    assert Recorded(response(fields())).only()["flags"] == EventFlag.COPY
    assert "flags" not in Recorded(response(fields(timestamp=1))).only()


def test_a_row_event_of_several_changes_is_a_record_each() -> None:
    recorded = Recorded(response(row(item(7), timestamp=5, times=3)))
    assert recorded.events["key"].tolist() == [7, 7, 7]
    assert recorded.progress.rows == 1


def test_the_biggest_numbers_fit() -> None:
    one = Recorded(response(row(item(BIG, (1 << 32) - 1, BIG)))).only()
    assert (one["key"], one["version"], one["txn"]) == (BIG, (1 << 32) - 1, BIG)


@pytest.mark.parametrize(
    "values",
    [
        (b"7", b"1", b"0"),
        (b"7", b"1", b"0", b"pad", b"more"),
        (None, b"1", b"0", b"pad"),
        (b"7", b"1", b"0", None),
        (b"", b"1", b"0", b"pad"),
        (b"-7", b"1", b"0", b"pad"),
        (b"7", b"1.5", b"0", b"pad"),
        (b"7", b"1", b"zero", b"pad"),
        (b"7", str(1 << 32).encode(), b"0", b"pad"),
        (str(1 << 64).encode(), b"1", b"0", b"pad"),
    ],
)
def test_a_row_that_is_not_ours_is_malformed_and_no_error(values: Sequence[bytes | None]) -> None:
    one = Recorded(response(row(cells(*values), timestamp=5))).only()
    assert one["flags"] == EventFlag.MALFORMED
    assert one["change"] == Change.INSERT
    assert "key" not in one
    before = Recorded(response(row(item(7, 2), cells(*values), timestamp=5))).only()
    assert (before["flags"], before["key"], before["version"]) == (EventFlag.MALFORMED, 7, 2)


def test_lengths_that_do_not_add_up_are_malformed() -> None:
    torn = item(7)
    torn.values = torn.values[:-1]
    assert Recorded(response(row(torn, timestamp=5))).only()["flags"] == EventFlag.MALFORMED
    assert Recorded(response(row(timestamp=5))).only()["flags"] == EventFlag.MALFORMED  # no image at all
    assert Recorded(response(row(timestamp=5, times=0))).only()["flags"] == EventFlag.MALFORMED  # no change at all


def test_columns_are_found_by_name() -> None:
    swapped = cells(b"the pad", b"9", b"4", b"7")
    recorded = Recorded(
        response(fields(columns=("pad", "txn", "version", "id")), row(swapped)),
        response(row(item(8), shard="80-")),  # whose FIELD never came: as the table was created
    )
    found = recorded.events[1:]
    assert found["key"].tolist() == [7, 8]
    assert found["version"].tolist() == [4, 1]
    assert found["txn"].tolist() == [9, 0]
    assert not (found["flags"] & EventFlag.MALFORMED).any()


@pytest.mark.parametrize("columns", [("id", "version", "txn"), ("id", "version", "txn", "pad", "x"), ("id",) * 4])
def test_other_columns_make_rows_malformed(columns: tuple[str, ...]) -> None:
    recorded = Recorded(response(fields(columns=columns), row(item(7))))
    assert recorded.events["flags"][1] & EventFlag.MALFORMED


def test_an_unknown_table_or_shard_has_no_index() -> None:
    stranger = Recorded(response(row(item(7), table="stranger"), row(item(7), shard="40-60"), fields("stranger")))
    assert stranger.events["table"].tolist() == [NO_INDEX, 0, NO_INDEX]
    assert stranger.events["shard"].tolist() == [0, NO_INDEX, 0]
    assert (stranger.events["flags"] & EventFlag.MALFORMED).tolist() == [EventFlag.MALFORMED, 0, 0]


def test_the_other_events_are_recorded_as_they_are() -> None:
    kinds = ("BEGIN", "COMMIT", "ROLLBACK", "DDL", "OTHER", "HEARTBEAT", "JOURNAL", "VERSION", "SAVEPOINT", "LASTPK")
    recorded = Recorded(response(*(event(kind, "80-") for kind in kinds)), response(event("HEARTBEAT", "")))
    assert [EventType(kind).name for kind in recorded.events["type"]] == [*kinds, "HEARTBEAT"]
    assert recorded.events["shard"].tolist() == [1] * len(kinds) + [NO_INDEX]
    assert set(recorded.events["table"].tolist()) == {NO_INDEX}
    assert recorded.events["response"].tolist() == [1] * len(kinds) + [2]
    assert recorded.events["at_ns"].tolist() == [1001] * len(kinds) + [1002]
    assert set(recorded.events["attempt"].tolist()) == {3}
    assert recorded.progress.responses == 2


def test_an_event_type_of_a_later_release_is_no_error() -> None:
    assert Recorded(response(binlogdata_pb2.VEvent(type=1000, shard="-80"))).only()["type"] == 255


def test_vgtids_are_numbered_and_only_what_moved_is_written_down() -> None:
    first = position("-80", "MySQL56/a:1-5")
    recorded = Recorded(
        response(vgtid(first, position("80-", ""))),
        response(vgtid(position("-80", "MySQL56/a:1-5", {ITEM: 3}), position("80-", ""))),
        response(vgtid(position("-80", "MySQL56/a:1-5", {ITEM: 3}), position("80-", ""))),
        response(vgtid(first, position("80-", "MySQL56/b:1-2", {ITEM: 1 << 63}), shard="80-")),
    )
    assert recorded.events["vgtid"].tolist() == [1, 2, 3, 4]
    assert recorded.steps == [
        {"number": 1, "at_ns": 1001, "attempt": 3, "shard": "-80", "gtid": "MySQL56/a:1-5", "last_pks": {}},
        {"number": 2, "at_ns": 1002, "attempt": 3, "shard": "-80", "gtid": "MySQL56/a:1-5", "last_pks": {ITEM: 3}},
        {"number": 4, "at_ns": 1004, "attempt": 3, "shard": "-80", "gtid": "MySQL56/a:1-5", "last_pks": {}},
        {
            "number": 4,
            "at_ns": 1004,
            "attempt": 3,
            "shard": "80-",
            "gtid": "MySQL56/b:1-2",
            "last_pks": {ITEM: 1 << 63},
        },
    ]


def test_what_an_attempt_resumed_from_has_not_moved() -> None:
    start = Checkpoint(vgtid(position("-80", "MySQL56/a:1-5", {ITEM: 3}), position("80-", "MySQL56/b:1-2")).vgtid)
    recorded = Recorded(response(event("BEGIN"), vgtid(*start.vgtid.shard_gtids), event("COMMIT")), start=start)
    assert recorded.steps == []
    assert recorded.buffers.vgtids == 1


def test_a_checkpoint_is_the_last_vgtid_whose_transaction_has_ended() -> None:
    early, late = position("-80", "MySQL56/a:1-5"), position("-80", "MySQL56/a:1-5", {ITEM: 3})
    recorded = Recorded(response(event("BEGIN"), fields()), response(vgtid(early)))
    assert recorded.progress.vgtid is None
    assert recorded.decoder.checkpoints == 0
    recorded.decoder.receive(response(row(item(3)), vgtid(late), event("COMMIT")).SerializeToString(), 5)
    assert recorded.progress.vgtid == vgtid(late).vgtid
    assert recorded.decoder.checkpoints == 1


def test_marks_are_counted_by_shard() -> None:
    mark = fields(MARK, columns=("id", "value"))
    recorded = Recorded(response(mark, row(cells(b"5", b"77"), table=MARK)))
    last = recorded.events[1]
    assert (last["key"], last["version"], last["txn"], last["digest"], last["table"]) == (5, 77, 0, 0, 2)
    assert recorded.progress.marks == {0}
    for shard in ("-80", "80-", "40-60"):
        again = response(row(cells(b"5", b"77"), table=MARK, shard=shard, timestamp=9))
        recorded.decoder.receive(again.SerializeToString(), 5)
    assert recorded.progress.marks == {0, 1}
    gone = Recorded(response(row(None, cells(b"5", b"77"), table=MARK)))
    broken = Recorded(response(row(cells(b"5", b"x"), table=MARK)))
    assert gone.progress.marks == broken.progress.marks == set()


def test_cycles_are_the_field_events_of_the_copy() -> None:
    recorded = Recorded(response(fields(), fields(shard="80-"), fields(timestamp=4), fields(MARK)))
    assert recorded.progress.cycles == 2  # not that of a change, not that of the mark table


def test_a_copy_is_complete_with_the_final_event_or_with_that_of_every_shard() -> None:
    assert not Recorded(completed("-80")).progress.complete
    assert Recorded(completed("")).progress.complete
    recorded = Recorded(completed("-80"), completed("80-"))
    assert recorded.progress.complete
    assert recorded.events["shard"].tolist() == [0, 1]
    recorded.progress.restart()
    assert not recorded.progress.complete
    assert recorded.progress.copied == set()


# ---------------------------------------------------------------- many rows at a time


def _slowly(monkeypatch: pytest.MonkeyPatch, *responses: Any) -> Recorded:
    with monkeypatch.context() as patch:
        patch.setattr(stream_decode, "BULK_BYTES", 1 << 40)
        return Recorded(*responses)


def _fast(*responses: Any) -> tuple[Recorded, int]:
    """With how many rows were read in bulk."""
    recorded = Recorded()
    taken, take = 0, recorded.decoder._shapes.take

    def counted(*words: Any) -> tuple[int, int]:
        nonlocal taken
        rows, end = take(*words)
        taken += rows
        return rows, end

    recorded.decoder._shapes.take = counted  # type: ignore[assignment,method-assign]
    for number, each in enumerate(responses, start=1):
        recorded.decoder.receive(each.SerializeToString(), 1000 + number)
    return recorded, taken


def _same(first: Recorded, second: Recorded) -> bool:
    return (
        first.buffers.records == second.buffers.records
        and first.buffers.steps == second.buffers.steps
        and first.progress.rows == second.progress.rows
    )


def test_copied_rows_are_read_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = [
        copied_rows((1 << 63) + 95, 40, shard="80-", begin=True),
        copied_rows((1 << 63) + 135, 90, shard="80-"),
    ]
    recorded, taken = _fast(*responses)
    assert taken == 90  # the first response begins with a FIELD event
    assert _same(recorded, _slowly(monkeypatch, *responses))
    digests = recorded.events[recorded.events["type"] == EventType.ROW]["digest"]
    assert digests.tolist() == [expected_digest((1 << 63) + 95 + number, 1) for number in range(130)]


ROWS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 120), st.integers(0, BIG), st.integers(10**19 - 2, 10**19 + 2)),
        st.one_of(st.just(1), st.integers(0, (1 << 32) - 1)),
        st.one_of(st.just(0), st.integers(0, BIG)),
        st.sampled_from((ITEM, ITEM, ITEM, "item_2", MARK, "stranger")),
        st.sampled_from(("-80", "-80", "80-", "40-60")),
        st.sampled_from((0, 0, 0, 0, 0, 7)),
        st.integers(1, 4),
    ),
    min_size=40,
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.booleans())
def test_both_ways_of_reading_rows_agree(rows: list[tuple[int, int, int, str, str, int, int]], known: bool) -> None:
    described = [fields(table, shard) for table in (ITEM, "item_2") for shard in SHARDS] if known else []
    events = [
        row(item(key, version, txn), table=table, shard=shard, timestamp=timestamp)
        for key, version, txn, table, shard, timestamp, times in rows
        for _ in range(times)
    ]
    with pytest.MonkeyPatch.context() as patch:
        slow = _slowly(patch, response(*described), response(*events))
    fast = Recorded(response(*described), response(*events))
    assert _same(fast, slow)


@pytest.mark.parametrize("where", [0, 25, 49])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda odd: odd.row_event.row_changes[0].after.CopyFrom(cells(b"1x", b"1", b"0", b"p" * 128)),
        lambda odd: odd.row_event.row_changes[0].after.CopyFrom(cells(b"17", b"1", b"0", b"p" * 128, b"")),
        lambda odd: odd.row_event.row_changes[0].after.CopyFrom(cells(b"9" * 20, b"1", b"0", b"p" * 128)),
        lambda odd: odd.row_event.row_changes[0].before.CopyFrom(item(10)),
        lambda odd: odd.row_event.row_changes.add().after.CopyFrom(item(10)),
        lambda odd: setattr(odd, "shard", "8x-"),
        lambda odd: setattr(odd, "timestamp", 5),
        lambda odd: setattr(odd, "type", 14),
        lambda odd: setattr(odd.row_event, "table_name", "ks.item_x"),
    ],
)
def test_a_row_that_differs_is_read_for_itself(monkeypatch: pytest.MonkeyPatch, spoil: Any, where: int) -> None:
    rows = [row(item(key)) for key in range(10, 60)]
    spoil(rows[where])
    responses = [response(fields()), response(*rows, event("COMMIT"))]
    recorded, taken = _fast(*responses)
    assert taken in (0, where)
    assert _same(recorded, _slowly(monkeypatch, *responses))


def test_a_table_whose_columns_change_is_no_longer_read_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = response(*(row(item(key)) for key in range(10, 60)))
    other = response(fields(columns=("id", "txn", "version", "pad")))
    recorded, taken = _fast(response(fields()), rows, other, rows)
    assert taken == 50
    assert _same(recorded, _slowly(monkeypatch, response(fields()), rows, other, rows))
    assert recorded.events["version"][-1] == 0


def test_a_torn_response_is_an_error_and_not_a_short_record() -> None:
    recorded = Recorded(response(fields()))
    whole = response(*(row(item(key)) for key in range(10, 60))).SerializeToString()
    recorded.decoder.receive(whole, 1)
    before = len(recorded.events)
    with pytest.raises(Exception, match="parsing message"):
        recorded.decoder.receive(whole[:-10], 2)
    assert len(recorded.events) == before
