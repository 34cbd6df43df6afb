"""The closing summary: what happened, in the order in which a person asks.

Verdict and headline; what did not hold and why; what the clients of each vtgate saw and what its buffer
did; the worst shards; errors with an example; how to do it again and where everything is. The verdict is
said again at the end, because on a small screen the top has scrolled away.
"""

from __future__ import annotations

import io
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from harness.history import History
from harness.model import CheckResult, Outcome, RunVerdict, Verdict
from harness.reports.digest import Digest, LaneFacts, VtgateFacts, digest
from harness.reports.kinds import ErrorKind
from harness.reports.known import reproduced_issue
from harness.reports.pressure import pressure_sentence
from harness.reports.words import (
    EXIT_MEANING,
    buffering_ended,
    clean,
    count,
    duration,
    plural,
    reproduce,
    shape,
    shorten,
    stall_words,
    verdict_sentence,
    verdict_word,
    versions,
)

WIDE = 130  # from here on, one table a vtgate instead of two
FILE_WIDTH = 100
WORST_LANES = 8
WORTH_TELLING_NS = 100_000_000  # a shorter stall is what one slow operation looks like
DETAILS = 8
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
    out.write_text(_plain(history, verdict, digest(history), FILE_WIDTH, out.parent), encoding="utf-8")
    return out


def show(history: History, verdict: RunVerdict, console: Console, *, folder: Path, facts: Digest | None = None) -> None:
    """Print the summary of the run in `folder`: in colour on a terminal, plain elsewhere, in ASCII where it must be.

    Saved reports are named, so call it after they are saved.
    """
    facts = facts or digest(history)
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
    _checks(console, verdict)
    _vtgates(console, facts)
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
    badge.add_row("", Text(verdict_sentence(verdict)))
    console.print(badge)
    console.print()
    _line(console, shape(history))
    _line(console, _operations(facts))
    _line(console, pressure_sentence(history))
    for note in history.plan.notes:
        _line(console, f"Note: {note}")
    for missing in history.incomplete:
        _line(console, f"Incomplete: {missing}", style="yellow")


def _badge(word: str) -> Text:
    return Text(f" {word} ", style=f"bold {_STYLES[word]}")


def _operations(facts: Digest) -> str:
    """`60,160 operations in 47.0 s: 52 failed, 4 unknown, 2,172 not issued.`"""
    if not facts.ops:
        return "No operation was recorded."
    named = {Outcome.FAIL: "failed", Outcome.UNKNOWN: "with unknown outcome", Outcome.NOT_ISSUED: "not issued"}
    bad = [f"{count(facts.outcomes[outcome])} {word}" for outcome, word in named.items() if facts.outcomes[outcome]]
    return f"{count(facts.ops)} operations on record: {', '.join(bad) or 'all succeeded'}."


def _vtgates(console: Console, facts: Digest) -> None:
    if not facts.vtgates:
        return
    _title(console, "Clients and buffers, by vtgate")
    wide = console.width >= WIDE
    seen = _table("vtgate", "version", *_SEEN, *(_BUFFER if wide else ()))
    buffers = _table("vtgate", *_BUFFER)
    for vtgate in facts.vtgates:
        buffer = _buffer_cells(vtgate)
        seen.add_row(vtgate.name, vtgate.version, *_seen_cells(vtgate), *(buffer if wide else ()))
        buffers.add_row(vtgate.name, *buffer)
    console.print(seen)
    if not wide:
        console.print()
        console.print(buffers)


_SEEN = (">ops", ">failed", ">unknown", ">not\nissued", ">p99", ">worst\nstall", "shard")
_BUFFER = (">buffered", ">drained", ">evicted", "buffering ended by")


def _seen_cells(vtgate: VtgateFacts) -> list[Text]:
    worst = vtgate.worst
    return [
        Text(count(vtgate.ops)),
        _alarm(vtgate.outcomes[Outcome.FAIL], "red"),
        _alarm(vtgate.outcomes[Outcome.UNKNOWN], "red"),
        _alarm(vtgate.outcomes[Outcome.NOT_ISSUED], "magenta"),
        Text(duration(vtgate.p99_ns)),
        Text(stall_words(worst.stall.span_ns, worst.stall.open) if worst else "–"),
        Text(worst.shard if worst else ""),
    ]


def _buffer_cells(vtgate: VtgateFacts) -> list[Text]:
    buffer = vtgate.buffer
    return [
        Text(count(buffer.buffered)),
        Text(count(buffer.drained)),
        _alarm(buffer.evicted_total, "red"),
        Text("; ".join(buffering_ended(buffer))),
    ]


def _worst(console: Console, facts: Digest) -> None:
    worst = [lane for lane in facts.worst_lanes if lane.stall.span_ns >= WORTH_TELLING_NS or lane.bad][:WORST_LANES]
    if not worst:
        if facts.ops:
            _line(console, f"No shard stalled for {duration(WORTH_TELLING_NS)} or lost an operation.")
        return
    several = len(facts.vtgates) > 1
    _title(console, f"Worst shards ({len(worst)} of {plural(len(facts.lanes), 'lane')}, by stall)")
    table = _table("shard", *(("vtgate",) if several else ()), *_WORST)
    for lane in worst:
        table.add_row(Text(lane.shard), *((Text(lane.vtgate),) if several else ()), *_worst_cells(lane))
    console.print(table)
    _line(
        console,
        "stall: no operation succeeded although some were due; factor: stall / own reparent; >, open: not over yet.",
        style="dim",
    )


