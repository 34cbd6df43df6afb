"""junit.xml: a test suite for every run, a test case for every check.

A finding is a failure; what the harness failed in is an error, and nothing else is; what proves nothing, was not begun
or is not possible here is skipped, with the reason. Of an experiment that was run twice the second run decides. What
came of a run is the suite's own judgement: it is told also where the run's own file is missing or torn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from ci.suite.deciding import unwanted
from ci.suite.values import RED, Attempt, Outcome, Result, Strictness, Told
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
        xml.write(str(out))
        _indent(out)
    return folder / JUNIT


def _indent(path: Path) -> None:
    """Anew: the runs' own files, which the cases come from, have their own."""
    tree = ElementTree.parse(path)
    ElementTree.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)


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
    suite = _of_run(folder / made.folder / JUNIT) if made.folder else None
    cases = list(_mended(suite, made, strictness)) if suite is not None else []
    yield _suite(name, *cases, *_whole(part, made, cases), like=suite, taken_over=made.taken_over)


def _of_run(path: Path) -> TestSuite | None:
    """The suite in a run's own file; None where there is none, or not a whole one."""
    try:
        return next(iter(JUnitXml.fromfile(str(path))), None)
    except (OSError, SyntaxError, JUnitXmlError):  # the parser's error is a SyntaxError
        return None


def _whole(part: Told, made: Attempt, cases: Sequence[TestCase]) -> Iterator[TestCase]:
    """A case for the whole run, where no check says it."""
    told = clean(_reason(made))
    if made.outcome is Outcome.HARNESS:
        last = made is part.attempts[-1]
        told = f"infrastructure, not Vitess: {told}"
        yield _case(part.experiment, Error(told, "harness") if last else Skipped(told), name="harness")
    elif made.outcome in RED:
        if not any(isinstance(each, Failure) for case in cases for each in case.result):
            yield _case(part.experiment, Failure(told, "run"))
    elif made.outcome is Outcome.PASSED:
        if not cases:
            yield _case(part.experiment)
    elif made.outcome is Outcome.BROKEN_OFF or not cases:
        yield _case(part.experiment, Skipped(told))


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


def _suite(name: str, *cases: TestCase, like: TestSuite | None = None, taken_over: bool = False) -> TestSuite:
    made = TestSuite(clean(name))
    if taken_over:
        made.add_property("taken_over", "true")
    if like is not None:
        made.timestamp = like.timestamp
        for each in like.properties():
            made.add_property(each.name, each.value)
    for case in cases:
        made.add_testcase(case)
    return made


def _case(experiment: str, *results: Skipped | Error | Failure, name: str = "run") -> TestCase:
    case = TestCase(name, classname=clean(f"vtchaos.{experiment}"), time=0.0)
    case.result = list(results)
    return case
