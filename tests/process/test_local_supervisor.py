"""The supervisor, run for real with small programs; in namespaces where this host permits it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from clusters.common.processes import Exit
from clusters.local import host, network, supervision
from clusters.local.supervision import Supervisor
from harness.base import wait
from harness.base.errors import ClusterError, PlanError

ENV = {"PATH": "/usr/bin:/bin"}

LINK_GONE_WITHIN_S = 10.0


class Exits:
    """Collects exits and waits for them."""

    def __init__(self) -> None:
        self.all: list[Exit] = []

    def __call__(self, end: Exit) -> None:
        self.all.append(end)

    async def of(self, name: str) -> Exit:
        async def found() -> Exit | None:
            return next((end for end in self.all if end.name == name), None)

        end = await wait.until(f"exit of {name}", found, timeout_s=10)
        assert end is not None
        return end


@pytest.fixture(params=["best", host.PROCESS_GROUP])
async def isolation(request: pytest.FixtureRequest) -> str:
    return host.PROCESS_GROUP if request.param == host.PROCESS_GROUP else (await host.isolation()).kind


@asynccontextmanager
async def supervisor(tmp_path: Path, isolation: str) -> AsyncIterator[tuple[Supervisor, Exits]]:
    config = supervision.config(isolation=isolation, uid=host.owner(), remove=(tmp_path / "data",))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    async with supervision.owned(config, log=tmp_path / "supervisor.log") as here:
        exits = Exits()
        here.on_exit(exits)
        yield here, exits


async def test_programs_run_end_and_are_reported(tmp_path: Path, isolation: str) -> None:
    async with supervisor(tmp_path, isolation) as (here, exits):
        log = tmp_path / "a.log"
        await here.spawn("a", ["sh", "-c", "echo here $PWD; id -u; exit 3"], cwd=Path("/tmp"), env=ENV, log=log)
        end = await exits.of("a")
        assert (end.status, end.asked, end.how) == (3, False, "exit status 3")
        assert log.read_text().split("\n")[0] == "here /tmp"
        assert log.read_text().split("\n")[1] != "0"  # mysqld would refuse root
        assert await here.running() == {}
    assert not (tmp_path / "data").exists()


async def test_signals_reach_the_whole_group(tmp_path: Path, isolation: str) -> None:
    async with supervisor(tmp_path, isolation) as (here, exits):
        await here.spawn("a", ["sh", "-c", "sleep 1000 & wait"], cwd=Path("/tmp"), env=ENV, log=tmp_path / "a.log")
        assert list(await here.running()) == ["a"]
        assert "cpu_s" in (await here.usage(pss=True))["a"]
        assert await here.signal("a", signal.SIGKILL, ends=True)
        end = await exits.of("a")
        assert (end.status, end.asked, end.how) == (-9, True, "signal 9")
        assert not await here.signal("a", signal.SIGKILL)


async def test_mistakes_are_answered_not_fatal(tmp_path: Path, isolation: str) -> None:
    async with supervisor(tmp_path, isolation) as (here, _):
        with pytest.raises(ClusterError, match="No such file or directory: '/no/such/program'"):
            await here.spawn("a", ["/no/such/program"], cwd=Path("/tmp"), env=ENV, log=tmp_path / "a.log")
        await here.spawn("b", ["sleep", "1000"], cwd=Path("/tmp"), env=ENV, log=tmp_path / "b.log")
        with pytest.raises(ClusterError, match="b is already running"):
            await here.spawn("b", ["sleep", "1000"], cwd=Path("/tmp"), env=ENV, log=tmp_path / "b.log")
        with pytest.raises(ClusterError, match="cannot prepare"):
            await here.prepare(tmp_path, files={})


async def test_folders_belong_to_the_programs_user(tmp_path: Path, isolation: str) -> None:
    async with supervisor(tmp_path, isolation) as (here, _):
        source = tmp_path / "template"
        source.mkdir()
        (source / "ibdata1").write_bytes(b"x")
        folder = tmp_path / "data" / "vt_100"
        await here.prepare(folder, template=source, files={"my.cnf": "[mysqld]\n"})
        for path in (folder, folder / "tmp", folder / "my.cnf", folder / "data", folder / "data" / "ibdata1"):
            assert path.stat().st_uid == (host.owner() or os.getuid())


async def test_all_end_with_the_lifeline(tmp_path: Path, isolation: str) -> None:
    """What kill -9 of the harness does: nobody asks for anything, the socket just closes."""
    ours, theirs = socket.socketpair()
    config = supervision.config(isolation=isolation, uid=host.owner()) | {"control_fd": theirs.fileno()}
    process = await asyncio.create_subprocess_exec(*supervision.command(config), pass_fds=(theirs.fileno(),))
    theirs.close()
    async with Supervisor.joined(ours, tmp_path / "none.log") as here:
        for name in ("a", "b"):
            await here.spawn(name, ["sleep", "4711"], cwd=Path("/tmp"), env=ENV, log=tmp_path / "log")
        sleepers = _sleepers()
        assert len(sleepers) == 2
    await wait.finish("supervisor", process.wait(), timeout_s=10)
    assert _sleepers() == []


async def test_a_killed_supervisor_takes_everything_along(tmp_path: Path, isolation: str) -> None:
    async def gone() -> bool:
        return _sleepers("4712") == []

    async with supervisor(tmp_path, isolation) as (here, _):
        await here.spawn("a", ["sleep", "4712"], cwd=Path("/tmp"), env=ENV, log=tmp_path / "log")
        assert not await gone()
        (mine,) = [child for child in psutil.Process().children() if "supervisor.main" in " ".join(_words(child))]
        mine.kill()
        await wait.until("the program is gone", gone, timeout_s=10)
        with pytest.raises(ClusterError, match="supervisor is gone"):
            await here.running()


def _sleepers(seconds: str = "4711") -> list[int]:
    return [row.pid for row in psutil.process_iter() if _words(row) == ["sleep", seconds]]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may connect a network namespace to the host")
async def test_the_cluster_has_an_address_that_goes_with_it(tmp_path: Path) -> None:
    if (await host.isolation()).kind != host.NAMESPACES:
        pytest.skip("this host permits no network namespaces")
    link = network.free_network()
    config = supervision.config(
        isolation=host.NAMESPACES,
        uid=host.owner(),
        link=link.link,
        host_address=link.host,
        cluster_address=link.cluster,
    )
    async with supervision.owned(config, log=tmp_path / "supervisor.log") as here:
        await here.running()
        assert link.link in psutil.net_if_addrs()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(link.cluster, 2379)

    async def gone() -> bool:  # the kernel takes a dead namespace apart in its own time
        return link.link not in psutil.net_if_addrs()

    await wait.until(f"{link.link} is gone", gone, timeout_s=LINK_GONE_WITHIN_S)


async def test_unknown_isolation_is_refused() -> None:
    with pytest.raises(PlanError, match="unknown isolation 'jail'; it is one of namespaces"):
        await host.isolation("jail")


async def test_process_group_says_why_the_kernel_does_not_clean_up() -> None:
    assert "no pid namespace" in (await host.isolation(host.PROCESS_GROUP)).kernel_cleanup
