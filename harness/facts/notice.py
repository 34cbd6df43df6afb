"""Whether the clients of a run noticed that something was done to their database: the one place that says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.facts.affected import erroneous
from harness.facts.service import service
from harness.facts.storm import trouble
from harness.history import History
from harness.model import Outcome

STALL_S = 1.0  # a person waits a second without losing the thread (J. Nielsen, Usability Engineering, 1993, chapter 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the clients of all vtgates together felt from the first fault on."""

    stall_s: float  # the longest time in which a shard's operations were due and none succeeded
    errors: int
    not_issued: int

    def beyond(self, stall_s: float = STALL_S) -> bool:
        """Any error, any operation that never left its client, or a stall longer than `stall_s`."""
        return self.errors > 0 or self.not_issued > 0 or self.stall_s > stall_s


def notice(history: History) -> Notice | None:
    """None of a run without clients, or one that never came to its experiment."""
    window = trouble(history)
    if window is None or not len(history.ops):
        return None
    ops = history.ops[history.ops["done_ns"] >= window[0]]
    stalls = [shard.stall_s for node in history.vtgates for shard in service(history, node.name, window[0])]
    return Notice(
        stall_s=max(stalls, default=0.0),
        errors=len(erroneous(ops)),
        not_issued=int(np.count_nonzero(ops["outcome"] == Outcome.NOT_ISSUED)),
    )
