"""From the folder of a run to what the suite keeps of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ci.suite.deciding import unwanted
from ci.suite.values import Attempt, BugSeen, Outcome, Strictness
from harness import history
from harness.base import jsonio
from harness.base.exit_codes import EXIT_INTERRUPTED
from harness.base.rundir import RunDir
from harness.checks.known_bugs import cases, is_absence
from harness.history import History
from harness.model import PREMISES, CheckResult, RunVerdict, Verdict
from harness.reports.known import reproduced_issue

MOST_WHY = 8


def judged(made: Attempt, run: Path, code: int, strictness: Strictness) -> Attempt:
    """What became of an attempt whose run is in `run`, and ended with `code` (of one that was there already: its
    verdict's). A record that cannot be read is that experiment's, and does not keep the others from being run."""
    verdict = jsonio.load_if_whole(run / "verdict.json", RunVerdict)
    if verdict is None:
        outcome = Outcome.BROKEN_OFF if code == EXIT_INTERRUPTED else Outcome.HARNESS
        return replace(made, outcome=outcome, why=(f"it came to no verdict; exit code {code}",))
    try:
        return _judged(made, history.load(RunDir.open(run)), verdict, code, strictness)
    except Exception as error:  # noqa: BLE001  what is damaged may break any reader of it
        why = f"its record cannot be read: {type(error).__name__}: {error}"
        return replace(made, outcome=Outcome.HARNESS, headline=verdict.headline, why=(why,))


def _judged(made: Attempt, seen: History, verdict: RunVerdict, code: int, strictness: Strictness) -> Attempt:
    bugs = tuple(bugs_seen(seen, verdict.results, strictness))
    outcome, reasons = _outcome(seen, verdict, bugs, code)
    shown = tuple(dict.fromkeys(reasons))
    more = (f"… and {len(shown) - MOST_WHY} more in its report",) if len(shown) > MOST_WHY else ()
    took_s = made.took_s or (seen.end_ns - seen.start_ns) / 1e9  # nobody measured it where its maker was killed
    why = (*shown[:MOST_WHY], *more)
    return replace(made, outcome=outcome, took_s=took_s, headline=verdict.headline, why=why, bugs=bugs)


def _outcome(seen: History, verdict: RunVerdict, bugs: Sequence[BugSeen], code: int) -> tuple[Outcome, list[str]]:
    """The worst word first: a finding stays one although the harness failed afterwards."""
    red = [*_told(verdict.results, Verdict.FAIL), *(_still_there(bug) for bug in bugs if bug.unwanted)]
    if red:
        only_absent = all(is_absence(each) for each in verdict.results if each.verdict is Verdict.FAIL)
        absent = only_absent and not any(bug.unwanted for bug in bugs)
        return Outcome.ABSENT if absent else Outcome.FINDING, red
    errors = [event.subject for event in seen.events if event.kind == "harness-error"]
    if errors or code not in (verdict.exit_code, EXIT_INTERRUPTED):
        return Outcome.HARNESS, errors or [f"it ended with exit code {code}, its verdict with {verdict.exit_code}"]
    if verdict.exit_code == EXIT_INTERRUPTED:
        return Outcome.BROKEN_OFF, ["ended early, in order"]
    if verdict.verdict is Verdict.UNKNOWN:
        return Outcome.UNKNOWN, unproved(verdict.results)
    return Outcome.PASSED, []


def unproved(results: Sequence[CheckResult]) -> list[str]:
    """What would have been a finding, and the premises that did not hold."""
    would_be = [each for each in results if "without_assumptions" in each.figures]
    premises = [each for each in results if each.kind in PREMISES]
    return [
        *_told(would_be, Verdict.UNKNOWN),
        *(list(_told(premises, Verdict.UNKNOWN)) or _told(results, Verdict.UNKNOWN)),
    ]


def bugs_seen(seen: History, results: Sequence[CheckResult], strictness: Strictness) -> Iterator[BugSeen]:
    """Every known bug of a release in this run, and whether it showed on it."""
    for case in cases(seen):
        shown = any(reproduced_issue(each) == case.bug.issue and case.concerns(each) for each in results)
        yield BugSeen(
            issue=case.bug.issue,
            where=case.where,
            certain=case.certain,
            shown=shown,
            unwanted=shown and unwanted(case.bug.issue, strictness),
        )


def _told(results: Sequence[CheckResult], verdict: Verdict) -> Iterator[str]:
    for each in results:
        if each.verdict is verdict:
            where = f" [{each.subject}]" if each.subject else ""
            yield f"{each.check}{where}: {each.summary}"


def _still_there(bug: BugSeen) -> str:
    return f"known bug {bug.issue}: it shows on {bug.where}, and was to be gone"
