"""The only place that starts subprocesses. Every command has a bound; its output is kept."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import ProcessError

TAIL_LINES = 30
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished command: exit status and everything it printed (stdout and stderr in order)."""

    argv: tuple[str, ...]
    returncode: int
    output: str


def die_with_parent(signum: int = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn` that asks the kernel to signal the child when the thread that made it dies."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)

    return ask


async def run(
    argv: Sequence[str | Path],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
) -> Completed:
    """Run a command to its end; kill its whole process group when the bound passes or we are cancelled.

    `env` is added to our own environment. `on_line` sees every line as it comes (progress).
    Raises ProcessError on a missing program, on a timeout, and (with `check`) on a non-zero status.
    """
    words = [str(word) for word in argv]
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(),
            limit=1 << 22,
        )
    except FileNotFoundError as error:
        raise ProcessError(words, f"no such program or folder: {error.filename}") from None
    lines: list[str] = []
    try:
        async with asyncio.timeout(timeout_s):
            assert process.stdout is not None
            async for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip("\n")
                lines.append(line)
                if on_line is not None:
                    on_line(line)
            await process.wait()
    except TimeoutError:
        raise ProcessError(words, f"not finished within {timeout_s:g} s", _tail(lines)) from None
    finally:
        await kill_group(process)
    assert process.returncode is not None
    if check and process.returncode != 0:
        raise ProcessError(words, f"exit status {process.returncode}", _tail(lines))
    return Completed(argv=tuple(words), returncode=process.returncode, output="\n".join(lines))


async def kill_group(process: asyncio.subprocess.Process) -> None:
    """SIGKILL what is left of a session started by `run` or `spawned`, and reap it."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@asynccontextmanager
async def spawned(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    pass_fds: Sequence[int] = (),
    stdin: int | None = asyncio.subprocess.DEVNULL,
    die_with_us: bool = True,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that lives as long as the block, in a session of its own; killed with its group on leaving."""
    words = [str(word) for word in argv]
    out = open(log, "ab") if log is not None else None  # noqa: SIM115, ASYNC230  appending, local
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=stdin,
            stdout=out if out is not None else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
            preexec_fn=die_with_parent() if die_with_us else None,
        )
    except FileNotFoundError as error:
        raise ProcessError(words, f"no such program or folder: {error.filename}") from None
    finally:
        if out is not None:
            out.close()
    try:
        yield process
    finally:
        await kill_group(process)


def tail_of(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a text file; empty when it does not exist."""
    try:
        with path.open(errors="replace") as text:
            return "".join(deque(text, maxlen=lines))
    except FileNotFoundError:
        return ""


def _tail(lines: Sequence[str]) -> str:
    return "\n".join(lines[-TAIL_LINES:])
