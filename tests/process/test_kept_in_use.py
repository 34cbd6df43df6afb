"""Goal: two runs on one kept cluster, or its removal during a run, are refused, and a killed run is in nobody's way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness.kept
from clusters import kept
from clusters.in_use import LOCK
from harness.base.errors import ClusterError, PlanError
from harness.base.owner import process
from harness.model import Placement
from tests.unit.kept_fakes import SPEC, FakeKeeper
from tests.unit.local_fakes import Recorder

HOLDS = """
import sys, pathlib
from clusters.in_use import using
with using(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


@pytest.fixture
def keepers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeKeeper]:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
    keepers = {"docker": FakeKeeper()}
    monkeypatch.setattr(harness.kept, "KEEPERS", keepers)
    return keepers


async def start(keepers: dict[str, FakeKeeper]) -> Path:
    await kept.start("a", SPEC, Placement(), keeper="docker", keepers=keepers, observer=Recorder())
    return kept.folder_of("a")


async def test_a_second_run_and_a_removal_wait_for_the_first(keepers: dict[str, FakeKeeper]) -> None:
    folder = await start(keepers)
    says = rf"'a' is in use by process {os.getpid()}; .*`kill {os.getpid()}` ends it"
    async with harness.kept.attached("a", Recorder()):
        with pytest.raises(PlanError, match=says):
            async with harness.kept.attached("a", Recorder()):
                pytest.fail("two runs at a time")
        with pytest.raises(PlanError, match=says) as caught:
            await kept.stop("a", keepers=keepers)
        assert caught.value.exit_code == 2
        assert keepers["docker"].stopped == []
        (row,) = await kept.listed(keepers)  # looking is nobody's business
        assert row.serving
        async with kept.attached("a", keepers=keepers, observer=Recorder()):
            pass
    async with harness.kept.attached("a", Recorder()):
        pass
    await kept.stop("a", keepers=keepers)
    assert not folder.exists()


async def test_what_a_run_fails_with_comes_out_and_it_lets_go(keepers: dict[str, FakeKeeper]) -> None:
    await start(keepers)
    with pytest.raises(ClusterError, match="died"):
        async with harness.kept.attached("a", Recorder()):
            raise ClusterError("died")
    await kept.stop("a", keepers=keepers)


def test_a_killed_run_holds_nothing(keepers: dict[str, FakeKeeper]) -> None:
    folder = asyncio.run(start(keepers))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"held\n"
        with pytest.raises(PlanError, match=f"in use by process {run.pid}; "):
            asyncio.run(kept.stop("a", keepers=keepers))
        run.kill()
        run.wait()
    asyncio.run(kept.stop("a", keepers=keepers))
    assert not folder.exists()


async def test_a_user_on_another_host_is_named_with_it(keepers: dict[str, FakeKeeper]) -> None:
    folder = await start(keepers)
    async with harness.kept.attached("a", Recorder()):
        (folder / LOCK).write_text(f"other.example:{process(1).pid}:1")
        with pytest.raises(PlanError, match=r"process 1 on the host other\.example; try again"):
            await kept.stop("a", keepers=keepers)
        (folder / LOCK).write_text("")
        with pytest.raises(PlanError, match="another process, which has just begun"):
            await kept.stop("a", keepers=keepers)
