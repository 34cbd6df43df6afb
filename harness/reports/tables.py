"""Tables of facts on the terminal, or for another program."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

PIPE_COLUMNS = 1000  # no table of ours is as wide
GAP = "  "
BENEATH = 4  # columns, of what stands beneath its row


def table_console() -> Console:
    """A console on which a table loses nothing: a pipe has no width (rich takes it for one of 80 columns, and cuts
    the paths), and who reads it wants a row a line."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_COLUMNS)


def show(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str]) -> None:
    """A table whose last column is free text or a path, and ends where it ends: no spaces behind it, and no break
    within a path. On a terminal that is too narrow it stands beneath its row. `styles`: of cells that say just this."""
    *narrow, _ = zip(head, *rows, strict=True)
    widths = [max(map(len, cells)) for cells in narrow]
    wide = sum(widths) + len(GAP) * len(widths) + max(len(row[-1]) for row in (head, *rows))
    beneath = console.is_terminal and wide > console.width
    for row, style in ((head, "bold"), *((row, "") for row in rows)):
        cells = [
            Text(cell.ljust(width), style=styles.get(cell, style)) for cell, width in zip(row[:-1], widths, strict=True)
        ]
        start, last = Text(GAP).join(cells), Text(row[-1], style=style)
        if beneath:
            start.rstrip()
            console.print(start, soft_wrap=True)
            console.print(Padding(last, (0, 0, 0, BENEATH)))
        else:
            console.print(start + GAP + last, soft_wrap=True)
