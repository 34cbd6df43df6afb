"""Goal: the main job on real clusters, through the real command line: the storm happens, is judged, and is told the
same way in every report; and the checks are seen red on a real run: without buffering, and with a faulty ledger.

A starved machine may make a run UNKNOWN. That is accepted where it is said, and never taken for a PASS.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from harness import history
from harness.base.rundir import RunDir
from harness.history import History
from harness.model import ROW_DTYPE, CheckKind, OpKind, Outcome, RunVerdict, Verdict
from tests.cluster.command import RUN_WITHIN_S, SHORT, require_honest, results, verdict_of, vtchaos

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100)]


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run."""

    folder: Path
    exit_code: int
    output: str
    verdict: RunVerdict
    history: History


def ran(folder: Path, *words: str) -> Ran:
    done = vtchaos("run", *words, *SHORT, "--out", folder, within_s=RUN_WITHIN_S)
    assert RunDir(folder).verdict.is_file(), done.output
    return Ran(folder, done.returncode, done.output, verdict_of(folder), history.load(RunDir.open(folder)))


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("storm") / "run", "reparent/storm-2", "--seed", "7")


# ---------------------------------------------------------------- the storm


def test_a_storm_ends_well(storm: Ran) -> None:
    require_honest(storm.verdict, storm.output)
    assert storm.exit_code == storm.verdict.exit_code, storm.output


def test_every_reparent_happened(storm: Ran) -> None:
    spans = storm.history.spans("PlannedReparent")
    assert sorted(span.targets for span in spans) == [("-80",), ("80-",)]
    for span in spans:
        assert span.error == ""
        assert span.observed
        assert span.intent_ns <= span.begin_ns < span.active_ns
        assert span.details["promoted"] != span.details["was_primary"]
    assert all(result.verdict is Verdict.PASS for result in results(storm.verdict, "assumptions/reparents"))


def test_the_calls_leave_when_all_intents_are_written(storm: Ran) -> None:
    spans = storm.history.spans("PlannedReparent")
    assert max(span.intent_ns for span in spans) <= min(span.begin_ns for span in spans)


def test_safety_and_conservation_hold(storm: Ran) -> None:
    """Whatever the machine does: no slowness excuses a lost write."""
    judged = [r for r in storm.verdict.results if r.kind is CheckKind.SAFETY or r.check == "buffering/conservation"]
    assert {r.check for r in judged} >= {"durability/acknowledged", "durability/failed", "durability/phantoms"}
    assert [(r.check, r.summary) for r in judged if r.verdict is not Verdict.PASS] == []


def test_the_run_is_whole(storm: Ran) -> None:
    seen = storm.history
    assert seen.incomplete == ()
    assert list(seen.phases) == ["baseline", "storm", "recovery", "quiet"]
    assert set(seen.rows) == {"-80", "80-"}
    assert {"vtgate-1", "vtctld", "host", "harness", "vttablet-100", "vttablet-103"} <= set(seen.series)
    assert len(seen.ops) > 0
    assert {line.node for line in seen.logs} >= {"vtgate-1", "vttablet-100"}
    assert not [event for event in seen.events if event.kind in ("harness-error", "interrupt")]


def test_the_reports_agree(storm: Ran) -> None:
    run, verdict = RunDir(storm.folder), storm.verdict
    word = verdict.verdict.name
    suite = ElementTree.parse(run.junit).getroot().find("testsuite")
    assert suite is not None
    names = {case.get("name") for case in suite.iter("testcase")}
    assert {f"{r.check} [{r.subject}]" if r.subject else r.check for r in verdict.results} <= names
    assert int(suite.get("failures", "")) == sum(r.verdict is Verdict.FAIL for r in verdict.results)
    assert int(suite.get("errors", "")) == sum(r.verdict is Verdict.UNKNOWN for r in verdict.results)
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert (properties["verdict"], properties["run_id"], properties["seed"]) == (word, verdict.run_id, "7")
    shown = "FINDING" if verdict.verdict is Verdict.FAIL else word
    for told in ((run.path / "summary.txt").read_text(), storm.output):
        assert f"verdict   {shown}  exit code {verdict.exit_code}" in told
        assert "vtchaos run reparent/storm-2 --seed 7" in told
    page = run.html.read_text()
    assert word in page
    assert verdict.run_id in page


def test_check_comes_to_the_same_verdict(storm: Ran, tmp_path: Path) -> None:
    copy = shutil.copytree(storm.folder, tmp_path / "copy")
    assert vtchaos("check", copy).returncode == storm.exit_code
    assert verdict_of(copy) == storm.verdict


# ---------------------------------------------------------------- seen red


