"""JUnit for CI: one testcase a check and subject.

FAIL is a failure. UNKNOWN is an error: a run whose assumption did not hold proved nothing and must not
look green, and `skipped` does in every CI system. A known bug that showed where it was expected
passes, and says so in its system-out.
"""

from __future__ import annotations

from pathlib import Path

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from harness.base.files import replaced
from harness.history import History
from harness.model import CheckKind, CheckResult, RunVerdict, Verdict
from harness.reports.known import reproduced_issue
from harness.reports.told_causes import cause_line
from harness.reports.words import clean, command_line, host_facts, shape, verdict_word, versions


def render(history: History, verdict: RunVerdict, out: Path) -> Path:
    """Write junit.xml; the same run gives the same bytes."""
    suite = TestSuite(clean(verdict.experiment))
    suite.timestamp = history.clock.wall(history.start_ns).strftime("%Y-%m-%dT%H:%M:%S")
    for name, value in _properties(history, verdict).items():
        suite.add_property(clean(name), clean(value))
    for result in verdict.results:
        suite.add_testcase(_case(result, verdict))
    if not verdict.results or (verdict.exit_code != 0 and not _any_red(suite)):
        suite.add_testcase(_whole_run(verdict))
    xml = JUnitXml("vtchaos")
    xml.add_testsuite(suite)
    xml.update_statistics()
    xml.time = suite.time = round((history.end_ns - history.start_ns) / 1e9, 3)
    with replaced(out) as part:
        xml.write(str(part), pretty=True)
    return out


def _case(result: CheckResult, verdict: RunVerdict) -> TestCase:
    name = f"{result.check} [{result.subject}]" if result.subject else result.check
    case = TestCase(clean(name), classname=clean(f"vtchaos.{verdict.experiment}"), time=0.0)
    issue = reproduced_issue(result)
    if issue:
        case.system_out = _text(f"REPRODUCED {issue}: the known bug showed where it was expected.", result)
    elif result.verdict is Verdict.FAIL:
        case.result = [_problem(Failure(clean(result.summary), str(result.kind)), result, verdict)]
    elif result.verdict is Verdict.UNKNOWN:
        case.result = [_problem(Error(clean(f"UNKNOWN: {result.summary}"), str(result.kind)), result, verdict)]
    else:
        case.system_out = _text("PASS", result)
    return case


def _problem(problem: Failure | Error, result: CheckResult, verdict: RunVerdict) -> Failure | Error:
    text = _text(f"{result.verdict.name} ({result.kind})", result)
    problem.text = "\n".join([text, *_causes(result, verdict)])
    return problem


def _causes(result: CheckResult, verdict: RunVerdict) -> list[str]:
    """Why the clients of this vtgate (or all) waited or failed; a check of what is stored has no such causes."""
    if result.kind is not CheckKind.PROMISE:
        return []
    named = any(row.vtgate == result.subject for row in verdict.causes)
    return [f"cause: {cause_line(row)}" for row in verdict.causes if not named or row.vtgate == result.subject]


def _text(first: str, result: CheckResult) -> str:
    figures = [f"{key} = {value}" for key, value in sorted(result.figures.items())]
    return clean("\n".join([first, result.summary, *result.details, *figures]))


def _any_red(suite: TestSuite) -> bool:
    return any(case.result for case in suite)


def _whole_run(verdict: RunVerdict) -> TestCase:
    """A run that ended red, or before any check, must be red here too."""
    case = TestCase("run", classname=clean(f"vtchaos.{verdict.experiment}"), time=0.0)
    message = clean(verdict.headline)
    if verdict.verdict is Verdict.FAIL:
        case.result = [Failure(message, "run")]
    elif verdict.exit_code != 0 or not verdict.results:
        case.result = [Error(message, f"exit {verdict.exit_code}")]
    return case


def _properties(history: History, verdict: RunVerdict) -> dict[str, str]:
    plan = history.plan
    facts = {
        "run_id": plan.run_id,
        "verdict": verdict_word(verdict),
        "headline": verdict.headline,
        "seed": str(plan.seed),
        "command_line": command_line(history),
        "harness_version": plan.harness_version,
        "backend": plan.backend,
        "shape": shape(history),
    }
    facts |= {"sabotage": plan.sabotage} if plan.sabotage else {}
    facts |= {f"version.{name}": version for name, version in versions(history).items()}
    facts |= {f"host.{name}": value for name, value in host_facts(history).items()}
    return facts | {f"incomplete.{number}": what for number, what in enumerate(history.incomplete, 1)}
