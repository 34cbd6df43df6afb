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
        return "This run proves nothing, so that nothing could show."
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


def show_times(then: RunRecord, runs: Sequence[RunRecord], console: Console) -> None:
    """How often what the earlier run showed showed again, and what else did."""
    counting = [run for run in runs if run.counts]
    title(console, "How often it showed again (95 % confidence)")
    if not shown(then):
        line(console, "Nothing had shown." if then.counts else "That run had proved nothing.")
    for name in dict.fromkeys((*shown(then), *(each for run in counting for each in shown(run)))):
        seen = sum(name in shown(run) for run in counting)
        found = rate(seen, len(counting))
        new = "" if name in shown(then) else " (had not shown)"
        line(console, f"  {seen} of {counted(len(counting), 'run')}, {rate_words(found)}: {name}{new}")
