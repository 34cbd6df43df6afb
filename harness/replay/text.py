"""A replay beside what it replayed, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from harness.facts.words import counted, listed
from harness.many.records import RunRecord
from harness.repeats.text import rate_words
from harness.replay.replaying import Compared, is_alike, shown
from harness.replay.schedule import Issued, Pair
from harness.reports.text_parts import line, table, title
from harness.reports.words import clean
from harness.statistics.rates import rate

MOST_PAIRS = 40


def show(found: Compared, console: Console, *, judged: bool) -> None:
    """`judged`: what the earlier run showed is known."""
    title(console, f"What {found.source} issued, and what was issued now")
    if found.pairs:
        rows = table("fault", ">then", ">now", ">for", ">for now", "target", wrapped=("fault",))
        for pair in found.pairs[:MOST_PAIRS]:
            rows.add_row(*(Text(clean(cell)) for cell in _cells(pair)), style="" if is_alike(pair) else "yellow")
        console.print(rows)
    line(console, _faults_sentence(found.pairs))
    if not judged:
        line(console, "What that run showed cannot be told: its checks are not those of this version.", style="yellow")
        return
    line(console, showed_sentence(found), style="bold")
    for name in dict.fromkeys((*found.then, *found.now)):
        where = "both" if name in found.then and name in found.now else "then" if name in found.then else "now"
        line(console, f"  {where}: {name}")


def _cells(pair: Pair) -> tuple[str, ...]:
    then, now = pair.then, pair.now
    either = then or now
    assert either is not None
    return either.fault, _at(then), _at(now), _hold(then), _hold(now), _targets(then, now)


def _at(each: Issued | None) -> str:
    return "–" if each is None else f"{each.at_s:.2f} s"


def _hold(each: Issued | None) -> str:
    return "" if each is None or each.hold_s is None else f"{each.hold_s:.2f} s"


def _targets(then: Issued | None, now: Issued | None) -> str:
    if then is not None and now is not None:
        same = set(then.targets) == set(now.targets)
        return listed(then.targets) if same else f"{listed(then.targets)}; now {listed(now.targets)}"
    only = "only then" if now is None else "only now"
    targets = [target for each in (then, now) if each is not None for target in each.targets]
    return f"{listed(targets)} ({only})"


def _faults_sentence(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return "Neither of them issued a fault."
    alike = sum(is_alike(pair) for pair in pairs)
    if alike == len(pairs):
        return f"{counted(alike, 'fault')}, on the same targets at the same time."
    return f"{alike} of {counted(len(pairs), 'fault')} on the same targets at the same time; the others differ."


def showed_sentence(found: Compared) -> str:
    if not found.now_counts:
        errors = f"Clients saw {counted(found.then_errors, 'error')} then and {found.now_errors:,} now."
        if not found.then_counts:
            return f"Neither of the two runs proves anything. {errors}"
        return f"This run proves nothing, so whether the same shows is not known. {errors}"
    if not found.then_counts:
        return f"That run had proved nothing; now {counted(len(found.now), 'thing')} showed."
    if found.same:
        return "The same showed again." if found.then else "Neither of them showed anything."
    again = set(found.then) & set(found.now)
    if not found.then:
        return "Now something showed that had not."
    new = set(found.now) - set(found.then)
    more = f", and {len(new)} that had not" if new else ""
    return f"Of {counted(len(found.then), 'thing')} that had shown {len(again)} showed again{more}."


def show_times(then: RunRecord | None, runs: Sequence[RunRecord], console: Console) -> None:
    """How often what the earlier run showed showed again, and what else did. None: there is only a plan."""
    counting = [run for run in runs if run.counts]
    before = shown(then) if then is not None else ()
    title(console, f"How often it showed{' again' if before else ''} (95 % confidence)")
    if then is not None and not before:
        line(console, "Nothing had shown." if then.counts else "That run had proved nothing.")
    if not counting:
        line(console, f"None of {counted(len(runs), 'run')} proves anything, so how often it shows is not known.")
        return
    names = dict.fromkeys((*before, *(each for run in counting for each in shown(run))))
    for name in names:
        seen = sum(name in shown(run) for run in counting)
        share = f"in {seen} of {counted(len(counting), 'run')}, {rate_words(rate(seen, len(counting)))}"
        new = " (had not shown)" if then is not None and name not in before else ""
        line(console, f"  showed {'again ' if name in before else ''}{share}: {name}{new}")
    if not names:
        line(console, f"Nothing showed in {counted(len(counting), 'run')}.")
