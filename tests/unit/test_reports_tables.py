"""Goal: a table that ends with a path loses nothing, and is no wider than what it says."""

from __future__ import annotations

import io

from rich.console import Console

from harness.reports import tables

HEAD = ("program", "state", "where")
LONG = "/var/cache/" + "x" * 60
ROWS = (("vtgate", "found", LONG), ("vt", "missing", "built from its sources, which takes some minutes"))


def shown(console: Console) -> list[str]:
    tables.show(console, HEAD, ROWS, {"missing": "red"})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_in_a_pipe_a_row_is_a_line_without_spaces_behind_it() -> None:
    assert shown(Console(file=io.StringIO(), width=80)) == [
        "program  state    where",
        f"vtgate   found    {LONG}",
        "vt       missing  built from its sources, which takes some minutes",
    ]


def test_on_a_narrow_terminal_the_path_stands_beneath_and_whole() -> None:
    lines = shown(Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None))
    assert [line.rstrip() for line in lines][2:5] == ["vtgate   found", f"    {LONG}", "vt       missing"]


def test_on_a_wide_terminal_it_stands_beside() -> None:
    lines = shown(Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None))
    assert len(lines) == 1 + len(ROWS)