def test_with_buffering_switched_off_clients_see_errors(tmp_path: Path) -> None:
    unbuffered = ran(tmp_path / "run", "reparent/unbuffered")
    verdict = unbuffered.verdict
    assert unbuffered.exit_code == verdict.exit_code, unbuffered.output
    failed = (unbuffered.history.ops["outcome"] == Outcome.FAIL) | (
        unbuffered.history.ops["outcome"] == Outcome.UNKNOWN
    )
    assert failed.any(), unbuffered.output
    assert all(r.verdict is Verdict.PASS for r in verdict.results if r.kind is CheckKind.SAFETY), unbuffered.output
    if verdict.verdict is Verdict.UNKNOWN:  # a starved machine: the result says what it would have been
        require_honest(verdict, unbuffered.output)
        assert results(verdict, "clients/errors")[0].figures["without_assumptions"] == "FAIL"
    else:
        assert verdict.reproduced, unbuffered.output
        assert verdict.exit_code == 0
        assert "REPRODUCED" in unbuffered.output


def acknowledged_write(seen: History, shard: str) -> tuple[int, int]:
    """Key and value of a row whose write was acknowledged."""
    ops = seen.ops_of([lane for lane in seen.lanes if lane.shard == shard])
    (first, *_) = ops[(ops["kind"] == OpKind.WRITE) & (ops["outcome"] == Outcome.OK)]
    return int(first["key"]), int(first["value"])


def lost(seen: History, rows: history.Rows) -> history.Rows:
    key, _ = acknowledged_write(seen, "-80")
    kept: history.Rows = rows[rows["id"] != key]
    assert len(kept) == len(rows) - 1
    return kept


def twice(seen: History, rows: history.Rows) -> history.Rows:
    return np.concatenate([rows, np.array([acknowledged_write(seen, "-80")], dtype=ROW_DTYPE)])


def altered(seen: History, rows: history.Rows) -> history.Rows:
    key, value = acknowledged_write(seen, "-80")
    changed = rows.copy()
    changed["value"][changed["id"] == key] = value ^ 1
    return changed


def stranger(seen: History, rows: history.Rows) -> history.Rows:
    return np.concatenate([rows, np.array([(rows["id"].max() + 1_000_000, 42)], dtype=ROW_DTYPE)])


@pytest.mark.parametrize(
    "fault, check",
    [
        (lost, "durability/acknowledged"),
        (twice, "durability/acknowledged"),
        (altered, "durability/acknowledged"),
        (stranger, "durability/phantoms"),
    ],
)
def test_a_faulty_ledger_is_found(
    storm: Ran, tmp_path: Path, fault: Callable[[History, history.Rows], history.Rows], check: str
) -> None:
    """The rows of a real run, as a database would have left them that breaks its promise to a single write."""
    copy = RunDir(shutil.copytree(storm.folder, tmp_path / "copy"))
    fault(storm.history, storm.history.rows["-80"]).tofile(copy.rows("-80"))
    done = vtchaos("check", copy.path)
    assert done.returncode == 1, done.output
    (found,) = results(verdict_of(copy.path), check)
    assert found.verdict is Verdict.FAIL
    assert check in done.output


# ---------------------------------------------------------------- versions beside each other


def test_two_versions_of_vtgate_in_one_storm(tmp_path: Path) -> None:
    mixed = ran(tmp_path / "run", "reparent/storm-2", "--vtgate", "24.0.3,21.0.2")
    verdict, seen = mixed.verdict, mixed.history
    assert mixed.exit_code == verdict.exit_code, mixed.output
    assert [(node.name, node.version) for node in seen.vtgates] == [("vtgate-1", "24.0.3"), ("vtgate-2", "21.0.2")]
    for vtgate in ("vtgate-1", "vtgate-2"):
        assert len(seen.ops_of(seen.lanes_of(vtgate))) > 0
        assert {r.check for r in verdict.results if r.subject == vtgate} >= {
            "clients/errors",
            "clients/stall",
            "durability/acknowledged",
            "buffering/conservation",
        }
        assert set(seen.series[vtgate].labels("BufferStarts")) == {"ks.-80", "ks.80-"}
        assert any(line.node == vtgate for line in seen.logs)
    assert all(r.verdict is Verdict.PASS for r in verdict.results if r.kind is CheckKind.SAFETY), mixed.output
    assert all(r.verdict is Verdict.PASS for r in results(verdict, "buffering/conservation")), mixed.output
    for told in (mixed.output, RunDir(mixed.folder).html.read_text()):
        assert "24.0.3" in told
        assert "21.0.2" in told
    require_honest(verdict, mixed.output)
