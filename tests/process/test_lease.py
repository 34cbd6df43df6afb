"""Goal: whoever works on a cluster that stays has somebody who heals it: when he dies, when he hangs, and when he ends
with something in force; and he learns it when he is no longer the one.

Method: the real watchdog, over a run directory whose ledger says what was in force; the cluster is not there, so that
it has to say that it cannot heal.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from clusters.in_use import LOCK, using
from harness import lease
from harness.base import jsonio, procs, wait
from harness.base.errors import PlanError
from harness.base.rundir import LineLog, RunDir
from harness.lease import LOG, Lease
from harness.model import Remedy
from tests.unit.run_fakes import plan

WITHIN_S = 30.0
_OWNER = """
import asyncio, sys
from pathlib import Path
from clusters.in_use import using
from harness import lease
from harness.base.rundir import RunDir
lease.LEASE_S, lease.RENEW_S = 2.0, 0.1
lease.command.__kwdefaults__["lease_s"] = 2.0
async def main():
    held = lease.Lease(RunDir(Path(sys.argv[1])))
    with using(Path(sys.argv[2])) as lock:
        async with held.held(lock):
            print("held", flush=True)
            print(await held.lost(), flush=True)
            await held.healed()
            print("healed", flush=True)
asyncio.run(main())
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path / "cache"))
    made = RunDir.create(tmp_path / "run")
    jsonio.save(made.plan, plan(cluster_name="mine"))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the kept cluster."""
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def put_in_force(run: RunDir) -> None:
    ledger = LineLog(run.faults)
    undo = [Remedy(kind="runs", target="vttablet-100")]
    ledger.append(
        {"number": 1, "at_ns": 1, "step": "intent", "fault": "F", "targets": ["t"], "details": {}, "undo": undo}
    )
    ledger.close()


def said(run: RunDir) -> str:
    return (run.logs / LOG).read_text()


async def until_said(run: RunDir, text: str) -> None:
    async def there() -> bool:
        return text in said(run)

    await wait.until(f"the watchdog says {text!r}", there, timeout_s=WITHIN_S)


@asynccontextmanager
async def owner(run: RunDir, folder: Path, out: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    words = [sys.executable, "-c", _OWNER, str(run.path), str(folder)]
    async with procs.spawned(words, log=out) as process:
        await until_told(out, "held")
        yield process


async def until_told(out: Path, text: str) -> None:
    async def told() -> str:
        return out.read_text() if text in out.read_text() else ""

    await wait.until(f"the owner says {text!r}", told, timeout_s=WITHIN_S)


async def test_a_run_that_left_nothing_is_not_healed(run: RunDir, folder: Path) -> None:
    with using(folder) as lock:
        async with Lease(run).held(lock):
            (child,) = psutil.Process().children()
            assert os.getsid(child.pid) == child.pid  # a Ctrl-C is not for it
    assert said(run) == ""
    assert not child.is_running()


async def test_a_run_that_could_not_heal_is_healed_once_more(run: RunDir, folder: Path) -> None:
    with using(folder) as lock:
        async with Lease(run).held(lock):
            put_in_force(run)
    assert "could not take back its faults itself: " in said(run)
    assert f"`vtchaos heal {run.path}` tries again" in said(run)  # there is no cluster


async def test_kill_9(run: RunDir, folder: Path, tmp_path: Path) -> None:
    async with owner(run, folder, tmp_path / "out") as process:
        process.kill()
        await process.wait()
        await until_said(run, f"the harness of {run.path.name} is dead: nothing was in force")


async def test_the_cluster_is_in_use_until_it_is_healed(run: RunDir, folder: Path, tmp_path: Path) -> None:
    async with owner(run, folder, tmp_path / "out") as process:
        (watchdog,) = psutil.Process(process.pid).children()
        watchdog.suspend()
        process.kill()
        await process.wait()
        with pytest.raises(PlanError, match=f"the watchdog of process {process.pid}, which is dead"), using(folder):
            raise AssertionError("two at once")
        watchdog.resume()
        await until_said(run, "nothing was in force")

        async def free() -> bool:
            try:
                with using(folder):
                    return True
            except PlanError:
                return False

        await wait.until("the cluster is free", free, timeout_s=WITHIN_S)
    assert (folder / LOCK).exists()


async def test_who_hangs_is_healed_and_learns_of_it(run: RunDir, folder: Path, tmp_path: Path) -> None:
    async with owner(run, folder, tmp_path / "out") as process:
        process.send_signal(signal.SIGSTOP)
        await until_said(run, "hangs: nothing was in force")
        process.send_signal(signal.SIGCONT)
        await until_told(tmp_path / "out", "healed")
    assert "the harness stood still for" in (tmp_path / "out").read_text()


async def test_a_watchdog_that_was_killed_is_missed(run: RunDir, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.05)
    held = Lease(run)
    with using(folder) as lock:
        async with held.held(lock):
            (child,) = psutil.Process().children()
            child.kill()
            assert "was ended by somebody" in await wait.finish("it is missed", held.lost(), timeout_s=WITHIN_S)
