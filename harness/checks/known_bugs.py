"""Known bugs: on an affected release the run must fail in exactly that check, on a fixed one it must pass.

So the harness shows, with every release, that it can still find its old bugs, and that they stay fixed. A user's own
build is taken for the version that it says it is, but need not show a bug: it may be the fix.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.facts.versions import affected, is_built, versions_of
from harness.history import History
from harness.model import CheckKind, CheckResult, KnownBug, Role, Scalar, Verdict

WITHOUT_ASSUMPTIONS = "without_assumptions"  # figure of a result: what it would be, had the assumptions held
WOULD_BE = "Would be a finding"  # how the summary of such a result begins
DESIGN, TEST = "by design", "a test of the checks"  # in the name of what is expected and no defect
ABSENCE = "known-bug/"  # begins the name of the result that says of a known bug that it did not show


def is_absence(result: CheckResult) -> bool:
    """It is about a known bug that did not show where a release has it; no check found anything wrong."""
    return result.check.startswith(ABSENCE)


def is_test(issue: str) -> bool:
    """No Vitess is to be without it: where it stays away the checks are blind."""
    return TEST in issue


def is_defect(issue: str) -> bool:
    """Somebody may want it to be gone."""
    return DESIGN not in issue and not is_test(issue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Results after the known bugs were taken out, and the issues that were reproduced."""

    results: tuple[CheckResult, ...]
    reproduced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One known bug on one subject (a vtgate, or the cluster) whose release has it."""

    bug: KnownBug
    subject: str
    versions: tuple[str, ...]
    built: bool = False  # by the user: no release

    @property
    def certain(self) -> bool:
        """It must show."""
        return self.bug.certain and (not self.built or is_test(self.bug.issue))

    @property
    def where(self) -> str:
        return f"{self.subject or self.bug.component.value} {', '.join(self.versions)}"

    def concerns(self, result: CheckResult) -> bool:
        """A bug of vtgate shows in the results of that vtgate and of the streams through it (items-1@vtgate-1); a
        result about the cluster concerns everybody."""
        through = result.subject.rpartition("@")[2]
        return self.bug.component is not Role.VTGATE or through in ("", self.subject)


def settle(history: History, results: Sequence[CheckResult]) -> Settled:
    """Turn expected failures into reproductions, and missing ones into failures (where an assumption does not
    hold, a bug that stayed away proves as little as one that showed)."""
    settled = list(results)
    sound = all(r.verdict is Verdict.PASS for r in results if r.kind in (CheckKind.ASSUMPTION, CheckKind.CONDITION))
    reproduced: dict[str, None] = {}
    for case in cases(history):
        expected = [r for r in settled if r.check == case.bug.check and case.concerns(r)]
        shown = [result for result in expected if _shows(result, case)]
        if shown:
            if any(result.verdict is not Verdict.UNKNOWN for result in shown):
                reproduced[case.bug.issue] = None
            settled = [_excused(result, case) for result in settled]
        elif case.certain:
            settled.append(_missing(case, expected, sound))
    return Settled(results=tuple(settled), reproduced=tuple(reproduced))


def cases(history: History) -> Iterable[Case]:
    """The known bugs of the plan, on each subject whose release has them."""
    for bug in history.plan.known_bugs:
        subjects = [node.name for node in history.vtgates] if bug.component is Role.VTGATE else [""]
        for subject in subjects or [""]:
            versions = versions_of(history, bug.component, subject)
            if any(affected(bug, version) for version in versions):
                built = is_built(history, bug.component, subject)
                yield Case(bug=bug, subject=subject, versions=versions, built=built)


def _shows(result: CheckResult, case: Case) -> bool:
    """Failed, now or already excused for this very bug (a cluster-wide result that concerns two vtgates). What a
    starved host made unsure reproduces nothing, but it explains the bug's other checks, which no slowness excuses."""
    if result.figures.get("known_bug") == case.bug.issue:
        return True
    failed = result.verdict is Verdict.FAIL or result.figures.get(WITHOUT_ASSUMPTIONS) == Verdict.FAIL.name
    return failed and _says(result, case.bug) and not _unexplained(result, case.bug)


def _says(result: CheckResult, bug: KnownBug) -> bool:
    return any(bug.says in text for text in (result.summary, *result.details))


def _unexplained(result: CheckResult, bug: KnownBug) -> bool:
    return any(result.figures.get(figure) for figure in bug.never)


def _excused(result: CheckResult, case: Case) -> CheckResult:
    """A failure is a reproduction; what would be a finding would be one."""
    if not _explained(result, case):
        return result
    figures: Mapping[str, Scalar] = {**result.figures, "known_bug": case.bug.issue}
    if result.verdict is Verdict.FAIL:
        summary = f"REPRODUCED {case.bug.issue}, as expected of {case.where}: {result.summary}"
        return dataclasses.replace(result, verdict=Verdict.PASS, summary=summary, figures=figures)
    if result.verdict is Verdict.UNKNOWN and WITHOUT_ASSUMPTIONS in figures and "known_bug" not in result.figures:
        summary = f"Would be REPRODUCED {case.bug.issue}{result.summary.removeprefix(WOULD_BE)}"
        return dataclasses.replace(result, summary=summary, figures=figures)
    return result


def _explained(result: CheckResult, case: Case) -> bool:
    """By this bug, were it a failure."""
    if result.check not in (case.bug.check, *case.bug.also) or not case.concerns(result):
        return False
    return not _unexplained(result, case.bug) and (result.check != case.bug.check or _says(result, case.bug))


def _missing(case: Case, expected: Sequence[CheckResult], sound: bool) -> CheckResult:
    """A result of its own: the check itself did nothing wrong by passing."""
    unsure = [result for result in expected if result.verdict is Verdict.UNKNOWN]
    red = [result for result in expected if result.verdict is Verdict.FAIL]
    if not expected:
        verdict, why = Verdict.UNKNOWN, f"{case.bug.check} was not run"
    elif unsure:
        verdict, why = Verdict.UNKNOWN, f"{case.bug.check} could not tell: {unsure[0].summary}"
    else:
        verdict = Verdict.FAIL if sound else Verdict.UNKNOWN
        what = "was red for another reason" if red else "passed"
        why = f"{case.bug.check} {what}: {(red or expected)[0].summary}"
    return CheckResult(
        check=f"{ABSENCE}{case.bug.issue.lstrip('#')}",
        kind=CheckKind.PROMISE,
        verdict=verdict,
        subject=case.subject,
        summary=f"The known bug {case.bug.issue} did not show on {case.where}, which has it; {why}",
        figures={"known_bug": case.bug.issue},
    )
