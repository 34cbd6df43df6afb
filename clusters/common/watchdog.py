"""Removes what a run made outside our own process when the harness dies, even by SIGKILL.

A process in a session of its own holds the other end of a pipe. End of file without the word that nothing is to be
removed means that we are dead: it then calls the backend's `heal`. If it is killed too, `vtchaos heal` does the same
later.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from harness.base import procs, wait

DONE, HEAL = b"done\n", b"heal\n"
HEAL_TIMEOUT_S = 120.0
END_TIMEOUT_S = 10.0
# It waits with nothing imported: what it needs then takes half a second of processor time and 60 MB.
_START = (
    "import sys; said = sys.stdin.buffer.readline()\n"
    f"if said == {DONE!r}: sys.exit(0)\n"
    "from clusters.common import watchdog\n"
    "sys.exit(watchdog.main(told=bool(said)))"
)


class Guard:
    """What the watchdog is told when the block is left."""

    def __init__(self) -> None:
        self.released = False

    def release(self) -> None:
        """Nothing is left to remove, or what is left is to stay."""
        self.released = True


@contextlib.asynccontextmanager
async def guarding(backend: str, run: str, *, log: Path) -> AsyncIterator[Guard]:
    """While the block lasts. When it is left with an error and was not released, the watchdog heals, and we wait."""
    read, write = os.pipe2(os.O_CLOEXEC)
    guard = Guard()
    try:
        async with procs.spawned(command(backend, run), log=log, stdin=read, die_with_us=False) as process:
            os.close(read)
            read = -1
            try:
                yield guard
                guard.release()
            finally:
                word, timeout_s = (DONE, END_TIMEOUT_S) if guard.released else (HEAL, HEAL_TIMEOUT_S)
                with contextlib.suppress(BrokenPipeError):  # somebody has killed it
                    os.write(write, word)
                await wait.finish("the watchdog ends", process.wait(), timeout_s=timeout_s)
    finally:
        os.close(write)
        if read >= 0:
            os.close(read)


def command(backend: str, run: str) -> list[str]:
    """A watchdog's command line."""
    return [sys.executable, "-P", "-c", _START, backend, run]  # -P: nothing of the current folder is imported


def main(*, told: bool) -> int:
    """Remove what is left of a run. `told`: by the harness, which lives; otherwise it is dead."""
    from clusters import BACKENDS  # the package's own table: it imports every backend

    backend, run = sys.argv[1:]
    removed = asyncio.run(wait.finish(f"healing {run}", BACKENDS[backend].heal(run), timeout_s=HEAL_TIMEOUT_S))
    why = "did not come to its end" if told else "is dead"
    print(f"the harness of {run} {why}; removed: {', '.join(removed) or 'nothing'}", file=sys.stderr)
    return 0
