"""Why clients waited or failed, as every report tells it. The causes are the verdict's; nothing is attributed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.causes import UNEXPLAINED, Blame, CauseRow
from harness.reports.words import clean, count, duration, plural, tally

DOING: Mapping[Blame, str] = {
    Blame.RUN: "the run",
    Blame.DESIGN: "Vitess's design",
    Blame.SETTING: "a setting",
    Blame.VITESS: "a defect of Vitess",
    Blame.HOST: "the host",
    Blame.HARNESS: "the harness",
    Blame.NOBODY: "unexplained",
}
MEANING: Mapping[Blame, str] = {
    Blame.RUN: "what the run did to the cluster costs this, in any version",
    Blame.DESIGN: "Vitess works as designed, and the design costs this",
    Blame.SETTING: "a flag was set so that it costs this",
    Blame.VITESS: "Vitess could have served",
    Blame.HOST: "the machine had no CPU left: says nothing about Vitess",
    Blame.HARNESS: "the instrument itself stood still: says nothing about Vitess",
    Blame.NOBODY: "no known cause claims it: a finding of its own",
}
AFFECTED = (
    "An affected operation failed, was never issued, or waited half a second or longer from the moment it was due."
)


def affected(causes: Sequence[CauseRow]) -> int:
    return sum(row.operations for row in causes)


def by_doing(causes: Sequence[CauseRow]) -> tuple[tuple[Blame, int], ...]:
    """Affected operations by whose doing it was, the most first."""
    sums: Counter[Blame] = Counter()
    for row in causes:
        sums[row.blame] += row.operations
    order = list(Blame)
    return tuple(sorted(((b, n) for b, n in sums.items() if n), key=lambda pair: (-pair[1], order.index(pair[0]))))


def doing_sentence(causes: Sequence[CauseRow]) -> str:
    """`Whose doing the 412 affected operations were: Vitess's design 398 (97 %), the run 14 (3 %).`; "" without any."""
    total = affected(causes)
    if not total:
        return ""
    parts = [f"{DOING[blame]} {count(number)} ({_percent(number, total)})" for blame, number in by_doing(causes)]
    rest = "" if any(row.cause == UNEXPLAINED for row in causes) else " Nothing is unexplained."
    return f"Whose doing the {plural(total, 'affected operation')} were: {', '.join(parts)}.{rest}"


def _percent(number: int, total: int) -> str:
    share = 100 * number / total
    return f"{share:.0f} %" if 1 <= share <= 99 or share in (0, 100) else f"{share:.1f} %"


def through_words(row: CauseRow) -> str:
    """What a starved host made slow: `own-reparent 12, keyspace-wide-consistency 3`."""
    return clean(tally(row.through))


def title_words(row: CauseRow) -> str:
    """`the host had no free core (beneath it: fault-in-force 55)`"""
    beneath = through_words(row)
    return f"{clean(row.title)} (beneath it: {beneath})" if beneath else clean(row.title)


def summary_words(row: CauseRow) -> str:
    """`390 waited only; buffer-evicted 8, not-issued 2; most in -08 12, 08-10 9 and 29 more`"""
    only = row.operations - sum(row.classes.values())
    parts = [f"{count(only)} waited only" if only > 0 else "", clean(tally(row.classes))]
    parts.append(f"most in {shards_words(row)}" if row.shards else "")
    return "; ".join(part for part in parts if part)


def shards_words(row: CauseRow, most: int = 3) -> str:
    """`-08 12, 08-10 9, 10-18 4 and 29 more`, the most operations first."""
    ranked = sorted(row.shards.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(ranked) - most} more" if len(ranked) > most else ""
    return clean(", ".join(f"{shard} {count(number)}" for shard, number in ranked[:most])) + more


def cause_line(row: CauseRow) -> str:
    """One line: where there is no table."""
    through = f" through {clean(row.vtgate)}" if row.vtgate else ""
    errors = f", {plural(row.errors, 'error')}" if row.errors else ""
    return (
        f"{clean(row.title)} ({DOING[row.blame]}): {plural(row.operations, 'operation')}{through}{errors}, "
        f"waited {duration(row.waited_s * 1e9)} in all, the longest {duration(row.worst_s * 1e9)}"
    )


def advice_of(causes: Sequence[CauseRow]) -> tuple[tuple[str, str], ...]:
    """(title, what to do about it) of every cause that has an advice, each once."""
    return tuple(dict.fromkeys((clean(row.title), clean(row.advice)) for row in causes if row.advice))
