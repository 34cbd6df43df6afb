"""Where clients begin to notice: one knob over a range, real runs at its values, a curve, and what follows from it.

First a coarse grid over the whole range, so that the curve is seen; then bisection between the last value that nobody
noticed and the first that was noticed, until they are neighbours. A value is noticed when at least half of its runs
were (`harness.facts.notice`). What is noticed on a starved host is noticed all the same, but says nothing of Vitess:
such runs are counted apart, and the answer says so.
"""

from __future__ import annotations

import re
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.base.errors import UsageError
from harness.facts.notice import Notice
from harness.facts.words import counted, listed, seconds
from harness.model import Verdict
from harness.statistics.medians import Median, median, monotone
from harness.statistics.rates import Rate, rate

_NUMBER = r"\d+(?:\.\d+)?"
_RANGE = re.compile(rf"^(?P<head>.*=)?(?P<low>{_NUMBER})(?P<unit>[a-zµ]*)\.\.(?P<high>{_NUMBER})(?P<last>[a-zµ]*)$")
LINEAR_POINTS = 5
STEPS_OF_FRACTIONS = 16  # of a range whose ends are no whole numbers
FALLING = ("window", "buffer-window", "buffer-size", "stagger_s", "connections")  # more of it is better for clients


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A knob and its range: `--shards 1..32`, `--window 1s..12s`, `--set reparents=1..8`."""

    option: str
    head: str  # "reparents=" of `--set reparents=1..8`
    low: float
    high: float
    unit: str
    step: float
    rising: bool  # whether more of it is worse for clients

    @property
    def name(self) -> str:
        return self.head.rstrip("=") or self.option.lstrip("-")

    def text(self, value: float) -> str:
        """As the command line takes it, without the head."""
        return f"{value:g}{self.unit}"

    def between(self, a: float, b: float) -> float | None:
        """The middle of two values, on the grid of the steps; None: they are neighbours."""
        low, high = sorted((a, b))
        steps = round((high - low) / self.step)
        return round(low + steps // 2 * self.step, 9) if steps >= 2 else None

    def grid(self) -> tuple[float, ...]:
        """The coarse values: doubling where the range is wide, otherwise evenly spaced. Its ends are in it."""
        if self.high >= 4 * self.low > 0:
            values = [self.low]
            while values[-1] * 2 < self.high:
                values.append(values[-1] * 2)
        else:
            steps = round((self.high - self.low) / self.step)
            every = max(1, round(steps / (LINEAR_POINTS - 1)))
            values = [round(self.low + number * self.step, 9) for number in range(0, steps, every)]
        return (*values, self.high) if values[-1] < self.high else tuple(values)


def axis_of(option: str, text: str, step: float | None) -> Axis | None:
    """The axis that an option's value names; None where it names none. Raises UsageError for one that cannot be."""
    found = _RANGE.match(text)
    if found is None:
        return None
    low, high, unit = float(found["low"]), float(found["high"]), found["last"]
    if found["unit"] not in ("", unit):
        raise UsageError(f"{option} {text}: both ends of a range have the same unit, as in 1s..12s")
    if high <= low:
        raise UsageError(f"{option} {text}: a range goes from the smaller to the larger value")
    whole = low.is_integer() and high.is_integer()
    head = found["head"] or ""
    name = head.rstrip("=") or option.lstrip("-")
    return Axis(
        option=option,
        head=head,
        low=low,
        high=high,
        unit=unit,
        step=step or (1.0 if whole else (high - low) / STEPS_OF_FRACTIONS),
        rising=name not in FALLING,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a folder sweeps."""

    experiment: str
    words: tuple[str, ...]  # of `vtchaos run`; `at` is the one that changes
    at: int
    axis: Axis
    seed: int  # every run's is drawn from it; the same repetition has the same at all values
    repeat: int
    stall_s: float

    @property
    def command(self) -> str:
        """The words of `vtchaos sweep` that ask the same."""
        swept = f"{self.axis.head}{self.axis.low:g}{self.axis.unit}..{self.axis.text(self.axis.high)}"
        words = (*self.words[: self.at], swept, *self.words[self.at + 1 :])
        ours = f"--repeat {self.repeat} --stall {self.stall_s:g} --step {self.axis.step:g} --seed {self.seed}"
        return f"{shlex.join(words)} {ours}"

    def words_at(self, value: float) -> tuple[str, ...]:
        return (*self.words[: self.at], self.axis.head + self.axis.text(value), *self.words[self.at + 1 :])


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptRun:
    """One run at one value. `notice` is None where it came to nothing that could be noticed."""

    value: float
    folder: str
    verdict: Verdict
    notice: Notice | None
    doubts: tuple[str, ...] = ()  # e.g. the host was starved
    without_core_s: float | None = None  # the longest time in which the host had no free core
    cause: str = ""  # what most of its affected operations waited for
    why: str = ""  # why it came to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What all runs at one value say."""

    value: float
    runs: int  # that could be noticed
    noticed: int
    starved: int  # of those noticed: the host or the harness was too slow, so that it says nothing of Vitess
    failed: int  # runs that came to nothing
    share: Rate
    stall_s: Median | None
    fitted_s: float | None = None
    without_core_s: float | None = None  # median
    causes: tuple[str, ...] = ()

    @property
    def is_noticed(self) -> bool:
        return self.runs > 0 and 2 * self.noticed >= self.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """`sweep.json`: what was asked, every run, the curve, and the answer."""

    asked: Asked
    runs: tuple[SweptRun, ...]
    points: tuple[Point, ...]
    quiet_to: float | None  # nobody noticed so much, or anything that is better for clients
    noticed_from: float | None
    answer: str
    advice: str
    doubts: tuple[str, ...]


def points(asked: Asked, runs: Sequence[SweptRun]) -> tuple[Point, ...]:
    """In order of the values, with the curve through them."""
    found = [_point(asked, value, [run for run in runs if run.value == value]) for value in _values(runs)]
    fitted = [point for point in found if point.stall_s is not None]
    curve = monotone(
        [point.stall_s.value for point in fitted if point.stall_s],
        [float(point.runs) for point in fitted],
        rising=asked.axis.rising,
    )
    at = dict(zip([point.value for point in fitted], curve, strict=True))
    return tuple(replace(point, fitted_s=at.get(point.value)) for point in found)


def _values(runs: Sequence[SweptRun]) -> list[float]:
    return sorted({run.value for run in runs})


def _point(asked: Asked, value: float, runs: Sequence[SweptRun]) -> Point:
    felt = [(run, run.notice) for run in runs if run.notice is not None]
    noticed = [run for run, notice in felt if notice.beyond(asked.stall_s)]
    return Point(
        value=value,
        runs=len(felt),
        noticed=len(noticed),
        starved=sum(bool(run.doubts) for run in noticed),
        failed=len(runs) - len(felt),
        share=rate(len(noticed), len(felt)),
        stall_s=median([notice.stall_s for _, notice in felt]),
        without_core_s=_middle([run.without_core_s for run in runs if run.without_core_s is not None]),
        causes=tuple(dict.fromkeys(run.cause for run in noticed if run.cause)),
    )


def _middle(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def border(asked: Asked, found: Sequence[Point]) -> tuple[float | None, float | None]:
    """The last value before the first that is noticed, from what is best for clients to what is worst; and that."""
    quiet: float | None = None
    for point in found if asked.axis.rising else reversed(found):
        if point.is_noticed:
            return quiet, point.value
        quiet = point.value if point.runs else quiet
    return quiet, None


def next_value(asked: Asked, runs: Sequence[SweptRun]) -> float | None:
    """Where to run next; None: it is known as well as it can be."""
    tried = {value: sum(run.value == value for run in runs) for value in _values(runs)}
    grid = asked.axis.grid() if asked.axis.rising else tuple(reversed(asked.axis.grid()))
    for value in (*grid, *tried):
        if tried.get(value, 0) < asked.repeat:
            return value
    quiet, noticed = border(asked, points(asked, runs))
    return asked.axis.between(quiet, noticed) if quiet is not None and noticed is not None else None


def sweep(asked: Asked, runs: Sequence[SweptRun]) -> Sweep:
    """What there is so far, as one value."""
    found = points(asked, runs)
    quiet, noticed = border(asked, found)
    return Sweep(
        asked=asked,
        runs=tuple(runs),
        points=found,
        quiet_to=quiet,
        noticed_from=noticed,
        answer=_answer(asked, found, quiet, noticed),
        advice=_advice(asked, found),
        doubts=tuple(_doubts(asked, found, quiet, noticed, runs)),
    )


def _named(asked: Asked, value: float) -> str:
    return f"{asked.axis.name} {asked.axis.text(value)}"


def _at(found: Sequence[Point], value: float) -> Point:
    return next(point for point in found if point.value == value)


def _answer(asked: Asked, found: Sequence[Point], quiet: float | None, noticed: float | None) -> str:
    if not any(point.runs for point in found):
        return "No run came to a result."
    if noticed is None:
        worst = max if asked.axis.rising else min
        tried = worst(point.value for point in found if point.runs)
        return f"Clients noticed nothing, up to {_named(asked, tried)}: {_what(asked, _at(found, tried))}."
    here = _at(found, noticed)
    begin = f"Clients begin to notice at {_named(asked, noticed)}: {_what(asked, here)}."
    if quiet is None:
        return f"{begin} That is the best value that was tried."
    return f"{begin} At {_named(asked, quiet)}: {_what(asked, _at(found, quiet))}."


def _what(asked: Asked, point: Point) -> str:
    """3 of 3 runs noticed (44 % to 100 %), median stall 1.4 s (1.2 s to 1.9 s)"""
    stall = point.stall_s
    between = f" ({seconds(stall.low)} to {seconds(stall.high)})" if stall and stall.n > 1 else ""
    stalled = f", median stall {seconds(stall.value)}{between}" if stall else ""
    share = f"({point.share.low:.0%} to {point.share.high:.0%}, 95 % confidence)"
    return f"{point.noticed} of {counted(point.runs, 'run')} noticed {share}{stalled}"


def _advice(asked: Asked, found: Sequence[Point]) -> str:
    """The most (or the least) at which no run at all was noticed, nor at anything better."""
    order = found if asked.axis.rising else tuple(reversed(found))
    safe: Point | None = None
    for point in order:
        if point.noticed:
            break
        safe = point if point.runs else safe
    if safe is None:
        return f"No value of {asked.axis.name} is known at which nobody notices; {_elsewhere(asked.axis)}."
    bound = f"in fewer than {safe.share.at_most:.0%} of runs" if safe.share.at_most is not None else "rarely"
    limit = "at most" if asked.axis.rising else "at least"
    return (
        f"Use {limit} {_named(asked, safe.value)}: none of {counted(safe.runs, 'run')} was noticed there, which says "
        f"that it happens {bound} (95 % confidence; more --repeat says more)."
    )


def _elsewhere(axis: Axis) -> str:
    if not axis.rising:
        return "try larger ones, or another plan"
    least = 1.0 if axis.low.is_integer() else 0.0
    return "try smaller ones, or another plan" if axis.low > least else "there are no smaller ones; try another plan"


def _doubts(
    asked: Asked, found: Sequence[Point], quiet: float | None, noticed: float | None, runs: Sequence[SweptRun]
) -> list[str]:
    said = []
    starved = [point for point in found if point.starved]
    if starved:
        where = listed(f"{asked.axis.text(point.value)} ({point.starved} of {point.noticed})" for point in starved)
        why = next(run.doubts[0] for run in runs if run.doubts and run.value == starved[0].value)
        said.append(
            f"What clients noticed at {asked.axis.name} {where} they noticed on a host that was too slow, and a faster "
            f"one may not show it: {why}."
        )
    said += _busy(asked, [point for point in found if point.value == noticed])
    if noticed is not None and quiet is not None and asked.axis.between(quiet, noticed) is not None:
        between = f"{asked.axis.text(quiet)} and {asked.axis.text(noticed)}"
        said.append(f"Between {between} nothing was tried: the sweep was ended early.")
    failed = sum(point.failed for point in found)
    if failed:
        reasons = listed(dict.fromkeys(run.why for run in runs if run.why), 2)
        said.append(f"{counted(failed, 'run')} came to nothing: {reasons}.")
    causes = dict.fromkeys(cause for point in found for cause in point.causes)
    if causes:
        said.append(f"Of what clients noticed, most was {listed(causes)}.")
    return said


def _busy(asked: Asked, found: Sequence[Point]) -> list[str]:
    """Below the limits of a starved host, but a machine with more cores would have been faster all the same."""
    return [
        f"At {_named(asked, point.value)} no core was free for {seconds(point.without_core_s)} at a stretch: with more "
        "cores clients may notice later."
        for point in found
        if point.without_core_s and point.stall_s and 2 * point.without_core_s >= point.stall_s.value
    ]
