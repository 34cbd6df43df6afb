"""Which streams there are, and which are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.base import jsonio
from harness.base.errors import PlanError, RunDirError
from harness.load.stream_live import LiveFile, Orders, WorkerState
from harness.load.streams import lanes
from harness.streams import Resume, StreamLane, StreamSpec, StreamState

SHARDS = ("-80", "80-")
TABLES = ("item_1", "item_2", "stream_mark")


def _lanes(*specs: StreamSpec, vtgates: tuple[str, ...] = ("vtgate-1",)) -> tuple[StreamLane, ...]:
    return lanes(specs, vtgates, "ks", SHARDS, TABLES)


def test_every_spec_goes_through_every_vtgate() -> None:
    found = _lanes(StreamSpec(count=2), StreamSpec(name="slow", pause_ms=5), vtgates=("vtgate-1", "vtgate-2"))
    assert [(lane.number, lane.name, lane.vtgate) for lane in found] == [
        (1, "items-1@vtgate-1", "vtgate-1"),
        (2, "items-2@vtgate-1", "vtgate-1"),
        (3, "slow-1@vtgate-1", "vtgate-1"),
        (4, "items-1@vtgate-2", "vtgate-2"),
        (5, "items-2@vtgate-2", "vtgate-2"),
        (6, "slow-1@vtgate-2", "vtgate-2"),
    ]
    assert {(lane.keyspace, lane.shards, lane.tables) for lane in found} == {("ks", SHARDS, TABLES)}
    assert jsonio.structure(jsonio._parsed(jsonio.line(found[2]), "lane"), StreamLane) == found[2]


def test_a_stream_of_some_tables_and_shards_gets_the_mark_table_too() -> None:
    (lane,) = _lanes(StreamSpec(tables=("item_2",), shards=("80-",)))
    assert lane.tables == ("item_2", "stream_mark")
    assert lane.shards == ("80-",)


@pytest.mark.parametrize(
    "asked, why",
    [
        ({"count": 0}, "count must be at least 1"),
        ({"count": 1001}, "1001 streams are more than 1000"),
        ({"attempts": 0}, "attempts 1 to 65535"),
        ({"attempts": 65536}, "attempts 1 to 65535"),
        ({"shards": ("40-",)}, "no shard 40-; there are -80, 80-"),
        ({"shards": ("-80", "-80")}, "no shard twice"),
        ({"tables": ("item_3",)}, "no table item_3; there are item_1, item_2"),
        ({"tables": ("stream_mark",)}, "no table stream_mark"),
        ({"tables_to_copy": ("item_3",)}, "no table to copy item_3"),
        ({"tablet_type": "spare"}, "not 'spare'"),
        ({"pause_ms": -1.0}, "must not be below 0"),
        ({"leave_after": 3}, "not to resume"),
    ],
)
def test_nonsense_is_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(PlanError, match=why):
        _lanes(StreamSpec(**asked))


def test_what_looks_like_nonsense_but_is_not() -> None:
    _lanes(StreamSpec(leave_after=3, resume=Resume.SCRATCH, tables_to_copy=("stream_mark",), attempts=65535))


def test_streams_of_one_name_are_refused() -> None:
    with pytest.raises(PlanError, match="different names, not items, items"):
        _lanes(StreamSpec(), StreamSpec(pause_ms=1))


def test_the_live_file_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "live"
    LiveFile.create(path, workers=2, streams=2).close()
    writer, reader = LiveFile(path, write=True), LiveFile(path)
    assert reader.orders == Orders(begin_ns=0, stop_ns=0)
    writer.order(Orders(begin_ns=5, stop_ns=6))
    writer.write_worker(1, state=WorkerState.RUNNING, at_ns=7, note="n" * 500)
    writer.write_stream(
        2, rows=1 << 40, responses=3, state=StreamState.COPIED, attempts=4, marks=5, cycles=6, message="größer" * 100
    )
    assert reader.orders == Orders(begin_ns=5, stop_ns=6)
    assert reader.workers()["state"].tolist() == [0, WorkerState.RUNNING]
    assert reader.workers()["note"][1] == b"n" * 111
    first, second = reader.streams()
    assert first.tolist() == (0, 0, 0, 0, 0, 0, b"")
    assert second.tolist()[:6] == (1 << 40, 3, StreamState.COPIED, 4, 5, 6)
    assert second["message"].decode(errors="replace").startswith("größer")


def test_a_file_that_is_not_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="no stream was started"):
        LiveFile(tmp_path / "missing")
    (tmp_path / "other").write_bytes(bytes(1000))
    with pytest.raises(RunDirError, match="not a file of live streams"):
        LiveFile(tmp_path / "other")
