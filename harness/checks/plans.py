"""What becomes of a vtgate's VSchema and query plans when something is the matter with the topology server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.checks.results import Finding, failed, passed, per_vtgate, unknown
from harness.facts.processes import restarted
from harness.facts.storm import seconds_between
from harness.facts.words import counted, seconds
from harness.history import History
from harness.model import CheckKind, CheckResult, FaultSpan, Node, Role, Scalar

RELOADS = "VtgateVSchemaCounts:Reload"  # go/vt/vtgate/executor.go, SaveVSchema: each clears all plans (v0.21 to v0.24)
ALLOWED = 1  # a schema that a vttablet told of just before the outage is applied within it
WRITTEN_BEFORE, WRITTEN_AFTER = "written-before", "written-after"  # phases: SrvVSchema is written at their beginning


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
    reloads = _reloads(history, node)
    if isinstance(reloads, Finding):
        return reloads
    spans = [(span.active_ns, span.recover_ns) for span in outages]
    cleared = sum(reloads(*span) for span in spans)
    lasted_s = sum(seconds_between(*span) for span in spans)
    figures: dict[str, Scalar] = {"reloads": cleared, "outage_s": round(lasted_s, 1)}
    if cleared > ALLOWED:
        return failed(
            f"{node.name} cleared its query plans {counted(cleared, 'time')} in {seconds(lasted_s)} without a topology "
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


@dataclass(frozen=True, slots=True)
class VSchemaHeard:
    """A vtgate hears of every SrvVSchema that is written, whatever the topology server's address was meanwhile."""

    name: str = "plans/heard"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _heard(history, node))


def _heard(history: History, node: Node) -> Finding:
    phases = history.phases
    if WRITTEN_AFTER not in phases:
        return passed("No SrvVSchema was written for somebody to hear of it.")
    reloads = _reloads(history, node)
    if isinstance(reloads, Finding):
        return reloads
    before, after = (reloads(*phases[name]) for name in (WRITTEN_BEFORE, WRITTEN_AFTER))
    figures: dict[str, Scalar] = {"heard_before": before, "heard_after": after}
    if not before:
        return unknown(f"{node.name} did not hear of a SrvVSchema before the fault either.", figures=figures)
    if after:
        return passed(f"{node.name} heard of a SrvVSchema that was written after the fault.", figures=figures)
    within_s = seconds_between(*phases[WRITTEN_AFTER])
    return failed(
        f"{node.name} did not hear of a SrvVSchema that was written {seconds(within_s)} before it was last asked; it "
        f"had heard of one before the fault.",
        figures=figures,
    )


def _reloads(history: History, node: Node) -> Callable[[int, int], int] | Finding:
    """How often a vtgate took up a VSchema between two stamps; or why that is not known."""
    if restarted(history, node.name):
        return unknown(f"{node.name} ended or restarted, and its counters with it.")
    series = history.series.get(node.name)
    if series is None or series.last(RELOADS) is None:
        return unknown(f"{node.name} was not asked for {RELOADS}.")
    return lambda from_ns, to_ns: int(series.growth(RELOADS, from_ns, to_ns) or 0)
