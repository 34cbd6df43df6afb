"""Who made a thing that outlives a process, and whether that one still lives.

A process number alone comes back after a while; with the moment at which its process began it does not. A host's name
is not enough either: containers and machines share names. So what counts is the boot and the namespace of processes.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process of a host. `started`: what the system says of its start (Linux: ticks since the boot). `place`: which
    boot of which machine, and which numbering of processes; "" where the system does not say, or in older records."""

    host: str
    pid: int
    started: int
    place: str = ""

    @property
    def text(self) -> str:
        """`host:pid:started` or `host:pid:started@place`, as labels have it."""
        return f"{self.host}:{self.pid}:{self.started}" + (f"@{self.place}" if self.place else "")

    @property
    def elsewhere(self) -> bool:
        """It ran on another host, in a container, or before the last boot: nothing can be said of it here."""
        return self.host != socket.gethostname() or (self.place != "" and self.place != _place())

    @property
    def dead(self) -> bool:
        """Surely: it ran here, and does not any more. A zombie is dead."""
        return not self.elsewhere and (self.started == 0 or _started(self.pid) != self.started)


def this_process() -> Owner:
    return process(os.getpid())


def process(pid: int) -> Owner:
    """A process of this host."""
    return Owner(host=socket.gethostname(), pid=pid, started=_started(pid), place=_place())


def owner_of(text: str) -> Owner:
    """What `Owner.text` gave. Raises ValueError."""
    who, _, place = text.partition("@")
    host, pid, started = who.rsplit(":", 2)
    return Owner(host=host, pid=int(pid), started=int(started), place=place)


def _place() -> str:
    """The boot's id and the number of the namespace, e.g. 1b4e28ba.4026531836; "" where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot.partition('-')[0]}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> int:
    """0 when there is no such process, or only its zombie."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return _started_elsewhere(pid) if not Path("/proc/self/stat").exists() else 0
    except OSError:
        return 0
    return 0 if words[0] in "ZX" else int(words[19])  # fields 3 and 22 of proc(5)


def _started_elsewhere(pid: int) -> int:
    """Where there is no /proc (macOS, in front of a Docker engine in a machine of its own)."""
    try:
        found = psutil.Process(pid)
        return 0 if found.status() == psutil.STATUS_ZOMBIE else int(found.create_time())
    except psutil.Error:
        return 0
