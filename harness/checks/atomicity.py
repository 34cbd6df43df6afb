"""A transaction's rows are stored all or not at all; after an acknowledged COMMIT, all.

All rows of a transaction lie in one shard (`harness.load.schema`), so MySQL alone promises this; no
two-phase commit is involved (Vitess's `--transaction-mode` MULTI promises nothing across shards).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.checks.durability import describe, judge_rest
from harness.checks.ledger import Written, stored, through, written
from harness.checks.results import Finding, failed, passed, per_vtgate
from harness.facts.words import counted
from harness.history import History
from harness.model import CheckKind, CheckResult, Node, OpKind, Outcome


@dataclass(frozen=True, slots=True)
class TransactionsAtomic:
    """No transaction is stored in part."""

    name: str = "atomicity/transactions"
    kind: CheckKind = CheckKind.SAFETY

    def check(self, history: History) -> tuple[CheckResult, ...]:
        writes = written(history, stored(history))
        return per_vtgate(self, history, lambda node: _transactions(history, writes, node))


def _transactions(history: History, writes: Written, node: Node) -> Finding:
    mine = through(history, writes, node.name) & (history.ops["kind"][writes.op] == OpKind.TRANSACTION)
    at = np.flatnonzero(mine)
    if not len(at):
        return passed("No transactions were run.", figures={"transactions": 0})
    begins = np.flatnonzero(np.diff(writes.op[at], prepend=-1))
    sizes = np.diff(np.append(begins, len(at)))
    found = np.add.reduceat((writes.present[at] > 0).astype(np.int64), begins)
    judged = writes.judged[at][begins]
    torn = judged & (found > 0) & (found < sizes)
    gone = judged & (writes.outcome[at][begins] == Outcome.OK) & (found == 0)
    figures = {
        "transactions": len(begins),
        "torn": int(np.count_nonzero(torn)),
        "acknowledged_and_gone": int(np.count_nonzero(gone)),
    }
    if torn.any() or gone.any():
        which = np.zeros(len(writes.op), dtype=np.bool_)
        which[at[np.repeat(torn | gone, sizes)]] = True
        return failed(
            f"Of {counted(len(begins), 'transaction')} through {node.name}, {figures['torn']:,} are stored in part and "
            f"{figures['acknowledged_and_gone']:,} acknowledged ones not at all.",
            describe(history, writes, which),
            figures,
            ["stored in part"] * bool(torn.any()) + ["acknowledged and gone"] * bool(gone.any()),
        )
    said = f"{counted(len(begins), 'transaction')} stored whole or not at all."
    return judge_rest(history, history.lanes_of(node.name), len(begins), said, figures)
