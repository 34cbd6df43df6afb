"""Goal: the proof of cleanliness sees what a run left on this host, and nothing of anybody else.

Method: real processes, namespaces and sockets that stand for a run's, and for a stranger's.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from harness import clean
from harness.base import procs, wait
from harness.base.errors import ClusterError
from harness.clean import Marks
from harness.model import Node, Placement
from tests.unit.run_fakes import FakeCluster

NOWHERE = Placement()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean, "GONE_WITHIN_S", 0.5)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


def stop(process: subprocess.Popen[bytes]) -> None:
    """It stands still on return; a busy kernel takes a while."""
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)


async def test_a_process_of_the_run_is_seen_with_its_state(sleeper: subprocess.Popen[bytes]) -> None:
    marks = Marks(run="r")
    marks.note()
    stop(sleeper)
    seen = await clean.over(marks, NOWHERE, None)
    assert seen.found["processes"] == (f"sleep (process {sleeper.pid}), stopped",)
    sleeper.kill()
    sleeper.wait()
    seen = await clean.over(marks, NOWHERE, None)
    assert not any(seen.found.values()), seen


async def test_a_strangers_stopped_process_is_neither_seen_nor_touched(sleeper: subprocess.Popen[bytes]) -> None:
    """It was there before, or came from elsewhere: it is not among what was noted."""
    stop(sleeper)
    assert not any((await clean.over(Marks(run="r"), NOWHERE, None)).found.values())
    assert psutil.Process(sleeper.pid).status() == psutil.STATUS_STOPPED


@pytest.mark.skipif(os.getuid() != 0, reason="makes a network namespace")
async def test_a_namespace_that_somebody_is_still_in_is_seen() -> None:
    marks = Marks(run="r")
    async with procs.spawned(["unshare", "--net", "sleep", "600"]) as process:
        before = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{process.pid}/ns/net") == before:
            await wait.hold(0.01)
        space = os.readlink(f"/proc/{process.pid}/ns/net")
        marks.note()
        assert f"{space} of sleep" in (await clean.over(marks, NOWHERE, None)).found["namespaces"]
    assert not any((await clean.over(marks, NOWHERE, None)).found.values())


async def test_a_port_that_still_listens_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        cluster = FakeCluster(ports={("vtgate-1", "mysql"): port})
        marks = Marks(run="r")
        marks.note(cluster)
        assert (await clean.over(marks, NOWHERE, None)).found["listening ports"] == (f"127.0.0.1:{port}",)
    assert (await clean.over(marks, NOWHERE, None)).found["listening ports"] == ()


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("nft") is None, reason="makes a packet rule")
async def test_a_foreign_table_is_untouched_and_one_of_ours_is_seen() -> None:
    async def nft(*words: str) -> None:
        await procs.run(["nft", *words], timeout_s=5)

    await nft("add", "table", "inet", "somebody_elses")
    await nft("add", "table", "inet", "vtchaos_links")
    try:
        seen = await clean.over(Marks(run="r"), NOWHERE, None)
        assert seen.found["packet rules"] == ("table inet vtchaos_links",)
        assert "somebody_elses" in (await procs.run(["nft", "list", "tables"], timeout_s=5)).output
    finally:
        await nft("delete", "table", "inet", "somebody_elses")
        await nft("delete", "table", "inet", "vtchaos_links")


@dataclass
class Asked:
    """A backend that says what is left with it, or that it cannot be asked."""

    things: Mapping[str, Sequence[str]] = field(default_factory=dict)
    broken: str = ""

    async def left(self, run: str, place: Placement) -> Mapping[str, Sequence[str]]:
        if self.broken:
            raise ClusterError(self.broken)
        return self.things


async def test_what_the_backend_has() -> None:
    seen = await clean.over(Marks(run="r"), NOWHERE, Asked({"containers": ["etcd"], "volumes": []}))
    assert (seen.found["containers"], seen.found["volumes"]) == (("etcd",), ())
    seen = await clean.over(Marks(run="r"), NOWHERE, Asked(broken="no engine answers"))
    assert seen.blind["the backend's own"] == "no engine answers"


class Sick(FakeCluster):
    """One node is dead, one is stopped."""

    async def signal(self, node: Node, signum: int) -> None:
        if node.name == "vtctld":
            raise ClusterError("vtctld is not running")

    async def traces(self) -> Sequence[str]:
        return ("vtgate-1 is stopped",)


async def test_a_cluster_that_stays() -> None:
    seen = await clean.standing(Sick(folder=Path("/nonexistent")))
    assert seen.found["nodes that do not run"] == ("vtctld is not running",)
    assert seen.found["faults in force"] == ("vtgate-1 is stopped",)
    assert "faults in force" in (await clean.standing(FakeCluster())).blind
