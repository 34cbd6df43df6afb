"""Goal: a cluster made by `vtchaos up` stays, is shown, takes runs one after the other, and goes with `down`; on every
backend."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from clusters import BACKENDS, KEEPERS
from clusters.kept import listed
from harness import history
from harness.base import wait
from harness.base.rundir import RunDir
from harness.contracts import Backend
from harness.model import CheckKind, ClusterSpec, Placement, Verdict
from harness.mysql.session import Answer, admin_session
from tests.cluster.command import (
    RUN_WITHIN_S,
    SHORT,
    TELL_WITHIN_S,
    events_of,
    require_honest,
    started,
    verdict_of,
    vtchaos,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100)]

NAME = f"test-{os.getpid()}"


@pytest.fixture(scope="module", params=KEEPERS)
def keeper(request: pytest.FixtureRequest) -> str:
    """The name of a backend that can stand a small cluster up here."""
    name = str(request.param)
    if name not in BACKENDS:
        pytest.skip(f"{name}: it stands nothing up")
    reasons = asyncio.run(_refusals(BACKENDS[name]))
    if reasons:
        pytest.skip(f"{name}: {'; '.join(reasons)}")
    return name


async def _refusals(backend: Backend) -> Sequence[str]:
    return await backend.refusals(ClusterSpec(shards=2, tablets_per_shard=2), Placement())


@pytest.fixture(scope="module")
def kept(keeper: str) -> Iterator[str]:
    """The name of a cluster with 2 shards."""
    done = vtchaos("up", NAME, "--backend", keeper, within_s=RUN_WITHIN_S)
    assert done.returncode == 0, done.output
    try:
        yield NAME
    finally:
        vtchaos("down", NAME)  # a second time, if all went well


def test_status_shows_it_and_how_to_connect(kept: str, keeper: str) -> None:
    everything = vtchaos("status")
    assert everything.returncode == 0
    (line,) = [line for line in everything.output.splitlines() if kept in line.split()]
    assert "serving" in line
    assert line.split()[1] == keeper
    assert "2 x 2" in line
    one = vtchaos("status", kept)
    assert one.returncode == 0
    assert "mysql" in one.output


def test_it_is_refused_a_second_time(kept: str) -> None:
    done = vtchaos("up", kept)
    assert done.returncode == 2, done.output
    assert kept in done.output


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_interrupted_leaves_nothing(signum: int, keeper: str, tmp_path: Path) -> None:
    asyncio.run(interrupted(signum, keeper, tmp_path))


async def interrupted(signum: int, keeper: str, tmp_path: Path) -> None:
    name, log = f"{NAME}-{int(signum)}", tmp_path / "log"
    async with started("up", name, "--shards", "2", "--backend", keeper, log=log) as process:

        async def under_way() -> bool:
            assert process.returncode is None, log.read_text()
            return "mysqlds" in log.read_text()

        await wait.until("mysqlds start", under_way, timeout_s=RUN_WITHIN_S)
        process.send_signal(signum)
        assert await wait.finish("vtchaos ends", process.wait(), timeout_s=TELL_WITHIN_S) == 130
    assert log.read_text().endswith("vtchaos: interrupted\n")
    assert name not in [row.name for row in await listed(KEEPERS)]
    words = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]  # a zombie has none
    assert [line for line in words if any(name in word for word in line)] == []
    assert [run for run in await BACKENDS[keeper].orphans() if name in run] == []


def test_it_cannot_be_contradicted(kept: str) -> None:
    done = vtchaos("run", "reparent/storm-2", "--cluster", kept, "--shards", "3")
    assert done.returncode == 2, done.output
    assert "already running with its own shards" in done.output


def test_runs_one_after_the_other(kept: str, keeper: str, tmp_path: Path) -> None:
    """The second one starts with an empty ledger, or the rows of the first would be phantoms."""
    runs = {
        tmp_path / "storm": ("reparent/storm-2",),
        tmp_path / "control": ("reparent/control", "--set", "hold_s=1"),
    }
    for run, words in runs.items():
        done = vtchaos("run", *words, *SHORT, "--cluster", kept, "--out", run, within_s=RUN_WITHIN_S)
        verdict = verdict_of(run)
        assert done.returncode == verdict.exit_code, done.output
        require_honest(verdict, done.output)
        safety = [r for r in verdict.results if r.kind is CheckKind.SAFETY]
        assert [r.summary for r in safety if r.verdict is not Verdict.PASS] == []
        assert [event.subject for event in events_of(run) if event.kind == "cluster"] == ["serving", "left running"]
        seen = history.load(RunDir.open(run))
        assert seen.plan.cluster_name == kept
        assert seen.plan.backend == keeper
        assert seen.plan.cluster.shards == 2
    assert vtchaos("status", kept).returncode == 0


def test_it_serves_those_who_come_by_hand(kept: str) -> None:
    """At the address that `status` prints."""
    shown = re.search(r"mysql.* -h (\S+) -P (\d+) ks", vtchaos("status", kept).output)
    assert shown is not None
    assert asyncio.run(answer_of(shown[1], int(shown[2]))).ok


async def answer_of(host: str, port: int) -> Answer:
    async with admin_session(host, port, user="me", database="ks") as session:
        return await session.query("SELECT COUNT(*) FROM ledger", timeout_s=TELL_WITHIN_S)


def test_after_down_it_is_gone(kept: str, keeper: str) -> None:
    """The last test of this module."""
    done = vtchaos("down", kept)
    assert (done.returncode, done.output.strip()) == (0, f"{kept} is gone")
    assert kept not in vtchaos("status").output.split()
    assert kept not in " ".join(asyncio.run(BACKENDS[keeper].orphans()))
    for words in (("status", kept), ("down", kept), ("run", "reparent/storm-2", "--cluster", kept)):
        again = vtchaos(*words)
        assert again.returncode == 2, again.output
        assert f"there is no cluster '{kept}'" in again.output
