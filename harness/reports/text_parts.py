"""The pieces of the closing summary: titles, tables, marked lines."""

from __future__ import annotations

from collections.abc import Collection

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.reports.words import clean, count


def copyable(console: Console, name: str, value: str) -> None:
    """Never broken by us: a command line or a path must survive copy and paste at any width."""
    console.print(Text.assemble((f"{name:<9} ", "dim"), clean(value)), soft_wrap=True)


def hanging(mark: str, text: str | Text, style: str) -> Table:
    """A mark and a text that wraps beside it."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text(mark, style=style), Text(text) if isinstance(text, str) else text)
    return grid


def title(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def line(console: Console, text: str, style: str = "") -> None:
    if text:
        console.print(Text(clean(text), style=style))


def alarm(number: float | None, style: str) -> Text:
    return Text(count(number), style=style if number else "")


def table(*names: str, wrapped: Collection[str] = ()) -> Table:
    """Columns by name; a leading > aligns right. Only the last one may wrap, and those of `wrapped`: what may not is
    cut off where the screen is too narrow."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in names:
        right = name.startswith(">")
        wraps = name in wrapped or (name == names[-1] and not right)
        table.add_column(
            name.removeprefix(">"),
            justify="right" if right else "left",
            vertical="top",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
        )
    return table
