"""Every check of a workflow holds on a copy that was cut and went well, and is seen red where one thing is wrong."""

from __future__ import annotations

import dataclasses

import pytest

from harness.checks import CHECKS, WORKFLOW
from harness.checks.workflow_rows import WorkflowAgree, WorkflowRows
from harness.checks.workflows import (
    ERROR_KINDS,
    WorkflowCopied,
    WorkflowCut,
    WorkflowCuts,
    WorkflowErrors,
    WorkflowState,
    kind_of,
)
from harness.facts.workflows import BEHIND, CAUGHT_UP, DIFFED, NOT_CREATED
from harness.items import first_id
from harness.model import CheckKind, CheckResult, Verdict
from tests.unit.workflow_fakes import END_S, ITEMS, MovedRun, Source

PASS, UNKNOWN, FAIL = Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL
OWN = (
    WorkflowCut(),
    WorkflowState(),
    WorkflowCopied(),
    WorkflowRows(),
    WorkflowAgree(),
    WorkflowErrors(),
    WorkflowCuts(),
)
DUPLICATE = "task error: failed inserting rows: Duplicate entry '1' for key 'item_1.PRIMARY' (errno 1062)"
CUT = "vttablet: rpc error: code = DeadlineExceeded desc = stream terminated by RST_STREAM with error code: CANCEL"
TOO_LONG = "vttablet: maximum statement execution time exceeded (errno 3024) (sqlstate HY000)"


def only(name: str, run: MovedRun) -> CheckResult:
    (found,) = CHECKS[name].check(run.build())
    return found


def verdicts(run: MovedRun) -> dict[str, Verdict]:
    """Of the checks that do not simply pass."""
    found = {check.name: only(check.name, run).verdict for check in OWN}
    return {name: verdict for name, verdict in found.items() if verdict is not PASS}


@pytest.mark.parametrize("name", [check.name for check in OWN])
def test_a_copy_that_was_cut_and_went_well(name: str) -> None:
    result = only(name, MovedRun())
    assert result.verdict is PASS, result.summary


@pytest.mark.parametrize("name", [check.name for check in OWN])
def test_a_run_that_nobody_watched_proves_nothing(name: str) -> None:
    run = MovedRun()
    run.sources.clear()
    run.tables.clear()
    assert only(name, run).verdict is UNKNOWN


def test_all_are_asked_for_and_the_rows_are_what_no_slowness_excuses() -> None:
    assert set(OWN) <= set(WORKFLOW)
    assert [check.name for check in OWN if check.kind is CheckKind.SAFETY] == ["workflow/rows"]
    assert [check.name for check in OWN if check.kind is CheckKind.ASSUMPTION] == ["assumptions/workflow-cut"]


# ---------------------------------------------------------------- assumptions/workflow-cut


def test_a_copy_that_was_never_cut_proves_nothing() -> None:
    run = MovedRun()
    key = "VReplicationCopyLoopCount:ks.80-.move.MoveTables.1"
    run.tablet("80-").set(key, ITEMS.tables)  # one copy a table; the other stream was cut
    assert verdicts(run) == {"assumptions/workflow-cut": UNKNOWN}
    assert "cut 0 times; 1 were wanted" in only("assumptions/workflow-cut", run).summary


def test_a_control_wants_no_cut() -> None:
    run = MovedRun(cuts=0)
    for shard in ("-80", "80-"):
        run.tablet(shard).set(f"VReplicationCopyLoopCount:ks.{shard}.move.MoveTables.1", 2)
    assert verdicts(run) == {}


