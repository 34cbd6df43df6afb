"""junit.xml: a test suite for every run, a test case for every check.

A finding is a failure; what the harness failed in is an error, and nothing else is; what proves nothing, was not begun
or is not possible here is skipped, with the reason. Of an experiment that was run twice the second run decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from ci.suite.deciding import unwanted
from ci.suite.values import Attempt, Outcome, Result, Strictness, Told
from harness.base.files import replaced
from harness.reports.words import clean

JUNIT = "junit.xml"
REPRODUCED = "REPRODUCED "


def render(found: Result, folder: Path, strictness: Strictness) -> Path:
    """Write junit.xml beside result.json, from those of the runs."""
    xml = JUnitXml("vtchaos")
    made = [row for part in found.parts for row in suites(part, folder, strictness)]
    for _, suite in made:
        xml.add_testsuite(suite)
    xml.update_statistics()  # adds the cases' times, of which checks have none
    xml.time = round(found.took_s, 3)
    for took_s, suite in made:
        suite.time = round(took_s, 3)
    with replaced(folder / JUNIT) as out:
        xml.write(str(out), pretty=True)
    return folder / JUNIT


def suites(part: Told, folder: Path, strictness: Strictness) -> Iterator[tuple[float, TestSuite]]:
    """Seconds and suite, one for each attempt; for what was not begun one that says so."""
    if not part.attempts:
        yield 0.0, _suite(part.experiment, _case(part.experiment, Skipped(clean(f"{part.outcome}: {part.left}"))))
    for made in part.attempts:
        for suite in _of_attempt(part, made, folder, strictness):
            yield made.took_s, suite


def _of_attempt(part: Told, made: Attempt, folder: Path, strictness: Strictness) -> Iterator[TestSuite]:
    name = (
        part.experiment
        if len(part.attempts) == 1
        else f"{part.experiment} (attempt {made.number} of {len(part.attempts)})"
    )
    of_run = folder / made.folder / JUNIT
    if made.folder and of_run.is_file():
        for suite in JUnitXml.fromfile(str(of_run)):
            yield _suite(name, *_mended(suite, made, strictness), *_whole(part, made), like=suite)
        return
    yield _suite(name, *(list(_whole(part, made)) or [_case(part.experiment, Skipped(clean(_reason(made))))]))


def _whole(part: Told, made: Attempt) -> Iterator[TestCase]:
    """A case for the whole run, where no check can say it."""
    if made.outcome is Outcome.HARNESS:
        last = made is part.attempts[-1]
        told = clean(f"infrastructure, not Vitess: {_reason(made)}")
        yield _case(part.experiment, Error(told, "harness") if last else Skipped(told), name="harness")
    elif made.outcome is Outcome.BROKEN_OFF:
        yield _case(part.experiment, Skipped(clean(_reason(made))))


def _mended(suite: TestSuite, made: Attempt, strictness: Strictness) -> Iterator[TestCase]:
    """A run's own file calls UNKNOWN an error, lest it look green; here an error is the harness's alone, and the
    summary and the exit code tell what was proved."""
    for case in suite:
        errors = [each for each in case.result if isinstance(each, Error)]
        if errors:
            case.result = [Skipped(errors[0].message or clean(_reason(made)))]
        issue = reproduced(case)
        if issue and unwanted(issue, strictness):
            case.result = [Failure(f"known bug {issue} shows, and was to be gone", "known bug")]
        yield case


def reproduced(case: TestCase) -> str:
    """The known bug that a case reports as reproduced (harness/reports/junit.py)."""
    first = (case.system_out or "").partition("\n")[0]
    return first.removeprefix(REPRODUCED).partition(": the known bug")[0] if first.startswith(REPRODUCED) else ""


def _reason(made: Attempt) -> str:
    return f"{made.outcome}: {'; '.join(made.why) or made.headline or 'no reason is on record'}"


def _suite(name: str, *cases: TestCase, like: TestSuite | None = None) -> TestSuite:
    made = TestSuite(clean(name))
    if like is not None:
        made.timestamp = like.timestamp
        for each in like.properties():
            made.add_property(each.name, each.value)
    for case in cases:
        made.add_testcase(case)
    return made


def _case(experiment: str, result: Skipped | Error, name: str = "run") -> TestCase:
    case = TestCase(name, classname=clean(f"vtchaos.{experiment}"), time=0.0)
    case.result = [result]
    return case
