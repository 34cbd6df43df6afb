"""Ctrl-C: the first ends the run early and in order, the second skips what is only collecting. Healing and
removing are never skipped, and they are bounded."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """The user ended this part of the run."""


class Interrupts:
    """Signals of one run. Only what runs inside `may_end` is cancelled, and each signal cancels one part."""

    def __init__(self) -> None:
        self.count = 0
        self._task: asyncio.Task[object] | None = None

    @contextlib.asynccontextmanager
    async def installed(self) -> AsyncIterator[Interrupts]:
        loop = asyncio.get_running_loop()
        for signum in SIGNALS:
            loop.add_signal_handler(signum, self._on_signal)
        try:
            yield self
        finally:
            for signum in SIGNALS:
                loop.remove_signal_handler(signum)

    async def may_end(self, work: Awaitable[T]) -> T:
        """Await `work` in the current task; a signal cancels it, and Interrupted is raised here once it has
        cleaned up. A further signal does not disturb that."""
        task = asyncio.current_task()
        before = self.count
        self._task = task
        try:
            return await work
        except asyncio.CancelledError:
            if self.count == before or task is None:
                raise
            task.uncancel()
            raise Interrupted from None
        finally:
            self._task = None

    def _on_signal(self) -> None:
        self.count += 1
        if self._task is not None:
            self._task.cancel()
            self._task = None
