"""What clients felt: the operations that waited or failed, lane by lane, and the streams that ended.

Nothing is said about why (`harness.attribution`). The whole run is looked at, the time before the first fault too: a
stall that nobody made is a finding as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from harness.base.errorclass import LOAD_STOPPED, error_class
from harness.facts.storm import SECOND_NS
from harness.facts.streams import failed
from harness.history import History, Ops
from harness.model import Outcome
from harness.streams import StreamRecord

Flags = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.int64]
Stamps = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]

# An undisturbed operation takes milliseconds, and on two busy cores a few tens of them; a planned reparent holds its
# shard for about a second. Half a second is two samples of a vtgate: what is shorter leaves no trace that could name
# a cause.
WAITED_NS = SECOND_NS // 2
NOT_ISSUED = "not-issued"


@dataclass(frozen=True, kw_only=True, eq=False)
class Affected:
    """The affected operations of one lane in order of their intended start, or the attempts of one stream that the
    server ended. Arrays of equal length."""

    vtgate: str
    shards: tuple[str, ...]  # a lane has one; of a stream, all that it reads
    lane: int = 0  # number of the lane; of no meaning for a stream
    stream: str = ""  # name of the stream; "" = operations
    index: Indexes  # into history.ops; of a stream, into its attempts
    from_ns: Stamps  # intended start; of a stream, its end: that it ran until then is no wait
    to_ns: Stamps
    classes: Names  # "" = waited only, NOT_ISSUED, or the class of the error (harness.base.errorclass)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def where(self) -> str:
        """For people: the shard, or the stream's name."""
        return self.stream or self.shards[0]

    @cached_property
    def failed(self) -> Flags:
        """Which of them ended with an error; one that was not issued has none."""
        found: Flags = (self.classes != "") & (self.classes != NOT_ISSUED)
        return found


@lru_cache(maxsize=4)
def affected(history: History) -> tuple[Affected, ...]:
    """Every lane and stream of which something is affected, lanes first, each in the order of its number."""
    return (*_lanes(history), *(found for record in history.streams if len(found := _stream(record))))


def _lanes(history: History) -> Iterator[Affected]:
    ops = history.ops
    index = np.flatnonzero(_is_affected(ops)).astype(np.int64)
    chosen = ops[index]
    classes = _classes(history, chosen)
    for number in np.unique(chosen["lane"]).tolist():
        lane = history.lane_by_number.get(number)
        if lane is None:
            continue
        mine = np.flatnonzero(chosen["lane"] == number)
        yield Affected(
            vtgate=lane.vtgate,
            shards=(lane.shard,),
            lane=number,
            index=index[mine],
            from_ns=chosen["intended_ns"][mine],
            to_ns=chosen["done_ns"][mine],
            classes=classes[mine],
        )


def _is_affected(ops: Ops) -> Flags:
    waited = ops["done_ns"] - ops["intended_ns"] >= WAITED_NS
    found: Flags = waited | is_error(ops) | (ops["outcome"] == Outcome.NOT_ISSUED)
    return found


def _classes(history: History, ops: Ops) -> Names:
    bad = is_error(ops)
    of_bad = class_of_each(history, ops[bad])
    width = max(of_bad.dtype.itemsize // 4, len(NOT_ISSUED))
    classes = np.zeros(len(ops), dtype=f"<U{width}")
    classes[ops["outcome"] == Outcome.NOT_ISSUED] = NOT_ISSUED
    classes[bad] = of_bad
    return classes


def _stream(record: StreamRecord) -> Affected:
    ended = [(index, attempt) for index, attempt in enumerate(record.attempts) if failed(attempt)]
    at_ns = np.array([attempt.end_ns for _, attempt in ended], dtype=np.int64)
    names = [error_class(attempt.errno, attempt.message) or f"stream {attempt.code}" for _, attempt in ended]
    return Affected(
        vtgate=record.lane.vtgate,
        shards=record.lane.shards,
        stream=record.lane.name,
        index=np.array([index for index, _ in ended], dtype=np.int64),
        from_ns=at_ns,
        to_ns=at_ns,
        classes=np.array(names, dtype=np.str_),
    )


def is_error(ops: Ops) -> Flags:
    """What left the harness and was not answered with success; what the end of the load itself cut off is left out
    (if it hung, it counts as a stall)."""
    wrong = (ops["outcome"] == Outcome.FAIL) | (ops["outcome"] == Outcome.UNKNOWN)
    found: Flags = wrong & (ops["errno"] != LOAD_STOPPED)
    return found


def erroneous(ops: Ops) -> Ops:
    """Those of them that are errors (`is_error`)."""
    bad: Ops = ops[is_error(ops)]
    return bad


def class_of_each(history: History, bad: Ops) -> Names:
    """The class of every error; each distinct message is looked at once."""
    codes = bad["worker"].astype(np.uint64) << np.uint64(48)
    codes |= bad["errno"].astype(np.uint64) << np.uint64(32)
    codes |= bad["message"].astype(np.uint64)
    distinct, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    names = [error_class(int(bad[index]["errno"]), history.message(bad[index])) for index in first.tolist()]
    return np.array(names if len(distinct) else [], dtype=np.str_)[inverse]


def total(history: History) -> int:
    """How many operations and attempts of streams are affected."""
    return sum(len(found) for found in affected(history))
