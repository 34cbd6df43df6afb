"""From a history to the verdict of its run.

How results weigh (`harness.model.CheckKind`):

- SAFETY: FAIL is FAIL, whatever else holds. No slowness excuses a lost write.
- ASSUMPTION: where one does not hold, the run proves nothing: every PROMISE that failed becomes UNKNOWN
  (its summary keeps what it would have been), and so does the run.
- Then known bugs are taken out (`harness.checks.known_bugs`), and the worst verdict is the run's.

`assumptions/complete` is always asked, whatever the plan says: a run that was cut off is never green.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from harness.base.errors import RunDirError
from harness.checks import CHECKS
from harness.checks.assumptions import RunComplete
from harness.checks.headline import headline
from harness.checks.known_bugs import settle
from harness.checks.results import Check
from harness.history import History
from harness.model import CheckKind, CheckResult, RunVerdict, Verdict

EXIT_CODES: Mapping[Verdict, int] = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 3}


def judge(history: History, checks: Mapping[str, Check] = CHECKS) -> RunVerdict:
    """Judge a run by the checks that its plan names. Raises RunDirError for a check that nobody knows."""
    asked = asked_for(history, checks)
    results = [result for check in asked for result in check.check(history)]
    settled = settle(history, weighed(results))
    verdict = max((result.verdict for result in settled.results), default=Verdict.PASS)
    return RunVerdict(
        run_id=history.plan.run_id,
        experiment=history.plan.experiment,
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        headline=headline(history, verdict, settled.results, settled.reproduced),
        results=settled.results,
        reproduced=settled.reproduced,
    )


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
    return tuple(sorted(found.values(), key=lambda check: check.kind is not CheckKind.ASSUMPTION))


def weighed(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Assumptions that do not hold are UNKNOWN, and take the promises that failed with them."""
    broken = [r for r in results if r.kind is CheckKind.ASSUMPTION and r.verdict is not Verdict.PASS]
    return tuple(_weighed(result, broken) for result in results)


def _weighed(result: CheckResult, broken: Sequence[CheckResult]) -> CheckResult:
    if result.verdict is not Verdict.FAIL or result.kind is CheckKind.SAFETY or not broken:
        return result
    if result.kind is CheckKind.ASSUMPTION:
        return dataclasses.replace(result, verdict=Verdict.UNKNOWN)
    names = ", ".join(dict.fromkeys(assumption.check for assumption in broken))
    return dataclasses.replace(
        result,
        verdict=Verdict.UNKNOWN,
        summary=f"Would be a finding, but {names} did not hold: {result.summary}",
        figures={**result.figures, "without_assumptions": Verdict.FAIL.name},
    )
