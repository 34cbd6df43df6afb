"""Several runs of one thing as one answer: how often something showed, and how figures spread.

A run whose verdict is UNKNOWN proves nothing, and counts in no rate; it is told how many there were, and why. Within a
run, a check counts for a vtgate where the assumptions hold that concern it, and a safety check that is red always.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.base.exit_codes import EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_UNKNOWN, WORST_FIRST
from harness.facts.outages import Spread
from harness.facts.words import counted, listed
from harness.many.records import FIGURES, RunRecord, Said
from harness.model import PREMISES, CheckKind, Verdict
from harness.statistics.rates import Rate, rate
from harness.statistics.stopping import Side, always_valid, side


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`batch.json`: what a folder of runs repeats."""

    experiment: str
    words: tuple[str, ...]  # of `vtchaos run`, without those that are the batch's own or a single run's
    seed: int  # every run's is drawn from it
    limit: float = 0.1
    same_seed: bool = False  # every run has this very seed: they issue the same again


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRate:
    """How often one check was red, for one vtgate or the whole cluster."""

    check: str
    kind: CheckKind
    vtgate: str  # as in RunRecord.vtgates; "" = the whole cluster
    rate: Rate
    unknown: int  # runs in which it could not be judged, or which proved nothing
    issue: str = ""  # red where a known bug was expected


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSpread:
    """One figure over the runs, of those that count."""

    figure: str
    title: str
    unit: str
    vtgate: str
    spread: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """Where the rate surely is, at whatever run one stops (`harness.statistics.stopping`)."""

    limit: float
    side: Side
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`summary.json`: the one answer of many runs. docs/repeats.md tells what its fields mean."""

    batch: Batch
    asked: int
    answer: str
    exit_code: int
    findings: int
    reproduced: int  # runs that passed and showed a known bug where it was expected
    passed: int
    unknown: int
    rate: Rate  # of runs that showed something: a finding, or a known bug
    clear: Clear
    why_unknown: Mapping[str, int]
    rates: tuple[CheckRate, ...]
    figures: tuple[FigureSpread, ...]
    runs: tuple[RunRecord, ...]


def summary(batch: Batch, runs: Sequence[RunRecord], *, asked: int, interrupted: bool = False) -> Summary:
    """Of the runs there are. `interrupted`: the user ended it before all were made."""
    counting = [run for run in runs if run.counts]
    shown = sum(run.shows for run in counting)
    low, high = always_valid(shown, len(counting))
    clear = Clear(limit=batch.limit, side=side(shown, len(counting), batch.limit), low=low, high=high)
    findings = sum(run.verdict is Verdict.FAIL for run in runs)
    found = rate(shown, len(counting))
    return Summary(
        batch=batch,
        asked=asked,
        answer=answer(found, findings, len(runs) - len(counting), clear),
        exit_code=exit_code(runs, interrupted=interrupted),
        findings=findings,
        reproduced=shown - findings,
        passed=len(counting) - shown,
        unknown=len(runs) - len(counting),
        rate=found,
        clear=clear,
        why_unknown=dict(Counter(why_unknown(run) for run in runs if not run.counts)),
        rates=tuple(check_rates(runs)),
        figures=tuple(figure_spreads(counting)),
        runs=tuple(runs),
    )


def exit_code(runs: Iterable[RunRecord], *, interrupted: bool = False) -> int:
    """The worst of the runs': a finding, then the harness's failure, an interruption, unknown, passed."""
    codes = {run.exit_code for run in runs} | ({EXIT_INTERRUPTED} if interrupted else set())
    return next((code for code in WORST_FIRST if code in codes), EXIT_HARNESS if codes else EXIT_UNKNOWN)


def answer(found: Rate, findings: int, unknown: int, clear: Clear) -> str:
    """One or two sentences."""
    less = (
        f" {counted(unknown, 'run')} proved nothing and {'does' if unknown == 1 else 'do'} not count."
        if unknown
        else ""
    )
    if not found.counted:
        return f"No run could be judged.{less}"
    runs = counted(found.counted, "run")
    if not found.shown:
        bound = f"the rate is below {found.at_most:.1%}" if found.at_most is not None else ""
        return f"Nothing showed in {runs}: {bound} (95 % confidence).{less}{_clear_words(clear)}"
    what = (
        "showed a finding" if findings == found.shown else "showed a known bug" if not findings else "showed something"
    )
    bounds = f"between {found.low:.1%} and {found.high:.1%} (95 % confidence)"
    share = f"{found.shown / found.counted:.0%}"
    return f"{found.shown} of {runs} {what}: {share}, {bounds}.{less}{_clear_words(clear)}"


def _clear_words(clear: Clear) -> str:
    if clear.side is Side.UNCLEAR:
        return f" Whether that is more or less than {clear.limit:.0%} is not clear yet."
    return f" The rate is clearly {clear.side} {clear.limit:.0%}, at whatever run one had stopped."


def why_unknown(run: RunRecord) -> str:
    """How the harness failed, the premises that did not hold, or what else could not be judged."""
    if run.failure:
        return f"the harness failed: {run.failure}"
    unsure = [said for said in run.results if said.verdict is Verdict.UNKNOWN]
    premises = [said for said in unsure if said.kind in PREMISES]
    return listed(dict.fromkeys(said.check for said in premises or unsure)) or run.headline


def check_rates(runs: Sequence[RunRecord]) -> Iterator[CheckRate]:
    """Every promise and every safety check, for every vtgate, the most often red first."""
    keys = dict.fromkeys(
        (said.check, run.vtgates.get(said.subject, said.subject))
        for run in runs
        for said in run.results
        if said.kind not in PREMISES
    )
    found = [_check_rate(check, vtgate, runs) for check, vtgate in keys]
    yield from sorted(found, key=lambda each: (-(each.rate.share or 0.0), each.check, each.vtgate))


def _check_rate(check: str, vtgate: str, runs: Sequence[RunRecord]) -> CheckRate:
    seen = [
        (run, said)
        for run in runs
        for said in run.results
        if said.check == check and run.vtgates.get(said.subject, said.subject) == vtgate
    ]
    judged = [(run, said) for run, said in seen if said.verdict is not Verdict.UNKNOWN and premises_hold(run, said)]
    red = [said for _, said in judged if said.verdict is Verdict.FAIL or said.issue]
    return CheckRate(
        check=check,
        kind=seen[0][1].kind,
        vtgate=vtgate,
        rate=rate(len(red), len(judged)),
        unknown=len(seen) - len(judged),
        issue=next((said.issue for said in red if said.issue), ""),
    )


def premises_hold(run: RunRecord, said: Said) -> bool:
    """A pass counts only where the run could have shown the contrary; what no slowness excuses counts when red."""
    if said.verdict is Verdict.FAIL:
        return True
    return all(
        other.verdict is Verdict.PASS
        for other in run.results
        if other.kind is CheckKind.ASSUMPTION and other.subject in ("", said.subject)
    )


def figure_spreads(runs: Sequence[RunRecord]) -> Iterator[FigureSpread]:
    """Every figure of the cluster and of every vtgate, where any run has it."""
    vtgates = ("", *dict.fromkeys(itertools.chain.from_iterable(run.vtgates.values() for run in runs)))
    for figure, vtgate in itertools.product(FIGURES, vtgates):
        values = [run.figure(figure, vtgate) for run in runs]
        spread = Spread.of(value for value in values if value is not None)
        if spread is not None:
            yield FigureSpread(figure=figure.name, title=figure.title, unit=figure.unit, vtgate=vtgate, spread=spread)
