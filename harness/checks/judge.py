"""From a history to the verdict of its run.

How results weigh (`harness.model.CheckKind`):

- SAFETY: FAIL is FAIL, whatever else holds. No slowness excuses a lost write.
- ASSUMPTION: where one does not hold, the run proves nothing: every PROMISE that failed becomes UNKNOWN
  (its summary keeps what it would have been), and so does the run.
- CONDITION: the host. Where it was slow *and* a promise failed, the same; where none failed, it takes nothing.
- Then known bugs are taken out (`harness.checks.known_bugs`), and the worst verdict is the run's.

`assumptions/complete` is always asked, whatever the plan says: a run that was cut off is never green.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from harness.attribution import attributed
from harness.base.errors import RunDirError
from harness.base.exit_codes import EXIT_FINDING, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.checks import CHECKS
from harness.checks.assumptions import RunComplete
from harness.checks.headline import headline
from harness.checks.known_bugs import WITHOUT_ASSUMPTIONS, WOULD_BE, settle
from harness.checks.results import Check
from harness.facts.interruptions import was_interrupted
from harness.history import History
from harness.model import PREMISES, CheckKind, CheckResult, RunVerdict, Verdict

EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.PASS: EXIT_PASS,
    Verdict.FAIL: EXIT_FINDING,
    Verdict.UNKNOWN: EXIT_UNKNOWN,
}


def judge(history: History, checks: Mapping[str, Check] = CHECKS, *, told: bool = True) -> RunVerdict:
    """Judge a run by the checks that its plan names. Raises RunDirError for a check that nobody knows.

    `told`: with its headline and the causes, which take longer than most checks.
    """
    asked = asked_for(history, checks)
    results = [result for check in asked for result in check.check(history)]
    settled = settle(history, weighed(results))
    verdict = max((result.verdict for result in settled.results), default=Verdict.PASS)
    return RunVerdict(
        run_id=history.plan.run_id,
        experiment=history.plan.experiment,
        verdict=verdict,
        exit_code=_exit_code(history, verdict),
        headline=headline(history, verdict, settled.results, settled.reproduced) if told else "",
        results=settled.results,
        reproduced=settled.reproduced,
        causes=attributed(history) if told else (),
    )


def _exit_code(history: History, verdict: Verdict) -> int:
    """A run that the user ended early is that, unless it had found something already."""
    interrupted = was_interrupted(history) and verdict is not Verdict.FAIL
    return EXIT_INTERRUPTED if interrupted else EXIT_CODES[verdict]


def asked_for(history: History, checks: Mapping[str, Check]) -> tuple[Check, ...]:
    """The checks of the plan, assumptions first, each once."""
    unknown = [name for name in history.plan.checks if name not in checks]
    if unknown:
        raise RunDirError(
            f"the plan asks for the check {unknown[0]!r}, which this version does not have; it has {', '.join(checks)}"
        )
    always = RunComplete()
    found = {always.name: checks.get(always.name, always)}
    found |= {name: checks[name] for name in history.plan.checks}
    return tuple(sorted(found.values(), key=lambda check: check.kind not in PREMISES))


def weighed(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Premises that do not hold are UNKNOWN, and take the promises that failed with them; a condition that
    does not hold where no promise failed takes nothing with it."""
    failed = any(r.kind is CheckKind.PROMISE and r.verdict is Verdict.FAIL for r in results)
    settled = [_settled(result, failed) for result in results]
    broken = [r for r in settled if r.kind in PREMISES and r.verdict is not Verdict.PASS]
    return tuple(_weighed(result, broken) for result in settled)


def _settled(result: CheckResult, failed: bool) -> CheckResult:
    if result.kind not in PREMISES or result.verdict is Verdict.PASS:
        return result
    if result.kind is CheckKind.CONDITION and not failed:
        summary = f"No promise failed, so it excuses nothing: {result.summary}"
        figures = {**result.figures, "excuses": "nothing"}
        return dataclasses.replace(result, verdict=Verdict.PASS, summary=summary, figures=figures)
    return dataclasses.replace(result, verdict=Verdict.UNKNOWN)


def _weighed(result: CheckResult, broken: Sequence[CheckResult]) -> CheckResult:
    if result.verdict is not Verdict.FAIL or result.kind is not CheckKind.PROMISE or not broken:
        return result
    names = ", ".join(dict.fromkeys(assumption.check for assumption in broken))
    return dataclasses.replace(
        result,
        verdict=Verdict.UNKNOWN,
        summary=f"{WOULD_BE}, but {names} did not hold: {result.summary}",
        figures={**result.figures, WITHOUT_ASSUMPTIONS: Verdict.FAIL.name},
    )
