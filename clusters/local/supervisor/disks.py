"""Data folders as file systems of their own in memory: each can be full without any other feeling it.

They go with the mount namespace, so that nothing of them is ever left on the host.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from . import kernel

NO_MEMORY = "this cluster's data is not in memory, and a folder of the host's disk has no size of its own"
ANY_SIZE = "50%"  # of the machine's memory, which is what tmpfs has by default
TRIES = 50  # somebody may write between looking and acting


class Disks:
    """`why_not` is "" where folders get file systems of their own, otherwise the reason why they do not."""

    def __init__(self, memory: str) -> None:
        """`memory`: the folder whose content is in memory; "" = none is."""
        self._memory = memory
        self.why_not = "" if memory else NO_MEMORY

    def make(self, folder: Path) -> None:
        """Mount over an empty folder."""
        if self._memory:
            kernel.mount_memory(str(folder))

    def order(self, folder: str, *, full: bool) -> None:
        """Raises OSError, and ValueError where there is no file system of its own."""
        if self.why_not:
            raise ValueError(self.why_not)
        if full:
            _give_blocks(folder)
            _fill(folder)
        else:
            kernel.resize_memory(folder, ANY_SIZE)

    def limited(self) -> dict[str, tuple[int, int]]:
        """Folder → its free and all of its bytes, of those that are smaller than they were made."""
        if self.why_not:
            return {}
        whole = os.statvfs(self._memory).f_blocks
        stats = {folder: os.statvfs(folder) for folder in _mounted_in(self._memory)}
        return {
            folder: (stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize)
            for folder, stat in stats.items()
            if stat.f_blocks < whole
        }


def _give_blocks(folder: str) -> None:
    """The copied files have holes; on a disk their blocks are taken when they are made, so that what is full refuses
    only what makes a file longer."""
    for path in Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb+") as file:
                size = os.fstat(file.fileno()).st_size
                if size:
                    os.posix_fallocate(file.fileno(), 0, size)


def _fill(folder: str) -> None:
    """As large as what is in it: the kernel refuses less."""
    for _ in range(TRIES):
        stat = os.statvfs(folder)
        try:
            kernel.resize_memory(folder, str((stat.f_blocks - stat.f_bfree) * stat.f_frsize))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        else:
            return
    raise OSError(errno.EBUSY, f"{folder} grew each of {TRIES} times between looking and acting")


def _mounted_in(memory: str) -> list[str]:
    """The kernel's own list, where a space is \\040."""
    with open("/proc/self/mounts") as mounts:
        folders = [line.split()[1].encode().decode("unicode_escape") for line in mounts]
    return [folder for folder in folders if folder.startswith(f"{memory}/")]
