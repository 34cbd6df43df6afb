"""How an installation tells what it is doing: minutes of silence look like a hang."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

LINE_EVERY_S = 5.0


class Progress(Protocol):
    """`done` of `total` pieces of `what`; either is None where it is not known. Called as often as it likes."""

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None: ...


class Silent:
    """Says nothing (tests, JSON output)."""

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        return


class Lines:
    """Plain lines for logs: one for each new `what`, then at most one every `LINE_EVERY_S` seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._next_s = 0.0

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        now_s = time.monotonic()
        if what == self._what and now_s < self._next_s:
            return
        self._what, self._next_s = what, now_s + LINE_EVERY_S
        self._console.print(f"{what}{_count(done, total)}", markup=False, highlight=False, soft_wrap=True)


class _Bar:
    """One live bar that shows the newest step."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        self._bars.update(
            self._task, description=f"{what}{_count(done, total)}", completed=done or 0, total=total, visible=True
        )


@contextmanager
def shown(console: Console | None = None) -> Iterator[Progress]:
    """A bar on a terminal, plain lines elsewhere; on stderr, so that stdout stays the command's answer."""
    out = console or Console(stderr=True)
    if not out.is_terminal:
        yield Lines(out)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=out, transient=True) as bars:
        yield _Bar(bars, bars.add_task("", total=None, visible=False))


def _count(done: int | None, total: int | None) -> str:
    if done is None:
        return ""
    return f" {done}/{total}" if total is not None else f" {done}"
