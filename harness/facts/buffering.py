"""When a vtgate buffered which shard, and while which reparents were pending for it.

Read from vtgate's log lines (buffer/shard_buffer.go, the same words from 21.0 to 24.0); of a shard of which the log has
none, from the counters `BufferStarts` and `BufferStops`, which are as exact as their samples. Nothing is judged here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from harness.facts.buffer import buffered_shards
from harness.facts.promotions import Seen, seen
from harness.facts.storm import Reparent, reparents
from harness.history import History, Series
from harness.model import LogLine

SETTLED_NS = 1_500_000_000  # what follows from the end of a reparent follows within so much of it


class Ending(enum.StrEnum):
    """Why buffering ended; the label of BufferStops (buffer/variables.go, 21.0 to 24.0)."""

    PROMOTED = "NewPrimarySeen"
    TIMED_OUT = "MaxDurationExceeded"
    RESHARDED = "ReshardingComplete"
    SWITCHED = "MoveTablesSwitchedTraffic"
    SHUTDOWN = "Shutdown"
    OPEN = ""  # it had not ended when the record did


_BEGAN = re.compile(r"Starting buffering for shard: ([^/\s]+)/(\S+) ")
_ENDED = re.compile(r"Stopping buffering for shard: ([^/\s]+)/(\S+) .*? due to: (.*?)\. Draining (\d+) ", re.DOTALL)
_DRAINED = re.compile(r"Draining finished for shard: ([^/\s]+)/(\S+) ")
_WORDS: tuple[tuple[str, Ending], ...] = (
    ("did not finish in time", Ending.TIMED_OUT),
    ("promotion", Ending.PROMOTED),
    ("reshard", Ending.RESHARDED),
    ("missing", Ending.RESHARDED),
    ("MoveTables", Ending.SWITCHED),
    ("shutdown", Ending.SHUTDOWN),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffering:
    """One stretch of buffering of a shard at a vtgate."""

    vtgate: str
    keyspace: str
    shard: str
    from_ns: int
    to_ns: int  # the end of the run where it has none
    ending: Ending = Ending.OPEN
    requests: int = 0  # that were still waiting at its end
    drained_ns: int = 0  # the last of them was done; 0 = not known
    began: LogLine | None = None  # None: read from counters
    ended: LogLine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A reparent, as long as a vtgate has to wait for it: until it knows the new primary, or the call has failed."""

    reparent: Reparent
    from_ns: int
    to_ns: int
    seen: Seen | None = None  # the promotion that ended it


@lru_cache(maxsize=4)
def bufferings(history: History) -> tuple[Buffering, ...]:
    """Every stretch of buffering of every vtgate, in the order of their beginnings."""
    found = [stretch for node in history.vtgates for stretch in _of_vtgate(history, node.name)]
    return tuple(sorted(found, key=lambda stretch: (stretch.from_ns, stretch.vtgate, stretch.shard)))


def _of_vtgate(history: History, vtgate: str) -> list[Buffering]:
    logged = list(_logged(history, vtgate))
    series = history.series.get(vtgate)
    if series is None:
        return logged
    told = {(stretch.keyspace, stretch.shard) for stretch in logged}
    keyspace = history.plan.cluster.keyspace
    silent = [shard for shard in buffered_shards(series, keyspace) if (keyspace, shard) not in told]
    return logged + [stretch for shard in silent for stretch in _counted(history, vtgate, series, keyspace, shard)]


# ---------------------------------------------------------------- from the log


