"""Was the machine up to it? A starved host makes everything slow, and that is none of Vitess's business.

PSI (`/proc/pressure`, kernel docs accounting/psi.rst): "some" is the time in which at least one task
waited for the resource, in microseconds since boot. On a small machine a storm of reparents uses every
core for as long as it lasts; what matters is whether that was long enough to explain what is judged.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from harness.facts.buffer import settings
from harness.facts.storm import SECOND_NS, baseline, quiet_ns, reparents, trouble
from harness.history import History, Series

SATURATED_SHARE = 0.9  # of a bin: practically all the time somebody waited
BIN_NS = SECOND_NS // 2
CPU_PRESSURE = "cpu_some_us"
MIB = 2**20


class Measure(enum.StrEnum):
    """How a series becomes one number over a window."""

    HIGHEST = "highest"
    LOWEST = "lowest"
    MEAN = "mean"
    SHARE = "share"  # of time, of a counter of microseconds
    SATURATED_S = "saturated"  # longest stretch at or above SATURATED_SHARE


class During(enum.StrEnum):
    BASELINE = "baseline"
    STORM = "storm"  # from the first fault until the run is quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One thing that must hold of the host; `of_window`: the limit is in buffer windows, not in `unit`s."""

    name: str
    source: str  # a pattern of series names
    key: str
    measure: Measure
    during: During
    limit: float
    unit: str
    why: str
    of_window: bool = False
    if_any: bool = False  # what nobody measured is not missed


LIMITS: tuple[Limit, ...] = (
    Limit(
        name="longest pause of the harness",
        source="harness",
        key="loop_lag_max_ms",
        measure=Measure.HIGHEST,
        during=During.STORM,
        limit=1000,
        unit="ms",
        why="its loop stamps the reparents and vtgate's samples; a second is four samples",
    ),
    Limit(
        name="longest pause of a load worker",
        source="load-*",
        key="loop_lag_max_ms",
        measure=Measure.HIGHEST,
        during=During.STORM,
        limit=500,
        unit="ms",
        why="a pause of the worker looks like a stall of all its shards at once; stalls are judged in seconds",
    ),
    Limit(
        name="longest pause of a stream worker",
        source="streams-*",
        key="loop_lag_max_ms",
        measure=Measure.HIGHEST,
        during=During.STORM,
        limit=1000,
        unit="ms",
        why="a reader that stands still is a slow reader that nobody asked for",
    ),
    Limit(
        name="schedule lag of a load worker (p99)",
        source="load-*",
        key="schedule_lag_p99_ms",
        measure=Measure.HIGHEST,
        during=During.STORM,
        limit=250,
        unit="ms",
        why="an open loop that falls behind its schedule measures itself",
    ),
    Limit(
        name="uncertainty of a load pod's clock",
        source="load-*",
        key="clock_uncertainty_ms",
        measure=Measure.HIGHEST,
        during=During.STORM,
        limit=50,
        unit="ms",
        why="its operations are stamped elsewhere, and what they felt is compared with stamps from here",
        if_any=True,  # load that runs here has our clock
    ),
    Limit(
        name="CPU pressure before the storm",
        source="host",
        key=CPU_PRESSURE,
        measure=Measure.SHARE,
        during=During.BASELINE,
        limit=0.8,
        unit="of the time",
        why="this load, or other work on this host, already fills it, so that a reparent has nothing left to run on",
    ),
    Limit(
        name="time without a free core",
        source="host",
        key=CPU_PRESSURE,
        measure=Measure.SATURATED_S,
        during=During.STORM,
        limit=0.75,
        unit="s",
        why="as long as that, slowness alone explains a stall near the buffer window "
        "(measured: 32 reparents on two cores kept every buffer waiting 5.5 to 12.3 s)",
        of_window=True,
    ),
    Limit(
        name="CPU taken by other machines",
        source="host",
        key="cpu_steal_share",
        measure=Measure.MEAN,
        during=During.STORM,
        limit=0.2,
        unit="of the time",
        why="the hypervisor gave these cores to somebody else",
    ),
    Limit(
        name="memory pressure",
        source="host",
        key="memory_some_us",
        measure=Measure.SHARE,
        during=During.STORM,
        limit=0.2,
        unit="of the time",
        why="processes that wait for pages stall like processes that wait for a primary",
    ),
    Limit(
        name="memory left",
        source="host",
        key="memory_available_bytes",
        measure=Measure.LOWEST,
        during=During.STORM,
        limit=256 * MIB,
        unit="MiB",  # in words; it is measured in bytes
        why="below it the kernel starts killing, and mysqld is the largest",
    ),
)


INSTRUMENTS = ("harness", "load-*", "streams-*")  # what measures; everything else is the host


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """What became of some limits in one run."""

    broken: tuple[str, ...] = ()  # a sentence for each that did not hold
    silent: tuple[str, ...] = ()  # a sentence for each that nobody measured
    figures: Mapping[str, float] = field(default_factory=dict)


def instrument_limits() -> tuple[Limit, ...]:
    """Of what measures."""
    return tuple(limit for limit in LIMITS if limit.source in INSTRUMENTS)


