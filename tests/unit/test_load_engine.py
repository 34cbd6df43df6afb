"""Pacing, queues, connections and records of the load, in virtual time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.base import jsonio
from harness.load.schema import first_id, value_of
from harness.model import ConnectionMode, LoadSpec, OpKind, Outcome, ReadResult
from tests.unit.load_fakes import SECOND_NS, START_NS, Bench

WRITES = LoadSpec(
    rate_per_shard=10, write_share=1.0, connections_per_shard=2, issue_within_s=2.0, operation_timeout_s=5
)


def spec(**changes: Any) -> LoadSpec:
    return replace(WRITES, **changes)


def test_arrivals_do_not_depend_on_answers(tmp_path: Path) -> None:
    answered, stalled = Bench(tmp_path / "a", WRITES), Bench(tmp_path / "b", WRITES)
    answered.advance(20, answer=True)
    stalled.advance(20)
    stalled.engine.abandon()
    first, second = answered.ops(), stalled.ops()
    second = second[second["errno"] != 2003]  # what became of the connections is not an arrival
    assert len(first) > 300
    assert sorted(first["intended_ns"]) == sorted(second["intended_ns"])
    assert first["intended_ns"].min() >= START_NS


def test_the_rate_is_kept_in_every_lane_and_the_seed_decides(tmp_path: Path) -> None:
    benches = [
        Bench(tmp_path / str(index), spec(poisson=poisson), seed=seed)
        for index, (poisson, seed) in enumerate([(True, 1), (True, 1), (True, 2), (False, 1)])
    ]
    for bench in benches:
        bench.advance(100, answer=True)
    same, again, other, even = (bench.ops() for bench in benches)
    assert (same["intended_ns"] == again["intended_ns"]).all()
    assert not np.isin(same["intended_ns"], other["intended_ns"]).any()
    for ops in (same, other):
        assert Counter(ops["lane"].tolist()).keys() == {0, 1}
        assert all(900 < count < 1100 for count in Counter(ops["lane"].tolist()).values())
    for lane in (0, 1):
        gaps = np.diff(even[even["lane"] == lane]["intended_ns"])
        assert np.abs(gaps - SECOND_NS // 10).max() <= 1000


def test_a_stalled_lane_does_not_hide_the_other(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    for _ in range(200):
        bench.advance(0.05)
        for wire in bench.busy():
            if int(wire.asked.partition("(")[2].partition("(")[2].split(",")[0]) >> 63:  # the shard 80-
                wire.ok()
    ops = bench.ops()
    stalled, well = ops[ops["lane"] == 0], ops[ops["lane"] == 1]
    assert (well["outcome"] == Outcome.OK).all()
    assert len(well) > 80
    assert (stalled["outcome"] != Outcome.OK).all()


def test_an_arrival_without_a_connection_waits_and_is_then_counted_as_not_issued(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES)
    bench.advance(4.0)
    ops = bench.ops()
    arrived = int(sum(lane.issued + lane.not_issued + lane.queued for lane in bench.engine.lanes))
    assert sum(lane.issued for lane in bench.engine.lanes) == 4  # two connections a lane
    assert set(ops["outcome"].tolist()) == {int(Outcome.NOT_ISSUED)}
    assert (ops["sent_ns"] == 0).all()
    assert (ops["key"] == 0).all()
    waited_ns = ops["done_ns"] - ops["intended_ns"]
    assert waited_ns.min() >= 2 * SECOND_NS
    assert waited_ns.max() <= 2 * SECOND_NS + 25_000_000
    assert len(ops) == sum(lane.not_issued for lane in bench.engine.lanes)
    assert arrived > 60
    bench.engine.abandon()
    assert len(bench.ops()) == arrived  # nothing is forgotten


def test_a_waiting_arrival_gets_the_first_free_connection_and_its_latency_counts_from_the_intended_start(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, WRITES)
    bench.advance(1.0)
    waiting = sum(lane.queued for lane in bench.engine.lanes)
    assert waiting > 4
    while bench.busy():
        bench.answer_all()
    assert sum(lane.queued for lane in bench.engine.lanes) == 0
    ops = bench.ops()
    assert (ops["outcome"] == Outcome.OK).all()
    late = ops["sent_ns"] - ops["intended_ns"]
    assert np.count_nonzero(late > 10_000_000) >= waiting - 4
    for lane in (0, 1):  # in order of arrival
        assert (np.diff(ops[ops["lane"] == lane]["intended_ns"]) > 0).all()


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(rate_per_shard=1.0, issue_within_s=1000.0))
    bench.now_ns = START_NS + 10_000 * SECOND_NS  # the worker was stopped for hours
    bench.engine.issue(bench.now_ns)
    limit = 2 * 1000 + 100
    assert [lane.queued for lane in bench.engine.lanes] == [limit, limit]
    assert len(bench.ops()) == sum(lane.not_issued for lane in bench.engine.lanes) > 10_000


@pytest.mark.parametrize("how", ["error", "lost", "timeout"])
def test_a_connection_is_thrown_away_after_whatever_went_wrong(tmp_path: Path, how: str) -> None:
    bench = Bench(tmp_path, WRITES)
    bench.advance(0.5)
    victim = bench.busy()[0]
    asked = victim.asked
    if how == "error":
        victim.error()
    elif how == "lost":
        victim.lost()
    else:
        bench.advance(5.1)
    assert victim.gone == "discarded"
    bench.advance(1.0, answer=True)  # FakeWire refuses to be used again
    assert victim.statements[-1] == asked
    op = next(op for op in bench.ops() if op["sent_ns"] and op["outcome"] != Outcome.OK)
    expected = {"error": (1105, Outcome.FAIL), "lost": (2013, Outcome.UNKNOWN), "timeout": (2900, Outcome.UNKNOWN)}
    assert (op["errno"], op["outcome"]) == expected[how]
    assert op["message"] > 0
    texts = {line["number"]: line["text"] for line in jsonio.read_lines(bench.run.messages(0))}
    assert int(op["message"]) in texts
    used = Counter(text for wire in bench.wires for text in wire.statements)
    assert max(used.values()) == 1  # no statement is sent twice, no id used twice


def test_failed_attempts_to_connect_are_recorded_and_become_rarer(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(rate_per_shard=0.001), shards=("0",), ready=False)
    for _ in range(20_000):
        bench.advance(0.001)
        bench.refuse()
    ops = bench.ops()
    ops = ops[ops["outcome"] == Outcome.FAIL]
    assert set(ops["errno"].tolist()) == {2003}
    assert set(ops["key"].tolist()) == {0}
    assert set(ops["kind"].tolist()) == {int(OpKind.READ)}
    gaps = np.diff(np.sort(ops[ops["connection"] == 0]["intended_ns"]))
    assert gaps[0] <= 60_000_000
    assert abs(gaps[-1] - SECOND_NS) <= 25_000_000
    bench.advance(2.0, answer=True)
    assert bench.engine.connected == bench.engine.wanted


def test_a_connection_that_hangs_is_given_up_and_one_lost_while_idle_is_no_operation(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(rate_per_shard=0.001), shards=("0",), ready=False)
    bench.advance(5.1)
    assert [int(op["errno"]) for op in bench.ops()] == [2003, 2003]
    bench.advance(1.0, answer=True)
    before = len(bench.ops())
    bench.wires[-1].lost()
    bench.advance(0.1, answer=True)
    assert bench.engine.connected == bench.engine.wanted
    assert len(bench.ops()) == before


def test_reads_ask_for_acknowledged_rows_only_and_are_judged(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(write_share=0.0), shards=("0",))
    bench.advance(0.5, answer=True)
    ops = bench.ops()
    assert ops[0]["kind"] == OpKind.WRITE  # nothing was there to read
    assert (ops[1:]["kind"] == OpKind.READ).all()
    assert (ops[1:]["rows"] == ReadResult.FOUND).all()
    key, value = int(ops[0]["key"]), int(ops[0]["value"])
    assert set(ops["key"].tolist()) == {key}
    for rows, expected in (
        ((), ReadResult.MISSING),
        (((key, value), (key, value)), ReadResult.REPEATED),
        (((key, value + 1),), ReadResult.WRONG_VALUE),
    ):
        bench.advance(0.5)
        bench.busy()[0].rows(*rows)
        assert bench.ops()[-1]["rows"] == expected
        assert bench.ops()[-1]["outcome"] == Outcome.OK


def test_ids_belong_to_their_lane_and_values_to_their_ids(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WRITES, seed=11)
    bench.advance(5, answer=True)
    ops = bench.ops()
    for lane, shard in ((0, "-80"), (1, "80-")):
        keys = np.sort(ops[ops["lane"] == lane]["key"])
        start = first_id(shard, lane)
        assert keys.tolist() == list(range(start + 1, start + 1 + len(keys)))
    assert all(int(op["value"]) == value_of(11, int(op["key"])) for op in ops)
    assert bench.written() == {int(op["key"]): int(op["value"]) for op in ops}


def test_unacknowledged_rows_are_never_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(write_share=0.5), shards=("0",))
    for turn in range(200):
        bench.advance(0.05)
        for wire in bench.busy():
            if wire.asked.startswith("INSERT") and turn % 2:
                wire.error()
        bench.accept()
        bench.answer_all()
    ops = bench.ops()
    acknowledged = set(ops[(ops["kind"] == OpKind.WRITE) & (ops["outcome"] == Outcome.OK)]["key"].tolist())
    read = set(ops[ops["kind"] == OpKind.READ]["key"].tolist())
    assert len(read) > 5
    assert read <= acknowledged


def test_a_pool_is_shared_by_all_lanes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(mode=ConnectionMode.POOLED))
    assert len(bench.engine.pools) == 1
    assert bench.engine.wanted == 4
    bench.advance(1.0)
    assert sum(lane.in_flight for lane in bench.engine.lanes) == 4
    while bench.busy():
        bench.answer_all()
    ops = bench.ops()
    assert (np.diff(ops["intended_ns"]) > 0).all()  # one queue for both
    assert set(ops["connection"].tolist()) == {0, 1, 2, 3}


def test_one_connection_per_operation(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(mode=ConnectionMode.PER_OPERATION), ready=False)
    assert bench.wires == []
    bench.advance(2.0, answer=True)
    ops = bench.ops()
    assert len(bench.wires) == len(ops)
    assert all(len(wire.statements) == 1 for wire in bench.wires)
    assert all(wire.gone == "quit" for wire in bench.wires)
    assert (ops["outcome"] == Outcome.OK).all()
    bench.advance(1.0)
    bench.refuse()
    refused = bench.ops()[len(ops) :]
    assert len(refused) >= 4
    assert (refused["outcome"] == Outcome.FAIL).all()  # nothing was sent
    assert (refused["errno"] == 2003).all()
    assert (refused["key"] > 0).all()
    assert sum(lane.in_flight for lane in bench.engine.lanes) == len(bench.dialled)


def test_a_transaction_is_one_operation_with_the_outcome_of_its_phase(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(mode=ConnectionMode.TRANSACTION), shards=("0",))
    bench.advance(1.0)
    wire = bench.busy()[0]
    for _ in range(4):
        wire.ok()
    done = bench.ops()[0]
    key, value = int(done["key"]), int(done["value"])
    assert wire.statements[:4] == [
        "BEGIN",
        f"INSERT INTO ledger (id, value) VALUES ({key}, {value})",
        f"INSERT INTO ledger (id, value) VALUES ({key + 1}, {(value + 1) % 2**64})",
        "COMMIT",
    ]
    assert (done["kind"], done["rows"], done["outcome"]) == (OpKind.TRANSACTION, 2, Outcome.OK)
    for answered, outcome in ((0, Outcome.FAIL), (1, Outcome.FAIL), (2, Outcome.FAIL), (3, Outcome.UNKNOWN)):
        wire = bench.busy()[0]
        while wire.asked != "BEGIN":
            wire.ok()
        for _ in range(answered):
            wire.ok()
        wire.lost()
        bench.accept()
        assert bench.ops()[-1]["outcome"] == outcome


def test_what_is_out_when_the_load_ends_is_unknown(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(write_share=1.0))
    bench.advance(0.5)
    out = len(bench.busy())
    bench.engine.abandon()
    ops = bench.ops()
    assert np.count_nonzero(ops["outcome"] == Outcome.UNKNOWN) == out
    assert set(ops[ops["outcome"] == Outcome.UNKNOWN]["errno"].tolist()) == {2901}
    assert bench.engine.idle
    assert all(wire.gone for wire in bench.wires)


def test_counters_agree_with_the_records(tmp_path: Path) -> None:
    bench = Bench(tmp_path, spec(write_share=0.5))
    for turn in range(300):
        bench.advance(0.02)
        if turn % 7 == 0 and bench.busy():
            bench.busy()[0].error(1290, "super-read-only (errno 1290)")
        elif turn % 11 == 0 and bench.busy():
            bench.busy()[-1].lost()
        bench.accept()
        bench.answer_all()
    bench.engine.abandon()
    ops = bench.ops()
    for lane in bench.engine.lanes:
        mine = ops[(ops["lane"] == lane.number) & (ops["key"] > 0)]
        assert lane.issued == len(mine)
        for outcome, count in ((Outcome.OK, lane.ok), (Outcome.FAIL, lane.fail), (Outcome.UNKNOWN, lane.unknown)):
            assert np.count_nonzero(mine["outcome"] == outcome) == count > 0
        assert lane.in_flight == lane.queued == 0
        assert lane.max_stall_ns == _longest_gap(mine[mine["outcome"] == Outcome.OK]["done_ns"])


def _longest_gap(done_ns: object) -> int:
    return int(np.diff(np.concatenate([[START_NS], np.sort(np.asarray(done_ns))])).max())
