"""Goal: a soak that is killed in the middle of a run loses nothing and doubles nothing, and leaves no cluster.

Method: two short runs on one kept cluster; the soak is killed with SIGKILL while the second runs. That one goes on by
itself, and the soak that takes up the folder waits for it and takes it over.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from clusters import KEEPERS, kept
from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.soak import files
from harness.soak.drawing import drawing
from harness.soak.values import SOAK, Soak
from tests.cluster.command import RUN_WITHIN_S, started, until_event, vtchaos

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100)]

WEIGHTS = """
block = 2
kept_in_block = 2
kept_cluster.shards = 1
kept_cluster.tablets = 2

[[lot]]
experiment = "faults/none"
place = ["kept"]
set.baseline_s = 2
set.length_s = 2
set.recovery_s = 1
set.quiet_s = 1
"""


async def killed_in_the_second_run(folder: Path, *words: str | Path, log: Path) -> None:
    async with started("soak", *words, "--out", folder, log=log) as process:
        await until_event(folder / "0002", "phase", "baseline", process, log=log)
        process.send_signal(signal.SIGKILL)
        await process.wait()


def test_a_soak_that_was_killed_goes_on(tmp_path: Path) -> None:
    (tmp_path / "weights.toml").write_text(WEIGHTS)
    folder = tmp_path / "soak"
    words = ("--seed", "3", "--runs", "2", "--weights", tmp_path / "weights.toml")
    asyncio.run(killed_in_the_second_run(folder, *words, log=tmp_path / "output"))
    assert [run.number for run in files.runs(folder)] == [1]
    soak = jsonio.load(folder / SOAK, Soak)
    second = jsonio.load(RunDir(folder / "0002").clock, dict)

    ended = vtchaos("soak", "--resume", folder, within_s=RUN_WITHIN_S)

    assert ended.returncode in (0, 3), ended.output
    runs = list(files.runs(folder))
    assert [run.drawing for run in runs] == [drawing(3, number, soak.weights) for number in (1, 2)]
    assert [run.cluster for run in runs] == ["new", "reused"]
    assert jsonio.load(RunDir(folder / "0002").clock, dict) == second, "the second run was made twice"
    assert not list(folder.glob("*-broken-off-*"))
    assert (folder / "soak.html").is_file()
    left = [row.name for row in asyncio.run(kept.listed(KEEPERS)) if row.name.startswith(f"soak-{soak.name}")]
    assert left == []
