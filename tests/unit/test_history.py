"""A run directory becomes the history it was, whole or torn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.rundir import LineLog, RunDir
from harness.history import Series, fold_ledger, load
from harness.model import OP_DTYPE, Clean, Sample
from tests.fakes import STORM_S, calm, ns


def test_a_run_directory_loads_as_what_was_recorded(tmp_path: Path) -> None:
    builder = calm()
    builder.op(6.0, errno=1105, message="primary is not serving")
    written = builder.build()
    loaded = load(builder.write(tmp_path / "run"))
    assert loaded.plan == written.plan
    assert loaded.ops.tobytes() == written.ops.tobytes()
    assert {shard: rows.tobytes() for shard, rows in loaded.rows.items()} == {
        shard: rows.tobytes() for shard, rows in written.rows.items()
    }
    assert loaded.faults == written.faults
    assert loaded.events == written.events
    assert loaded.messages == written.messages
    assert {s: series.samples for s, series in loaded.series.items()} == {
        s: series.samples for s, series in written.series.items()
    }
    assert loaded.incomplete == ()


def test_torn_last_records_are_left_out(tmp_path: Path) -> None:
    run = calm().write(tmp_path / "run")
    whole = load(run)
    with run.ops(0).open("ab") as out:
        out.write(b"x" * (OP_DTYPE.itemsize - 1))
    with run.events.open("ab") as out:
        out.write(b'{"at_ns": 12')
    torn = load(run)
    assert len(torn.ops) == len(whole.ops)
    assert torn.events == whole.events


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    run = calm().write(tmp_path / "run")
    for path in [run.clock, run.ops(0), *run.path.glob("rows-*")]:
        path.unlink()
    assert [what.split(" ")[0] for what in load(run).incomplete] == ["clock.json", "ops-*.bin", "rows-*.bin"]


def lacks(run: RunDir) -> list[str]:
    return list(load(run).incomplete)


def test_operations_that_end_within_a_record_or_are_none_are_named(tmp_path: Path) -> None:
    run = calm().write(tmp_path / "run")
    whole = run.ops(0).read_bytes()
    run.ops(0).write_bytes(whole[: 3 * OP_DTYPE.itemsize - 1])
    assert lacks(run) == ["ops-0.bin: its end (it is torn within operation 3)"]
    run.ops(0).write_bytes(b"")
    assert lacks(run) == ["ops-0.bin: every operation (the file is empty)"]


def test_messages_that_operations_have_and_no_file_are_named(tmp_path: Path) -> None:
    builder = calm()
    builder.op(6.0, errno=1105, message="primary is not serving")
    run = builder.write(tmp_path / "run")
    run.messages(0).unlink()
    assert lacks(run) == ["ops-0.messages.jsonl: the text of 1 of 1 messages"]


def test_a_ledger_that_is_gone_or_torn_is_named(tmp_path: Path) -> None:
    run = calm().write(tmp_path / "run")
    run.faults.write_bytes(run.faults.read_bytes()[:-5])
    assert lacks(run) == ["faults.jsonl: its end (it is torn within a line)"]
    run.faults.unlink()
    assert lacks(run) == ["faults.jsonl (which faults there were)"]
    run.events.write_bytes(b"")  # it never began, so there was none to write
    assert lacks(run) == []


def test_a_torn_end_is_cut_off_before_more_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    path.write_bytes(b'{"number":1}\n{"num')
    log = LineLog(path)
    log.append({"number": 2})
    log.close()
    assert list(jsonio.read_lines(path)) == [{"number": 1}, {"number": 2}]


def test_what_probes_left_is_asked_of_a_run_that_proved_to_be_clean(tmp_path: Path) -> None:
    run = calm().write(tmp_path / "run")
    assert lacks(run) == []  # of an earlier version: its probes may have been fewer
    jsonio.save(run.clean, Clean(at_ns=1))
    assert lacks(run) == ["loglines.jsonl (what the processes logged)"]
    run.loglines.touch()
    assert lacks(run) == []
    for source in ("host", "vtgate-1"):
        run.samples(source).unlink()
    assert lacks(run) == ["samples-host.jsonl (what was seen there), with 1 more of samples"]


def test_a_plan_of_another_version_is_refused(tmp_path: Path) -> None:
    run = calm().write(tmp_path / "run")
    run.plan.write_text('{"nonsense": 1}')
    with pytest.raises(RunDirError, match="does not fit this version"):
        load(RunDir.open(run.path))


def test_operations_of_lanes_are_found_in_order_of_their_intended_start() -> None:
    history = calm(vtgates=("21.0.2", "24.0.3"), shards=4).build()
    for lanes in (history.lanes_of("vtgate-2"), history.lanes_of("vtgate-1", history.lanes[0].shard), ()):
        expected = history.ops[np.isin(history.ops["lane"], [lane.number for lane in lanes])]
        assert history.ops_of(lanes).tobytes() == expected.tobytes()


def test_phases_last_until_the_next_and_the_last_to_the_end() -> None:
    history = calm().build()
    assert history.phases["baseline"] == (ns(0), ns(STORM_S))
    assert history.phases["quiet"][1] == history.end_ns


def test_a_failed_call_returned_when_it_failed() -> None:
    lines = [
        {"number": 1, "at_ns": 5, "step": "intent", "fault": "PlannedReparent", "targets": ["-80"]},
        {"number": 1, "at_ns": 6, "step": "begin"},
        {"number": 1, "at_ns": 9, "step": "failed", "error": "no"},
        {"number": 1, "at_ns": 9, "step": "detail", "details": {"shard": "-80"}},
    ]
    (span,) = fold_ledger(iter(lines))
    assert (span.begin_ns, span.active_ns, span.error) == (6, 0, "no")
    assert span.details == {"failed_ns": 9, "shard": "-80"}


def series(*values: object, key: str = "V", every: int = 10) -> Series:
    """Samples at 10, 20, …; None = the key did not change."""
    return Series(
        [
            Sample(at_ns=every * (index + 1), took_ns=0, values={} if value is None else {key: value})  # type: ignore[dict-item]
            for index, value in enumerate(values)
        ]
    )


def test_growth_of_a_key_that_appears_late_starts_from_zero() -> None:
    assert series(None, 3, 5).growth("V", 15) == 5
    assert series(None, 3, 5).growth("V", 25) == 2
    assert series(None, None).growth("V", 0) is None


def test_growth_of_a_key_that_was_there_from_the_start_does_not_count_what_was_before() -> None:
    assert series(7, 9).growth("V", 0) == 2
    assert series(7, 9).growth("V", 10, 15) == 0


def test_a_counter_that_fell_has_no_growth_even_if_it_caught_up() -> None:
    assert series(7, 1, 9).growth("V", 10) is None
    assert series(7, 1, 9).growth("V", 20) == 8


def test_text_has_no_growth() -> None:
    assert series("SERVING", "NOT_SERVING").growth("V", 0) is None


def test_rises_lie_between_the_samples_around_them() -> None:
    assert series(0, None, 1, 3).rises("V", 0) == ((20, 30, 1.0), (30, 40, 2.0))
    assert series(None, 2).rises("V", 0) == ((10, 20, 2.0),)
    assert series(5, 6).rises("V", 15) == ((15, 20, 1.0),)
    assert series(5, 5).rises("V", 0) == ()


def test_a_rise_after_a_silence_may_have_happened_in_it() -> None:
    found = Series(
        [
            Sample(at_ns=10, took_ns=1, values={"V": 0}),
            Sample(at_ns=20, took_ns=1, error="refused"),
            Sample(at_ns=30, took_ns=1, values={"V": 1}),
        ]
    )
    assert found.rises("V", 0) == ((9, 30, 1.0),)
    assert found.answered_ns == (10, 30)


def test_a_rise_may_have_happened_while_the_sample_before_was_on_its_way() -> None:
    late = Series([Sample(at_ns=10, took_ns=1, values={"V": 0}), Sample(at_ns=30, took_ns=15, values={"W": 0})])
    found = Series([*late.samples, Sample(at_ns=40, took_ns=1, values={"V": 1})])
    assert found.rises("V", 0) == ((15, 40, 1.0),)


def test_labels_of_a_map_variable() -> None:
    found = Series([Sample(at_ns=1, took_ns=1, values={"V:ks.-80": 1, "V:ks.80-": 2, "W": 3})])
    assert found.labels("V") == ("ks.-80", "ks.80-")
    assert found.labels("W") == ()
