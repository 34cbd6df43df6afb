"""What becomes of a vtgate's query plans while the topology server is out of its reach."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.results import Finding, failed, passed, per_vtgate, unknown
from harness.facts.processes import restarted
from harness.facts.storm import seconds_between
from harness.facts.words import counted, seconds
from harness.history import History
from harness.model import CheckKind, CheckResult, FaultSpan, Node, Role, Scalar

RELOADS = "VtgateVSchemaCounts:Reload"  # go/vt/vtgate/executor.go, SaveVSchema: each clears all plans (v0.21 to v0.24)
ALLOWED = 1  # a schema that a vttablet told of just before the outage is applied within it


@dataclass(frozen=True, slots=True)
class PlansKept:
    """While the topology server is out of reach nothing changes by which a vtgate plans, so it keeps them (#18433).

    A vtgate that is told of its own old VSchema again and again clears its plans each time, and plans every query anew.
    """

    name: str = "plans/kept"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _kept(history, node))


def _kept(history: History, node: Node) -> Finding:
    outages = [span for span in history.faults if span.active_ns and span.recover_ns and _lost(history, span, node)]
    if not outages:
        return passed(f"The topology server was in {node.name}'s reach throughout.")
    if restarted(history, node.name):
        return unknown(f"{node.name} ended or restarted, and its counters with it.")
    series = history.series.get(node.name)
    if series is None or series.last(RELOADS) is None:
        return unknown(f"{node.name} was not asked for {RELOADS}.")
    spans = [(span.active_ns, span.recover_ns) for span in outages]
    reloads = sum(int(series.growth(RELOADS, *span) or 0) for span in spans)
    lasted_s = sum(seconds_between(*span) for span in spans)
    figures: dict[str, Scalar] = {"reloads": reloads, "outage_s": round(lasted_s, 1)}
    if reloads > ALLOWED:
        return failed(
            f"{node.name} cleared its query plans {counted(reloads, 'time')} in {seconds(lasted_s)} without a topology "
            f"server, though no VSchema had changed.",
            figures=figures,
        )
    return passed(
        f"{node.name} kept its query plans for {seconds(lasted_s)} without a topology server.", figures=figures
    )


def _lost(history: History, span: FaultSpan, node: Node) -> bool:
    """Whether it was this vtgate that lost etcd: a fault of links names both of its ends."""
    etcds = {one.name for one in history.nodes if one.role is Role.ETCD}
    vtgates = {one.name for one in history.vtgates} & set(span.targets)
    return bool(etcds & set(span.targets)) and (not vtgates or node.name in vtgates)
