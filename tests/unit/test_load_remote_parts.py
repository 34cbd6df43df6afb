"""Frames, clocks, lanes over places, fetched files: the pure parts of a load that runs elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import planning
from harness.base import jsonio
from harness.base.errors import HarnessError, PlanError
from harness.base.rundir import RunDir
from harness.contracts import Stage
from harness.load.arrivals import Arrivals
from harness.load.config import Target, place_of, plan_lanes
from harness.load.driver import configs_of
from harness.load.remote_clock import Reading, StationClock, reading
from harness.load.remote_fetch import Fetched
from harness.load.remote_frames import Frames, encode
from harness.load.schema import first_id
from harness.model import OP_DTYPE, LoadSpec, Placement
from tests.unit.run_fakes import experiment

TARGETS = (Target(vtgate="vtgate-1", host="127.0.0.1", port=1), Target(vtgate="vtgate-2", host="127.0.0.1", port=2))
SHARDS = ("-40", "40-80", "80-c0", "c0-")
OURS = StationClock(same_boot=True, begin=Reading(at_ns=0, offset_ns=3, uncertainty_ns=5))


# ---------------------------------------------------------------- frames


@given(st.lists(st.tuples(st.binary(max_size=50), st.integers(0, 2**63 - 1)), max_size=5), st.integers(1, 40))
def test_frames_survive_any_cutting(said: list[tuple[bytes, int]], step: int) -> None:
    wire = b"".join(encode("part", body, number=number) for body, number in said)
    frames = Frames("the test")
    found = [frame for start in range(0, len(wire), step) for frame in frames.feed(wire[start : start + step])]
    assert [(frame.body, frame.number) for frame in found] == said
    assert frames.rest() == ""


@pytest.mark.parametrize(
    "noise", [b"sh: 1: python3: not found\n", b'{"say":"x","bytes":-1}\n', b'{"bytes":0}\n', b"[1]\n", b"x" * 70_000]
)
def test_what_is_no_frame_is_an_error_that_shows_it(noise: bytes) -> None:
    with pytest.raises(HarnessError, match="load pod 1 said something that is no frame"):
        list(Frames("load pod 1").feed(noise))


def test_what_came_and_is_no_whole_frame_can_be_shown() -> None:
    frames = Frames("load pod 1")
    assert list(frames.feed(b"Killed")) == []
    assert frames.rest() == "Killed"


# ---------------------------------------------------------------- the clock


def test_the_quickest_round_counts_and_half_of_it_is_the_bound() -> None:
    found = reading([(0, 5_000, 100), (1000, 7_010, 1020), (2000, 9_000, 2500)])
    assert found == Reading(at_ns=1010, offset_ns=6_000, uncertainty_ns=10)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(-(10**15), 10**15))
def test_the_true_offset_lies_within_the_bound(there_ns: int, back_ns: int, offset_ns: int) -> None:
    sent = 10**9
    found = reading([(sent, sent + there_ns + offset_ns, sent + there_ns + back_ns)])
    assert abs(found.offset_ns - offset_ns) <= found.uncertainty_ns


def test_the_clock_of_the_same_kernel_is_ours_unless_a_reading_contradicts() -> None:
    assert OURS.is_ours
    assert OURS.uncertainty_ns == OURS.drift_ns == 0
    assert OURS.theirs(7) == OURS.our(7) == 7
    elsewhere = StationClock(same_boot=True, begin=Reading(at_ns=0, offset_ns=6, uncertainty_ns=5))
    assert not elsewhere.is_ours
    other_host = StationClock(same_boot=False, begin=Reading(at_ns=0, offset_ns=0, uncertainty_ns=5))
    assert not other_host.is_ours
    assert other_host.uncertainty_ns == 5


def test_stamps_are_shifted_by_the_offset_that_was_when_they_were_made() -> None:
    clock = StationClock(
        same_boot=False,
        begin=Reading(at_ns=1_000_000, offset_ns=5_000_000, uncertainty_ns=7),
        end=Reading(at_ns=2_000_000, offset_ns=5_000_100, uncertainty_ns=9),
    )
    theirs = np.array([0, 6_000_000, 6_500_050, 7_000_100], dtype=np.int64)
    assert clock.ours(theirs).tolist() == [0, 1_000_000, 1_500_000, 2_000_000]
    assert (clock.drift_ns, clock.uncertainty_ns) == (100, 9)
    assert clock.theirs(0) == 0


@given(st.lists(st.integers(1, 10**13), min_size=2, max_size=20), st.integers(-(10**7), 10**7))
def test_shifting_keeps_the_order_of_stamps(stamps: list[int], drift_ns: int) -> None:
    clock = StationClock(
        same_boot=False,
        begin=Reading(at_ns=10**12, offset_ns=-(10**11), uncertainty_ns=1),
        end=Reading(at_ns=10**12 + 60 * 10**9, offset_ns=-(10**11) + drift_ns, uncertainty_ns=1),
    )
    shifted = clock.ours(np.array(sorted(stamps), dtype=np.int64))
    assert (np.diff(shifted) >= 0).all()


# ---------------------------------------------------------------- lanes over places


def test_lanes_are_dealt_to_the_places_and_none_is_divided() -> None:
    lanes = plan_lanes(LoadSpec(), TARGETS, SHARDS, places=2)
    assert [(lane.number, lane.vtgate, lane.shard) for lane in lanes] == [
        (lane.number, lane.vtgate, lane.shard) for lane in plan_lanes(LoadSpec(), TARGETS, SHARDS)
    ]
    places = {worker: {place_of(lane.number, 2) for lane in lanes if lane.worker == worker} for worker in range(4)}
    assert places == {0: {0}, 1: {0}, 2: {1}, 3: {1}}
    assert {(lane.worker, lane.vtgate) for lane in lanes} == {
        (0, "vtgate-1"), (1, "vtgate-2"), (2, "vtgate-1"), (3, "vtgate-2"),
    }  # fmt: skip
    ids = {first_id(lane.shard, lane.number) for lane in lanes}
    assert len(ids) == len(lanes)


@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 9), st.integers(1, 20))
def test_every_place_has_work_and_its_workers_are_its_own(workers: int, vtgates: int, shards: int, places: int) -> None:
    targets = [Target(vtgate=f"vtgate-{number}", host="h", port=1) for number in range(vtgates)]
    names = [f"{number:02x}-" for number in range(shards)]
    if places > vtgates * shards:
        with pytest.raises(PlanError, match=f"cannot run in {places} pods: it has {vtgates * shards} lanes"):
            plan_lanes(LoadSpec(), targets, names, places=places)
        return
    lanes = plan_lanes(LoadSpec(workers=workers), targets, names, places=places)
    where = {(lane.worker, place_of(lane.number, places)) for lane in lanes}
    assert {place for _, place in where} == set(range(places))
    assert sorted(worker for worker, _ in where) == list(range(len(where)))
    assert len({(lane.worker, lane.vtgate) for lane in lanes}) == len(where)


def test_too_many_workers_over_the_places_are_refused() -> None:
    with pytest.raises(PlanError, match="1 to 256 in all; 100 places would have 400"):
        plan_lanes(LoadSpec(workers=2), TARGETS, [f"{number}" for number in range(200)], places=100)


@pytest.mark.parametrize(("pods", "load", "says"), [(3, LoadSpec(), "has 2 lanes"), (1, None, "has no load")])
def test_pods_that_would_have_nothing_to_do_are_refused_at_plan_time(
    pods: int, load: LoadSpec | None, says: str
) -> None:
    async def timeline(stage: Stage) -> None: ...

    def planned(count: int) -> int:
        return planning.build(
            replace(experiment(timeline), load=load), planning.Overrides(), backend="kubernetes",
            place=Placement(load_pods=count), seed=1, command_line=(), harness_version="0",
        ).place.load_pods  # fmt: skip

    with pytest.raises(PlanError, match=f"--load-pods.* {says}"):
        planned(pods)
    fits = 2 if load is not None else 0
    assert planned(fits) == fits


def test_the_same_seed_and_places_give_the_same_arrivals(tmp_path: Path) -> None:
    def arrivals() -> list[list[int]]:
        lanes = plan_lanes(LoadSpec(), TARGETS, SHARDS, places=2)
        configs = configs_of(
            LoadSpec(), TARGETS, lanes, keyspace="ks", shards=SHARDS, run=RunDir(tmp_path), seed=5, abrupt=False,
            items=None,
        )  # fmt: skip
        found = []
        for config in configs:
            drawn = Arrivals(
                lanes=len(config.lanes), rate=10, write_share=0.5, poisson=True, seed=config.seed,
                name=f"{config.target.vtgate}/{config.worker}",
            )  # fmt: skip
            drawn.begin(0)
            found.append(drawn.times)
        return found

    assert arrivals() == arrivals()
    assert len({tuple(times) for times in arrivals()}) == 4


# ---------------------------------------------------------------- fetched files

SHIFT = StationClock(same_boot=False, begin=Reading(at_ns=0, offset_ns=1000, uncertainty_ns=2_500_000))


def _ops(*stamps: tuple[int, int, int]) -> bytes:
    ops = np.zeros(len(stamps), dtype=OP_DTYPE)
    for row, (intended, sent, done) in zip(ops, stamps, strict=True):
        row["intended_ns"], row["sent_ns"], row["done_ns"], row["key"] = intended, sent, done, 77
    return ops.tobytes()


def test_fetched_records_carry_our_stamps(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    fetched = Fetched(run, [3], SHIFT, "load pod 1")
    raw = _ops((2000, 3000, 4000), (5000, 0, 6000)) + b"torn"
    sample = orjson.dumps({"at_ns": 2000, "took_ns": 0, "values": {"cpu_s": 1}, "error": ""}) + b"\n"
    fetched.part("ops-3.bin", raw[:50])
    fetched.part("ops-3.bin", raw[50:])
    fetched.part("samples-load-3.jsonl", sample)
    fetched.part("load-3.log", b"hello\n")
    assert not run.ops(3).exists()
    fetched.finish(
        {"ops-3.bin": len(raw), "samples-load-3.jsonl": len(sample), "load-3.log": 6, "ops-3.messages.jsonl": 0}
    )
    ops = np.fromfile(run.ops(3), dtype=OP_DTYPE, count=2)
    assert ops["intended_ns"].tolist() == [1000, 4000]
    assert ops["sent_ns"].tolist() == [2000, 0]  # never sent stays never sent
    assert ops["done_ns"].tolist() == [3000, 5000]
    assert ops["key"].tolist() == [77, 77]
    (line,) = jsonio.read_lines(run.samples("load-3"))
    assert line["at_ns"] == 1000
    assert line["values"] == {"cpu_s": 1, "clock_uncertainty_ms": 2.5}
    assert (run.logs / "load-3.log").read_text() == "hello\n"
    assert run.messages(3).read_bytes() == b""
    assert not list(run.path.rglob("*.part"))


def test_records_on_our_clock_are_left_as_they_are(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    fetched = Fetched(run, [0], OURS, "load pod 1")
    fetched.part("ops-0.bin", _ops((2000, 3000, 4000)))
    fetched.finish({"ops-0.bin": 56})
    assert run.ops(0).read_bytes() == _ops((2000, 3000, 4000))


def test_what_did_not_come_whole_gets_no_name(tmp_path: Path) -> None:
    run = RunDir.create(tmp_path / "run")
    fetched = Fetched(run, [0], OURS, "load pod 1")
    fetched.part("ops-0.bin", _ops((1, 2, 3)))
    with pytest.raises(HarnessError, match=r"load pod 1 sent 56 of 112 bytes of ops-0\.bin"):
        fetched.finish({"ops-0.bin": 112})
    assert not run.ops(0).exists()


def test_only_files_of_its_workers_are_taken(tmp_path: Path) -> None:
    fetched = Fetched(RunDir.create(tmp_path / "run"), [0], OURS, "load pod 1")
    for name in ("ops-1.bin", "../plan.json", "plan.json"):
        with pytest.raises(HarnessError, match="a file that nobody asked for"):
            fetched.part(name, b"")