def test_cuts_are_counted_on_all_tablets_of_a_shard_and_through_restarts() -> None:
    run = MovedRun(cuts=7)
    key = "VReplicationCopyLoopCount:ks.-80.move.MoveTables.1"
    run.tablet("-80").put(key, 7.5, 1)  # its process was restarted and counts from the beginning
    run.sources.setdefault("vttablet-105", Source()).put(key.replace("MoveTables.", ""), 6.0, 3)  # as in 23
    run.tablet("80-").set("VReplicationCopyLoopCount:ks.80-.move.MoveTables.1", 9)
    result = only("assumptions/workflow-cut", run)
    assert result.figures["copies target/-80 #1"] == 9  # 5 + 1 + 3
    assert result.figures["catchups target/-80 #1"] == 5
    assert result.figures["copy_cycles"] == 18
    assert result.verdict is PASS


@pytest.mark.parametrize(
    "says",
    [
        "task error: context deadline exceeded",
        "task error: EOF",  # vttablet 24.0.3: the phase was over while the target was about to take a packet
    ],
)
def test_an_atomic_copy_is_cut_when_an_error_says_so(says: str) -> None:
    run = MovedRun(atomic=True)
    assert only("assumptions/workflow-cut", run).verdict is UNKNOWN  # its loop count is one of packets
    run.ends_in_error(says)
    assert only("assumptions/workflow-cut", run).verdict is PASS


def test_a_lost_connection_is_no_cut() -> None:
    run = MovedRun(atomic=True)
    run.ends_in_error("task error: EOF (errno 2013) (sqlstate HY000)")
    assert only("assumptions/workflow-cut", run).verdict is UNKNOWN


def test_a_fault_that_missed_the_copy_proves_nothing() -> None:
    run = MovedRun()
    run.param(faults_in_copy=1)
    assert only("assumptions/workflow-cut", run).verdict is UNKNOWN
    run.reparent(9.0, 9.5)
    assert "0 faults began while a stream was in its copy" in only("assumptions/workflow-cut", run).summary
    run.faults.clear()
    run.reparent(3.0, 3.5)
    assert only("assumptions/workflow-cut", run).verdict is PASS


def test_a_hole_in_the_watching() -> None:
    run = MovedRun()
    run.shard().stamps = [0.0, END_S]
    for steps in run.shard().steps.values():
        steps[:] = [(0.0 if at_s < 6 else END_S, value) for at_s, value in steps]
    assert "gave no answer for 14.0 s" in only("assumptions/workflow-cut", run).summary


# ---------------------------------------------------------------- workflow/state


def test_an_error_state() -> None:
    run = MovedRun(atomic=True)
    run.ends_in_error("task error: context deadline exceeded")
    result = only("workflow/state", run)
    assert result.verdict is FAIL
    assert "target/-80 #1 is Error: terminal error: task error: context deadline exceeded" in result.summary
    assert result.figures == {"streams": 2, "streams Error": 1, "streams Running": 1}
    assert only("workflow/agree", run).verdict is PASS  # at least it is honest
    assert only("workflow/rows", run).verdict is PASS


def test_a_stream_that_still_has_a_message() -> None:
    run = MovedRun()
    run.shard().set("message:1", "vttablet: Unavailable")
    assert verdicts(run) == {"workflow/state": FAIL}


def test_a_target_shard_without_a_stream() -> None:
    run = MovedRun()
    for key in [key for key in run.shard().steps if key.endswith(":1")]:
        del run.shard().steps[key]
    result = only("workflow/state", run)
    assert (result.verdict, result.summary) == (FAIL, "There is no stream into target/-80.")


def test_a_workflow_that_vtctld_refused() -> None:
    run = MovedRun()
    run.note(NOT_CREATED, 2.0, why="MoveTablesCreate: UNKNOWN: no vschema found")
    assert "no vschema found" in only("workflow/state", run).summary
    assert only("workflow/state", run).verdict is FAIL


# ---------------------------------------------------------------- workflow/copied


