"""Is there a cause for everything that clients felt? What stays unexplained is a finding of its own.

A cause excuses nothing: what it costs is judged by the other checks. This one says that the run is understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.attribution import attributed
from harness.causes import UNEXPLAINED, CauseRow
from harness.checks.results import Finding, failed, offset, passed, per_vtgate, unknown
from harness.facts.storm import trouble
from harness.facts.words import counted, listed, seconds
from harness.history import History
from harness.model import CheckKind, CheckResult, Node


@dataclass(frozen=True, slots=True)
class ClientsExplained:
    """Each operation that waited or failed has a cause, before the first fault as well as after it."""

    name: str = "clients/explained"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _explained(history, node))


def _explained(history: History, node: Node) -> Finding:
    if not history.lanes_of(node.name):
        return unknown(f"No load was recorded against {node.name}.")
    rows = [row for row in attributed(history) if row.vtgate == node.name]
    affected = sum(row.operations for row in rows)
    left = [row for row in rows if row.cause == UNEXPLAINED]
    figures: dict[str, str | int | float] = {
        "affected": affected,
        "unexplained": sum(row.operations for row in left),
        "causes": len(rows) - len(left),
    }
    if not left:
        return passed(_said(affected, rows), figures=figures)
    (row,) = left
    said = f"{row.operations:,} of {counted(affected, 'operation')} that waited or failed on {node.name}"
    return failed(f"{said}: no cause is known.", _details(history, row), figures)


def _said(affected: int, rows: list[CauseRow]) -> str:
    if not affected:
        return "No operation waited for half a second or failed."
    return (
        f"{counted(affected, 'operation')} waited or failed, each for a known cause: {listed(r.cause for r in rows)}."
    )


def _details(history: History, row: CauseRow) -> Iterator[str]:
    window = trouble(history)
    since_ns = window[0] if window else history.start_ns
    shards = listed((f"{shard}: {number}" for shard, number in row.shards.items()), 8)
    yield f"{counted(row.operations, 'operation')} of {shards}; at worst {seconds(row.worst_s)}"
    if row.classes:
        yield f"told: {listed((f'{number} × {name}' for name, number in row.classes.items()), 8)}"
    for example in row.evidence:
        yield f"{example.subject}: {example.text}, begun at {offset(example.at_ns, since_ns)}"
