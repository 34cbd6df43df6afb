"""Why clients waited or failed, in the closing summary: a short table."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from harness.causes import Blame, CauseRow
from harness.model import RunVerdict
from harness.reports.text_parts import alarm, hanging, line, table, title
from harness.reports.told_causes import DOING, advice_of, doing_sentence, title_words
from harness.reports.words import clean, count, duration, plural

SHOWN = 8
_STYLES = {Blame.VITESS: "red", Blame.NOBODY: "red", Blame.SETTING: "yellow", Blame.HOST: "yellow"}


def show_causes(console: Console, verdict: RunVerdict) -> None:
    if not verdict.causes:
        return
    title(console, "Why clients waited or failed")
    several = len({row.vtgate for row in verdict.causes}) > 1
    rows = table(*(("vtgate",) if several else ()), *_FIGURES, "whose doing", "cause")
    for row in verdict.causes[:SHOWN]:
        rows.add_row(*((Text(clean(row.vtgate)),) if several else ()), *_cells(row))
    console.print(rows)
    if len(verdict.causes) > SHOWN:
        line(console, f"… and {plural(len(verdict.causes) - SHOWN, 'row')} more in the report", style="dim")
    line(console, doing_sentence(verdict.causes))
    for what, advice in advice_of(verdict.causes):
        console.print(hanging("→", f"{what}: {advice}", "dim"))


_FIGURES = (">ops", ">errors", ">waited", ">longest")


def _cells(row: CauseRow) -> list[Text]:
    return [
        Text(count(row.operations)),
        alarm(row.errors, "red"),
        Text(duration(row.waited_s * 1e9)),
        Text(duration(row.worst_s * 1e9)),
        Text(DOING[row.blame], style=_STYLES.get(row.blame, "")),
        Text(title_words(row)),
    ]
