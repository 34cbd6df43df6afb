"""How long the clients of a vtgate were without service, per shard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.facts.storm import SECOND_NS
from harness.history import History, Ops
from harness.model import Outcome

Stamps = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardService:
    """What the clients of one vtgate saw of one shard since `since_ns`.

    `stall_s` is the longest stretch in which operations were due and none was completed successfully;
    `worst_latency_s` the longest an answered operation took from its *intended* start (an open loop: a
    client that waits for its turn waits for the database all the same).
    """

    vtgate: str
    shard: str
    due: int
    completed: int
    not_issued: int
    stall_s: float
    stall_from_ns: int
    worst_latency_s: float


def service(history: History, vtgate: str, since_ns: int) -> tuple[ShardService, ...]:
    """Per shard in the order of the lanes; a shard without a lane of this vtgate is left out."""
    shards = dict.fromkeys(lane.shard for lane in history.lanes_of(vtgate))
    return tuple(shard_service(history, vtgate, shard, since_ns) for shard in shards)


def shard_service(history: History, vtgate: str, shard: str, since_ns: int) -> ShardService:
    ops = history.ops_of(history.lanes_of(vtgate, shard))
    concerned = ops[ops["done_ns"] >= since_ns]
    ok = concerned[concerned["outcome"] == Outcome.OK]
    stall_ns, from_ns = longest_stall(ops, since_ns)
    latency_ns = int((ok["done_ns"] - ok["intended_ns"]).max()) if len(ok) else 0
    return ShardService(
        vtgate=vtgate,
        shard=shard,
        due=len(concerned),
        completed=len(ok),
        not_issued=int(np.count_nonzero(concerned["outcome"] == Outcome.NOT_ISSUED)),
        stall_s=stall_ns / SECOND_NS,
        stall_from_ns=from_ns,
        worst_latency_s=latency_ns / SECOND_NS,
    )


def longest_stall(ops: Ops, since_ns: int) -> tuple[int, int]:
    """The longest stretch after `since_ns` in which something was due and nothing succeeded, and its begin.

    A stretch begins with the last success if other operations were already waiting then, otherwise with
    the first operation that becomes due after it; it ends with the next success, or, at the end of the
    run, with the last operation that was answered or given up.
    """
    begins, lengths = stretches(ops, since_ns)
    if not len(lengths):
        return 0, since_ns
    worst = int(np.argmax(lengths))
    return int(lengths[worst]), int(begins[worst])


def stretches(ops: Ops, since_ns: int) -> tuple[Stamps, Stamps]:
    """Begin and length of every stretch between two successes in which something was due; most are as long as one
    operation takes."""
    if not len(ops):
        return ops["intended_ns"], ops["done_ns"]
    intended = np.sort(ops["intended_ns"])
    done = np.sort(ops["done_ns"])
    success = np.sort(ops["done_ns"][ops["outcome"] == Outcome.OK])
    marks = np.concatenate(([since_ns], success[success > since_ns], [max(int(done[-1]), since_ns)]))
    begins = _due_from(marks[:-1], intended, done)
    lengths: Stamps = np.maximum(marks[1:] - begins, 0)
    return begins, lengths


def _due_from(marks: Stamps, intended: Stamps, done: Stamps) -> Stamps:
    """For each mark, the first moment from it on at which an operation is due and unanswered."""
    begun = np.searchsorted(intended, marks, side="right")
    waiting = begun > np.searchsorted(done, marks, side="right")
    never = np.iinfo(np.int64).max
    following = np.append(intended, never)[begun]
    result: Stamps = np.where(waiting, marks, following)
    return result
