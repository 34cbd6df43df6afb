"""Goal: a finding has the same name in every run that finds it."""

from __future__ import annotations

import dataclasses

import pytest

from harness.many.findings import Finding, findings
from harness.many.records import RunRecord, Said, without_particulars
from harness.model import CheckKind, Verdict

RED = Said(
    check="clients/errors", kind=CheckKind.PROMISE, verdict=Verdict.FAIL, subject="vtgate-1", about="# errors"
)  # fmt: skip
RUN = RunRecord(
    run_id="r",
    folder="001",
    experiment="reparent/storm",
    seed=1,
    verdict=Verdict.FAIL,
    exit_code=1,
    headline="",
    results=(RED, Said(check="durability", kind=CheckKind.SAFETY, verdict=Verdict.PASS)),
    vtgates={"vtgate-1": "24.0.3"},
)


@pytest.mark.parametrize(
    ("summary", "about"),
    [
        ("25 errors of 5,369 operations, +1.80 s to +2.22 s", "# errors of # operations, # s to # s"),
        ("1 error: errno 1290 (3 times)", "# error: errno 1290 (# times)"),
        ("shard -80 stalled 5.0 s, 80- 3.2 s", "shard # stalled # s, # # s"),
        ("vttablet-100 and vtgate-1 of 40-80", "vttablet-# and vtgate-# of #"),
        ("a re-parent", "a re-parent"),
    ],
)
def test_a_summary_without_particulars(summary: str, about: str) -> None:
    assert without_particulars(summary) == about


def test_findings_are_the_red_checks_by_release() -> None:
    (found,) = findings(RUN)
    assert found == Finding(experiment="reparent/storm", check="clients/errors", vtgate="24.0.3", about="# errors")
    assert found.name == "reparent/storm clients/errors 24.0.3 # errors"


def test_a_run_that_proves_nothing_finds_nothing() -> None:
    assert findings(dataclasses.replace(RUN, verdict=Verdict.UNKNOWN)) == ()
