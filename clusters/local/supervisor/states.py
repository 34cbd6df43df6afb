"""What stands still, and what nobody here has started, as the kernel says."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

STOPPED = "Tt"  # by a signal, by a debugger (proc(5), /proc/pid/stat)


def seen(programs: Mapping[str, int]) -> dict[str, list[str]]:
    """`stopped`: programs of which a process stands still. `strays`, where every process of /proc is ours: what belongs
    to none of the programs (each leads a process group), and is none of the server's own helpers, in words."""
    alone, own = os.getpid() == 1, os.getpgrp()
    name_of = {pid: name for name, pid in programs.items()}
    found: dict[str, list[str]] = {"stopped": [], "strays": []}
    for pid, command, state, group in _processes():
        if group in name_of:
            found["stopped"] += [name_of[group]] if state in STOPPED else []
        elif alone and group != own and state not in "ZX":
            found["strays"].append(f"{command} (process {pid}, {state})")
    return {kind: list(dict.fromkeys(rows)) for kind, rows in found.items()}


def _processes() -> Iterator[tuple[int, str, str, int]]:
    """(pid, command, state, process group)."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat") as stat:
                begin, _, rest = stat.read().rpartition(")")
            fields = rest.split()
            yield int(pid), begin.partition("(")[2], fields[0], int(fields[2])
