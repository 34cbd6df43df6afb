"""Goal: somebody at a terminal injects a fault into a cluster that stays, sees that it is felt and that it is over, and
finds the cluster as it was, also when the command is interrupted or killed.

Method: the real command line against one kept cluster, and signals to it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base import jsonio, wait
from harness.base.rundir import RunDir
from harness.history import fold_ledger
from harness.model import FaultSpan
from tests.cluster.command import RUN_WITHIN_S, started, vtchaos

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S)]

NAME = f"faults-{os.getpid()}"
FELT_WITHIN_S = 30.0
OVER_WITHIN_S = 100.0
HEALED_WITHIN_S = 15.0


@pytest.fixture(scope="module")
def kept() -> Iterator[str]:
    done = vtchaos("up", NAME, "--shards", "2", within_s=RUN_WITHIN_S)
    assert done.returncode == 0, done.output
    try:
        yield NAME
    finally:
        assert vtchaos("down", NAME).returncode == 0


def spans(run: Path) -> tuple[FaultSpan, ...]:
    ledger = RunDir(run).faults
    return fold_ledger(jsonio.read_lines(ledger)) if ledger.exists() else ()


def all_serve(name: str) -> bool:
    return any(line.split()[0] == name and " serving " in line for line in vtchaos("status").output.splitlines())


def test_it_is_held_taken_back_and_got_over(kept: str, tmp_path: Path) -> None:
    words = ("Paused", "--cluster", kept, "--shard", "-80", "--tablet-type", "replica", "--for", "2s")
    done = vtchaos("fault", "inject", *words, "--out", tmp_path / "run", within_s=OVER_WITHIN_S)
    assert done.returncode == 0, done.output
    (span,) = spans(tmp_path / "run")
    assert (span.fault, span.observed, span.unrecovered, span.unhealthy) == ("Paused", True, "", "")
    assert 2.0 <= (span.recover_ns - span.active_ns) / 1e9 < 10.0
    told = [line.partition("] ")[2] for line in done.output.splitlines()]
    steps = ("Paused on vttablet-", "in force", "felt: ", "holding for 2 s", "taken back", "ks has got over it")
    assert [next(text for text in told if text.startswith(step)) for step in steps], done.output
    assert all_serve(kept)


def test_a_reparent_that_fails_is_a_finding(kept: str, tmp_path: Path) -> None:
    words = ("PlannedReparent", "--cluster", kept, "--shard", "-80", "--set", "new_primary=zone1-0000000999")
    done = vtchaos("fault", "inject", *words, "--out", tmp_path / "run", within_s=OVER_WITHIN_S)
    assert (done.returncode, "it failed: " in done.output, "NO EVIDENCE" in done.output) == (1, True, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Pausd",), "did you mean Paused"),
        (("PlannedReparent",), "must be told its shard: --shard -80"),
        (("PlannedReparent", "--shard", "-40"), "there is no shard -40; there are -80, 80-"),
        (("PlannedReparent", "--shard", "-80", "--for", "3s"), "over when it has returned"),
        (("Paused", "--for", "soon"), "--for soon: it takes seconds"),
        (("Paused", "--cluster", "nobody"), "there is no cluster 'nobody'"),
    ],
)
def test_refused_before_anything_is_made(kept: str, words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    where = () if "--cluster" in words else ("--cluster", kept)
    done = vtchaos("fault", "inject", *words, *where, "--out", tmp_path / "run")
    assert (done.returncode, says in done.output) == (2, True), done.output
    assert not (tmp_path / "run").exists()


def test_what_this_cluster_can_do(kept: str) -> None:
    done = vtchaos("fault", "list", "--cluster", kept)
    assert done.returncode == 0
    assert done.output.count(f"possible on {kept}") + done.output.count(f"not on {kept}: ") > 20


def test_ctrl_c_takes_it_back_and_a_second_one_ends_nothing(kept: str, tmp_path: Path) -> None:
    asyncio.run(interrupted(kept, tmp_path))
    (span,) = spans(tmp_path / "run")
    assert span.healed_ns
    assert span.recovered_ns
    assert all_serve(kept)


async def interrupted(name: str, folder: Path) -> None:
    run, log = folder / "run", folder / "log"
    words = ("fault", "inject", "Killed", "--cluster", name, "--node", "vtgate-1", "--out", run)
    async with started(*words, log=log) as process:
        await felt(run, log, process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert await wait.finish("the command ends", process.wait(), timeout_s=OVER_WITHIN_S) == 0, log.read_text()


def test_kill_9_leaves_it_to_the_watchdog(kept: str, tmp_path: Path) -> None:
    asyncio.run(killed(kept, tmp_path))
    again = vtchaos("heal", tmp_path / "run")
    assert (again.returncode, again.output.startswith("nothing of")) == (0, True), again.output


async def killed(name: str, folder: Path) -> None:
    run, log = folder / "run", folder / "log"
    words = ("fault", "inject", "Paused", "--cluster", name, "--node", "mysqld-103", "--out", run)
    async with started(*words, log=log) as process:
        await felt(run, log, process)
        process.kill()
        await process.wait()

        async def healed() -> bool:
            return bool(spans(run)[0].healed_ns)

        await wait.until("the watchdog has taken it back", healed, timeout_s=HEALED_WITHIN_S)
    assert spans(run)[0].healed_by == "watchdog"


async def felt(run: Path, log: Path, process: asyncio.subprocess.Process) -> None:
    async def observed() -> bool:
        assert process.returncode is None, log.read_text()
        found = spans(run)
        return bool(found) and found[0].observed

    await wait.until("the fault is felt", observed, timeout_s=FELT_WITHIN_S)