def stuck() -> MovedRun:
    """Copying for ever, without a word (vitess#10012)."""
    run = MovedRun()
    for shard in ("-80", "80-"):
        run.shard(shard).set("state:1", "Copying", 2.0)
        run.shard(shard).set("left:1", "item_1,item_2", 2.0)
        run.tablet(shard).set("VReplicationStreamState:move.MoveTables.1", "Copying", 2.0)
        run.vtctld.set(f"status:{shard}/1", "Copying", 2.5)
        for table in ITEMS.names:
            run.tables["target", table, shard].clear()
            del run.shard(shard).steps[f"last_pk:1.{table}"]
    run.without_note(CAUGHT_UP)
    run.without_note(DIFFED)
    return run


def test_a_copy_that_never_makes_progress() -> None:
    run = stuck()
    assert verdicts(run) == {"workflow/state": FAIL, "workflow/copied": FAIL}
    result = only("workflow/copied", run)
    assert "no row of it was ever copied, in 5 copies begun (state Copying)" in result.summary
    assert result.figures["tables_left"] == 4


@pytest.mark.parametrize(("last_s", "said"), [(3.0, "nothing was copied in the last 11 s"), (13.0, "still going on")])
def test_a_copy_that_was_not_finished(last_s: float, said: str) -> None:
    run = stuck()
    run.shard().put("last_pk:1.item_1", last_s, first_id("-80", 0) + 3)
    assert said in only("workflow/copied", run).summary


def test_a_target_that_never_caught_up() -> None:
    run = MovedRun()
    run.without_note(CAUGHT_UP)
    assert verdicts(run) == {"workflow/copied": UNKNOWN, "workflow/rows": UNKNOWN}
    run.note(BEHIND, 13.0, why="the target has reached the source's position: not within 30 s")
    assert only("workflow/copied", run).verdict is FAIL
    assert "not within 30 s" in only("workflow/copied", run).summary


# ---------------------------------------------------------------- workflow/rows


def lose(run: MovedRun) -> str:
    run.rows().pop(first_id("-80", 0) + 4)
    return "1 missing"


def invent(run: MovedRun) -> str:
    run.rows()[first_id("-80", 0) + 4000] = 1
    return "1 extra"


def age(run: MovedRun) -> str:
    run.rows("ks")[first_id("-80", 0) + 4] += 1
    return "1 older"


def rush(run: MovedRun) -> str:
    run.rows()[first_id("-80", 0) + 4] += 1
    return "1 newer"


@pytest.mark.parametrize("damage", [lose, invent, age, rush])
def test_running_while_rows_differ_is_a_finding_of_its_own(damage: object) -> None:
    run = MovedRun()
    said = damage(run)  # type: ignore[operator]
    assert verdicts(run) == {"workflow/rows": FAIL, "workflow/agree": FAIL}
    result = only("workflow/rows", run)
    assert f"{said} (keys {first_id('-80', 0) + 4}" in result.summary
    assert "every stream is Running with nothing left to copy" in only("workflow/agree", run).summary


def test_every_row_in_every_shard() -> None:
    """What an atomic copy into a sharded keyspace does."""
    run = MovedRun(atomic=True, cuts=0)
    for table in ITEMS.names:
        both = {**run.rows("target", table, "-80"), **run.rows("target", table, "80-")}
        for shard in ("-80", "80-"):
            run.rows("target", table, shard).update(both)
    result = only("workflow/rows", run)
    assert result.verdict is FAIL
    assert "20 twice, 20 in the wrong shard" in result.summary


def test_a_value_that_is_not_the_rows_own() -> None:
    run = MovedRun()
    run.wrong["target", "item_2", "80-"] = 3
    assert "3 with a value that is not theirs" in only("workflow/rows", run).summary
    assert only("workflow/rows", run).verdict is FAIL


def test_rows_in_the_wrong_place_are_wrong_whatever_the_workflow_says() -> None:
    run = MovedRun(atomic=True)
    run.ends_in_error("task error: context deadline exceeded")
    run.rows()[first_id("80-", 0) + 1] = 1
    assert only("workflow/rows", run).verdict is FAIL


