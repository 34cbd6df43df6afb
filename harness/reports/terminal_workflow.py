"""A VReplication workflow in the closing summary: its streams as `_vt` had them last, and what went wrong."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.facts import workflows
from harness.history import History
from harness.reports.digest import Digest
from harness.reports.text_parts import alarm, hanging, line, table, title
from harness.reports.words import clean, count, plural, shorten
from harness.reports.workflow_chart import watched

STREAMS, ERRORS = 8, 4


def show_workflow(console: Console, history: History, facts: Digest) -> None:
    streams = sorted(watched(history), key=lambda one: (one.stream.state == workflows.RUNNING, one.stream.name))
    if not streams:
        return
    title(console, f"Workflow ({plural(len(streams), 'stream')})")
    rows = table("stream", "from", ">rows\ncopied", ">copy\nloops", ">catch-\nups", ">tables\nleft", "state")
    for one in streams[:STREAMS]:
        stream = one.stream
        message = f": {shorten(stream.message, 120)}" if stream.message else ""
        rows.add_row(
            Text(clean(stream.name)),
            Text(clean(stream.source_shard)),
            Text(count(stream.rows_copied)),
            Text(count(one.loops)),
            Text(count(one.catchups)),
            alarm(len(stream.left), "yellow"),
            Text(clean(stream.state) + message, style="red" if stream.state in workflows.TERMINAL else ""),
        )
    console.print(rows)
    if len(streams) > STREAMS:
        line(console, f"… and {plural(len(streams) - STREAMS, 'stream')} more in the report", style="dim")
    errors = workflows.errors(history)
    for entry in errors[:ERRORS]:
        where = f"{entry.keyspace}/{entry.shard} #{entry.stream}, {facts.seconds(entry.at_ns):+.1f} s"
        times = f"{entry.count} × " if entry.count > 1 else ""
        console.print(hanging("·", f"{times}{where}: {clean(shorten(entry.message, 300))}", "red"))
    if len(errors) > ERRORS:
        line(console, f"… and {plural(len(errors) - ERRORS, 'error')} more in the report", style="dim")
