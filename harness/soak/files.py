"""A soak's folder: what is appended to it, how much it takes, what is removed from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.rundir import LineLog
from harness.soak.values import RUNS, Resources, SoakRun

PRUNED = "pruned.txt"
LOG = "runs.log"  # what the runs said, where there is no terminal
LOG_BYTES = 10_000_000  # then another is begun, and the one before the last goes
# What stays of a run whose bulky files were removed: what was run and issued (to replay it), and what it came to.
STAYS = (
    "plan.json", "host.json", "clock.json", "clean.json", "events.jsonl", "faults.jsonl", "verdict.json", "junit.xml",
    "summary.txt", "summary.md", PRUNED,
)  # fmt: skip
_BLOCK = 512  # bytes; of st_blocks, whatever the file system's


def runs(folder: Path) -> Iterator[SoakRun]:
    """One after the other. Raises RunDirError for a line that is spoilt, or of another version."""
    try:
        for number, line in enumerate(jsonio.read_lines(folder / RUNS), start=1):
            yield _run(line, f"{RUNS}, line {number}")
    except ValueError as error:
        raise RunDirError(f"{folder}: {error}") from None


def _run(line: dict[str, Any], where: str) -> SoakRun:
    try:
        return jsonio.structure(line, SoakRun)
    except ValueError as error:
        raise ValueError(f"{where} is of another version of vtchaos: {error}") from None


def append(folder: Path, run: SoakRun) -> None:
    """On disk when it returns. Raises HarnessError: there is no room."""
    log = LineLog(folder / RUNS)
    try:
        log.append(run)
        asyncio.run(log.synced())
    finally:
        log.close()


# ---------------------------------------------------------------- how much


def resources(folder: Path) -> Resources:
    """Of this process, what it started, and the host."""
    me = psutil.Process()
    tree = [_size(process) for process in (me, *me.children(recursive=True))]
    return Resources(
        rss_bytes=sum(rss for rss, _ in tree),
        handles=sum(handles for _, handles in tree),
        children=len(tree) - 1,
        own_rss_bytes=tree[0][0],
        own_handles=tree[0][1],
        folder_bytes=taken_bytes(folder),
        free_bytes=shutil.disk_usage(folder).free,
        available_bytes=psutil.virtual_memory().available,
    )


def _size(process: psutil.Process) -> tuple[int, int]:
    """Memory and open files; nothing of one that has just ended."""
    try:
        return process.memory_info().rss, process.num_fds()
    except psutil.Error:
        return 0, 0


def taken_bytes(folder: Path) -> int:
    """On disk, of everything below."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # it went meanwhile
                found += os.stat(os.path.join(place, name), follow_symlinks=False).st_blocks * _BLOCK
    return found


# ---------------------------------------------------------------- removing


def prune(folder: Path, removable: Sequence[str], *, taken: int, keep_bytes: int) -> int:
    """Remove bulky files, of one run after the other, until no more than `keep_bytes` are taken. How many are taken."""
    for name in removable:
        if taken <= keep_bytes:
            break
        taken -= pruned(folder / name)
    return taken


def pruned(run: Path) -> int:
    """Bytes that are free now."""
    bulky = [path for path in run.iterdir() if path.name not in STAYS] if run.is_dir() else []
    if not bulky:
        return 0
    before = taken_bytes(run)
    (run / PRUNED).write_text("The recording was removed by the soak, which keeps its folder small (--keep).\n")
    for path in bulky:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return before - taken_bytes(run)


def bound_log(folder: Path) -> None:
    """Between two runs: nobody writes it then."""
    log = folder / LOG
    if log.is_file() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".1.log"))


def broken_off(folder: Path) -> list[str]:
    """Runs that were set aside; the soak made them again."""
    return sorted(path.name for path in folder.glob("[0-9]*-broken-off-*"))
