"""What of the copy cycles is drawn: lanes (one shard of one stream) and their bars.

The size is bounded whatever a run did: neighbouring cycles of a lane are drawn as one
bar where there would be more than MAX_BARS, and lanes beyond MAX_LANES are left out, the worst streams last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.facts.cycles import Cycle, CycleEnd, StreamCopy
from harness.reports.charts import escaped, vtgate_colour
from harness.reports.digest import Digest
from harness.reports.stream_words import cycle_words, worst_first
from harness.reports.words import count, duration, plural, short_count

MAX_BARS = 2_000
MAX_LANES = 160
COLOURS_TOLD = 4
WHOLE = 0.6  # of the run: streams that last longer are shown with its whole time axis

# How a bar is drawn: the worst of its cycles.
COLOURS = {"complete": "@ok", "cut": "@cut", "open": "@v3", "left": "@fault", "failed": "@fail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One cycle, or several that follow each other in a lane."""

    cycles: tuple[Cycle, ...]

    @property
    def rows(self) -> int:
        return sum(cycle.rows for cycle in self.cycles)

    @property
    def from_ns(self) -> int:
        return self.cycles[0].from_ns

    @property
    def to_ns(self) -> int:
        return max(cycle.to_ns for cycle in self.cycles)

    @property
    def how(self) -> str:
        return max((_how(cycle) for cycle in self.cycles), key=list(COLOURS).index)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneBars:
    """One shard of one stream."""

    copy: StreamCopy
    shard: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What of the streams is drawn."""

    lanes: tuple[LaneBars, ...]
    left_out: int  # lanes
    per_bar: int  # cycles in a bar, at most

    @property
    def streams(self) -> tuple[StreamCopy, ...]:
        return tuple({lane.copy.lane.number: lane.copy for lane in self.lanes}.values())

    @property
    def bars(self) -> int:
        return sum(len(lane.bars) for lane in self.lanes)


def _how(cycle: Cycle) -> str:
    if cycle.failed:
        return "failed"
    return {CycleEnd.COMPLETE: "complete", CycleEnd.CUT: "cut", CycleEnd.OPEN: "open"}.get(cycle.end, "left")


def drawn(copies: Sequence[StreamCopy], *, max_bars: int = MAX_BARS, max_lanes: int = MAX_LANES) -> Drawn:
    """Lanes by stream number; the worst streams are drawn where not all can be."""
    lanes = [(copy, shard) for copy in worst_first(copies) for shard in copy.lane.shards]
    shown = sorted(lanes[:max_lanes], key=lambda lane: lane[0].lane.number)
    cycles = {
        (copy.lane.number, shard): [cycle for cycle in copy.item_cycles if cycle.shard == shard]
        for copy, shard in shown
    }
    budget = max(max_bars // max(len(shown), 1), 1)
    made = []
    for copy, shard in shown:
        mine = cycles[copy.lane.number, shard]
        each = max(-(-len(mine) // budget), 1)
        bars = tuple(Bar(cycles=tuple(mine[at : at + each])) for at in range(0, len(mine), each))
        made.append(LaneBars(copy=copy, shard=shard, bars=bars))
    widest = max((len(bar.cycles) for lane in made for bar in lane.bars), default=1)
    return Drawn(lanes=tuple(made), left_out=len(lanes) - len(shown), per_bar=widest)


def window(digest: Digest) -> tuple[int, int]:
    """The time of copying with a margin; the whole run where that is most of it."""
    marks = [copy.begin_ns for copy in digest.streams if copy.begin_ns]
    ends = [cycle.to_ns for copy in digest.streams for cycle in copy.cycles]
    for copy in digest.streams:
        ends += [attempt.completed_ns for attempt in copy.attempts]
        ends += [attempt.attempt.end_ns for attempt in copy.failed_attempts]
    if not marks or not ends or max(ends) <= min(marks):
        return digest.from_ns, digest.until_ns
    margin = max((max(ends) - min(marks)) // 30, 1_000_000)
    from_ns, until_ns = min(marks) - margin, max(ends) + margin
    whole = until_ns - from_ns > WHOLE * (digest.until_ns - digest.from_ns)
    return (digest.from_ns, digest.until_ns) if whole else (from_ns, until_ns)


def shown_range(digest: Digest) -> list[float]:
    """`window` as an axis wants it."""
    from_ns, until_ns = window(digest)
    return [digest.seconds(from_ns), digest.seconds(until_ns)]


def bar_label(lane: LaneBars, bar: Bar) -> str:
    """What a bar says itself: rows, and of which table where there are several."""
    tables = {cycle.table for cycle in lane.copy.item_cycles}
    own = {cycle.table for cycle in bar.cycles}
    if len(tables) < 2 or len(own) > 1:
        return short_count(bar.rows)
    return f"{escaped(own.pop())}: {short_count(bar.rows)}"


def bar_words(digest: Digest, lane: LaneBars, bar: Bar) -> str:
    """What hovering over a bar tells."""
    first, last = bar.cycles[0], bar.cycles[-1]
    facts = [f"{lane.copy.lane.name}, shard {lane.shard}"]
    if len(bar.cycles) == 1:
        facts.append(f"{first.table}, attempt {first.attempt}: {count(bar.rows)} rows")
        facts.append(f"{digest.seconds(bar.from_ns):+.3f} s, took {duration(bar.to_ns - bar.from_ns)}")
        facts.append(cycle_words(first))
        if first.rows:
            facts.append(f"keys {first.first_key} to {first.last_key}")
    else:
        ends: dict[str, int] = {}
        for cycle in bar.cycles:
            ends[cycle_words(cycle)] = ends.get(cycle_words(cycle), 0) + 1
        tables = first.table if first.table == last.table else f"{first.table} to {last.table}"
        facts.append(f"{plural(len(bar.cycles), 'cycle')} of {tables}: {count(bar.rows)} rows")
        facts.append(f"{digest.seconds(bar.from_ns):+.3f} s, took {duration(bar.to_ns - bar.from_ns)}")
        facts += [f"{number} × {how}" for how, number in ends.items()]
    return "<br>".join(escaped(fact) for fact in facts)


def lane_colours(digest: Digest, shown: Drawn) -> Mapping[tuple[int, str], str]:
    """By vtgate where several are compared, by stream where there are several, else by shard."""
    vtgates = [vtgate.name for vtgate in digest.vtgates]
    numbers = [copy.lane.number for copy in shown.streams]
    shards = list(dict.fromkeys(lane.shard for lane in shown.lanes))
    used = {lane.copy.lane.vtgate for lane in shown.lanes}

    def index(lane: LaneBars) -> int:
        if len(used) > 1 and lane.copy.lane.vtgate in vtgates:
            return vtgates.index(lane.copy.lane.vtgate)
        return numbers.index(lane.copy.lane.number) if len(numbers) > 1 else shards.index(lane.shard)

    return {(lane.copy.lane.number, lane.shard): vtgate_colour(index(lane)) for lane in shown.lanes}


def colour_legend(digest: Digest, shown: Drawn) -> list[tuple[str, str]]:
    """(style class, whose colour it is), as `lane_colours` gives them; [] where a colour stands for several."""
    if len({lane.copy.lane.vtgate for lane in shown.lanes}) > 1:
        names = [(lane, f"through {lane.copy.lane.vtgate}") for lane in shown.lanes]
    elif len(shown.streams) > 1:
        names = [(lane, lane.copy.lane.name) for lane in shown.lanes]
    else:
        names = [(lane, f"shard {lane.shard}") for lane in shown.lanes]
    colours = lane_colours(digest, shown)
    found = {name: colours[lane.copy.lane.number, lane.shard].removeprefix("@") for lane, name in names}
    return [(colour, name) for name, colour in found.items()] if len(found) <= COLOURS_TOLD else []
