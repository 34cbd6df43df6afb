"""Two groups of runs side by side: what differs, how much, and whether that could be chance. Pure.

What the groups are compared in is listed before their figures are looked at: how often they show something, the figures
of a run, error classes, causes. Where many things are compared some differ by chance, so that probabilities are
corrected for their number (`harness.statistics.differences.adjusted`), figures and classes apart. What is the same in
all runs of both is no comparison.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.facts.words import counted, listed
from harness.many.records import FIGURES, RunRecord
from harness.model import PREMISES, Verdict
from harness.statistics.differences import ALPHA, Difference, adjusted, least_p, of_medians, of_rates
from harness.statistics.rates import Rate, rate

RELEASES = ("vitess", "vtgate")  # of a run's setting: what people compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One side of the comparison."""

    name: str
    runs: int
    counted: int  # runs that prove something: only they are compared
    vtgates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that is compared. `difference` is B minus A; None where one side has nothing to compare."""

    kind: str  # rate, figure, lanes, error or cause
    name: str
    title: str
    unit: str
    vtgate: str  # of both; "21.0.2 → 24.0.3" where they differ
    runs_a: int
    runs_b: int
    worse: int  # 1: more is worse; -1: less is
    difference: Difference | None = None
    rates: tuple[Rate, Rate] | None = None
    adjusted_p: float = 1.0

    @property
    def clear(self) -> bool:
        return self.adjusted_p < ALPHA

    @property
    def is_worse(self) -> bool:
        """B is surely worse; what only two single runs' lanes show is not sure for any other run."""
        change = self.difference.change if self.difference else 0.0
        return self.clear and self.kind != "lanes" and change * self.worse > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `vtchaos compare --json` prints."""

    a: Group
    b: Group
    answer: str
    worse: bool
    unlike: Mapping[str, tuple[str, str]]  # what they ran on or with, where it differs
    warnings: tuple[str, ...]
    rows: tuple[Row, ...]


def compare(name_a: str, a: Sequence[RunRecord], name_b: str, b: Sequence[RunRecord]) -> Comparison:
    left, right = [run for run in a if run.counts], [run for run in b if run.counts]
    pairs = _pairs(left, right)
    main = [*_rates(left, right, pairs), *_figures(left, right, pairs)]
    rows = (
        *_corrected(main),
        *_corrected(list(_lanes(left, right, pairs))),
        *_corrected([*_tallies("error", left, right, pairs), *_tallies("cause", left, right, pairs)]),
    )
    unlike = _unlike(a, b)
    return Comparison(
        a=_group(name_a, a),
        b=_group(name_b, b),
        answer=_answer(len(left), len(right), rows),
        worse=any(row.is_worse for row in rows),
        unlike=unlike,
        warnings=tuple(_warnings(a, b, unlike)),
        rows=rows,
    )


def _group(name: str, runs: Sequence[RunRecord]) -> Group:
    vtgates = tuple(dict.fromkeys(itertools.chain.from_iterable(run.vtgates.values() for run in runs)))
    return Group(name=name, runs=len(runs), counted=sum(run.counts for run in runs), vtgates=vtgates)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A vtgate of A and the one of B that it is compared with."""

    a: str
    b: str

    @property
    def name(self) -> str:
        return self.a if self.a == self.b else f"{self.a} → {self.b}"


