"""The streams of a run in the closing summary: a line each, the worst first, and their copy cycles."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from harness.facts.cycles import StreamCopy, cpu_ns_per_row
from harness.history import History
from harness.reports.digest import Digest
from harness.reports.stream_words import (
    attempt_kinds,
    copy_rate,
    cycles_line,
    how_ended,
    many_cycles_line,
    worst_first,
)
from harness.reports.text_parts import hanging, line, table, title
from harness.reports.words import clean, count, duration, plural, shorten

STREAMS = 8
WIDE = 100  # from here on, with the vtgates' versions where they differ
NAMED_CYCLES = 3  # streams whose cycles have a line of their own
KINDS = 4
_COLUMNS = (">tries", ">cycles", ">cut", ">copied", ">replic.", ">copy\ntook", ">rows/s", ">CPU\na row")


def show_streams(console: Console, history: History, facts: Digest) -> None:
    copies = facts.streams
    if not copies:
        if history.plan.streams:
            line(console, "No stream was recorded.", style="yellow")
        return
    shown = worst_first(copies)[:STREAMS]
    title(console, f"Streams ({plural(len(copies), 'stream')}, {count(sum(copy.rows for copy in copies))} rows)")
    versions = {vtgate.name: vtgate.version for vtgate in facts.vtgates} if console.width >= WIDE else {}
    several = len(set(versions.values())) > 1
    rows = table("stream", *(("version",) if several else ()), *_COLUMNS)
    cpu = cpu_ns_per_row(copies)
    for copy in shown:
        version = (Text(clean(versions.get(copy.lane.vtgate, "?"))),) if several else ()
        rows.add_row(Text(clean(copy.lane.name)), *version, *_cells(copy), Text(duration(cpu.get(copy.lane.vtgate))))
    console.print(rows)
    if len(copies) > len(shown):
        line(console, f"… and {plural(len(copies) - len(shown), 'stream')} more in the report", style="dim")
    _cycles(console, copies)
    _ends(console, facts)


def _cells(copy: StreamCopy) -> list[Text]:
    return [
        Text(count(len(copy.attempts))),
        Text(count(len(copy.item_cycles))),
        Text(count(copy.cuts), style="yellow" if copy.cuts else ""),
        Text(count(copy.rows_copied)),
        Text(count(copy.rows_replicated)),
        Text(duration(copy.copy_ns) if copy.completed_ns else "never", style="" if copy.completed_ns else "red"),
        Text(copy_rate(copy)),
    ]


def _cycles(console: Console, copies: Sequence[StreamCopy]) -> None:
    if len(copies) > NAMED_CYCLES:
        line(console, many_cycles_line(copies))
        return
    for copy in copies:
        line(console, f"{copy.lane.name}: {cycles_line(copy.item_cycles, copy.cuts)}")


def _ends(console: Console, facts: Digest) -> None:
    """What the server told clients; then how the streams ended that it told nothing."""
    kinds = attempt_kinds(facts.streams)
    for kind in kinds[:KINDS]:
        errno = f"errno {kind.errno} ({kind.code})" if kind.errno else kind.code
        first, last = (f"{facts.seconds(at_ns):+.1f} s" for at_ns in (kind.first_ns, kind.last_ns))
        when = first if first == last else f"{first} to {last}"
        whose = ", ".join(kind.streams) if len(kind.streams) <= NAMED_CYCLES else plural(len(kind.streams), "stream")
        told = f"{plural(kind.number, 'attempt')} of {whose} ended with {errno}, {when}"
        console.print(hanging("·", told, "red"))
        console.print(Padding(Text(shorten(kind.example, 2 * console.width - 12), "dim"), (0, 0, 0, 4), expand=False))
    if len(kinds) > KINDS:
        line(console, f"… and {plural(len(kinds) - KINDS, 'kind')} more in the report", style="dim")
    quiet = [copy for copy in worst_first(facts.streams) if not copy.ended_by_server]
    for how in dict.fromkeys(how_ended(copy) for copy in quiet):
        names = [copy.lane.name for copy in quiet if how_ended(copy) == how]
        whose = ", ".join(names) if len(names) <= NAMED_CYCLES else plural(len(names), "stream")
        line(console, f"{how}: {whose}", style="" if "before" in how or "never" in how else "dim")