def _logged(history: History, vtgate: str) -> Iterator[Buffering]:
    open_: dict[tuple[str, str], Buffering] = {}
    draining: dict[tuple[str, str], Buffering] = {}
    for line in history.logs:
        if line.node != vtgate:
            continue
        if found := _BEGAN.search(line.text):
            where = found[1], found[2]
            yield from _left(draining, where)
            yield from _left(open_, where)  # its vtgate began anew: the log has no end of it
            open_[where] = _begun(history, line, *where)
        elif found := _ENDED.search(line.text):
            where = found[1], found[2]
            if where in open_:
                draining[where] = _ended(open_.pop(where), line, found[3], int(found[4]))
        elif (found := _DRAINED.search(line.text)) and (found[1], found[2]) in draining:
            yield replace(draining.pop((found[1], found[2])), drained_ns=line.at_ns)
    yield from draining.values()
    yield from open_.values()


def _left(of: dict[tuple[str, str], Buffering], where: tuple[str, str]) -> Iterator[Buffering]:
    if where in of:
        yield of.pop(where)


def _begun(history: History, line: LogLine, keyspace: str, shard: str) -> Buffering:
    return Buffering(
        vtgate=line.node, keyspace=keyspace, shard=shard, from_ns=line.at_ns, to_ns=history.end_ns, began=line
    )


def _ended(stretch: Buffering, line: LogLine, why: str, requests: int) -> Buffering:
    ending = next((ending for words, ending in _WORDS if words in why), Ending.OPEN)
    return replace(stretch, to_ns=line.at_ns, ending=ending, requests=requests, ended=line)


# ---------------------------------------------------------------- from counters


def _counted(history: History, vtgate: str, series: Series, keyspace: str, shard: str) -> Iterator[Buffering]:
    """The first stop after each start. Buffering had begun when it was counted, and may have begun a sample before."""
    key = f"{keyspace}.{shard}"
    stops = sorted(
        (at_ns, ending)
        for ending in Ending
        if ending
        for _, at_ns, _ in series.rises(f"BufferStops:{key}.{ending}", history.start_ns)
    )
    for before_ns, after_ns, _ in series.rises(f"BufferStarts:{key}", history.start_ns):
        to_ns, ending = next((stop for stop in stops if stop[0] >= after_ns), (history.end_ns, Ending.OPEN))
        yield Buffering(vtgate=vtgate, keyspace=keyspace, shard=shard, from_ns=before_ns, to_ns=to_ns, ending=ending)


# ---------------------------------------------------------------- what there was to wait for


@lru_cache(maxsize=4)
def pendings(history: History) -> Mapping[str, tuple[Pending, ...]]:
    """vtgate → the reparents of the run, as long as it had to wait for each."""
    calls = reparents(history)
    return {node.name: tuple(_pending(history, node.name, calls)) for node in history.vtgates}


def _pending(history: History, vtgate: str, calls: tuple[Reparent, ...]) -> Iterator[Pending]:
    promotions = seen(history, vtgate)
    for reparent in calls:
        end_ns = reparent.end_ns or history.end_ns
        new = next((promotion for promotion in promotions if _is_of(promotion, reparent, end_ns)), None)
        to_ns = new.line.at_ns if new else end_ns
        yield Pending(reparent=reparent, from_ns=reparent.begin_ns, to_ns=to_ns, seen=new)


def _is_of(promotion: Seen, reparent: Reparent, end_ns: int) -> bool:
    same = (promotion.keyspace, promotion.shard) == (reparent.keyspace, reparent.shard)
    return same and reparent.begin_ns <= promotion.line.at_ns <= end_ns + SETTLED_NS


def buffering_of(history: History, vtgate: str, shard: str) -> tuple[Buffering, ...]:
    """The stretches of one lane, in the run's own keyspace."""
    return _by_lane(history).get((vtgate, shard), ())


@lru_cache(maxsize=4)
def _by_lane(history: History) -> Mapping[tuple[str, str], tuple[Buffering, ...]]:
    found: dict[tuple[str, str], list[Buffering]] = {}
    for stretch in bufferings(history):
        if stretch.keyspace == history.plan.cluster.keyspace:
            found.setdefault((stretch.vtgate, stretch.shard), []).append(stretch)
    return {where: tuple(stretches) for where, stretches in found.items()}