def _pairs(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> tuple[_Pair, ...]:
    """The same releases; what is left over in the order of the vtgates."""
    left, right = _group("", a).vtgates, _group("", b).vtgates
    same = [_Pair(name, name) for name in left if name in right]
    others = zip((n for n in left if n not in right), (n for n in right if n not in left), strict=False)
    return (*same, *(_Pair(one, other) for one, other in others))


# ---------------------------------------------------------------- rows


def _rates(a: Sequence[RunRecord], b: Sequence[RunRecord], pairs: Sequence[_Pair]) -> Iterator[Row]:
    yield from _rate("any", "runs that show something", "", [run.shows for run in a], [run.shows for run in b])
    checks = dict.fromkeys(said.check for run in (*a, *b) for said in run.results if said.kind not in PREMISES)
    for check, pair in itertools.product(checks, (_Pair("", ""), *pairs)):
        yield from _rate(check, check, pair.name, _red(check, pair.a, a), _red(check, pair.b, b))


def _red(check: str, vtgate: str, runs: Iterable[RunRecord]) -> list[bool]:
    return [
        said.verdict is Verdict.FAIL or bool(said.issue)
        for run in runs
        for said in run.results
        if said.check == check
        and run.vtgates.get(said.subject, said.subject) == vtgate
        and said.verdict is not Verdict.UNKNOWN
    ]


def _rate(name: str, title: str, vtgate: str, a: Sequence[bool], b: Sequence[bool]) -> Iterator[Row]:
    if not a or not b or (name != "any" and not any((*a, *b))):
        return
    yield Row(
        kind="rate",
        name=name,
        title=title,
        unit="%",
        vtgate=vtgate,
        runs_a=len(a),
        runs_b=len(b),
        worse=1,
        difference=of_rates(sum(a), len(a), sum(b), len(b)),
        rates=(rate(sum(a), len(a)), rate(sum(b), len(b))),
    )


def _figures(a: Sequence[RunRecord], b: Sequence[RunRecord], pairs: Sequence[_Pair]) -> Iterator[Row]:
    for figure, pair in itertools.product(FIGURES, (_Pair("", ""), *pairs)):
        left = [value for run in a if (value := run.figure(figure, pair.a)) is not None]
        right = [value for run in b if (value := run.figure(figure, pair.b)) is not None]
        yield from _medians("figure", figure.name, figure.title, figure.unit, pair.name, left, right, figure.worse)


def _lanes(a: Sequence[RunRecord], b: Sequence[RunRecord], pairs: Sequence[_Pair]) -> Iterator[Row]:
    """Of two single runs: their shards. What they share (host, storm, vtgate) is in each of them."""
    if len(a) != 1 or len(b) != 1:
        return
    for source, title in (("stall_s", "longest stall of each shard"), ("recovery_s", "time to recover of each shard")):
        for pair in pairs:
            left, right = (_values(run, name, source) for run, name in ((a[0], pair.a), (b[0], pair.b)))
            yield from _medians("lanes", source, title, "s", pair.name, left, right, 1)
    left, right = (_values(run, "", "reparent_s") for run in (a[0], b[0]))
    yield from _medians("lanes", "reparent_s", "every reparent", "s", "", left, right, 1)


def _values(run: RunRecord, vtgate: str, source: str) -> list[float]:
    nodes = [node for node, name in run.vtgates.items() if name == vtgate] if vtgate else [""]
    return [value for node in nodes for value in run.values.get(node, {}).get(source, ())]


def _tallies(kind: str, a: Sequence[RunRecord], b: Sequence[RunRecord], pairs: Sequence[_Pair]) -> Iterator[Row]:
    """Operations a run, by error class or by cause; a run without any of one had 0."""
    of: Callable[[RunRecord], Mapping[str, Mapping[str, int]]] = (
        (lambda run: run.errors) if kind == "error" else (lambda run: run.causes)
    )
    for pair in pairs:
        left, right = ([_tally(of(run), run, name) for run in runs] for name, runs in ((pair.a, a), (pair.b, b)))
        for name in sorted({name for tally in (*left, *right) for name in tally}):
            one, other = ([float(tally.get(name, 0)) for tally in side] for side in (left, right))
            yield from _medians(kind, name, f"{kind} {name}", "", pair.name, one, other, 1)


def _tally(found: Mapping[str, Mapping[str, int]], run: RunRecord, vtgate: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for node, name in run.vtgates.items():
        for key, number in found.get(node, {}).items() if name == vtgate else ():
            totals[key] = totals.get(key, 0) + number
    return totals


def _medians(
    kind: str, name: str, title: str, unit: str, vtgate: str, a: list[float], b: list[float], worse: int
) -> Iterator[Row]:
    if a and b:
        yield Row(
            kind=kind,
            name=name,
            title=title,
            unit=unit,
            vtgate=vtgate,
            runs_a=len(a),
            runs_b=len(b),
            worse=worse,
            difference=of_medians(a, b),
        )


def _corrected(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows that are the same everywhere were no comparison, and do not weigh on the others."""
    compared = [row for row in rows if row.difference is not None and row.difference.p < 1]
    p_values = adjusted([row.difference.p for row in compared if row.difference is not None])
    of_row = {id(row): p for row, p in zip(compared, p_values, strict=True)}
    for row in rows:
        yield dataclasses.replace(row, adjusted_p=of_row.get(id(row), 1.0))


# ---------------------------------------------------------------- words


def _answer(runs_a: int, runs_b: int, rows: Sequence[Row]) -> str:
    if not (runs_a and runs_b):
        empty = "A" if not runs_a else "B"
        return f"Nothing can be compared: no run of {empty} proves anything."
    chance = least_p(runs_a, runs_b)
    if chance >= ALPHA:
        return (
            f"No difference can be shown with so few runs ({runs_a} and {runs_b}): that all of one lie below all of "
            f"the other is chance in {chance:.0%} of the cases. It takes at least {runs_needed()} of each (--count)."
        )
    clear = [row for row in rows if row.clear]
    if not clear:
        return f"No difference shows between {counted(runs_a, 'run')} and {counted(runs_b, 'run')}."
    worse = listed(dict.fromkeys(_named(row) for row in clear if row.is_worse))
    better = listed(dict.fromkeys(_named(row) for row in clear if not row.is_worse))
    parts = [f"B is worse in: {worse}." if worse else "", f"B is better in: {better}." if better else ""]
    return " ".join(part for part in parts if part)


def _named(row: Row) -> str:
    return f"{row.title} ({row.vtgate})" if row.vtgate else row.title


def runs_needed() -> int:
    """Of each side, for any figure to differ surely."""
    return next(number for number in itertools.count(1) if least_p(number, number) < ALPHA)


def _unlike(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> Mapping[str, tuple[str, str]]:
    keys = dict.fromkeys(key for run in (*a, *b) for key in run.setting)
    found = {key: (_said(a, key), _said(b, key)) for key in keys}
    return {key: both for key, both in found.items() if both[0] != both[1]}


def _said(runs: Sequence[RunRecord], key: str) -> str:
    return " / ".join(sorted({run.setting[key] for run in runs if key in run.setting})) or "-"


def _warnings(a: Sequence[RunRecord], b: Sequence[RunRecord], unlike: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    others = [key for key in unlike if key not in RELEASES]
    if others:
        yield f"They differ in more than their releases: {listed(others, 8)}. What differs may come from that."
    for name, runs in (("A", a), ("B", b)):
        mixed = [key for key in dict.fromkeys(key for run in runs for key in run.setting) if " / " in _said(runs, key)]
        if mixed:
            yield f"The runs of {name} differ among themselves: {listed(mixed, 8)}."
        unknown = sum(not run.counts for run in runs)
        if unknown:
            yield f"{counted(unknown, 'run')} of {name} proved nothing and {'is' if unknown == 1 else 'are'} left out."
    if {run.seed for run in a} != {run.seed for run in b}:
        yield "They had other seeds: other arrivals and, where a fault draws its target, other targets."
