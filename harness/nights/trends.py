"""How figures went over the runs of all nights, and where they changed; and what the soak itself needed. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.many.records import FIGURES
from harness.nights.night import Level, Night, Point, Series
from harness.statistics.changes import LEAST_RUNS, MOST_FIGURES, Change, Slope, changes, slope
from harness.statistics.differences import ALPHA, adjusted

ITSELF = "the soak itself"  # stands for the experiment in what the soak needs
MIB, GIB = 2**20, 2**30
NEAR = LEAST_RUNS  # so near to the border of two nights a change is taken to be there


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is followed over the nights, and from which change on it is told."""

    name: str
    title: str
    unit: str  # as in many.records.Figure, or "MiB"
    least: float  # in the unit; a clear change that is smaller is not told
    least_share: float  # of what it was
    why: str
    worse: int = 1  # 1: more is worse; -1: less is
    scale: float = 1.0  # from what is recorded to the unit

    def matters(self, change: Change) -> bool:
        return abs(change.size) >= max(self.least, self.least_share * abs(change.before))


_OF_FIGURE: Mapping[str, tuple[float, float, str]] = {
    "worst_stall_s": (0.25, 0.15, "a client that retries once notices a quarter of a second"),
    "reparent_s": (0.1, 0.15, "reparents of one release differ by some hundredths of a second"),
    "p99_ms": (2.0, 0.2, "a busy host alone moves the percentile by a millisecond or two"),
    "availability": (0.05, 0.0, "half of a month's error budget of 99.9 %"),
    "storm_s": (0.5, 0.15, "a storm is many reparents, whose spreads add up"),
}
MEASURES = (
    *(
        Measure(
            name=each.name,
            title=each.title,
            unit=each.unit,
            worse=each.worse,
            least=_OF_FIGURE[each.name][0],
            least_share=_OF_FIGURE[each.name][1],
            why=_OF_FIGURE[each.name][2],
        )
        for each in FIGURES
        if each.name in _OF_FIGURE
    ),
    Measure(
        name="own_rss_bytes", title="memory of the soak's own process", unit="MiB", scale=1 / MIB, least=32,
        least_share=0.2, why="an allocator returns what it has in steps of this size",
    ),
    Measure(
        name="own_handles", title="open files of the soak's own process", unit="", least=10, least_share=0.2,
        why="a run more or less that is being started needs some",
    ),
)  # fmt: skip
_BY_NAME: Mapping[str, Measure] = {measure.name: measure for measure in MEASURES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A change point of one series."""

    series: Series
    measure: Measure
    index: int  # of the trend's first point after it
    begin: str  # of the first run after it
    place: str  # that run
    runs_before: int
    runs_after: int
    before: float  # medians, in the measure's unit
    after: float
    p: float  # corrected for the places it could be at, and for the series that were looked at
    tonight: bool
    differs: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # of the two nights: what else changed there

    @property
    def worse(self) -> bool:
        return (self.after - self.before) * self.measure.worse > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One series over all nights, in the measure's unit; of a very long one the latest figures."""

    series: Series
    measure: Measure
    points: tuple[Point, ...]
    nights: tuple[int, ...]  # of each point
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class _Placed:
    night: int
    point: Point


def trends(nights: Sequence[Night]) -> tuple[Trend, ...]:
    """Every series, those that changed last first. Corrected together: of what is told, at most 5 % is chance."""
    placed = dict(sorted(_series(nights).items()))
    found = {series: changes(_figures(points), _BY_NAME[series.figure].matters) for series, points in placed.items()}
    p_values = [change.p for each in found.values() for change in each] + [1.0 for each in found.values() if not each]
    corrected = iter(adjusted(p_values))
    made = []
    for series, points in placed.items():
        clear = [replace(change, p=p) for change, p in zip(found[series], corrected, strict=False) if p < ALPHA]
        turns = tuple(_turn(series, points, change, nights) for change in clear)
        made.append(
            Trend(
                series=series,
                measure=_BY_NAME[series.figure],
                points=tuple(each.point for each in points),
                nights=tuple(each.night for each in points),
                turns=turns,
            )
        )
    return tuple(sorted(made, key=lambda trend: trend.turns[-1].begin if trend.turns else "", reverse=True))


def _series(nights: Sequence[Night]) -> dict[Series, list[_Placed]]:
    found: dict[Series, list[_Placed]] = {}
    for number, night in enumerate(nights):
        for series, points in itertools.chain(night.points.items(), _own(night)):
            found.setdefault(series, []).extend(_Placed(number, point) for point in points)
    return {series: points[-MOST_FIGURES:] for series, points in found.items() if points}


def _own(night: Night) -> Iterator[tuple[Series, tuple[Point, ...]]]:
    for name in ("own_rss_bytes", "own_handles"):
        scale = _BY_NAME[name].scale
        points = tuple(Point(level.begin, level.place, level.values[name] * scale) for level in night.levels)
        yield Series(experiment=ITSELF, figure=name, release=""), points


def _figures(points: Sequence[_Placed]) -> list[float]:
    return [each.point.value for each in points]


def _turn(series: Series, points: Sequence[_Placed], change: Change, nights: Sequence[Night]) -> Turn:
    index = _index(change, points)
    last, first = points[index - 1], points[index]
    before, after = nights[last.night].setting, nights[first.night].setting
    names = dict.fromkeys((*before, *after))
    both = {name: (before.get(name, "–"), after.get(name, "–")) for name in names}
    return Turn(
        series=series,
        measure=_BY_NAME[series.figure],
        index=index,
        begin=first.point.begin,
        place=first.point.place,
        runs_before=change.runs_before,
        runs_after=change.runs_after,
        before=change.before,
        after=change.after,
        p=change.p,
        tonight=first.night == len(nights) - 1,
        differs={name: pair for name, pair in both.items() if pair[0] != pair[1]},
    )


def _index(change: Change, points: Sequence[_Placed]) -> int:
    """What differs between two nights changed between them: where a night begins beside the place that was found, it is
    there, and the few figures between lie on the other side by chance."""
    near = range(max(1, change.index - NEAR), min(len(points), change.index + NEAR + 1))
    borders = [at for at in near if points[at].night != points[at - 1].night]
    return min(borders, key=lambda at: abs(at - change.index), default=change.index)


# ---------------------------------------------------------------- what the soak needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A resource of the soak and what it should do."""

    name: str  # of soak.Resources
    title: str
    unit: str
    scale: float = 1.0
    better: int = -1  # -1: less is; 1: more is
    flat: bool = True  # it must stay as it is; False: --keep bounds it, or others use it as well


NEEDS = (
    Need(name="own_rss_bytes", title="memory of the soak's process", unit="MiB", scale=1 / MIB),
    Need(name="rss_bytes", title="memory with all that it started", unit="MiB", scale=1 / MIB),
    Need(name="own_handles", title="open files of the soak's process", unit=""),
    Need(name="handles", title="open files with all that it started", unit=""),
    Need(name="children", title="processes that it started", unit=""),
    Need(name="available_bytes", title="the host's available memory", unit="GiB", scale=1 / GIB, better=1, flat=False),
    Need(name="folder_bytes", title="its folder", unit="GiB", scale=1 / GIB, flat=False),
    Need(name="free_bytes", title="free on the disk", unit="GiB", scale=1 / GIB, better=1, flat=False),
)
GROWN = 0.1  # of what it usually is, over the night: less may be what the first runs load


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """One resource over the runs of one night, in the need's unit."""

    need: Need
    first: float
    last: float
    least: float
    most: float
    median: float
    hours: float  # of runs, from the end of the first to the end of the last
    per_hour: Slope | None  # None: too few runs to tell

    @property
    def grows(self) -> bool:
        """Surely, and by enough to matter."""
        if self.per_hour is None or not self.need.flat:
            return False
        return self.per_hour.low * self.hours > GROWN * self.median


def needed(levels: Sequence[Level]) -> tuple[Needed, ...]:
    """Nothing of a night without runs."""
    if not levels:
        return ()
    step = -(-len(levels) // MOST_FIGURES)
    some = levels[::step]
    return tuple(_needed(need, levels, some) for need in NEEDS)


def _needed(need: Need, levels: Sequence[Level], some: Sequence[Level]) -> Needed:
    values = sorted(level.values[need.name] * need.scale for level in levels)
    return Needed(
        need=need,
        first=levels[0].values[need.name] * need.scale,
        last=levels[-1].values[need.name] * need.scale,
        least=values[0],
        most=values[-1],
        median=values[len(values) // 2],
        hours=levels[-1].hours - levels[0].hours,
        per_hour=slope([level.values[need.name] * need.scale for level in some], [level.hours for level in some]),
    )
