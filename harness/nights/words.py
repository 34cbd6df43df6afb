"""What the terminal, the page, Markdown and JUnit all say of a soak, in the same words."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.base.exit_codes import EXIT_FINDING, EXIT_HARNESS, EXIT_INTERRUPTED, EXIT_PASS, EXIT_UNKNOWN
from harness.facts.words import counted
from harness.nights.report import Report, Row, percent, series_name
from harness.nights.standings import Standing, Standings
from harness.nights.trends import Needed, Turn
from harness.repeats.text import amount
from harness.statistics.rates import Rate

TITLES = {
    Standing.UNCOMPARED: "Tonight",
    Standing.NEW: "New",
    Standing.RETURNED: "Back again",
    Standing.RESOLVED: "Resolved",
    Standing.ONGOING: "Ongoing",
    Standing.RARE: "Rare",
    Standing.UNSEEN: "Not seen tonight, which means nothing yet",
    Standing.GONE: "Resolved before",
}
KNOWN_TITLES = {  # of known bugs; it is no news that one shows where it is expected
    **TITLES,
    Standing.UNCOMPARED: "Showed where expected",
    Standing.NEW: "Showed for the first time, where it was expected",
    Standing.RESOLVED: "Stopped showing",
}


def named(each: Standings) -> str:
    watched = each.item.watched
    return " ".join(word for word in (watched.experiment, watched.check, watched.release) if word)


def spoken(each: Standings) -> str:
    """What the check said in the latest run that showed it; "" of a known bug."""
    return each.latest.said and f"Run {each.latest.folder.rpartition('/')[2]}: {each.latest.said}"


def told(each: Standings) -> str:
    """How often, and what that is held against."""
    if each.standing in (Standing.RESOLVED, Standing.UNSEEN, Standing.GONE):
        return f"{absent(each)} Before: {rate_words(each.earlier)}, in {_nights(each)}."
    if each.standing is Standing.UNCOMPARED:
        return f"{rate_words(each.tonight)}."
    if each.standing is Standing.NEW:
        earlier = each.earlier.counted
        never = f"never in {counted(earlier, 'earlier run')}" if earlier else "no earlier run could have shown it"
        return f"{rate_words(each.tonight)}; {never}."
    again = f" {absent(each)}" if each.standing is Standing.RETURNED else ""
    return f"{rate_words(each.tonight)} tonight, {rate_words(each.earlier)} before, in {_nights(each)}.{again}"


def absent(each: Standings) -> str:
    runs = counted(each.unseen_runs, "run")
    if not each.unseen_runs:
        return "No run could have shown it since."
    had = "It had not been seen in" if each.standing is Standing.RETURNED else "Not in"
    return f"{had} {runs} since {each.latest_before[:10]}, by chance in {percent(each.by_chance)} of the cases."


def _nights(each: Standings) -> str:
    return f"{each.nights_seen} of {counted(each.nights_judged, 'night')}"


def rate_words(rate: Rate) -> str:
    """`2 of 12 runs (17 %; 5 % to 45 %)`."""
    if rate.share is None:
        return "in no run that could show it"
    bounds = f"{percent(rate.low)} to {percent(rate.high)}"
    return f"{rate.shown} of {counted(rate.counted, 'run')} ({percent(rate.share)}; {bounds})"


def again(each: Standings) -> tuple[str, ...]:
    """Command lines: the same schedule again, of its first and of its latest run; and the smallest that shows it. Of
    runs whose recording is there: without it nobody knows what was issued."""
    runs = [seen.folder for seen in dict.fromkeys((each.first, each.latest)) if seen.kept]
    lines = [f"vtchaos replay {shlex.quote(folder)}" for folder in runs]
    return (*lines, *(f"vtchaos shrink {shlex.quote(folder)}" for folder in runs[:1]))


def turn_words(turn: Turn) -> str:
    """`median reparent of reparent/storm on 24.0.3: 0.52 s → 0.81 s (+56 %)`."""
    unit = turn.measure.unit
    share = f" ({(turn.after - turn.before) / abs(turn.before):+.0%})" if turn.before else ""
    went = f"{amount(turn.before, unit)} → {amount(turn.after, unit)}"
    return f"{turn.measure.title} of {series_name(turn.series)}: {went}{share}"


def turn_basis(turn: Turn) -> str:
    """Where, on what it rests, and what else changed there."""
    chance = "by chance in " + percent(turn.p) + " of the cases"
    runs = f"medians of {turn.runs_before} runs before and {turn.runs_after} after, {chance}"
    others = ", ".join(f"{name} {was} → {now}" for name, (was, now) in turn.differs.items())
    return f"from {stamp(turn.begin)} ({turn.place}) on; {runs}" + (f"; changed there too: {others}" if others else "")


def needed_words(each: Needed) -> tuple[str, str, str, str]:
    """First, last, most (of what is to be had: least), and how it went."""
    unit = each.need.unit
    extreme = each.least if each.need.better > 0 else each.most
    slope = each.per_hour
    if slope is None:
        went = "too few runs to tell"
    elif not slope.low and not slope.high:
        went = "flat"
    else:
        bounds = f"{_signed(slope.low, unit)} to {_signed(slope.high, unit)}"
        went = f"{_signed(slope.value, unit)} an hour ({bounds})"
    return amount(each.first, unit), amount(each.last, unit), amount(extreme, unit), went


def _signed(value: float, unit: str) -> str:
    return f"{value:+.3g}{' ' if unit else ''}{unit}"


def stamp(begin: str) -> str:
    """2026-11-21 18:23 UTC."""
    return f"{begin[:10]} {begin[11:16]} UTC"


def hours(took_s: float) -> str:
    return f"{took_s / 3600:.1f} h" if took_s >= 3600 else f"{took_s / 60:.0f} min"


def row_words(row: Row) -> Sequence[str]:
    """The cells of a night: when, runs, findings, known bugs, passed, unknown, harness errors, canaries, commit."""
    canaries = f"{row.caught} of {row.canaries}" if row.canaries else "–"
    numbers = (row.runs, row.found, row.reproduced, row.passed, row.unknown, row.broken)
    return (stamp(row.begin), *(str(number) for number in numbers), canaries, row.setting.get("commit", ""))


ROW_NAMES = ("begin", ">runs", ">findings", ">known bugs", ">passed", ">unknown", ">harness errors", "canaries caught",
             "commit")  # fmt: skip


def summary_line(found: Report) -> str:
    row = found.tonight
    judged = row.passed + row.found + row.reproduced
    runs = f"{counted(row.runs - row.canaries, 'run')} ({judged} judged)"
    canaries = f" and {counted(row.canaries, 'canary', 'canaries')}" if row.canaries else ""
    return f"{row.path}, {stamp(row.begin)}: {runs}{canaries}, which took {hours(row.took_s)}; seed {row.seed}"


EXIT_WORDS = {
    EXIT_PASS: "pass",
    EXIT_FINDING: "a finding, or a canary that was not caught",
    EXIT_UNKNOWN: "unknown: most of it proves nothing",
    EXIT_HARNESS: "the harness failed",
    EXIT_INTERRUPTED: "interrupted",
}
