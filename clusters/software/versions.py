"""What programs say about their version, and whether that is the version wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.base import procs
from harness.base.errors import ProcessError

VERSION_TIMEOUT_S = 20.0

_PATTERNS = (
    re.compile(
        r"\bVersion:\s*(\d+\.\d+\.\d+(?:-[\w.]+)?)"
    ),  # vtgate version Version: 24.0.3 (Git…; etcd Version: 3.6.1
    re.compile(r"\bVer (\d+\.\d+\.\d+)"),  # mysqld  Ver 9.7.1 for Linux on x86_64
    re.compile(r"\bgo(\d+\.\d+(?:\.\d+)?)\b"),  # go version go1.26.8 linux/amd64
    re.compile(
        r"^[\w-]+ (?:version )?v?(\d+\.\d+\.\d+)"
    ),  # sysbench 1.0.20; nftables v1.0.6; toxiproxy-server version 2.12.0
)


def parse(text: str) -> str | None:
    """The version in the output of `PROGRAM --version`; None when there is none, or it is MariaDB's."""
    if "MariaDB" in text:  # another server under MySQL's program name: no GTIDs that Vitess could use
        return None
    for pattern in _PATTERNS:
        found = pattern.search(text)
        if found:
            return found[1]
    return None


def key(version: str) -> tuple[int, ...]:
    """For comparing: "3.10.1" is newer than "3.9"."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))


def matches(version: str, wanted: Iterable[str]) -> bool:
    """Whether a version is one of the wanted ones; "9.7" wants every 9.7.x, nothing wanted takes all."""
    rows = tuple(wanted)
    return not rows or any(version == row or version.startswith((f"{row}.", f"{row}-")) for row in rows)


async def of_program(path: Path, arguments: Sequence[str] = ("--version",)) -> str | None:
    """The version that a program reports; None when it cannot be run or says nothing known."""
    try:
        done = await procs.run([path, *arguments], timeout_s=VERSION_TIMEOUT_S, check=False)
    except (ProcessError, PermissionError, OSError):
        return None
    return parse(done.output) if done.returncode == 0 else None