def test_tables_that_were_not_read() -> None:
    run = MovedRun()
    del run.tables["target", "item_2", "80-"]
    assert verdicts(run) == {"workflow/rows": UNKNOWN}


def test_a_merge_has_the_rows_of_all_source_shards() -> None:
    run = MovedRun()
    one = dataclasses.replace(run.plan.cluster.others[0], shards=1)
    run.plan = dataclasses.replace(run.plan, cluster=dataclasses.replace(run.plan.cluster, others=(one,)))
    for table in ITEMS.names:
        both = {**run.tables.pop(("target", table, "-80")), **run.tables.pop(("target", table, "80-"))}
        run.tables["target", table, "0"] = both
    assert only("workflow/rows", run).verdict is PASS
    run.rows("target", "item_2", "0").popitem()
    assert only("workflow/rows", run).verdict is FAIL


# ---------------------------------------------------------------- workflow/agree


def test_vtctld_says_otherwise() -> None:
    run = MovedRun()
    run.vtctld.set("status:-80/1", "Copying")
    assert verdicts(run) == {"workflow/agree": FAIL}
    assert "Running in _vt, and Copying for vtctld" in only("workflow/agree", run).summary


def test_vtctld_calls_a_stream_that_tries_again_an_error() -> None:
    run = MovedRun()
    run.vtctld.set("status:-80/1", "Error")
    assert only("workflow/agree", run).verdict is FAIL
    run.shard().set("message:1", "vttablet: Unavailable")
    assert only("workflow/agree", run).verdict is PASS


def test_vtctld_still_has_tables_in_the_copy() -> None:
    run = MovedRun()
    run.vtctld.set("tables", 1)
    assert verdicts(run) == {"workflow/agree": FAIL}
    run = MovedRun(atomic=True)
    run.ends_in_error(DUPLICATE)  # the other stream has come to its end
    run.vtctld.set("tables", 2)
    assert only("workflow/agree", run).verdict is PASS


def test_the_metric_says_otherwise() -> None:
    """vitess#15337: Copying on resume, Running in the metric."""
    run = MovedRun()
    run.tablet().set("VReplicationStreamState:move.MoveTables.1", "Copying", 2.0)
    assert verdicts(run) == {"workflow/agree": FAIL}


@pytest.mark.parametrize(("until_s", "verdict"), [(8.5, PASS), (12.0, FAIL)])
def test_the_metric_said_otherwise_for_long(until_s: float, verdict: Verdict) -> None:
    run = MovedRun()
    key = "VReplicationStreamState:move.MoveTables.1"
    run.tablet().steps[key] = [(2.0, "Copying"), (until_s, "Running")]
    result = only("workflow/agree", run)
    assert result.verdict is verdict
    assert ("Running in _vt, and Copying in the metric" in result.summary) is (verdict is FAIL)


def test_the_metric_of_a_tablet_that_was_no_primary_yet_does_not_count() -> None:
    run = MovedRun()
    run.shard().steps["tablet"] = [(0.0, "zone1-0000000105"), (7.5, "zone1-0000000104")]
    run.tablet().steps["VReplicationStreamState:move.MoveTables.1"] = [(2.0, "Error"), (8.0, "Running")]
    assert verdicts(run) == {}


@pytest.mark.parametrize("account", ["vtctld", "metric"])
def test_a_missing_account(account: str) -> None:
    run = MovedRun()
    if account == "vtctld":
        del run.sources["workflow-target"]
    else:
        del run.tablet().steps["VReplicationStreamState:move.MoveTables.1"]
    assert verdicts(run) == {"workflow/agree": UNKNOWN}


def test_vdiff_against_our_own_comparison() -> None:
    run = MovedRun()
    run.without_note(DIFFED)
    run.note(DIFFED, 12.5, mismatch=True, compared=40)
    assert verdicts(run) == {"workflow/agree": FAIL}
    lose(run)
    assert "VDiff" not in " ".join(only("workflow/agree", run).details)


