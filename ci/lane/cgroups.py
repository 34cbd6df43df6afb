"""The lane's own cgroup, in which the kubelet keeps its pods: in every hierarchy of version 1, or in the one of 2."""

from __future__ import annotations

import os
from pathlib import Path

from ci.lane.place import Lane
from harness.base import wait
from harness.base.errors import ClusterError, WaitTimeout

MOUNTS = Path("/proc/self/mounts")
REMOVE_TIMEOUT_S = 20.0
_INHERITED = ("cpuset.cpus", "cpuset.mems")  # version 1: empty in a new cpuset, and then nothing may enter it


def mounted(mounts: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Where this machine's cgroups are mounted (from /proc/self/mounts): those of version 1, and that of version 2."""
    rows = [line.split() for line in mounts.splitlines()]
    first, second = (dict.fromkeys(Path(row[1]) for row in rows if row[2] == kind) for kind in ("cgroup", "cgroup2"))
    return tuple(first), tuple(second)


def hierarchies(mounts: str) -> tuple[tuple[Path, ...], bool]:
    """Those with controllers, and whether they are version 2: where both are mounted, version 1 has them."""
    first, second = mounted(mounts)
    return (first, False) if first else (second[:1], True)


def make(lane: Lane) -> None:
    """Raises ClusterError where the machine does not let us."""
    roots, unified = hierarchies(MOUNTS.read_text())
    try:
        for root in roots:
            _make(root / lane.name, unified=unified)
    except OSError as error:
        raise ClusterError(f"cannot make a cgroup for the lane: {error}") from None


def _make(ours: Path, *, unified: bool) -> None:
    root = ours.parent
    if unified:
        wanted = [f"+{name}" for name in (root / "cgroup.controllers").read_text().split()]
        (root / "cgroup.subtree_control").write_text(" ".join(wanted))
    ours.mkdir(exist_ok=True)
    for name in _INHERITED:
        if not unified and (root / name).exists():
            (ours / name).write_text((root / name).read_text())


def existing(lane: Lane) -> tuple[Path, ...]:
    """The lane's cgroups that are there; none when it is down."""
    first, second = mounted(MOUNTS.read_text())  # beside version 1, containers have cgroups of version 2 too
    return tuple(path for path in (root / lane.name for root in (*first, *second)) if path.is_dir())


async def remove(lane: Lane) -> None:
    """Remove them with all below, once their processes are gone. Raises ClusterError."""
    last = ""

    async def gone() -> bool:
        nonlocal last
        last = "; ".join(problem for path in existing(lane) if (problem := _removed(path)))
        return not existing(lane)

    try:
        await wait.until("the lane's cgroups go", gone, timeout_s=REMOVE_TIMEOUT_S)
    except WaitTimeout as error:
        raise ClusterError(f"cgroups of the lane cannot be removed after {error.timeout_s:g} s: {last}") from None


def _removed(top: Path) -> str:
    """rmdir from the leaves up; "" or what stands in the way."""
    try:
        for folder, _, _ in os.walk(top, topdown=False):
            os.rmdir(folder)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return str(error)
    return ""
