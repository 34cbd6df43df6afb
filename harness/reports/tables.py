"""Tables of facts on the terminal, or for another program."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_COLUMNS = 1000  # no table of ours is as wide


def table_console() -> Console:
    """A console on which a table loses nothing: a pipe has no width (rich takes it for one of 80 columns, and cuts
    the paths), and who reads it wants a row a line."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_COLUMNS)
