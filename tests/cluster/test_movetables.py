"""Goal: MoveTables under repeated cuts on a real cluster, through the real command line: the copy is cut, comes to its
end, and every account of it agrees; and the checks are seen red on the real run's own records.

A starved machine may make a run UNKNOWN. That is accepted where it is said, and never taken for a PASS.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness import history
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.facts import workflows
from harness.history import History
from harness.items import first_id
from harness.model import ROW_DTYPE, CheckResult, RunVerdict, Verdict
from tests.cluster.command import RUN_WITHIN_S, require_honest, results, verdict_of, vtchaos

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100)]

ROWS = 60_000
SMALL = ("--plain", "--rows", str(ROWS), "--set", "replicate_s=1", "--set", "quiet_s=1")


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run."""

    folder: Path
    exit_code: int
    output: str
    verdict: RunVerdict
    history: History


def ran(folder: Path, *words: str) -> Ran:
    done = vtchaos("run", *words, *SMALL, "--out", folder, within_s=RUN_WITHIN_S)
    assert RunDir(folder).verdict.is_file(), done.output
    return Ran(folder, done.returncode, done.output, verdict_of(folder), history.load(RunDir.open(folder)))


def only(verdict: RunVerdict, check: str) -> CheckResult:
    (found,) = results(verdict, check)
    return found


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("cut") / "run", "movetables/cut-300ms", "--seed", "7")


# ---------------------------------------------------------------- a copy that is cut


def test_it_ends_well(cut: Ran) -> None:
    require_honest(cut.verdict, cut.output)
    assert cut.exit_code == cut.verdict.exit_code, cut.output


def test_the_copy_was_cut_and_came_to_its_end(cut: Ran) -> None:
    cycles = only(cut.verdict, "assumptions/workflow-cut")
    assert cycles.verdict is Verdict.PASS
    streams = workflows.streams(cut.history)
    assert [(stream.shard, stream.source_shard) for stream in streams] == [("-80", "-80"), ("80-", "80-")]
    assert all(stream.done for stream in streams)
    for stream in streams:
        copies, caught_up = workflows.loops(cut.history, stream), workflows.catchups(cut.history, stream)
        assert copies > 1
        assert caught_up == copies, "every copy begins with catching up (vcopier.go, copyNext)"
        assert cycles.figures[f"copies {stream.name}"] == copies
    kinds = [entry.type for entry in workflows.entries(cut.history) if entry.shard == "-80"]
    assert kinds[0] == "Stream Created"
    assert "Ended Copy Phase" in kinds


def test_rows_are_compared_by_us_and_by_vdiff(cut: Ran) -> None:
    rows = only(cut.verdict, "workflow/rows")
    assert rows.verdict is Verdict.PASS
    assert rows.figures["source_rows"] == rows.figures["target_rows"]
    assert int(rows.figures["source_rows"]) > 0.9 * ROWS
    (diffed,) = [event for event in cut.history.events if event.subject == workflows.DIFFED]
    assert diffed.details["mismatch"] is False
    assert int(diffed.details["compared"]) == rows.figures["source_rows"]


def test_the_changes_of_the_clients_arrived_too(cut: Ran) -> None:
    versions = [
        int(version)
        for place, read in cut.history.tables.items()
        if place[0] == "target"
        for version in read.rows["value"]
    ]
    assert max(versions) > 1


def test_every_account_was_heard_and_agrees(cut: Ran) -> None:
    agree = only(cut.verdict, "workflow/agree")
    assert agree.verdict is Verdict.PASS
    assert "target/-80 #1 is Running in _vt, Running for vtctld, Running in the metric" in agree.details


# ---------------------------------------------------------------- seen red


def checked(cut: Ran, folder: Path) -> Path:
    return shutil.copytree(cut.folder, folder)


def test_a_lost_row_is_a_finding(cut: Ran, tmp_path: Path) -> None:
    run = RunDir(checked(cut, tmp_path / "lost"))
    path = run.table("target", "item_1", "80-")
    rows = np.fromfile(path, dtype=ROW_DTYPE)
    seeded = rows["id"] == first_id("80-", 0) + 100
    assert seeded.sum() == 1
    rows[~seeded].tofile(path)
    assert vtchaos("check", run.path).returncode == 1
    verdict = verdict_of(run.path)
    assert only(verdict, "workflow/rows").verdict is Verdict.FAIL
    assert f"1 missing (keys {first_id('80-', 0) + 100})" in only(verdict, "workflow/rows").summary
    assert "Running with nothing left to copy" in only(verdict, "workflow/agree").summary


def test_a_change_that_did_not_arrive_is_a_finding(cut: Ran, tmp_path: Path) -> None:
    run = RunDir(checked(cut, tmp_path / "old"))
    path = run.table("target", "item_1", "-80")
    rows = np.fromfile(path, dtype=ROW_DTYPE)
    rows["value"][int(np.argmax(rows["value"]))] -= 1
    rows.tofile(path)
    assert vtchaos("check", run.path).returncode == 1
    assert "1 older" in only(verdict_of(run.path), "workflow/rows").summary


def test_a_run_that_was_not_cut_proves_nothing(cut: Ran, tmp_path: Path) -> None:
    """The same records, but more cuts were wanted than there were."""
    run = RunDir(checked(cut, tmp_path / "uncut"))
    plan = jsonio.load(run.plan, dict)
    plan["params"]["cuts"] = 1000.0
    jsonio.save(run.plan, plan)
    assert vtchaos("check", run.path).returncode == 3
    assert only(verdict_of(run.path), "assumptions/workflow-cut").verdict is Verdict.UNKNOWN


def test_an_atomic_copy_that_is_cut_says_so(tmp_path: Path) -> None:
    """By design it cannot go on; it must not call itself done."""
    atomic = ran(tmp_path / "run", "movetables/cut-atomic", "--seed", "7")
    require_honest(atomic.verdict, atomic.output)
    assert atomic.exit_code == atomic.verdict.exit_code, atomic.output
    assert only(atomic.verdict, "assumptions/workflow-cut").verdict is Verdict.PASS, atomic.output
    cut_short = only(atomic.verdict, "workflow/state")
    assert "REPRODUCED" in cut_short.summary, atomic.output  # on a starved machine: "Would be REPRODUCED"
    assert "is Error: terminal error" in cut_short.summary
    assert only(atomic.verdict, "workflow/agree").verdict is Verdict.PASS
    assert only(atomic.verdict, "workflow/rows").verdict is Verdict.PASS
    assert bool(atomic.verdict.reproduced) is (atomic.exit_code == 0), atomic.output
