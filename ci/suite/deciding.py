"""What a suite decides, from values alone: may a run begin, is it made again, what does it all come to.

A run that proved nothing, or in which the harness failed, is made once more, and both are told; a later call that takes
the folder up makes it anew as well. A finding is never made again: what shows once has shown.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence

from ci.suite.table import Part
from ci.suite.values import Attempt, BugSeen, Outcome, Strictness, Told
from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.checks.known_bugs import is_defect
from harness.facts.words import counted, listed

ATTEMPTS = 2
FAILURES_IN_A_ROW = 3  # so many experiments in which the harness failed, and the rest would fail as well
AGAIN = (Outcome.UNKNOWN, Outcome.HARNESS)
EXIT_CODES = {
    Outcome.FINDING: EXIT_FINDING,
    Outcome.ABSENT: EXIT_FINDING,
    Outcome.HARNESS: EXIT_HARNESS,
    Outcome.UNKNOWN: EXIT_UNKNOWN,
    Outcome.BROKEN_OFF: EXIT_UNKNOWN,
    Outcome.NOT_BEGUN: EXIT_UNKNOWN,
    Outcome.PASSED: EXIT_PASS,
    Outcome.REFUSED: EXIT_PASS,
}  # the worst first; what this backend cannot do is told and takes nothing from the rest
CUT = {Outcome.NOT_BEGUN, Outcome.BROKEN_OFF}


def chosen(suite: Sequence[Part], patterns: Sequence[str]) -> tuple[Part, ...]:
    """The experiments that one of the patterns names: `reparent/storm-8`, `vstream/*`, `storm`; () = all."""
    if not patterns:
        return tuple(suite)
    return tuple(part for part in suite if any(_named(part.experiment, pattern) for pattern in patterns))


def _named(experiment: str, pattern: str) -> bool:
    return pattern in experiment or fnmatch.fnmatchcase(experiment, pattern)


def pace(done: Iterable[tuple[float, float]]) -> float:
    """How much longer than expected runs take here, from (expected, taken) of those that were made; at least 1."""
    rows = list(done)
    expected = sum(row[0] for row in rows)
    return max(1.0, sum(row[1] for row in rows) / expected) if expected else 1.0


def again(attempts: Sequence[Attempt]) -> bool:
    """Whether one more is made; those of an earlier call do not count."""
    made = sum(1 for attempt in attempts if not attempt.taken_over)
    return not attempts or (made < ATTEMPTS and attempts[-1].outcome in AGAIN)


def failing(told: Sequence[Told]) -> bool:
    """The harness itself failed again and again."""
    made = [part.outcome for part in told if part.attempts][-FAILURES_IN_A_ROW:]
    return made == [Outcome.HARNESS] * FAILURES_IN_A_ROW


def unwanted(issue: str, strictness: Strictness) -> bool:
    """Whether a known bug that shows is a finding."""
    return issue in strictness.fixed or (strictness.every and is_defect(issue))


def exit_code(told: Sequence[Told], *, interrupted: bool = False) -> int:
    """1 a finding, else 4, else 130, else 3, else 0. A suite in which nothing was possible answers nothing."""
    outcomes = {part.outcome for part in told}
    worst = next((code for outcome, code in EXIT_CODES.items() if outcome in outcomes), EXIT_HARNESS)
    if interrupted and worst == EXIT_UNKNOWN and outcomes & CUT:
        return EXIT_INTERRUPTED
    return EXIT_UNKNOWN if outcomes == {Outcome.REFUSED} else worst


def outcome(attempts: Sequence[Attempt], otherwise: Outcome) -> Outcome:
    """The last attempt's: there is a further one only where the one before says nothing about Vitess."""
    return attempts[-1].outcome if attempts else otherwise


def shown(told: Iterable[Told]) -> dict[str, BugSeen]:
    """The known bugs that showed, by issue."""
    return {bug.issue: bug for part in told for bug in part.bugs if bug.shown}


def answer(title: str, told: Sequence[Told], code: int, *, of: int = 0) -> str:
    """One sentence, and what it leaves open. `of`: how many experiments the whole suite has."""
    were = "was" if len(told) == 1 else "were"
    part = f"Only {len(told)} of the suite's {of} experiments {were} asked for." if len(told) < of else ""
    return " ".join(filter(None, (_answer(title, told, code, whole=not part), *_open(told, code), part)))


def _answer(title: str, told: Sequence[Told], code: int, *, whole: bool) -> str:
    passed = [part for part in told if part.outcome is Outcome.PASSED]
    many = f"{len(passed)} of {counted(len(told), 'experiment')}"
    bugs = [issue for issue in shown(told) if is_defect(issue)]
    known = f"{counted(len(bugs), 'known bug')} where expected: {listed(bugs, 8)}."
    if code == EXIT_FINDING:
        return _finding(title, told)
    if code == EXIT_HARNESS:
        failed = listed(_of(told, Outcome.HARNESS), 8)
        return f"Infrastructure, which says nothing about {title}: the harness failed in {failed or 'the whole suite'}."
    if code == EXIT_PASS:
        if bugs:
            return f"{title} showed nothing but what is known of it: {many} passed, with {known}"
        return f"{title} {'protected its clients' if whole else 'passed what was asked'}: {many} passed."
    return f"No finding, and no whole answer about {title}: {many} passed.{f' {known}' if bugs else ''}"


def _finding(title: str, told: Sequence[Told]) -> str:
    """A known bug that stayed away is a finding as well, but says nothing against this Vitess."""
    red, absent = _of(told, Outcome.FINDING), _of(told, Outcome.ABSENT)
    where = f"in {counted(len(absent), 'experiment')}: {listed(absent, 8)}."
    if not red:
        return f"A known bug of {title} was not where it was expected, {where} Nothing else is a finding."
    said = f"{title} did not protect its clients in {counted(len(red), 'experiment')}: {listed(red, 8)}."
    return f"{said} A known bug was not where it was expected, {where}" if absent else said


def _open(told: Sequence[Told], code: int) -> Iterable[str]:
    """What was not answered. It is told whatever the answer is: not run is not passed."""
    rows = (
        (Outcome.HARNESS, "The harness failed in"),
        (Outcome.UNKNOWN, "Proved nothing:"),
        (Outcome.BROKEN_OFF, "Broken off:"),
        (Outcome.NOT_BEGUN, "Not run:"),
        (Outcome.REFUSED, "Not possible here:"),
    )
    for outcome, words in rows:
        names = _of(told, outcome)
        if names and not (code == EXIT_HARNESS and outcome is Outcome.HARNESS):
            yield f"{words} {listed(names, 8)}."


def _of(told: Iterable[Told], *outcomes: Outcome) -> list[str]:
    return [part.experiment for part in told if part.outcome in outcomes]
