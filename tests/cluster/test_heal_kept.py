"""Goal: a cluster that stays is healed whatever becomes of the harness: killed, hanging, interrupted again and again,
with a target that answers nothing, and with its watchdog killed too.

Method: the real command line holds a fault on a kept cluster of each backend. What is in force is looked for on the
cluster itself (traces), and never asked of the harness.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from clusters import KEEPERS, in_use, kept
from harness import lease
from harness.base import jsonio, procs, wait
from harness.base.rundir import RunDir
from harness.contracts import Backend
from harness.faults import health
from harness.heal import Silent
from harness.history import fold_ledger
from harness.model import FaultSpan
from harness.undoing import DeadRun
from tests.cluster.command import RUN_WITHIN_S, VTCHAOS, started

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S), pytest.mark.asyncio(loop_scope="module")]

HEALED_WITHIN_S = 10.0  # what is promised
SOON_S = 60.0
STANDS_WITHIN_S = 600.0


async def told(*words: str | Path, within_s: float = 150.0) -> procs.Completed:
    return await procs.run([VTCHAOS, *words], timeout_s=within_s, check=False, env={"COLUMNS": "400"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(backend: Backend) -> AsyncIterator[str]:
    name = f"test-{os.getpid()}-{backend.name}"
    up = await told("up", name, "--backend", backend.name, "--shards", "1", within_s=STANDS_WITHIN_S)
    assert up.returncode == 0, up.output
    yield name
    down = await told("down", name)
    assert down.returncode == 0, down.output


@contextlib.asynccontextmanager
async def paused(cluster: str, node: str, run: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A harness that holds a node paused, until it is ended."""
    words = ("fault", "inject", "Paused", "--cluster", cluster, "--node", node, "--for", "600s", "--out", run)
    async with started(*words, log=run.with_suffix(".log")) as process:

        async def in_force() -> bool:
            assert process.returncode is None, run.with_suffix(".log").read_text()
            return any(span.observed for span in spans(run))

        await wait.until(f"{node} is paused", in_force, timeout_s=SOON_S)
        assert f"{node} is stopped" in await wrong(cluster)
        yield process


async def wrong(cluster: str) -> str:
    async with kept.attached(cluster, keepers=KEEPERS, observer=Silent()) as standing, DeadRun.on(standing) as ground:
        return await health.wrong(ground)


async def healed(cluster: str) -> None:
    class State(str):
        def __bool__(self) -> bool:
            return not str(self)

    async def well() -> State:
        return State(await wrong(cluster))

    await wait.until("nothing is wrong with the cluster", well, timeout_s=SOON_S)


def spans(run: Path) -> tuple[FaultSpan, ...]:
    return fold_ledger(jsonio.read_lines(RunDir(run).faults))


def watchdog_of(harness: int) -> psutil.Process:
    (found,) = [child for child in psutil.Process(harness).children() if "lease" in " ".join(child.cmdline())]
    return found


async def without_watchdog(harness: int) -> None:
    """It is killed, and has let go of the cluster: its parent, which stands still, keeps it as a zombie.

    A zombie's open files, and its locks, are gone only with the last of its threads, which may outlive the first."""
    watchdog = watchdog_of(harness)
    watchdog.kill()

    async def gone() -> bool:
        try:
            threads = len(os.listdir(f"/proc/{watchdog.pid}/task"))
            return watchdog.status() == psutil.STATUS_ZOMBIE and threads == 1
        except (psutil.NoSuchProcess, FileNotFoundError):
            return True

    await wait.until("the watchdog is gone", gone, timeout_s=10)


async def test_kill_9(cluster: str, tmp_path: Path) -> None:
    async with paused(cluster, "vttablet-100", tmp_path / "run") as process:
        process.kill()
        killed_s = time.monotonic()
        await healed(cluster)
        assert time.monotonic() - killed_s < HEALED_WITHIN_S
    (span,) = spans(tmp_path / "run")
    assert span.healed_by == "watchdog"
    again = await told("heal", tmp_path / "run")
    assert (again.returncode, again.output.split(" ")[0]) == (0, "nothing"), again.output


async def test_a_harness_that_hangs_is_healed_and_learns_of_it(cluster: str, tmp_path: Path) -> None:
    async with paused(cluster, "vtgate-1", tmp_path / "run") as process:
        process.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        await healed(cluster)
        assert time.monotonic() - stopped_s < lease.LEASE_S + HEALED_WITHIN_S
        assert spans(tmp_path / "run")[0].healed_by == "watchdog"
        process.send_signal(signal.SIGCONT)
        assert await wait.finish("it ends", process.wait(), timeout_s=SOON_S) == 4
    assert "the harness stood still for" in (tmp_path / "run.log").read_text()
    assert await wrong(cluster) == ""


async def test_when_the_watchdog_was_killed_too_heal_does_it_later(cluster: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    async with paused(cluster, "vttablet-101", run) as process:
        process.send_signal(signal.SIGSTOP)
        await without_watchdog(process.pid)
        alive = await told("heal", run)
        assert alive.returncode == 2, alive.output
        process.kill()
        await process.wait()
    assert "vttablet-101 is stopped" in await wrong(cluster)
    first, second = await told("heal", run), await told("heal", run)
    assert (first.returncode, first.output) == (0, "taken back: Paused on vttablet-101")
    assert (second.returncode, second.output.split(" ")[0]) == (0, "nothing"), second.output
    assert await wrong(cluster) == ""
    assert spans(run)[0].healed_by == "heal"


async def test_heal_waits_for_no_living_run(cluster: str, tmp_path: Path) -> None:
    """Another run works on the cluster: what is done for the dead one would be the other's result."""
    dead = tmp_path / "dead"
    async with paused(cluster, "vttablet-101", dead) as process:
        process.send_signal(signal.SIGSTOP)
        await without_watchdog(process.pid)
        process.kill()
        await process.wait()
    with in_use.using(kept.folder_of(cluster)):
        refused = await told("heal", dead)
    assert (refused.returncode, f"is in use by process {os.getpid()}" in refused.output) == (2, True), refused.output
    assert (await told("heal", dead)).returncode == 0
    assert await wrong(cluster) == ""


async def test_ctrl_c_again_and_again_with_a_vtctld_that_answers_nothing(cluster: str, tmp_path: Path) -> None:
    async with paused(cluster, "vtctld", tmp_path / "run") as process:
        ended = asyncio.ensure_future(process.wait())
        while not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            await asyncio.wait((ended,), timeout=0.2)
        assert ended.result() in (130, -signal.SIGINT), (tmp_path / "run.log").read_text()  # after its handlers went
    (span,) = spans(tmp_path / "run")
    assert span.healed_ns
    assert span.healed_by == ""
    assert await wrong(cluster) == ""
