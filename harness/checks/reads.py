"""A row that was acknowledged can be read from then on: reads go to the primary and miss nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.checks.results import Finding, failed, passed, per_vtgate, unknown
from harness.facts.words import counted, listed
from harness.history import History
from harness.model import CheckKind, CheckResult, ConnectionMode, Node, OpKind, Outcome, ReadResult

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class AcknowledgedReadable:
    """Every answered read of an acknowledged row found it once, with its value."""

    name: str = "reads/acknowledged"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        return per_vtgate(self, history, lambda node: _reads(history, node))


def _reads(history: History, node: Node) -> Finding:
    if history.plan.load is None:
        return passed("No load was planned.")
    ops = history.ops_of(history.lanes_of(node.name))
    reads = ops[(ops["kind"] == OpKind.READ) & (ops["outcome"] == Outcome.OK)]
    figures = {"reads": len(reads)}
    if not len(reads):
        if history.plan.load.write_share >= 1 or history.plan.load.mode is ConnectionMode.TRANSACTION:
            return passed("No reads were planned.", figures=figures)
        return unknown(f"No read through {node.name} was answered.", figures=figures)
    bad = reads[reads["rows"] != ReadResult.FOUND]
    for kind in (ReadResult.MISSING, ReadResult.WRONG_VALUE, ReadResult.REPEATED):
        figures[kind.name.lower()] = int(np.count_nonzero(bad["rows"] == kind))
    if not len(bad):
        return passed(f"{counted(len(reads), 'read')} found what had been acknowledged.", figures=figures)
    said = listed(f"{figures[name]:,} {name.replace('_', ' ')}" for name in ("missing", "wrong_value", "repeated"))
    lines = []
    for op in bad[:EXAMPLES]:
        lane = history.lane_by_number.get(int(op["lane"]))
        lines.append(
            f"key {int(op['key'])} on {lane.shard if lane else '?'}: {_result_name(int(op['rows']))} "
            f"{(int(op['done_ns']) - history.start_ns) / 1e9:.3f} s into the run"
        )
    return failed(
        f"{counted(len(bad), 'read')} of {len(reads):,} through {node.name} did not find the acknowledged row: {said}.",
        lines,
        figures,
        [name.replace("_", " ") for name in ("missing", "wrong_value", "repeated") if figures[name]],
    )


def _result_name(number: int) -> str:
    known = {int(kind): kind.name for kind in ReadResult}
    return known.get(number, f"result {number}")
