"""Did a process end that nothing in the run ended?"""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.results import Finding, failed, offset, passed, result
from harness.facts.processes import exits, faults_on, in_force
from harness.facts.storm import SECOND_NS
from harness.facts.words import listed
from harness.history import History
from harness.model import CheckKind, CheckResult, Event

SLACK_NS = 2 * SECOND_NS  # an exit is noticed after the fact


@dataclass(frozen=True, slots=True)
class NoCrash:
    """Every recorded exit belongs to a fault that was aimed at that process.

    An exit with the detail `expected` is the harness's own stop at the end of a run. One with a `cause` is no finding
    about Vitess: somebody else killed it, or a limit of memory. It spoils the run (`assumptions/complete`).
    """

    name: str = "processes/crashes"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _crashes(history)),)


def _crashes(history: History) -> Finding:
    found = [event for event in exits(history) if not event.details.get("expected") and not event.details.get("cause")]
    unexplained = [event for event in found if not _by_fault(history, event)]
    if not unexplained:
        return passed("No process ended unless a fault stopped it.", figures={"exits": len(found)})
    return failed(
        f"Ended without being told to: {listed(dict.fromkeys(event.subject for event in unexplained))}.",
        [_line(history, event) for event in unexplained],
        {"exits": len(found), "crashes": len(unexplained)},
        (event.subject.rpartition("-")[0] or event.subject for event in unexplained),
    )


def _by_fault(history: History, event: Event) -> bool:
    return any(in_force(span, event.at_ns, SLACK_NS) for span in faults_on(history, event.subject))


def _line(history: History, event: Event) -> str:
    said = ", ".join(f"{key} {value}" for key, value in sorted(event.details.items()))
    return f"{event.subject} ended at {offset(event.at_ns, history.start_ns)} of the run" + (
        f": {said}" if said else ""
    )
