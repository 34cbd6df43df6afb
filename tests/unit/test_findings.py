"""Goal: a finding has the same name in every run that finds it."""

from __future__ import annotations

import dataclasses

from harness.many.findings import Finding, findings
from harness.many.records import RunRecord, Said
from harness.model import CheckKind, Verdict

RED = Said(
    check="clients/errors",
    kind=CheckKind.PROMISE,
    verdict=Verdict.FAIL,
    subject="vtgate-1",
    about="26 errors of 8,751 operations reached the clients of vtgate-1: read-only, not-serving.",
    symptoms=("not-serving", "read-only"),
)
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


def test_findings_are_the_red_checks_by_release() -> None:
    first, second = findings(RUN)
    assert first == Finding(
        experiment="reparent/storm", check="clients/errors", vtgate="24.0.3", symptom="not-serving"
    )  # fmt: skip
    assert first.name == "reparent/storm clients/errors 24.0.3 not-serving"
    assert second.symptom == "read-only"


def test_how_much_was_wrong_is_no_part_of_the_name() -> None:
    about = "1 error of 8,751 operations reached the clients of vtgate-1: not-serving."
    one = dataclasses.replace(RED, about=about, symptoms=("not-serving",))
    assert set(findings(dataclasses.replace(RUN, results=(one,)))) < set(findings(RUN))


def test_a_check_that_finds_one_sort_of_thing_is_its_name() -> None:
    (found,) = findings(dataclasses.replace(RUN, results=(dataclasses.replace(RED, symptoms=()),)))
    assert found.name == "reparent/storm clients/errors 24.0.3"


def test_a_run_that_proves_nothing_finds_nothing() -> None:
    assert findings(dataclasses.replace(RUN, verdict=Verdict.UNKNOWN)) == ()
