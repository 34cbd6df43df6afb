"""The watchdog, run for real over the local backend, which has nothing to remove: what it is told, and what it does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from clusters.common.watchdog import guarding
from harness.base import procs, wait

HEALED_WITHIN_S = 20.0
_OWNER = """
import asyncio, sys
from pathlib import Path
from clusters.common.watchdog import guarding
async def main():
    async with guarding("local", "r1", log=Path(sys.argv[1])):
        print("guarded", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_block_that_comes_to_its_end_is_not_healed(tmp_path: Path) -> None:
    async with guarding("local", "r1", log=tmp_path / "log"):
        (child,) = psutil.Process().children()
        assert os.getsid(child.pid) == child.pid  # a Ctrl-C is not for it
    assert (tmp_path / "log").read_text() == ""
    assert not child.is_running()


async def test_a_module_of_the_users_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clusters.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="as planned"):
        async with guarding("local", "r1", log=tmp_path / "log"):
            raise ValueError("as planned")
    assert "removed: nothing" in (tmp_path / "log").read_text()


async def test_a_block_that_fails_is_healed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as planned"):
        async with guarding("local", "r1", log=tmp_path / "log"):
            raise ValueError("as planned")
    said = (tmp_path / "log").read_text()
    assert said == "the harness of r1 did not come to its end; removed: nothing\n"


async def test_a_block_that_fails_after_all_was_removed_is_not_healed(tmp_path: Path) -> None:
    async def fails_late() -> None:
        async with guarding("local", "r1", log=tmp_path / "log") as guard:
            guard.release()
            raise ValueError("as planned")

    with pytest.raises(ValueError, match="as planned"):
        await fails_late()
    assert (tmp_path / "log").read_text() == ""


async def test_a_cancelled_block_is_healed(tmp_path: Path) -> None:
    async def guarded() -> None:
        async with guarding("local", "r1", log=tmp_path / "log"):
            await wait.hold(60)

    task = asyncio.create_task(guarded())
    await wait.until("it waits", _children, timeout_s=10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert "removed: nothing" in (tmp_path / "log").read_text()


async def _children() -> bool:
    return bool(psutil.Process().children())


async def test_kill_9_of_its_owner(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = [sys.executable, "-c", _OWNER, str(log)]
    async with procs.spawned(words, log=tmp_path / "owner") as owner:

        async def guarded() -> bool:
            assert owner.returncode is None, (tmp_path / "owner").read_text()
            return "guarded" in (tmp_path / "owner").read_text()

        await wait.until("the block is entered", guarded, timeout_s=20)
        (child,) = psutil.Process(owner.pid).children()
        owner.send_signal(signal.SIGKILL)
        await owner.wait()

    async def told() -> bool:
        return "the harness of r1 is dead; removed: nothing" in log.read_text()

    await wait.until("the watchdog has healed", told, timeout_s=HEALED_WITHIN_S)
    await wait.until("it has ended", _ends(child), timeout_s=HEALED_WITHIN_S)


def _ends(process: psutil.Process) -> Callable[[], Awaitable[bool]]:
    async def ended() -> bool:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE

    return ended


async def test_it_waits_with_nothing_imported(tmp_path: Path) -> None:
    """A run's watchdog is there all the time: 0.5 s of processor time and 60 MB would be felt by many."""
    async with guarding("local", "r1", log=tmp_path / "log"):
        (child,) = psutil.Process().children()
        assert child.memory_info().rss < 20 << 20
