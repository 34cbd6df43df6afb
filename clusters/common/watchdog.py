"""Removes what a run made outside our own process when the harness dies, even by SIGKILL.

A process in a session of its own holds the other end of a pipe. End of file without the word that all was removed
means that we are dead: it then calls the backend's `heal`. If it is killed too, `vtchaos heal` does the same later.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from harness.base import procs, wait

DONE = b"done\n"
HEAL_TIMEOUT_S = 120.0
END_TIMEOUT_S = 10.0


@contextlib.asynccontextmanager
async def guarding(backend: str, run: str, *, log: Path) -> AsyncIterator[None]:
    """While the block lasts. When it is left with an error the watchdog heals at once, and we wait for that."""
    read, write = os.pipe2(os.O_CLOEXEC)
    words = [sys.executable, "-m", "clusters.common.watchdog", backend, run]
    try:
        async with procs.spawned(words, log=log, stdin=read, die_with_us=False) as process:
            os.close(read)
            told, timeout_s = b"", HEAL_TIMEOUT_S
            try:
                yield
                told, timeout_s = DONE, END_TIMEOUT_S
            finally:
                os.write(write, told or b"\n")
                await wait.finish("the watchdog ends", process.wait(), timeout_s=timeout_s)
    finally:
        os.close(write)


def main() -> int:
    """Wait for the end of whoever started us; imports nothing large before."""
    backend, run = sys.argv[1:]
    if sys.stdin.buffer.readline() == DONE:
        return 0
    from clusters import BACKENDS  # 0.5 s of imports, needed only now

    removed = asyncio.run(wait.finish(f"healing {run}", BACKENDS[backend].heal(run), timeout_s=HEAL_TIMEOUT_S))
    print(f"the harness of {run} is dead; removed: {', '.join(removed) or 'nothing'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
