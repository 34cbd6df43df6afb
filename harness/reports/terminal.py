"""The closing summary: what happened, in the order in which a person asks.

Verdict and headline; what did not hold and why; what the clients of each vtgate saw and what its buffer
did; the worst shards; errors with an example; how to do it again and where everything is. The verdict is
said again at the end, because on a small screen the top has scrolled away.
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from harness.history import History
from harness.model import Outcome, RunVerdict
from harness.reports.digest import Digest, LaneFacts, VtgateFacts, digest
from harness.reports.kinds import ErrorKind
from harness.reports.pressure import pressure_sentence
from harness.reports.terminal_causes import show_causes
from harness.reports.terminal_checks import show_checks
from harness.reports.terminal_outages import show_outages
from harness.reports.terminal_streams import show_streams
from harness.reports.terminal_workflow import show_workflow
from harness.reports.text_parts import alarm, copyable, hanging, line, table, title
from harness.reports.words import (
    EXIT_MEANING,
    buffering_ended,
    clean,
    count,
    duration,
    plural,
    reproduce,
    run_sentence,
    shape,
    shorten,
    stall_words,
    verdict_word,
    versions,
)

WIDE = 130  # from here on, one table a vtgate instead of two
FILE_WIDTH = 100
WORST_LANES = 8
WORTH_TELLING_NS = 100_000_000  # a shorter stall is what one slow operation looks like
KINDS = 8
_STYLES = {
    "PASS": "black on green",
    "REPRODUCED": "black on cyan",
    "UNKNOWN": "black on yellow",
    "FINDING": "white on red",
    "HARNESS ERROR": "black on yellow",
    "INTERRUPTED": "black on yellow",
}
_ASCII = str.maketrans({"–": "-", "×": "x", "…": "~", "µ": "u", "✗": "x", "✓": "+", "─": "-", "→": ">", "·": "-"})


def render(history: History, verdict: RunVerdict, out: Path) -> Path:
    """The summary as plain text in a file."""
    out.write_text(_plain(history, verdict, digest(history), FILE_WIDTH, out.parent.absolute()), encoding="utf-8")
    return out


def show(history: History, verdict: RunVerdict, console: Console, *, folder: Path, facts: Digest | None = None) -> None:
    """Print the summary of the run in `folder`: in colour on a terminal, plain elsewhere, in ASCII where it must be.

    Saved reports are named, by absolute paths wherever it is read, so call it after they are saved.
    """
    facts = facts or digest(history)
    folder = folder.absolute()
    if console.is_terminal and not console.options.ascii_only:
        _sections(history, verdict, facts, console, folder)
        return
    plain = _plain(history, verdict, facts, console.width, folder)
    if console.options.ascii_only:
        plain = plain.translate(_ASCII).encode("ascii", "replace").decode()
    console.print(Text(plain), end="", soft_wrap=True)


def _plain(history: History, verdict: RunVerdict, facts: Digest, width: int, folder: Path) -> str:
    """Without colour and without the blanks that fill table cells."""
    text = io.StringIO()
    _sections(history, verdict, facts, Console(file=text, width=width, color_system=None), folder)
    return "".join(line.rstrip() + "\n" for line in text.getvalue().splitlines())


def _sections(history: History, verdict: RunVerdict, facts: Digest, console: Console, folder: Path) -> None:
    _answer(console, history, verdict, facts)
    show_checks(console, history, verdict)
    show_causes(console, verdict)
    show_streams(console, history, facts)
    show_workflow(console, history, facts)
    _vtgates(console, facts)
    show_outages(console, history)
    _worst(console, facts)
    _errors(console, facts)
    _again(console, history, verdict, folder)


def _answer(console: Console, history: History, verdict: RunVerdict, facts: Digest) -> None:
    word = verdict_word(verdict)
    console.print(Rule(Text(clean(verdict.experiment), style="bold"), characters="─", style="dim"))
    badge = Table.grid(padding=(0, 2, 0, 0))
    badge.add_column(no_wrap=True)
    badge.add_column()
    badge.add_row(_badge(word), Text(clean(verdict.headline), style="bold"))
    badge.add_row("", Text(run_sentence(history, verdict), style="bold magenta" if history.plan.sabotage else ""))
    console.print(badge)
    console.print()
    line(console, shape(history))
    line(console, _operations(history, facts))
    line(console, pressure_sentence(history))
    for note in history.plan.notes:
        line(console, f"Note: {note}")
    for missing in history.incomplete:
        line(console, f"Incomplete: {missing}", style="yellow")


def _badge(word: str) -> Text:
    return Text(f" {word} ", style=f"bold {_STYLES[word]}")


def _operations(history: History, facts: Digest) -> str:
    """`60,160 operations in 47.0 s: 52 failed, 4 unknown, 2,172 not issued.`"""
    if not facts.ops:
        return "No operation was recorded." if history.plan.load else ""
    named = {Outcome.FAIL: "failed", Outcome.UNKNOWN: "with unknown outcome", Outcome.NOT_ISSUED: "not issued"}
    bad = [f"{count(facts.outcomes[outcome])} {word}" for outcome, word in named.items() if facts.outcomes[outcome]]
    return f"{count(facts.ops)} operations on record: {', '.join(bad) or 'all succeeded'}."


def _vtgates(console: Console, facts: Digest) -> None:
    if not facts.vtgates or not (facts.lanes or facts.buffered):
        return
    title(console, "Clients and buffers, by vtgate" if facts.buffered else "Clients, by vtgate")
    wide = console.width >= WIDE and facts.buffered
    seen = table("vtgate", "version", *_SEEN, *(_BUFFER if wide else ()))
    buffers = table("vtgate", *_BUFFER)
    for vtgate in facts.vtgates:
        buffer = _buffer_cells(vtgate)
        name, version = Text(clean(vtgate.name)), Text(clean(vtgate.version))
        seen.add_row(name, version, *_seen_cells(vtgate), *(buffer if wide else ()))
        buffers.add_row(name, *buffer)
    console.print(seen)
    if facts.buffered and not wide:
        console.print()
        console.print(buffers)


_SEEN = (">ops", ">failed", ">unknown", ">not\nissued", ">p99", ">worst\nstall", "shard")
_BUFFER = (">buffered", ">drained", ">evicted", "buffering ended by")


def _seen_cells(vtgate: VtgateFacts) -> list[Text]:
    worst = vtgate.worst
    return [
        Text(count(vtgate.ops)),
        alarm(vtgate.outcomes[Outcome.FAIL], "red"),
        alarm(vtgate.outcomes[Outcome.UNKNOWN], "red"),
        alarm(vtgate.outcomes[Outcome.NOT_ISSUED], "magenta"),
        Text(duration(vtgate.p99_ns)),
        Text(stall_words(worst.stall.span_ns, worst.stall.open) if worst else "–"),
        Text(clean(worst.shard) if worst else ""),
    ]


def _buffer_cells(vtgate: VtgateFacts) -> list[Text]:
    buffer = vtgate.buffer
    return [
        Text(count(buffer.buffered)),
        Text(count(buffer.drained)),
        alarm(buffer.evicted_total, "red"),
        Text(clean("; ".join(buffering_ended(buffer)))),
    ]


def _worst(console: Console, facts: Digest) -> None:
    worst = [lane for lane in facts.worst_lanes if lane.stall.span_ns >= WORTH_TELLING_NS or lane.bad][:WORST_LANES]
    if not worst:
        if facts.ops:
            line(console, f"No shard stalled for {duration(WORTH_TELLING_NS)} or lost an operation.")
        return
    several = len(facts.vtgates) > 1
    title(console, f"Worst shards ({len(worst)} of {plural(len(facts.lanes), 'lane')}, by stall)")
    first = (">own\nreparent", ">stall", ">factor") if facts.reparented else (">stall",)
    rows = table("shard", *(("vtgate",) if several else ()), *first, *_WORST)
    for lane in worst:
        cells = _reparent_cells(lane) if facts.reparented else [_stall(lane)]
        names = (lane.shard, lane.vtgate) if several else (lane.shard,)
        rows.add_row(*(Text(clean(name)) for name in names), *cells, *_worst_cells(lane))
    console.print(rows)
    factor = " factor: stall / own reparent;" if facts.reparented else ""
    line(
        console,
        f"stall: no operation succeeded although some were due;{factor} >, open: not over yet.",
        style="dim",
    )


_WORST = (">p99", ">failed", ">unknown", ">not\nissued")


def _stall(lane: LaneFacts) -> Text:
    return Text(stall_words(lane.stall.span_ns, lane.stall.open))


def _reparent_cells(lane: LaneFacts) -> list[Text]:
    reparent = duration(lane.reparent_ns)
    if lane.reparent and lane.reparent.error:
        reparent = "failed"
    elif lane.reparent and not lane.reparent.end_ns:
        reparent = "open"
    factor = f"{lane.factor:.1f}" if lane.factor is not None else "–"
    return [Text(reparent), _stall(lane), Text(factor)]


def _worst_cells(lane: LaneFacts) -> list[Text]:
    return [
        Text(duration(lane.p99_ns)),
        alarm(lane.outcomes[Outcome.FAIL], "red"),
        alarm(lane.outcomes[Outcome.UNKNOWN], "red"),
        alarm(lane.outcomes[Outcome.NOT_ISSUED], "magenta"),
    ]


def _errors(console: Console, facts: Digest) -> None:
    if not facts.kinds:
        return
    title(console, f"What clients were told (seconds since {facts.zero_words})")
    for kind in facts.kinds[:KINDS]:
        console.print(
            hanging("·", clean(_kind_line(facts, kind)), "red" if kind.outcome is Outcome.FAIL else "magenta")
        )
        if kind.outcome is not Outcome.NOT_ISSUED:
            console.print(
                Padding(Text(shorten(kind.example, 2 * console.width - 12), "dim"), (0, 0, 0, 4), expand=False)
            )
    if len(facts.kinds) > KINDS:
        line(console, f"… and {plural(len(facts.kinds) - KINDS, 'kind')} more in the report", style="dim")


def _kind_line(facts: Digest, kind: ErrorKind) -> str:
    words = {
        Outcome.FAIL: "surely not applied",
        Outcome.UNKNOWN: "may have been applied",
        Outcome.NOT_ISSUED: "no connection became free in time",
    }
    first, last = facts.seconds(kind.first_ns), facts.seconds(kind.last_ns)
    where = f"{plural(len(kind.shards), 'shard')} through {', '.join(kind.vtgates) or '?'}"
    return f"{count(kind.number)} × {kind.title} ({words[kind.outcome]}), {where}, {first:+.1f} s to {last:+.1f} s"


def _again(console: Console, history: History, verdict: RunVerdict, folder: Path) -> None:
    title(console, "In the end")
    meaning = EXIT_MEANING.get(verdict.exit_code, "")
    word = verdict_word(verdict)
    ended = Text.assemble(_badge(word), f" exit code {verdict.exit_code}{f' ({meaning})' if meaning else ''}")
    console.print(hanging("verdict ", ended, "dim"))
    console.print(hanging("versions ", clean(", ".join(f"{name} {v}" for name, v in versions(history).items())), "dim"))
    console.print(hanging("seed     ", str(history.plan.seed), "dim"))
    page = folder / "report.html"
    for index, words in enumerate(reproduce(history).splitlines()):
        copyable(console, "" if index else "reproduce", words)
    copyable(console, "exactly", f"vtchaos replay {folder}")
    copyable(console, "report", str(page) if page.is_file() else f"vtchaos report {folder} writes report.html")
    copyable(console, "run", str(folder))
