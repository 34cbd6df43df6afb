"""What programs may use of the CPU: a control group for each one that is limited, as a container's CPU limit is made.

The kernel's scheduler stops all threads of a group that has used up its quota, until the next period of 100 ms begins,
and counts it (nr_throttled). The group of a cluster is a folder NAME.PID.STARTED.PLACE with a folder for each limited
program in it, where PID is the supervisor that made it: who finds the folder sees whether it is still anybody's.

Version 1 of the kernel's interface has a tree of its own for CPU; our folder is where the supervisor itself is. In
version 2 a group with processes cannot have groups with limits in it, except at the top.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PREFIX = "vtchaos-"
PERIOD_US = 100_000
LEAST_QUOTA_US = 1_000  # the kernel's own bound
_MOUNTS = "/proc/self/mountinfo"
_OWN = "/proc/self/cgroup"
_TRIAL = "trial"


@dataclass(frozen=True)
class Tree:
    """A mounted tree of control groups that can limit CPU. `own`: where this process is in it."""

    version: int
    top: Path
    own: Path

    @property
    def base(self) -> Path:
        """Where our folder goes."""
        return self.own if self.version == 1 else self.top


class CpuGroups:
    """The groups of one cluster. `why_not` is "" once CPU can be limited, otherwise the reason why it cannot."""

    def __init__(self, name: str) -> None:
        """`name` "": this cluster has no use for it."""
        found = tree() if name else None
        self._tree = found or Tree(version=1, top=Path("/nonexistent"), own=Path("/nonexistent"))
        self._home = self._tree.base / name
        self._limited: set[str] = set()
        self.why_not = self._tried() if found else "CPU cannot be limited here: no control groups for it are mounted"

    def limit(self, program: str, pid: int, cpus: float) -> None:
        """So many cores for a program, now (`pid` 0: it does not run) and whenever it starts again; 0 = no limit."""
        if self.why_not:
            raise ValueError(self.why_not)
        if cpus:
            self._make(program, cpus)
            if pid:
                (self._home / program / "cgroup.procs").write_text(str(pid))
        else:
            self._limited.discard(program)
            _release(self._home / program, self._tree)
            with contextlib.suppress(OSError):  # another program is limited
                self._home.rmdir()

    def enter(self, program: str) -> None:
        """In a child that becomes this program."""
        if program in self._limited:
            (self._home / program / "cgroup.procs").write_text("0")

    def seen(self) -> dict[str, dict[str, float]]:
        """What the kernel says: program → `cpus`, and `held_back`, the periods in which it was stopped."""
        folders = sorted(self._home.iterdir()) if self._home.is_dir() else []
        return {
            folder.name: {"cpus": _cpus(folder, self._tree), "held_back": _held_back(folder)}
            for folder in folders
            if folder.is_dir()
        }

    def _make(self, program: str, cpus: float) -> None:
        folder = self._home / program
        self._home.mkdir(exist_ok=True)
        if self._tree.version == 2:
            (self._home / "cgroup.subtree_control").write_text("+cpu")
        folder.mkdir(exist_ok=True)
        quota = max(LEAST_QUOTA_US, int(cpus * PERIOD_US))
        if self._tree.version == 2:
            (folder / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
        self._limited.add(program)

    def _tried(self) -> str:
        """Not guessed: a group is made, limited and removed."""
        try:
            self._make(_TRIAL, 1.0)
        except OSError as error:
            return f"CPU cannot be limited here: {error.strerror} ({error.filename or self._home})"
        finally:
            self._limited.discard(_TRIAL)
            remove(self._home)
        return ""


def tree(mounts: str = "", own: str = "") -> Tree | None:
    """Of what is mounted here, what limits CPU; version 1 where both are there, because then it has the CPU. None where
    there is nothing of the kind, as on macOS."""
    mounts = mounts or _text(_MOUNTS)
    paths = dict(_own_paths(own or _text(_OWN)))
    for version, root, top in sorted(_mounted(mounts)):
        where = os.path.relpath(paths.get(version, "/"), root)
        mine = Path(top) if where.startswith("..") else Path(top) / where
        return Tree(version=version, top=Path(top), own=mine)
    return None


def homes(found: Tree | None = None) -> Iterator[Path]:
    """Every folder of ours in the tree, whoever made it."""
    found = found or tree()
    if found is None:
        return
    for folder, names, _ in os.walk(found.top):
        for name in [name for name in names if name.startswith(PREFIX)]:
            names.remove(name)
            yield Path(folder) / name


def home_name(run: str) -> str:
    """The name of a cluster's folder, for a supervisor to be made of this process."""
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    return f"{PREFIX}{run}.{os.getpid()}.{started}.{os.stat('/proc/self/ns/pid').st_ino}"


def remove(home: Path) -> None:
    """A cluster's folder; processes that are still in it go on without a limit."""
    found = tree()
    if found is None or not home.is_dir():
        return
    for folder in [each for each in home.iterdir() if each.is_dir()]:
        _release(folder, found)
    with contextlib.suppress(OSError):
        home.rmdir()


def remove_named(name: str) -> None:
    """As `remove`, by the folder's name; "" is none."""
    found = tree() if name else None
    if found is not None:
        remove(found.base / name)


def _release(folder: Path, where: Tree) -> None:
    """The group's processes to where the supervisor's are, then the group away."""
    if not folder.is_dir():
        return
    for pid in (folder / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):  # it has ended
            (where.own / "cgroup.procs").write_text(pid)
    folder.rmdir()


def _cpus(folder: Path, where: Tree) -> float:
    if where.version == 2:
        quota, period = (folder / "cpu.max").read_text().split()
    else:
        quota, period = ((folder / f"cpu.cfs_{word}_us").read_text().strip() for word in ("quota", "period"))
    return 0.0 if quota in ("max", "-1") else int(quota) / int(period)


def _held_back(folder: Path) -> int:
    rows = (line.split() for line in (folder / "cpu.stat").read_text().splitlines())
    return next((int(value) for key, value in rows if key == "nr_throttled"), 0)


def _mounted(mounts: str) -> Iterator[tuple[int, str, str]]:
    """Version, root and place of every tree that has the CPU."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        root, top = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        if kind == "cgroup" and "cpu" in options.split(","):
            yield 1, root, top
        elif kind == "cgroup2" and _has_cpu(Path(top)):
            yield 2, root, top


def _text(path: str) -> str:
    return Path(path).read_text() if os.path.exists(path) else ""


def _has_cpu(top: Path) -> bool:
    try:
        return "cpu" in (top / "cgroup.controllers").read_text().split()
    except OSError:
        return False


def _own_paths(own: str) -> Iterator[tuple[int, str]]:
    for line in own.splitlines():
        _, kinds, path = line.split(":", 2)
        if not kinds:
            yield 2, path
        elif "cpu" in kinds.split(","):
            yield 1, path