def host_limits() -> tuple[Limit, ...]:
    return tuple(limit for limit in LIMITS if limit.source not in INSTRUMENTS)


def fitness(history: History, limits: Sequence[Limit]) -> Fitness | None:
    """How a run stands against limits; None when it never came to its baseline."""
    windows = _windows(history)
    if not windows:
        return None
    broken: list[str] = []
    silent: list[str] = []
    figures: dict[str, float] = {}
    for limit in limits:
        if limit.of_window and history.plan.streams and not reparents(history):
            continue  # nothing waits in a buffer, and copying is meant to use every core
        allowed = limit.limit * (_window_s(history) if limit.of_window else 1.0)
        values = list(_values(history, limit, windows)) if limit.during in windows else []
        if not values:
            silent += [] if limit.if_any else [f"not measured: {limit.name}"]
            continue
        lowest = limit.measure is Measure.LOWEST
        worst = min(values) if lowest else max(values)
        figures[f"{limit.during}_{limit.source.rstrip('-*')}_{limit.key}_{limit.measure}"] = round(worst, 4)
        if worst < allowed if lowest else worst > allowed:
            bound = "at least" if lowest else "at most"
            right = f"{bound} {_amount(allowed, limit)} would be right"
            broken.append(f"{limit.name}: {_amount(worst, limit)} {limit.unit} ({right}): {limit.why}")
    return Fitness(broken=tuple(broken), silent=tuple(silent), figures=figures)


def _amount(value: float, limit: Limit) -> str:
    return f"{value / MIB:,.0f}" if limit.unit == "MiB" else f"{value:,.4g}"


def _window_s(history: History) -> float:
    """The shortest buffer window of the vtgates."""
    windows = [settings(history, node.name).window_s for node in history.vtgates]
    return min(windows, default=10.0)


def _windows(history: History) -> dict[During, tuple[int, int]]:
    found: dict[During, tuple[int, int]] = {}
    before, during = baseline(history), trouble(history)
    if before:
        found[During.BASELINE] = before
    if during:
        found[During.STORM] = during[0], max(during[1], quiet_ns(history) or history.end_ns)
    return found


def _values(history: History, limit: Limit, windows: dict[During, tuple[int, int]]) -> Iterator[float]:
    for source, series in sorted(history.series.items()):
        if fnmatchcase(source, limit.source):
            value = measure(series, limit.key, limit.measure, *windows[limit.during])
            if value is not None:
                yield value


def measure(series: Series, key: str, how: Measure, from_ns: int, to_ns: int) -> float | None:
    """One number for a key over a window; None when the key was not there."""
    if how in (Measure.SHARE, Measure.SATURATED_S):
        return _of_counter(series, key, how, from_ns, to_ns)
    before = series.number(key, from_ns)
    times, values = series.steps(key)
    inside = [
        float(value)
        for at_ns, value in zip(times, values, strict=True)
        if from_ns < at_ns <= to_ns and isinstance(value, int | float)
    ]
    numbers = inside if before is None else [before, *inside]
    if not numbers:
        return None
    if how is Measure.MEAN:
        return sum(numbers) / len(numbers)
    return max(numbers) if how is Measure.HIGHEST else min(numbers)


def _of_counter(series: Series, key: str, how: Measure, from_ns: int, to_ns: int) -> float | None:
    times, numbers = _counter(series, key)
    if not numbers or to_ns <= from_ns:
        return None
    bins = max(1, round((to_ns - from_ns) / BIN_NS))
    edges = np.linspace(from_ns, to_ns, 2 if how is Measure.SHARE else bins + 1)
    shares = np.diff(np.interp(edges, times, numbers)) / 1e6 / (np.diff(edges) / SECOND_NS)
    if how is Measure.SHARE:
        return float(shares[0])
    longest = run = 0
    for full in (shares >= SATURATED_SHARE).tolist():
        run = run + 1 if full else 0
        longest = max(longest, run)
    return longest * (to_ns - from_ns) / bins / SECOND_NS


def saturated(series: Series, share: float = SATURATED_SHARE, bin_ns: int = BIN_NS) -> Iterator[tuple[int, int]]:
    """Stretches in which somebody waited for a core for at least this share of every `bin_ns`."""
    times, numbers = _counter(series, CPU_PRESSURE)
    if not numbers:
        return
    edges = np.arange(times[0], times[-1] + bin_ns, bin_ns, dtype=np.int64)
    waited_us = np.diff(np.interp(edges - times[0], np.array(times) - times[0], numbers))
    full = np.concatenate(([False], waited_us * 1000 >= share * bin_ns, [False]))
    turns = np.flatnonzero(full[1:] != full[:-1]).tolist()
    for first, last in zip(turns[::2], turns[1::2], strict=True):
        yield int(edges[first]), int(edges[last])


def _counter(series: Series, key: str) -> tuple[Sequence[int], Sequence[float]]:
    """Stamps and values; nothing where fewer than two are there, or one is no number."""
    times, values = series.steps(key)
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return (times, numbers) if 2 <= len(numbers) == len(values) else ((), ())
