"""How far a fault reached: who else felt it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.results import Finding, failed, passed, per_vtgate, unknown
from harness.facts.affected import class_of_each, erroneous
from harness.facts.storm import trouble
from harness.facts.words import counted, listed
from harness.history import History
from harness.model import CheckKind, CheckResult, Node


@dataclass(frozen=True, slots=True)
class ClientsElsewhere:
    """Clients of shards that no fault was aimed at, through vtgates that no fault was aimed at, saw no error."""

    name: str = "clients/elsewhere"
    kind: CheckKind = CheckKind.PROMISE

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _elsewhere(history, node))


def _elsewhere(history: History, node: Node) -> Finding:
    window = trouble(history)
    if window is None or not history.faults:
        return passed("There was no fault.")
    if any(node.name in span.targets for span in history.faults):
        return passed(f"{node.name} is where the fault was.")
    hit = {shard for span in history.faults for shard in str(span.details.get("shard", "")).split()}
    lanes = tuple(lane for lane in history.lanes_of(node.name) if lane.shard not in hit)
    if not lanes:
        return passed("The faults were on every shard.")
    ops = history.ops_of(lanes)
    ops = ops[ops["done_ns"] >= window[0]]
    bad = erroneous(ops)
    figures = {"operations": len(ops), "errors": len(bad)}
    if not len(ops):
        return unknown(f"No operation elsewhere ended after the first fault on {node.name}.", figures=figures)
    if not len(bad):
        return passed(f"{counted(len(ops), 'operation')} elsewhere, no error.", figures=figures)
    kinds = dict.fromkeys(class_of_each(history, bad).tolist())
    first = " ".join(history.message(bad[0]).split())[:240]
    return failed(
        f"{counted(len(bad), 'error')} of {counted(len(ops), 'operation')} where no fault was: {listed(kinds, 3)}.",
        [f"first: {first}"],
        figures,
        kinds,
    )
