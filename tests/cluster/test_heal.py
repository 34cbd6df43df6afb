"""Goal: `vtchaos heal` removes what is left of a run when the harness and its watchdog were both killed, on every
backend; it says what that was, may be repeated, and refuses while the harness lives.

Method: the real command line, in its baseline; the watchdog is killed first, or it would be quicker.
"""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import psutil
import pytest

from clusters import BACKENDS
from harness.base import jsonio, procs, wait
from harness.base.rundir import RunDir
from harness.contracts import Backend
from harness.model import Plan
from tests.cluster.command import RUN_WITHIN_S, VTCHAOS, started, until_event
from tests.cluster.leftover import Traces, until_nothing_left

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100), pytest.mark.asyncio(loop_scope="module")]

LEAVES_NOTHING = ("local",)  # the kernel has removed it
ENDS_WITHIN_S = 60.0
HEALED_WITHIN_S = 150.0


async def told(*words: str | Path) -> procs.Completed:
    return await procs.run([VTCHAOS, *words], timeout_s=HEALED_WITHIN_S, check=False, env={"COLUMNS": "400"})


async def test_what_two_killed_processes_left(backend: Backend, tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    words = ("run", "reparent/storm-2", "--backend", backend.name, "--plain", "--set", "baseline_s=600")
    async with started(*words, "--out", run, log=log) as process:
        await until_event(run, "phase", "baseline", process, log=log)
        alive = await told("heal", run)
        assert alive.returncode == 2, alive.output
        assert f"is alive (process {process.pid})" in alive.output
        kill_both(process.pid)
        assert await wait.finish("vtchaos ends", process.wait(), timeout_s=ENDS_WITHIN_S) == -signal.SIGKILL

    made = jsonio.load(RunDir(run).plan, Plan)
    left = backend.name not in LEAVES_NOTHING
    orphans = await BACKENDS[backend.name].orphans()
    assert (made.run_id in orphans) is left, orphans
    assert (f"left by {made.run_id}" in (await told("status")).output) is left

    first, second = await told("heal", run), await told("heal", run)
    assert first.returncode == 0, first.output
    assert ("removed: " in first.output) is left, first.output
    assert (second.returncode, second.output) == (0, f"nothing of {made.run_id} is left")
    await until_nothing_left(backend, Traces(run=made.run_id, folder=run))


def kill_both(harness: int) -> None:
    """The watchdog sees the end of the harness at once; so that one must not end first."""
    process = psutil.Process(harness)
    process.suspend()
    watchdogs = [child for child in process.children() if _is_watchdog(child)]
    for child in watchdogs:
        child.kill()
    process.kill()


def _is_watchdog(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any("clusters.common" in word and "watchdog" in word for word in process.cmdline())
    return False
