"""junit.xml of a soak: a testcase for each finding, canary, known bug and reason.

A finding of tonight is a failure, new or not: its type says how it stands, so that who only wants news can ask for
that. A canary that was not caught is a failure. What the harness failed in is never a failure: it is skipped with its
reason in a night that ends well all the same, and else an error. What proved nothing is skipped; when that was most of
the night, the night is an error. So there is a failure or an error where the exit code is not 0, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.base.exit_codes import EXIT_FINDING, EXIT_PASS
from harness.base.files import replaced
from harness.facts.words import counted
from harness.nights.night import Canary
from harness.nights.report import Report
from harness.nights.standings import SHOWN, Standing, Standings
from harness.nights.words import EXIT_WORDS, again, named, told
from harness.reports.words import clean, shorten

NAME = 160  # characters of a testcase that is called by a reason; all of it is in its text
PASSED_OVER = (Standing.UNSEEN, Standing.GONE)


def render(found: Report, out: Path) -> None:
    """Write junit.xml whole or not at all; the same report gives the same bytes."""
    suites = {
        "findings": _findings(found),
        "known bugs": (_known(each) for each in found.known if each.standing not in PASSED_OVER),
        "canaries": (_canary(canary) for canary in found.canaries),
        "harness": (
            _problem(shorten(why, NAME), _harness_error(clean(_runs(runs)), found.exit_code), why)
            for why, runs in found.why_broken.items()
        ),
        "unknown": (
            _problem(shorten(why, NAME), Skipped(clean(_runs(runs)))) for why, runs in found.why_unknown.items()
        ),
        "soak": (_whole(found),),
    }
    xml = JUnitXml("vtchaos soak")
    for name, cases in suites.items():
        suite = TestSuite(name)
        suite.timestamp = found.tonight.begin[:19]
        for case in cases:
            suite.add_testcase(case)
        xml.add_testsuite(suite)
    xml.update_statistics()
    with replaced(out) as part:
        xml.write(str(part), pretty=True)


def _harness_error(said: str, exit_code: int) -> Error | Skipped:
    return Skipped(said) if exit_code == EXIT_PASS else Error(said, "harness error")


def _runs(runs: int) -> str:
    return f"{counted(runs, 'run')} of this night"


def _problem(name: str, problem: Error | Failure | Skipped, text: str = "", classname: str = "") -> TestCase:
    case = TestCase(
        clean(name), classname=clean(f"vtchaos.soak.{classname}" if classname else "vtchaos.soak"), time=0.0
    )
    if not isinstance(problem, Skipped):
        problem.text = clean(text)
    case.result = [problem]
    return case


def _findings(found: Report) -> Iterator[TestCase]:
    for each in found.findings:
        name = f"{each.item.watched.check} {each.item.watched.release} {each.item.symptom}".strip()
        classname = each.item.watched.experiment
        if each.standing in SHOWN:
            text = "\n".join((told(each), *again(each)))
            failure = Failure(clean(f"{each.standing}: {each.latest.said or named(each)}"), str(each.standing))
            yield _problem(name, failure, text, classname)
        elif each.standing is Standing.RESOLVED:
            yield _passed(name, f"RESOLVED: {told(each)}", classname)


def _passed(name: str, said: str, classname: str = "") -> TestCase:
    case = TestCase(
        clean(name), classname=clean(f"vtchaos.soak.{classname}" if classname else "vtchaos.soak"), time=0.0
    )
    case.system_out = clean(said)
    return case


def _known(each: Standings) -> TestCase:
    word = "STOPPED SHOWING" if each.standing is Standing.RESOLVED else "REPRODUCED"
    name = f"{each.item.issue} {each.item.watched.release}"
    return _passed(name, f"{word} {each.item.issue}: {told(each)}", each.item.watched.experiment)


def _canary(canary: Canary) -> TestCase:
    name = f"{canary.kind} {canary.folder}"
    if canary.caught:
        return _passed(name, "caught", canary.experiment)
    if canary.caught is None:
        return _problem(name, Skipped("the run came to nothing: nobody could have caught it"), "", canary.experiment)
    why = "the harness was broken on purpose, and no check saw it"
    return _problem(name, Failure(why, "canary not caught"), "", canary.experiment)


def _whole(found: Report) -> TestCase:
    """The night itself: an error where its exit code is one that no case above is red for."""
    if found.exit_code not in (EXIT_PASS, EXIT_FINDING):
        return _problem("soak", Error(clean(" ".join((found.answer, *found.also))), EXIT_WORDS[found.exit_code]))
    return _passed("soak", "\n".join((found.answer, *found.also)))