# ---------------------------------------------------------------- workflow/errors


@pytest.mark.parametrize("message", [DUPLICATE, TOO_LONG, "plan not found for table: item_1", "panic: index"])
def test_errors_that_nothing_explains(message: str) -> None:
    run = MovedRun()
    run.reparent(3.5, 3.9)
    run.error(message)
    assert verdicts(run) == {"workflow/errors": FAIL}
    result = only("workflow/errors", run)
    kind = kind_of(message)
    assert result.figures == {kind.name if kind else "other": 1}


@pytest.mark.parametrize("message", ["wrong tablet type: PRIMARY, want: REPLICA", "errno 1290", "Unavailable", "EOF"])
def test_errors_that_a_reparent_explains(message: str) -> None:
    run = MovedRun()
    run.error(message)
    assert verdicts(run) == {"workflow/errors": FAIL}
    run.reparent(5.0, 5.5)  # too late
    assert verdicts(run) == {"workflow/errors": FAIL}
    run.faults.clear()
    run.reparent(3.0, 3.5)
    assert verdicts(run) == {}


@pytest.mark.parametrize("message", [CUT, "vstream ended"])
def test_a_cut_that_is_told_as_an_error(message: str) -> None:
    run = MovedRun()
    run.error(message, state="Unknown")
    assert verdicts(run) == {"workflow/cuts": FAIL}
    assert only("workflow/cuts", run).figures["cuts_told_as_errors"] == 1
    run.param(cuts=0)
    assert verdicts(run) == {"workflow/errors": FAIL}
    run.param(cuts=1, atomic_copy=1)
    assert only("workflow/errors", run).verdict is FAIL


def test_a_cut_told_while_it_replicates_is_none() -> None:
    run = MovedRun()
    run.error("vstream ended", at_s=9.0, state="Running")
    assert verdicts(run) == {"workflow/errors": FAIL}


def test_what_vdiff_does_to_the_streams() -> None:
    run = MovedRun()
    run.error("context canceled", at_s=11.5, state="Unknown")
    assert only("workflow/errors", run).verdict is FAIL
    run = MovedRun()
    run.error("context canceled", at_s=12.5, state="Unknown")
    assert only("workflow/errors", run).verdict is PASS


def test_an_error_that_ended_the_stream_is_counted_once_and_told_without_its_rows() -> None:
    run = MovedRun()
    run.ends_in_error(f"{DUPLICATE} during query: insert into item_1(id) values (1), (2)")
    run.tablet().put("VReplicationErrors:move.MoveTables.1.CopyAll", 4.0, 1)
    result = only("workflow/errors", run)
    assert result.figures == {"duplicate-key": 1, "counted_by_vttablets": 1}
    assert "insert into" not in result.summary
    assert "vitess#17864" in result.summary


def test_every_kind_has_a_reason() -> None:
    assert len({kind.name for kind in ERROR_KINDS}) == len(ERROR_KINDS)
    assert all(kind.why for kind in ERROR_KINDS)


# ---------------------------------------------------------------- assumptions/item-tables


def item_tables(run: MovedRun) -> CheckResult:
    return only("assumptions/item-tables", run)


def test_tables_that_were_filled_and_watched() -> None:
    assert item_tables(MovedRun()).verdict is PASS


def test_tables_that_are_empty_on_both_sides_prove_nothing() -> None:
    run = MovedRun()
    for rows in run.tables.values():
        rows.clear()
    assert item_tables(run).verdict is UNKNOWN
    assert "rows that it was filled with" in item_tables(run).summary


def test_a_target_shard_that_nobody_watched_proves_nothing() -> None:
    run = MovedRun()
    gone = next(name for name in run.sources if name.endswith("-80"))
    del run.sources[gone]
    assert "nobody watched" in item_tables(run).summary
