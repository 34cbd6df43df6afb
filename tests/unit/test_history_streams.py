"""The streams and tables of a run directory load as what they were, whole or torn; garbage is refused in a sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.rundir import RunDir
from harness.checks import VSTREAM
from harness.checks.judge import judge
from harness.history import load
from harness.model import OP_DTYPE
from harness.streams import EVENT_DTYPE, NO_INDEX, EventType, Resume
from tests.fakes import calm
from tests.unit.stream_history import StreamRun


def run_dir(tmp_path: Path, made: StreamRun | None = None) -> RunDir:
    return (made or StreamRun()).write(tmp_path / "run")


def test_streams_and_tables_load_as_what_was_recorded(tmp_path: Path) -> None:
    made = StreamRun(resume=Resume.CHECKPOINT, leave_after=9, seed=9)
    history = load(run_dir(tmp_path, made))
    (record,) = history.streams
    written = made.record
    assert record.events.tobytes() == written.events.tobytes()
    assert isinstance(record.events, np.memmap)
    assert (record.lane, record.vgtids, record.attempts) == (written.lane, written.vgtids, written.attempts)
    assert {where: read.rows.tobytes() for where, read in history.tables.items()} == {
        where: read.rows.tobytes() for where, read in made.tables.items()
    }
    assert not [what for what in history.incomplete if "rows" not in what]


def test_a_run_directory_is_judged_as_the_run_itself(tmp_path: Path) -> None:
    made = StreamRun()
    plan = dataclasses.replace(made.builder().plan, checks=tuple(check.name for check in VSTREAM))
    run = run_dir(tmp_path, made)
    jsonio.save(run.plan, plan)
    assert judge(load(run)) == judge(dataclasses.replace(made.history(), plan=plan))


def test_a_run_without_streams_misses_none(tmp_path: Path) -> None:
    history = load(calm().write(tmp_path / "run"))
    assert (history.streams, history.tables, history.incomplete) == ((), {}, ())


def test_what_was_planned_and_is_missing_is_named(tmp_path: Path) -> None:
    run = run_dir(tmp_path)
    run.stream(1).unlink()
    run.table("ks", "item_1", "-80").unlink()
    assert [what.split(" ")[0] for what in load(run).incomplete] == ["table-ks.item_1.-80.bin", "stream-1.bin"]
    assert len(load(run).streams[0].events) == 0
    for path in (run.streams, run.tables):
        path.unlink()
    assert [what.split(" ")[0] for what in load(run).incomplete] == ["tables.json", "streams.json"]


def test_torn_last_records_are_left_out(tmp_path: Path) -> None:
    run = run_dir(tmp_path)
    whole = load(run).streams[0]
    with run.stream(1).open("ab") as out:
        out.write(b"x" * (EVENT_DTYPE.itemsize - 1))
    with run.vgtids(1).open("ab") as out:
        out.write(b'{"number": 12')
    with run.attempts(1).open("ab") as out:
        out.write(b'{"step": "beg')
    torn = load(run).streams[0]
    assert torn.events.tobytes() == whole.events.tobytes()
    assert (torn.vgtids, torn.attempts) == (whole.vgtids, whole.attempts)


def test_a_stream_that_was_killed_has_attempts_without_an_end(tmp_path: Path) -> None:
    run = run_dir(tmp_path)
    begun = run.attempts(1).read_bytes().splitlines(keepends=True)[0]
    run.attempts(1).write_bytes(begun)
    (attempt,) = load(run).streams[0].attempts
    assert (attempt.number, attempt.code, attempt.end_ns) == (1, "", 0)


def test_an_end_of_an_attempt_that_never_began_is_no_attempt(tmp_path: Path) -> None:
    run = run_dir(tmp_path)
    with run.attempts(1).open("ab") as out:
        out.write(jsonio.line({"step": "end", "number": 7, "end_ns": 1, "code": "", "message": ""}))
    assert len(load(run).streams[0].attempts) == 1


# ---------------------------------------------------------------- garbage


def damage(path: Path, dtype: np.dtype[np.void], field: str, value: int) -> None:
    """One record in the middle; of a stream, a row."""
    records = np.fromfile(path, dtype=dtype)
    at = np.flatnonzero(records["type"] == EventType.ROW) if "type" in (dtype.names or ()) else np.arange(len(records))
    records[field][at[len(at) // 2]] = value
    records.tofile(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", 126),
        ("change", 9),
        ("flags", 8),
        ("shard", 2),
        ("table", 77),
        ("attempt", 2),
        ("attempt", 0),
        ("at_ns", 0),
        ("at_ns", 1 << 62),
    ],
)
def test_a_stream_with_garbage_is_refused(tmp_path: Path, field: str, value: int) -> None:
    run = run_dir(tmp_path)
    damage(run.stream(1), EVENT_DTYPE, field, value)
    with pytest.raises(RunDirError, match=rf"stream-1.bin is damaged: record \d+ has {field} {value}"):
        load(run)


@pytest.mark.parametrize(("field", "value"), [("type", 23), ("type", 255), ("shard", NO_INDEX), ("table", NO_INDEX)])
def test_what_a_newer_vitess_may_send_is_not_damage(tmp_path: Path, field: str, value: int) -> None:
    run = run_dir(tmp_path)
    damage(run.stream(1), EVENT_DTYPE, field, value)
    (check,) = [check for check in VSTREAM if check.name == "vstream/grammar"]
    (result,) = check.check(load(run))
    assert result.verdict.name == "FAIL"


@pytest.mark.parametrize(
    ("field", "value"), [("outcome", 126), ("kind", 99), ("intended_ns", -5), ("done_ns", 1 << 62), ("done_ns", 0)]
)
def test_operations_with_garbage_are_refused(tmp_path: Path, field: str, value: int) -> None:
    run = calm().write(tmp_path / "run")
    damage(run.ops(0), OP_DTYPE, field, value)
    with pytest.raises(RunDirError, match=rf"ops-0.bin is damaged: record \d+ has {field} {value}, which cannot be$"):
        load(run)


def test_more_than_one_record_of_garbage_is_counted(tmp_path: Path) -> None:
    run = calm().write(tmp_path / "run")
    records = np.fromfile(run.ops(0), dtype=OP_DTYPE)
    records["outcome"][3:9] = 17
    records.tofile(run.ops(0))
    with pytest.raises(RunDirError, match=r"record 4 has outcome 17, which cannot be \(and 5 more\)"):
        load(run)


def test_a_torn_table_is_refused(tmp_path: Path) -> None:
    """Its writer renames it into place when it is whole."""
    run = run_dir(tmp_path)
    with run.table("ks", "item_1", "-80").open("ab") as out:
        out.write(b"xxx")
    with pytest.raises(RunDirError, match="ends within a row"):
        load(run)
