"""What the load writes: records, messages, live counters, lanes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from harness.base import jsonio
from harness.base.errors import PlanError, RunDirError
from harness.load.config import Target, WorkerConfig, plan_lanes
from harness.load.live import LANE_DTYPE, LiveFile, Orders, WorkerState
from harness.load.pauses import Pauses, quantile_ms
from harness.load.recorder import MAX_MESSAGES, RECORDS, Recorder
from harness.model import OP_DTYPE, LoadSpec, Sample

TARGETS = (Target(vtgate="vtgate-1", host="127.0.0.1", port=1), Target(vtgate="vtgate-2", host="127.0.0.1", port=2))


def _recorder(folder: Path, worker: int = 3) -> Recorder:
    return Recorder(folder / "ops.bin", folder / "messages.jsonl", worker=worker)


def _read(folder: Path) -> npt.NDArray[np.void]:
    return np.fromfile(folder / "ops.bin", dtype=OP_DTYPE)


def test_a_record_has_the_layout_of_the_model(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    values = (1, 2, 3, 2**64 - 4, 2**64 - 5, 2**32 - 6, 65_529, 65_528, 65_527, 2, 1, 250)
    recorder.record(*values)
    recorder.close()
    (record,) = _read(tmp_path)
    assert tuple(record) == (*values, 3, 0)


def test_what_was_flushed_is_in_the_file_and_a_full_buffer_flushes_itself(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    for number in range(RECORDS + 5):
        recorder.record(number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert len(_read(tmp_path)) == RECORDS
    recorder.flush()
    recorder.flush()
    assert _read(tmp_path)["intended_ns"].tolist() == list(range(RECORDS + 5))
    assert recorder.written == RECORDS + 5
    recorder.close()


def test_messages_are_written_once_a_kind_and_bounded(tmp_path: Path) -> None:
    messages = _recorder(tmp_path).messages
    first = messages.number(1105, "target: ks.-80.primary: no healthy tablet, id 17")
    assert messages.number(1105, "target: ks.80-.primary: no healthy tablet, id 18") == first == 1
    assert messages.number(1290, "target: ks.80-.primary: no healthy tablet, id 18") == 2
    words = [
        f"word{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}{chr(97 + number // 676)}" for number in range(6000)
    ]
    numbers = [messages.number(1, word) for word in words]
    assert max(numbers) == numbers[-1] == MAX_MESSAGES + 1
    lines = list(jsonio.read_lines(tmp_path / "messages.jsonl"))
    assert lines[0] == {"number": 1, "errno": 1105, "text": "target: ks.-80.primary: no healthy tablet, id 17"}
    assert len(lines) == MAX_MESSAGES + 1
    messages.close()


def test_live_counters_pass_from_writer_to_reader(tmp_path: Path) -> None:
    path = tmp_path / "load-live.bin"
    driver = LiveFile.create(path, workers=2, lanes=3)
    worker, watcher = LiveFile(path, write=True), LiveFile(path)
    assert watcher.orders == Orders(start_ns=0, stop_ns=0, abandon_ns=0)
    driver.order(Orders(start_ns=1, stop_ns=2, abandon_ns=3))
    assert worker.orders == watcher.orders == Orders(start_ns=1, stop_ns=2, abandon_ns=3)
    values = tuple(range(1, 13))
    worker.write_lane(2, values)
    worker.write_worker(1, state=WorkerState.READY, wanted=8, connected=7, at_ns=5, note="x" * 200)
    assert tuple(watcher.lanes()[2]) == values
    assert not watcher.lanes()[:2].astype(LANE_DTYPE)["issued"].any()
    row = watcher.workers()[1]
    assert (row["pid"], row["state"], row["wanted"], row["connected"]) == (os.getpid(), WorkerState.READY, 8, 7)
    assert row["note"] == b"x" * 103
    for file in (driver, worker, watcher):
        file.close()


def test_a_file_that_is_missing_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="no load was started"):
        LiveFile(tmp_path / "nothing")
    other = tmp_path / "other"
    other.write_bytes(bytes(100))
    with pytest.raises(RunDirError, match="not a file of live counters"):
        LiveFile(other)


def test_every_vtgate_has_lanes_and_workers_of_its_own() -> None:
    lanes = plan_lanes(LoadSpec(workers=2), TARGETS, ("-40", "40-80", "80-"))
    assert [lane.number for lane in lanes] == list(range(6))
    assert [(lane.vtgate, lane.shard, lane.worker) for lane in lanes] == [
        ("vtgate-1", "-40", 0),
        ("vtgate-1", "40-80", 1),
        ("vtgate-1", "80-", 0),
        ("vtgate-2", "-40", 2),
        ("vtgate-2", "40-80", 3),
        ("vtgate-2", "80-", 2),
    ]
    assert {lane.worker for lane in plan_lanes(LoadSpec(workers=5), TARGETS, ("0",))} == {0, 1}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (LoadSpec(workers=0), "load workers must be 1 to 256"),
        (LoadSpec(workers=200), "load workers must be 1 to 256"),
        (LoadSpec(rate_per_shard=0), "rate per shard must be above 0"),
        (LoadSpec(write_share=1.5), "write share must be between 0 and 1"),
        (LoadSpec(connections_per_shard=0), "at least 1"),
        (LoadSpec(operation_timeout_s=0), "above 0 seconds"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused(spec: LoadSpec, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan_lanes(spec, TARGETS, ("-80", "80-"))


def test_a_load_without_targets_or_with_too_many_lanes_is_refused() -> None:
    with pytest.raises(PlanError, match="at least one"):
        plan_lanes(LoadSpec(), (), ("0",))
    with pytest.raises(PlanError, match="65536 lanes"):
        plan_lanes(LoadSpec(), TARGETS, ["0"] * 40_000)


def test_a_worker_reads_the_configuration_that_the_driver_wrote(tmp_path: Path) -> None:
    spec = LoadSpec(rate_per_shard=3.5)
    config = WorkerConfig(
        worker=0,
        target=TARGETS[0],
        database="ks",
        lanes=plan_lanes(spec, TARGETS[:1], ("-80", "80-")),
        spec=spec,
        seed=2**63,
        run=tmp_path,
        live=tmp_path / "live",
        abrupt=True,
    )
    jsonio.save(tmp_path / "config.json", config)
    assert jsonio.load(tmp_path / "config.json", WorkerConfig) == config


def test_pauses_are_samples(tmp_path: Path) -> None:
    pauses = Pauses(tmp_path / "samples-load-0.jsonl")
    pauses.ticks_ns += [1_000_000, 7_000_000]
    late = [2_500_000]
    pauses.sample(5, late, nice=-5)
    assert late == pauses.ticks_ns == []
    pauses.failed(6, "broken")
    pauses.close()
    first, second = (Sample(**line) for line in jsonio.read_lines(tmp_path / "samples-load-0.jsonl"))
    assert first.values["loop_lag_max_ms"] == 7.0
    assert first.values["schedule_lag_p99_ms"] == 2.5
    assert first.values["nice"] == -5
    assert second.error == "broken"


def test_quantiles() -> None:
    assert quantile_ms([], 0.99) == 0.0
    assert quantile_ms([3_000_000, 1_000_000, 2_000_000], 0.5) == 2.0
    assert quantile_ms([number * 1_000_000 for number in range(100)], 0.99) == 99.0
    assert quantile_ms([1, 2_000_000], 1.0) == 2.0
