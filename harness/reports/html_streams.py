"""What the HTML page tells of streams: tiles, figures, and the values of the section "Copy cycles"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.facts.cycles import StreamCopy, cpu_ns_per_row
from harness.history import History
from harness.reports import words
from harness.reports.charts import Figure
from harness.reports.digest import Digest
from harness.reports.stream_charts import cycle_chart
from harness.reports.stream_lanes import COLOURS, Drawn, colour_legend, drawn
from harness.reports.stream_row_chart import drawn_as_bars, row_chart
from harness.reports.stream_words import attempt_kinds, how_ended, in_trouble, pause_words, worst_first

TABLE_ROWS = 12  # the others unfold
MESSAGE, SHORT = 1_000, 140  # characters of a server's message that are shown: once in full
_MEANING = {
    "complete": "its table was complete",
    "cut": "cut: the same attempt copied the table again",
    "failed": "the server ended its attempt",
    "left": "the client ended its attempt",
    "open": "open when the record ended",
}


def stream_tiles(found: Digest) -> list[tuple[str, str, str]]:
    """(figure, what it is, class)."""
    copies = found.streams
    if not copies:
        return []
    cycles = sum(len(copy.item_cycles) for copy in copies)
    failed = sum(len(copy.failed_attempts) for copy in copies)
    unfinished = sum(not copy.completed_ns for copy in copies)
    tiles = [
        (
            words.count(sum(copy.rows for copy in copies)),
            f"rows delivered to {words.plural(len(copies), 'stream')}",
            "",
        ),
        (words.count(cycles), "copy cycles", ""),
        (words.count(sum(copy.cuts for copy in copies)), "of them cut", ""),
        (words.count(failed), f"attempt{'' if failed == 1 else 's'} ended by the server", "bad" if failed else ""),
    ]
    if unfinished:
        of = words.plural(len(copies), "stream")
        tiles.append((words.count(unfinished), f"of {of} did not complete the copy", "odd"))
    pause = pause_words(copies)
    if pause:
        tiles.append((pause[0], f"longest pause between responses while copying: {pause[1]}", ""))
    return tiles


def stream_figures(history: History, found: Digest, shown: Drawn) -> dict[str, Figure]:
    """Element id → figure."""
    if not shown.bars and not any(copy.attempts for copy in found.streams):
        return {}
    figures = {"cycles": cycle_chart(history, found, shown)}
    if any(copy.rows for copy in found.streams):
        figures["stream-rows"] = row_chart(history, found, shown)
    return figures


def stream_view(history: History, found: Digest, shown: Drawn) -> dict[str, Any]:
    """The values of `templates/streams.html`."""
    versions = {vtgate.name: vtgate.version for vtgate in found.vtgates}
    cpu = cpu_ns_per_row(found.streams)
    rows = [_row(copy, versions, cpu.get(copy.lane.vtgate)) for copy in worst_first(found.streams)]
    used = {bar.how for lane in shown.lanes for bar in lane.bars}
    return {
        "first": rows[:TABLE_ROWS],
        "rest": rows[TABLE_ROWS:],
        "kinds": [_kind(found, kind) for kind in attempt_kinds(found.streams)],
        "legend": [(how, _MEANING[how]) for how in COLOURS if how in used],
        "colours": colour_legend(found, shown),
        "bars": drawn_as_bars(shown),
        "notes": _notes(shown),
    }


def shown_streams(found: Digest) -> Drawn:
    return drawn(found.streams)


def _row(copy: StreamCopy, versions: dict[str, str], cpu_ns: float | None) -> dict[str, Any]:
    spec = copy.lane.spec
    asked = [
        *([f"{words.plural(len(copy.lane.shards), 'shard')}"] if copy.lane.shards else []),
        spec.tablet_type,
        f"resume {spec.resume.value}",
        *([f"reads every {spec.pause_ms:g} ms"] if spec.pause_ms else []),
        *(["tables one by one"] if spec.one_by_one else []),
        *([f"leaves after {spec.leave_after} responses"] if spec.leave_after else []),
    ]
    return {
        "stream": copy,
        "vtgate": copy.lane.vtgate,
        "version": versions.get(copy.lane.vtgate, "?"),
        "asked": ", ".join(asked),
        "ended": words.shorten(how_ended(copy), SHORT),
        "whole_end": how_ended(copy)[:MESSAGE],
        "bad": in_trouble(copy),
        "cpu_ns": cpu_ns,
    }


def _kind(found: Digest, kind: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "streams": list(kind.streams),
        "first": found.seconds(kind.first_ns),
        "last": found.seconds(kind.last_ns),
        "example": kind.example[:MESSAGE],
    }


def _notes(shown: Drawn) -> Sequence[str]:
    notes = []
    if shown.per_bar > 1:
        notes.append(f"A bar stands for up to {shown.per_bar} neighbouring cycles; its colour is that of the worst.")
    if shown.left_out:
        notes.append(f"{words.plural(shown.left_out, 'lane')} more are not drawn; the worst streams are.")
    return notes
