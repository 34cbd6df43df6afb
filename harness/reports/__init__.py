"""Everything that is told about a run after it: from History and RunVerdict alone, computing no verdict.

    verdict.json   for programs          junit.xml     for CI
    report.html    for people, offline   summary.txt   the closing summary, as a file
    trace.json.gz  for Perfetto          summary.md    for a pull request, or CI's summary

`terminal.show` prints the summary; `live` shows a run while it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from harness.base.errors import UsageError
from harness.base.rundir import RunDir
from harness.history import History
from harness.model import RunVerdict
from harness.reports import html, json, junit, markdown, terminal, trace

Render = Callable[[History, RunVerdict, Path], Path]

# Format → (how, under which name in the run directory). In this order: the summary names what is there.
RENDERERS: Mapping[str, tuple[Render, str]] = {
    "json": (json.render, "verdict.json"),
    "junit": (junit.render, "junit.xml"),
    "html": (html.render, "report.html"),
    "markdown": (markdown.render, "summary.md"),
    "trace": (trace.render, "trace.json.gz"),
    "terminal": (terminal.render, "summary.txt"),
}


def render_all(
    history: History, verdict: RunVerdict, run: RunDir, formats: Collection[str] = tuple(RENDERERS)
) -> dict[str, Path]:
    """Write the named formats into the run directory: format → file. Raises UsageError for an unknown one."""
    unknown = sorted(set(formats) - set(RENDERERS))
    if unknown:
        raise UsageError(f"no report format {', '.join(unknown)}; there are {', '.join(RENDERERS)}")
    return {name: how(history, verdict, run.path / file) for name, (how, file) in RENDERERS.items() if name in formats}
