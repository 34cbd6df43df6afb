"""Goal: whatever is broken on purpose is seen by the check whose business it is, and by a later `vtchaos check` too.

Method: recorded runs, spoilt as `vtchaos run --sabotage KIND` does it. What acts on faults and on the cluster is shown
by records that say what such a run says; tests/cluster has a real one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.base.rundir import RunDir
from harness.canaries import sabotage, spoiling
from harness.canaries.sabotage import SABOTAGES
from harness.checks.judge import judge
from harness.history import History, load
from harness.many.records import SABOTAGE, RunRecord, record
from harness.model import FaultSpan, Plan, Verdict
from harness.series import Series
from tests.golden.record import FOLDER, unpack

RUNS = {  # kind → a recorded run in which it has something to break
    "lost-row": "own-reparent",
    "altered-row": "own-reparent",
    "doubled-row": "own-reparent",
    "phantom-row": "own-reparent",
    "refused-row": "own-reparent",
    "unread-row": "own-reparent",
    "dropped-event": "vstream-17778",
    "torn-operation": "own-reparent",
    "deaf-probe": "own-reparent",
    "no-op": "own-reparent",
    "false-evidence": "own-reparent",
    "no-buffer": "made-buffer-off",
}
RECORDS = [kind for kind, each in SABOTAGES.items() if each.record is not None]


def a_run(kind: str, folder: Path) -> tuple[RunDir, Plan]:
    run = unpack(FOLDER / f"{RUNS[kind]}.tar.zst", folder)
    plan = replace(load(run).plan, sabotage=kind)
    return run, plan


def recorded(seen: History) -> RunRecord:
    return record(seen, judge(seen), "run")


def test_each_kind_has_a_run() -> None:
    assert set(RUNS) == set(SABOTAGES)


@pytest.mark.parametrize("kind", RECORDS)
def test_a_spoilt_record_is_caught_now_and_later(kind: str, tmp_path: Path) -> None:
    run, plan = a_run(kind, tmp_path)
    assert not SABOTAGES[kind].caught(recorded(load(run))), "it is red without being spoilt"
    assert sabotage.completed(plan, run) is None
    found = recorded(load(run))
    assert SABOTAGES[kind].caught(found)
    assert found.verdict is not Verdict.PASS
    assert found.sabotaged == kind
    assert recorded(load(run)) == found
    (event,) = [event for event in load(run).events if event.kind == SABOTAGE]
    assert (event.subject, bool(event.details["what"])) == (kind, True)
    assert [path.name for path in (run.path / spoiling.KEPT).iterdir()], "what was there before is kept"


def test_another_red_check_does_not_catch_it(tmp_path: Path) -> None:
    run, plan = a_run("phantom-row", tmp_path)
    assert sabotage.completed(plan, run) is None
    assert not SABOTAGES["lost-row"].caught(recorded(load(run)))


def test_a_run_in_which_nothing_could_be_broken_proves_nothing(tmp_path: Path) -> None:
    run, plan = a_run("lost-row", tmp_path)
    for path in run.path.glob("rows-*.bin"):
        path.unlink()
    error = sabotage.completed(plan, run)
    assert error is not None
    assert error.exit_code == 4
    assert not SABOTAGES["lost-row"].caught(recorded(load(run)))
    assert recorded(load(run)).verdict is not Verdict.PASS


# ---------------------------------------------------------------- what acts while the run goes on


def left_out(span: FaultSpan) -> FaultSpan:
    """The story of a fault whose act was left out."""
    details = {name: value for name, value in span.details.items() if name != "promoted"}
    return replace(span, details=details, observed=False)


def unmoved(series: Series, counter: str) -> Series:
    """Counters that stay as they were first."""
    known: set[str] = set()
    samples = []
    for sample in series.samples:
        values = {key: value for key, value in sample.values.items() if key not in known}
        known |= {key for key in values if key.startswith(counter)}
        samples.append(replace(sample, values=values))
    return Series(samples)


def test_a_fault_that_does_nothing_is_caught(tmp_path: Path) -> None:
    run, _ = a_run("no-op", tmp_path)
    seen = load(run)
    assert not SABOTAGES["no-op"].caught(recorded(seen))
    assert SABOTAGES["no-op"].caught(recorded(replace(seen, faults=tuple(map(left_out, seen.faults)))))


def test_evidence_of_what_was_not_done_is_caught_by_vtctlds_own_count(tmp_path: Path) -> None:
    run, _ = a_run("false-evidence", tmp_path)
    seen = load(run)
    lied = tuple(replace(left_out(span), observed=True) for span in seen.faults)
    uncounted = {name: unmoved(series, "PlannedReparentCounts:") for name, series in seen.series.items()}
    assert SABOTAGES["false-evidence"].caught(recorded(replace(seen, faults=lied, series=uncounted)))


def test_a_buffer_that_is_off_behind_the_plans_back_is_caught(tmp_path: Path) -> None:
    run, _ = a_run("no-buffer", tmp_path)
    seen = load(run)
    spec = replace(seen.plan.cluster, vtgate_flags={sabotage.BUFFER: ""}, vtgates=seen.plan.cluster.vtgates)
    told = replace(seen, plan=replace(seen.plan, cluster=spec))
    assert not SABOTAGES["no-buffer"].caught(recorded(seen))
    assert SABOTAGES["no-buffer"].caught(recorded(told))
