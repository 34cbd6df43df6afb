"""The short-lived folder of a run's own cluster."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

FOLDER_PREFIX = "vtchaos-"


def folder_name() -> str:
    """How the name of this process's folder begins."""
    return f"{FOLDER_PREFIX}run-{os.getpid()}-"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder with a short path (mysqld's sockets allow 107 characters) that an unprivileged mysqld can reach.

    What a killed harness left (a few kB: data lives in the cluster's own mounts) is removed by the next one.
    """
    base = Path(tempfile.gettempdir())
    for left in base.glob(f"{FOLDER_PREFIX}run-*"):
        pid = left.name.split("-")[2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=folder_name(), dir=base))
    folder.chmod(0o755)
    try:
        yield folder / "cluster"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
