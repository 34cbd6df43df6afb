"""How often, how long and how badly clients were without service, lane by lane: all of it, not only the worst.

A *stall* is a stretch in which operations were due and none succeeded (`harness.facts.service`); an *outage* is a stall
in which operations came to a bad end, too: clients were told so, or found no connection in time. Nothing is judged
here: the objective is the operator's, not a promise of Vitess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from harness.base.errorclass import LOAD_STOPPED
from harness.facts.service import stretches
from harness.facts.storm import SECOND_NS, baseline, seconds_between
from harness.history import History, Ops
from harness.model import FaultSpan, Objective, Outcome

Flags = npt.NDArray[np.bool_]

SHORTEST_NS = SECOND_NS // 10  # of a stall worth counting; a shorter one is what one slow operation looks like
CALM_NS = 5 * SECOND_NS  # so long all must go well before what follows is no longer the fault's doing
TAIL = 2.0  # the slowest of some hundred answers is no bound for the next hundred; twice as slow is taken for the same
MONTH_S = 30 * 86_400.0  # over which error budgets are usually counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A stretch in which a lane had operations due and none succeeded."""

    from_ns: int
    to_ns: int
    bad: int  # operations that ended in it with an error, or were never issued; 0 = clients only waited
    open: bool = False  # no success came after it

    @property
    def length_s(self) -> float:
        return seconds_between(self.from_ns, self.to_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Some values in short. Quartiles by linear interpolation."""

    n: int
    least: float
    lower: float  # a quarter is not above it
    median: float
    upper: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None of nothing."""
        found = np.array(sorted(values), dtype=np.float64)
        if not len(found):
            return None
        least, lower, median, upper, most = (float(q) for q in np.percentile(found, [0, 25, 50, 75, 100]))
        return cls(n=len(found), least=least, lower=lower, median=median, upper=upper, most=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStalls:
    """Every stall of one shard through one vtgate, of at least `SHORTEST_NS`, in order of time."""

    vtgate: str
    shard: str
    stalls: tuple[Stall, ...]

    @property
    def outages(self) -> tuple[Stall, ...]:
        return tuple(stall for stall in self.stalls if stall.bad)

    @property
    def lengths_s(self) -> tuple[float, ...]:
        return tuple(stall.length_s for stall in self.stalls)

    @property
    def worst_s(self) -> float:
        return max(self.lengths_s, default=0.0)

    @property
    def total_s(self) -> float:
        return sum(self.lengths_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What it took one lane to get over what was done to the cluster at one time.

    From the begin of the lane's own fault (of the first fault, for a lane that has none) to the first success after
    which everything due is answered as in the baseline: without an error, and not slower than `limit_s`.
    """

    vtgate: str
    shard: str
    begin_ns: int
    own: bool  # a fault was aimed at this shard, one of its tablets, or this vtgate
    limit_s: float
    disturbed: bool  # anything was bad or slow at all
    recovered_ns: int = 0  # 0 = not within the record

    @property
    def took_s(self) -> float | None:
        """0 for a lane that noticed nothing; None for one that was not seen to recover."""
        if not self.disturbed:
            return 0.0
        return seconds_between(self.begin_ns, self.recovered_ns) if self.recovered_ns else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Share of due operations that were answered without an error within the objective's time."""

    vtgate: str
    shard: str  # "" = all shards of this vtgate
    due: int
    in_time: int
    span_s: float  # from the first to the last of them
    objective: Objective

    @property
    def share(self) -> float:
        return self.in_time / self.due if self.due else 1.0

    @property
    def met(self) -> bool:
        return self.share * 100 >= self.objective.percent

    @property
    def budget_spent(self) -> float:
        """How much of the bad operations that the objective grants for this time there were: 1 = all of them."""
        granted = self.due * (1 - self.objective.percent / 100)
        missed = self.due - self.in_time
        return missed / granted if granted else float("inf") if missed else 0.0

    @property
    def away_s(self) -> float:
        """For how long nobody at all would have been served, to miss as many operations."""
        return (1 - self.share) * self.span_s

    @property
    def times_a_month(self) -> float:
        """How often such a time may come in 30 days before the month's budget is spent; inf = it costs nothing."""
        granted_s = MONTH_S * (1 - self.objective.percent / 100)
        return granted_s / self.away_s if self.away_s else float("inf")


# ---------------------------------------------------------------- stalls


@lru_cache(maxsize=4)
def lane_stalls(history: History) -> tuple[LaneStalls, ...]:
    """Per lane that had operations, in the lanes' order; the whole load is looked at, from its first operation on."""
    return tuple(
        LaneStalls(vtgate=vtgate, shard=shard, stalls=tuple(_stalls(ops)))
        for vtgate, shard, ops in _ops_of_lanes(history)
    )


def _ops_of_lanes(history: History) -> Iterator[tuple[str, str, Ops]]:
    pairs = dict.fromkeys((lane.vtgate, lane.shard) for lane in history.lanes)
    for vtgate, shard in pairs:
        ops = history.ops_of(history.lanes_of(vtgate, shard))
        if len(ops):
            yield vtgate, shard, ops


def _stalls(ops: Ops) -> Iterator[Stall]:
    begins, lengths = stretches(ops, int(ops["intended_ns"][0]))
    long = lengths >= SHORTEST_NS
    from_ns, to_ns = begins[long], begins[long] + lengths[long]
    good = ops["done_ns"][ops["outcome"] == Outcome.OK]
    last_good_ns = int(good.max()) if len(good) else 0
    bad_ns = np.sort(ops["done_ns"][(ops["outcome"] != Outcome.OK) & (ops["errno"] != LOAD_STOPPED)])
    bad = np.searchsorted(bad_ns, to_ns, side="right") - np.searchsorted(bad_ns, from_ns, side="left")
    for begin, end, number in zip(from_ns.tolist(), to_ns.tolist(), bad.tolist(), strict=True):
        yield Stall(from_ns=begin, to_ns=end, bad=number, open=end > last_good_ns)


# ---------------------------------------------------------------- recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Faults that overlap in time, directly or through each other: what clients feel then is of all of them."""

    faults: tuple[FaultSpan, ...]
    begin_ns: int
    end_ns: int


def episodes(history: History) -> tuple[Episode, ...]:
    """The faults of a run, grouped by overlap."""
    found: list[Episode] = []
    for span in sorted((span for span in history.faults if span.begin_ns), key=lambda span: span.begin_ns):
        end_ns = max(span.begin_ns, span.active_ns, span.recover_ns, span.healed_ns)
        if found and span.begin_ns <= found[-1].end_ns:
            last = found.pop()
            spans, begin_ns, end_ns = (*last.faults, span), last.begin_ns, max(last.end_ns, end_ns)
        else:
            spans, begin_ns = (span,), span.begin_ns
        found.append(Episode(faults=spans, begin_ns=begin_ns, end_ns=end_ns))
    return tuple(found)


@lru_cache(maxsize=4)
def recoveries(history: History) -> tuple[Recovery, ...]:
    """Per episode of faults and lane. What comes after the next episode's begin is the next one's."""
    found = episodes(history)
    ends = [*(later.begin_ns for later in found[1:]), np.iinfo(np.int64).max]
    lanes = tuple(_ops_of_lanes(history))
    limits = {(vtgate, shard): _limit_ns(history, ops) for vtgate, shard, ops in lanes}
    return tuple(
        _recovery(history, episode, int(until_ns), vtgate, shard, ops, limits[vtgate, shard])
        for episode, until_ns in zip(found, ends, strict=False)
        for vtgate, shard, ops in lanes
    )


def _limit_ns(history: History, ops: Ops) -> int:
    """How slow an answer may be to be one as in the baseline."""
    span = baseline(history)
    calm = ops[(ops["intended_ns"] >= span[0]) & (ops["done_ns"] <= span[1])] if span else ops[:0]
    good = calm[calm["outcome"] == Outcome.OK]
    slowest_ns = int((good["done_ns"] - good["intended_ns"]).max()) if len(good) else 0
    return max(SHORTEST_NS, round(TAIL * slowest_ns))


def _recovery(
    history: History, episode: Episode, until_ns: int, vtgate: str, shard: str, ops: Ops, limit_ns: int
) -> Recovery:
    begins = [span.begin_ns for span in episode.faults if _aimed_at(history, span, vtgate, shard)]
    begin_ns = min(begins, default=episode.begin_ns)
    concerned = ops[(ops["done_ns"] > begin_ns) & (ops["intended_ns"] < until_ns)]
    last_ns = _last_bad_ns(concerned[_bad(concerned, limit_ns)], max(begin_ns, episode.end_ns))
    good = concerned["done_ns"][concerned["outcome"] == Outcome.OK]
    after = good[good >= last_ns]
    return Recovery(
        vtgate=vtgate,
        shard=shard,
        begin_ns=begin_ns,
        own=bool(begins),
        limit_s=limit_ns / SECOND_NS,
        disturbed=last_ns > 0,
        recovered_ns=int(after.min()) if last_ns and len(after) else 0,
    )


def _aimed_at(history: History, span: FaultSpan, vtgate: str, shard: str) -> bool:
    names = {target.rpartition("/")[2] for target in span.targets}
    tablets = {node.name for node in history.nodes if node.shard == shard}
    return bool(names & {vtgate, shard, *tablets}) or span.details.get("shard") == shard


def _bad(ops: Ops, limit_ns: int) -> Flags:
    """Not answered well within the limit; what the end of the load cut off before that says nothing."""
    slow = ops["done_ns"] - ops["intended_ns"] > limit_ns
    found: Flags = slow | ((ops["outcome"] != Outcome.OK) & (ops["errno"] != LOAD_STOPPED))
    return found


def _last_bad_ns(bad: Ops, end_ns: int) -> int:
    """When the last bad operation ended before all went well for `CALM_NS`; 0 if none was bad."""
    if not len(bad):
        return 0
    over_ns = np.maximum(np.maximum.accumulate(bad["done_ns"]), end_ns)
    apart = bad["intended_ns"] > np.concatenate(([end_ns], over_ns[:-1])) + CALM_NS
    mine = bad["done_ns"][: int(np.argmax(apart))] if apart.any() else bad["done_ns"]
    return int(mine.max()) if len(mine) else 0


# ---------------------------------------------------------------- availability


def availability(history: History) -> tuple[Availability, ...]:
    """Per vtgate that had clients, all its shards together, against the plan's objective."""
    names = dict.fromkeys(lane.vtgate for lane in history.lanes)
    return tuple(_availability(history, vtgate, "", history.ops_of(history.lanes_of(vtgate))) for vtgate in names)


def lane_availability(history: History) -> tuple[Availability, ...]:
    """The same per lane."""
    return tuple(_availability(history, vtgate, shard, ops) for vtgate, shard, ops in _ops_of_lanes(history))


def _availability(history: History, vtgate: str, shard: str, ops: Ops) -> Availability:
    objective = history.plan.objective
    late = _bad(ops, round(objective.within_s * SECOND_NS))
    cut = (ops["errno"] == LOAD_STOPPED) & ~late
    due = len(ops) - int(np.count_nonzero(cut))
    span_ns = int(ops["done_ns"].max() - ops["intended_ns"].min()) if len(ops) else 0
    return Availability(
        vtgate=vtgate,
        shard=shard,
        due=due,
        in_time=due - int(np.count_nonzero(late)),
        span_s=span_ns / SECOND_NS,
        objective=objective,
    )


# ---------------------------------------------------------------- of a vtgate


@dataclass(frozen=True, slots=True, kw_only=True)
class Outages:
    """One vtgate's clients in short; None where there was nothing to spread."""

    vtgate: str
    lanes: int
    stalls: Spread | None  # seconds, every stall of every lane
    outages: Spread | None  # those in which operations came to a bad end
    worst: Spread | None  # of every lane its longest stall; 0 for one that had none
    recovery: Spread | None  # seconds, of the lanes that were disturbed and recovered
    undisturbed: int  # lanes (each time that trouble was made) that noticed nothing
    unrecovered: int  # … that were not seen to recover
    availability: Availability


def outages(history: History) -> tuple[Outages, ...]:
    """Per vtgate that had clients."""
    return tuple(_outages(history, found) for found in availability(history))


def _outages(history: History, found: Availability) -> Outages:
    lanes = [lane for lane in lane_stalls(history) if lane.vtgate == found.vtgate]
    mine = [recovery for recovery in recoveries(history) if recovery.vtgate == found.vtgate]
    took = [recovery.took_s for recovery in mine if recovery.disturbed]
    return Outages(
        vtgate=found.vtgate,
        lanes=len(lanes),
        stalls=Spread.of(length for lane in lanes for length in lane.lengths_s),
        outages=Spread.of(stall.length_s for lane in lanes for stall in lane.outages),
        worst=Spread.of(lane.worst_s for lane in lanes),
        recovery=Spread.of(seconds for seconds in took if seconds is not None),
        undisturbed=len(mine) - len(took),
        unrecovered=took.count(None),
        availability=found,
    )


def pooled(lanes: Sequence[LaneStalls]) -> tuple[Stall, ...]:
    """All stalls of some lanes, the longest first: what a histogram is drawn from."""
    return tuple(sorted((stall for lane in lanes for stall in lane.stalls), key=lambda stall: -stall.length_s))
