"""Goal: what is kept of a run says whether its harness failed, and whether what was to be broken on purpose was."""

from __future__ import annotations

from harness.checks.judge import judge
from harness.many.records import RunRecord, record
from tests.fakes import HistoryBuilder, calm


def kept(run: HistoryBuilder) -> RunRecord:
    history = run.build()
    return record(history, judge(history), "0001")


def test_a_failure_of_the_harness_is_kept_of_a_run_that_was_judged() -> None:
    run = calm()
    assert kept(run).failure == ""
    run.event("harness-error", "load worker 0 ended by signal 9", 3.0)
    run.event("harness-error", "the supervisor does not end", 4.0)
    assert kept(run).failure == "load worker 0 ended by signal 9"


def test_only_what_was_broken_on_purpose_is_told_as_broken() -> None:
    run = calm()
    assert kept(run).sabotaged == ""
    run.event("sabotage", "lost-row", 3.0, what="row 7 was taken out")
    assert kept(run).sabotaged == "lost-row"
