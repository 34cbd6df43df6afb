"""A vttablet's pool of connections serves who can still use one."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.results import Finding, failed, passed, result, unknown
from harness.facts.idle_pools import AfterCrowd, after_crowds
from harness.facts.words import counted, listed, seconds
from harness.history import History
from harness.model import CheckKind, CheckResult

IDLE_AT_MOST_S = 1.5  # six samples of vttablet; at most 0.04 s on 24.0.3 (5 runs with 30,000 queries)


@dataclass(frozen=True, slots=True)
class PoolServes:
    """A pool's connections do not rest while somebody waits for one, whoever gave up waiting before (vitess#20310).

    Judged after `AbandonedQueries`, by what the clients got and by vttablet's `ConnPoolInUse`.
    """

    name: str = "tablets/pool"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return (result(self, _serves(tuple(after_crowds(history)))),)


def _serves(found: tuple[AfterCrowd, ...]) -> Finding:
    if not found:
        return passed("No queries were given up.")
    blind = [each.node.name for each in found if not each.sampled or not each.reads]
    if blind:
        return unknown(f"Of {listed(blind)} it was not seen how its pool or its readers went on.")
    worst = max(found, key=lambda each: each.idle_s)
    figures = {
        "queries": worst.queries,
        "connections": worst.connections,
        "idle_s": round(worst.idle_s, 3),
        "without_an_answer_s": round(max(each.stall_s for each in found), 3),
    }
    waited = f"its readers went {seconds(worst.stall_s)} without an answer"
    given_up = counted(worst.queries, "query", "queries")
    if worst.idle_s > IDLE_AT_MOST_S:
        return failed(
            f"When {given_up} had been given up, none of the {worst.connections} connections of "
            f"{worst.node.name}'s pool was in use for {seconds(worst.idle_s)}, and {waited} (#20310).",
            figures=figures,
        )
    return passed(f"When {given_up} had been given up at {worst.node.name}, {waited}.", figures=figures)
