"""Did the run leave anything behind? A fault that outlives its run would be the next one's result."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.results import Finding, failed, passed, result
from harness.facts.words import counted, listed
from harness.history import History
from harness.model import CheckKind, CheckResult, Clean


@dataclass(frozen=True, slots=True)
class NothingLeft:
    """The proof of cleanliness (clean.json): of all that was looked for when the run was over, nothing was there.

    A run of an earlier version, or one whose harness was killed, has no proof, and gives no result.
    """

    name: str = "faults/clean"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return () if history.clean is None else (result(self, _left(history.clean)),)


def _left(clean: Clean) -> Finding:
    left = [f"{kind}: {listed(rows)}" for kind, rows in sorted(clean.found.items()) if rows]
    unseen = [f"not looked for: {kind}: {why}" for kind, why in sorted(clean.blind.items())]
    figures: dict[str, str | int | float] = {
        "looked_for": len(clean.found),
        "left": sum(len(rows) for rows in clean.found.values()),
    }
    if left:
        return failed(
            f"The run left something behind: {left[0]}.",
            [*left, *unseen],
            figures,
            [kind for kind, rows in clean.found.items() if rows],
        )
    return passed(f"Nothing is left: {counted(len(clean.found), 'kind')} of things looked for.", unseen, figures)
