"""Installers that are killed, and what their children inherit."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

from clusters.software.progress import Silent
from clusters.software.store import Store
from tests.unit.test_software_store import put

INSTALLER = """
import asyncio, sys
from pathlib import Path
from clusters.software.progress import Silent
from clusters.software.store import Store

async def main():
    async with Store(Path(sys.argv[1])).installing("thing-1", Silent()) as staging:
        (staging / "half").write_text("half")
        print("started", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def killed_installer(root: Path) -> None:
    """A process that was killed -9 in the middle of installing thing-1."""
    with subprocess.Popen([sys.executable, "-c", INSTALLER, str(root)], stdout=subprocess.PIPE, text=True) as installer:
        assert installer.stdout is not None
        assert installer.stdout.readline() == "started\n"
        installer.send_signal(signal.SIGKILL)


def child_with_every_inheritable_file() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)


async def test_what_a_killed_installer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed_installer(tmp_path)
    assert len(list(tmp_path.glob(".new-thing-1@*"))) == 1
    other = tmp_path / ".new-thing-10@alive"
    other.mkdir()
    kept = Store(tmp_path)
    assert kept.installed("thing-1") is None
    await put(kept, "thing-1", {"a": "1"})
    assert list(tmp_path.glob(".new-*")) == [other], "another thing's installer may be alive"


async def test_the_lock_is_not_inherited_by_children(tmp_path: Path) -> None:
    """Otherwise a compiler that outlives a killed harness would keep the next installer waiting."""
    kept = Store(tmp_path)
    async with kept.installing("thing-1", Silent()):
        child = child_with_every_inheritable_file()
    with child, (tmp_path / ".lock-thing-1").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        child.kill()
