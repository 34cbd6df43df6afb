"""Ctrl-C: the first ends the run early and in order, the second skips what is only collecting. Healing and
removing are never skipped, and they are bounded."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """The user ended this part of the run."""


class Interrupts:
    """Signals of one run. Only what runs inside `may_end` is cancelled, and each signal ends one part: the one
    that runs, or else (a further signal while that one cleans up) the next one before it begins."""

    def __init__(self) -> None:
        self.count = 0
        self._spent = 0
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

    async def may_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` in the current task; a signal cancels it, and Interrupted is raised here once it has
        cleaned up. A further signal does not disturb that."""
        task = asyncio.current_task()
        assert task is not None
        if self.count > self._spent:
            self._spent += 1
            work.close()
            raise Interrupted
        spent, cancelling = self._spent, task.cancelling()
        self._task = task
        try:
            return await work
        except asyncio.CancelledError:
            if self._spent == spent or task.cancelling() - 1 > cancelling:  # (also) somebody else's
                raise
            raise Interrupted from None
        finally:
            self._task = None
            if self._spent > spent:
                task.uncancel()

    def _on_signal(self) -> None:
        self.count += 1
        if self._task is not None:
            self._spent += 1
            self._task.cancel()
            self._task = None