_WORST = (">own\nreparent", ">stall", ">factor", ">p99", ">failed", ">unknown", ">not\nissued")


def _worst_cells(lane: LaneFacts) -> list[Text]:
    reparent = duration(lane.reparent_ns)
    if lane.reparent and lane.reparent.error:
        reparent = "failed"
    elif lane.reparent and not lane.reparent.end_ns:
        reparent = "open"
    factor = f"{lane.factor:.1f}" if lane.factor is not None else "–"
    return [
        Text(reparent),
        Text(stall_words(lane.stall.span_ns, lane.stall.open)),
        Text(factor),
        Text(duration(lane.p99_ns)),
        _alarm(lane.outcomes[Outcome.FAIL], "red"),
        _alarm(lane.outcomes[Outcome.UNKNOWN], "red"),
        _alarm(lane.outcomes[Outcome.NOT_ISSUED], "magenta"),
    ]


def _checks(console: Console, verdict: RunVerdict) -> None:
    _title(console, "Checks")
    if not verdict.results:
        _line(console, "None was run.", style="yellow")
    for result in sorted(verdict.results, key=lambda result: -result.verdict):
        if result.verdict is not Verdict.PASS or reproduced_issue(result):
            _problem(console, result)
    passed = [result for result in verdict.results if result.verdict is Verdict.PASS and not reproduced_issue(result)]
    if passed:
        console.print(_hanging("✓", f"{len(passed)} passed: {', '.join(_joined(verdict, passed))}", "green"))


def _joined(verdict: RunVerdict, passed: list[CheckResult]) -> list[str]:
    """The names of checks; with the subjects only where another subject of the same check did not pass."""
    mixed = {result.check for result in verdict.results if result not in passed}
    return list(dict.fromkeys(_name(result) if result.check in mixed else clean(result.check) for result in passed))


def _problem(console: Console, result: CheckResult) -> None:
    issue = reproduced_issue(result)
    mark, word, style = {
        Verdict.FAIL: ("✗", "FAIL", "bold red"),
        Verdict.UNKNOWN: ("?", "UNKNOWN", "bold yellow"),
        Verdict.PASS: ("✓", f"REPRODUCED {issue}", "bold cyan"),
    }[result.verdict]
    console.print(_hanging(mark, f"{_name(result)}: {clean(result.summary)} ({word}, {result.kind})", style))
    for detail in result.details[:DETAILS]:
        console.print(_hanging("   -", clean(detail), "dim"))
    if len(result.details) > DETAILS:
        console.print(
            Padding(
                Text(f"… and {len(result.details) - DETAILS} more in the report", "dim"), (0, 0, 0, 4), expand=False
            )
        )


def _name(result: CheckResult) -> str:
    return clean(f"{result.check} [{result.subject}]" if result.subject else result.check)


def _errors(console: Console, facts: Digest) -> None:
    if not facts.kinds:
        return
    _title(console, f"What clients were told (seconds since {facts.zero_words})")
    for kind in facts.kinds[:KINDS]:
        console.print(_hanging("·", _kind_line(facts, kind), "red" if kind.outcome is Outcome.FAIL else "magenta"))
        if kind.outcome is not Outcome.NOT_ISSUED:
            console.print(
                Padding(Text(shorten(kind.example, 2 * console.width - 12), "dim"), (0, 0, 0, 4), expand=False)
            )
    if len(facts.kinds) > KINDS:
        _line(console, f"… and {plural(len(facts.kinds) - KINDS, 'kind')} more in the report", style="dim")


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
    _title(console, "In the end")
    meaning = EXIT_MEANING.get(verdict.exit_code, "")
    word = verdict_word(verdict)
    ended = Text.assemble(_badge(word), f" exit code {verdict.exit_code}{f' ({meaning})' if meaning else ''}")
    console.print(_hanging("verdict ", ended, "dim"))
    console.print(_hanging("versions ", ", ".join(f"{name} {v}" for name, v in versions(history).items()), "dim"))
    console.print(_hanging("seed     ", str(history.plan.seed), "dim"))
    page = folder / "report.html"
    _copyable(console, "reproduce", reproduce(history))
    _copyable(console, "report", str(page) if page.is_file() else f"vtchaos report {folder} writes report.html")
    _copyable(console, "run", str(folder))


def _copyable(console: Console, name: str, value: str) -> None:
    """Never broken by us: a command line or a path must survive copy and paste at any width."""
    console.print(Text.assemble((f"{name:<9} ", "dim"), clean(value)), soft_wrap=True)


def _hanging(mark: str, text: str | Text, style: str) -> Table:
    """A mark and a text that wraps beside it."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text(mark, style=style), Text(text) if isinstance(text, str) else text)
    return grid


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _line(console: Console, text: str, style: str = "") -> None:
    if text:
        console.print(Text(clean(text), style=style))


def _alarm(number: float | None, style: str) -> Text:
    return Text(count(number), style=style if number else "")


def _table(*names: str) -> Table:
    """Columns by name; a leading > aligns right. Only the last one may wrap."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in names:
        right = name.startswith(">")
        wraps = name == names[-1] and not right
        table.add_column(
            name.removeprefix(">"), justify="right" if right else "left", vertical="top", no_wrap=not wraps
        )
    return table
