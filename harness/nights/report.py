"""Tonight against the nights before it: what a person reads in the morning. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.facts.words import counted, listed
from harness.nights.night import Canary, Night, Series
from harness.nights.standings import NEWS, SHOWN, Standing, Standings, standings
from harness.nights.trends import Needed, Trend, Turn, needed, trends

NOTHING_JUDGED = "No run says anything about Vitess"
MANY_UNKNOWN = 1 / 3  # from this share on the answer says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A night in one line."""

    path: str
    begin: str
    seed: int
    setting: Mapping[str, str]
    runs: int
    passed: int
    found: int
    reproduced: int
    unknown: int
    broken: int
    canaries: int
    caught: int
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """soak-report.json. docs/soak.md tells what its fields mean."""

    alarm: str  # a canary that was not caught: nothing else is to be believed before that is understood; "" = none
    answer: str  # what is new
    also: tuple[str, ...]  # what else must be known: known bugs, figures, what proved nothing, canaries
    exit_code: int
    nights: tuple[Row, ...]  # the last one is tonight
    canaries: tuple[Canary, ...]
    findings: tuple[Standings, ...]
    known: tuple[Standings, ...]
    why_unknown: Mapping[str, int]
    why_broken: Mapping[str, int]
    trends: tuple[Trend, ...]
    needed: tuple[Needed, ...]
    left_out: tuple[str, ...]

    @property
    def tonight(self) -> Row:
        return self.nights[-1]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Change points, the latest first."""
        found = (turn for trend in self.trends for turn in trend.turns)
        return tuple(sorted(found, key=lambda turn: (turn.begin, turn.series), reverse=True))

    @property
    def turned(self) -> tuple[Turn, ...]:
        """Those of tonight."""
        return tuple(turn for turn in self.turns if turn.tonight)

    @property
    def growing(self) -> tuple[Needed, ...]:
        return tuple(each for each in self.needed if each.grows)


def report(nights: Sequence[Night], left_out: Iterable[str] = (), *, compared: bool = True) -> Report:
    """Of at least one night, in order of time; the last one is tonight. `left_out`: nights that could not be read.
    `compared`: False where nobody looked for nights before it."""
    tonight = nights[-1]
    every = standings(nights, compared=compared)
    findings = tuple(each for each in every if not each.item.issue)
    known = tuple(each for each in every if each.item.issue)
    found = trends(nights)
    needs = needed(tonight.levels)
    return Report(
        alarm=_alarm(tonight.canaries),
        answer=_news(nights, findings) if compared else _uncompared(tonight, findings),
        also=tuple(_also(tonight, known, found, needs)),
        exit_code=tonight.exit_code,
        nights=tuple(_row(night) for night in nights),
        canaries=tonight.canaries,
        findings=findings,
        known=known,
        why_unknown=tonight.why_unknown,
        why_broken=tonight.why_broken,
        trends=found,
        needed=needs,
        left_out=(*left_out, *(f"{night.name}: {what}" for night in nights for what in night.left_out)),
    )


def _row(night: Night) -> Row:
    return Row(
        path=night.path,
        begin=night.begin,
        seed=night.seed,
        setting=night.setting,
        runs=night.runs,
        passed=night.passed,
        found=night.found,
        reproduced=night.reproduced,
        unknown=night.unknown,
        broken=night.broken,
        canaries=len(night.canaries),
        caught=sum(canary.caught is True for canary in night.canaries),
        took_s=night.took_s,
    )


# ---------------------------------------------------------------- words


def _alarm(canaries: Sequence[Canary]) -> str:
    missed = [canary for canary in canaries if canary.caught is False]
    if not missed:
        return ""
    what = listed(f"{canary.kind} in {canary.folder} ({canary.experiment})" for canary in missed)
    return (
        f"{len(missed)} of {counted(len(canaries), 'canary', 'canaries')} NOT CAUGHT: {what}. The harness was broken "
        "on purpose, and no check saw it: what passed tonight proves less than it says."
    )


def _also(tonight: Night, known: Sequence[Standings], found: Sequence[Trend], needs: Sequence[Needed]) -> Iterator[str]:
    yield from _known(known)
    yield from _turned(found)
    yield from _unproved(tonight)
    yield from _canaries(tonight)
    if tonight.ended_early:
        yield f"The soak ended early: {tonight.ended_early}."
    growing = [each.need.title for each in needs if each.grows]
    if growing:
        yield f"The soak itself grows: {listed(growing)}."


def _news(nights: Sequence[Night], findings: Sequence[Standings]) -> str:
    runs = counted(nights[-1].proved, "run")
    against = f", against {counted(len(nights) - 1, 'earlier night')}" if len(nights) > 1 else ""
    tally = Counter(each.standing for each in findings)
    words = [f"{tally[standing]} {word}" for standing, word in _WORDS if tally[standing]]
    if not any(tally[standing] for standing in NEWS):
        others = f"; {', '.join(words)}" if words else ""
        return f"Nothing new in {runs}{against}{others}." if nights[-1].proved else f"{NOTHING_JUDGED}{others}."
    first = "" if len(nights) > 1 else " There is no earlier night to compare with, so that everything is new."
    return f"Findings in {runs}{against}: {', '.join(words)}.{first}"


def _uncompared(tonight: Night, findings: Sequence[Standings]) -> str:
    found = counted(len(findings), "finding") if findings else "No finding"
    said = f"{found} in {counted(tonight.proved, 'run')}" if tonight.proved else NOTHING_JUDGED
    how = f"vtchaos nights {shlex.quote(tonight.path)}"
    return f"{said}. Not compared with the nights before; `{how}` does that."


_WORDS = (
    (Standing.NEW, "new"),
    (Standing.RETURNED, "back again"),
    (Standing.RESOLVED, "resolved"),
    (Standing.ONGOING, "ongoing"),
    (Standing.RARE, "rare"),
    (Standing.UNSEEN, "of earlier nights not seen"),
)


def _known(known: Sequence[Standings]) -> Iterator[str]:
    showed = dict.fromkeys(each.item.issue for each in known if each.standing in SHOWN)
    if showed:
        yield f"{counted(len(showed), 'known bug')} showed where expected: {listed(showed)}."
    for each in known:
        if each.standing is Standing.RESOLVED and each.item.issue not in showed:
            watched = each.item.watched
            yield (
                f"{each.item.issue} stopped showing in {watched.experiment} on {watched.release}: not in "
                f"{counted(each.unseen_runs, 'run')}, which is chance in {percent(each.by_chance)} of the cases."
            )


def _turned(found: Iterable[Trend]) -> Iterator[str]:
    turned = [turn for trend in found for turn in trend.turns if turn.tonight]
    for worse, word in ((True, "Worse"), (False, "Better")):
        some = [f"{turn.measure.title} of {series_name(turn.series)}" for turn in turned if turn.worse is worse]
        if some:
            yield f"{word} since tonight: {listed(some)}."


def series_name(series: Series) -> str:
    return f"{series.experiment} on {series.release}" if series.release else series.experiment


def _unproved(tonight: Night) -> Iterator[str]:
    could = tonight.unknown + tonight.proved
    if tonight.unknown:
        share = tonight.unknown / could
        runs = counted(tonight.unknown, "run")
        much = " Little was looked at tonight: more than a third proved nothing." if share > MANY_UNKNOWN else ""
        yield f"{runs} of {could} proved nothing ({percent(share)}).{much}"
    if tonight.broken:
        yield f"The harness failed in {counted(tonight.broken, 'run')} of {tonight.runs}."


def _canaries(tonight: Night) -> Iterator[str]:
    canaries = tonight.canaries
    tried = [canary for canary in canaries if canary.caught is not None]
    if not canaries:
        first = tonight.first_canary
        yield f"No canary was set{f': the first would have been run {first}' if first > tonight.runs else ''}."
    elif not tried:
        yield f"{counted(len(canaries), 'canary', 'canaries')} came to nothing: nobody knows whether the checks see."
    elif all(canary.caught for canary in tried):
        lost = len(canaries) - len(tried)
        rest = f"; {counted(lost, 'other')} came to nothing" if lost else ""
        yield f"{len(tried)} of {counted(len(tried), 'canary', 'canaries')} caught{rest}."


def percent(share: float) -> str:
    """12 %, 0.4 %, "less than 0.01 %"."""
    if 0 < share < 0.0001:
        return "less than 0.01 %"
    digits = 0 if share >= 0.0995 or not share else 1 if share >= 0.001 else 2
    return f"{100 * share:.{digits}f} %"
