"""Goal: a limited program has no more CPU than it may have, also when it starts again, and nothing of that stays.

Method: a supervisor for real, with a program that takes all it gets; the kernel's own words for what is mounted.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clusters.local import cpu, host, supervision
from clusters.local.supervision import Supervisor
from clusters.local.supervisor import cgroups
from harness.base import wait
from harness.base.owner import this_process

V1 = "28 26 0:25 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
V1_MEMORY = "29 26 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
BUSY = ["sh", "-c", "while :; do :; done"]
ENV = {"PATH": "/usr/bin:/bin"}


def v2(top: Path) -> str:
    return f"30 26 0:27 / {top} rw,relatime - cgroup2 cgroup2 rw\n"


def test_of_both_versions_the_one_that_has_the_cpu(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    own = "5:cpu,cpuacct:/user.slice\n4:memory:/x\n0::/y\n"
    found = cgroups.tree(V1_MEMORY + v2(tmp_path) + V1, own)
    assert found == cgroups.Tree(
        version=1, top=Path("/sys/fs/cgroup/cpu,cpuacct"), own=Path("/sys/fs/cgroup/cpu,cpuacct/user.slice")
    )
    assert found.base == found.own


def test_version_2_limits_only_at_the_top(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    found = cgroups.tree(v2(tmp_path), "0::/user.slice/x\n")
    assert found is not None
    assert (found.version, found.base, found.own) == (2, tmp_path, tmp_path / "user.slice/x")


def test_nothing_that_limits_cpu() -> None:
    assert cgroups.tree(V1_MEMORY, "4:memory:/x\n0::/\n") is None


def test_a_system_without_proc_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_MOUNTS", "/no/such/file")
    monkeypatch.setattr(cgroups, "_OWN", "/no/such/file")
    assert cpu.orphans() == {}


def test_a_path_beyond_what_is_mounted_is_the_top(tmp_path: Path) -> None:
    """In a container the mount may begin below where the path of /proc begins."""
    found = cgroups.tree(V1.replace(" / /sys", " /docker/abc /sys"), "5:cpu,cpuacct:/\n")
    assert found is not None
    assert found.own == found.top


def test_whose_a_folder_is(tmp_path: Path) -> None:
    me = this_process()
    place = os.stat("/proc/self/ns/pid").st_ino
    mine = tmp_path / f"vtchaos-run.1.{me.pid}.{me.started}.{place}"
    dead = tmp_path / f"vtchaos-run.1.{me.pid}.{me.started + 1}.{place}"
    elsewhere = tmp_path / f"vtchaos-run.1.{me.pid}.{me.started + 1}.{place + 1}"
    lane = tmp_path / "vtchaos-lane"  # of ci/lane
    assert [left.home for left in cpu.leftovers((lane, mine, dead, elsewhere))] == [dead]
    assert next(cpu.leftovers((dead,))).run == "run.1"


# ---------------------------------------------------------------- for real


@asynccontextmanager
async def limiting(tmp_path: Path, kind: str) -> AsyncIterator[Supervisor]:
    isolation = host.PROCESS_GROUP if kind == host.PROCESS_GROUP else (await host.isolation()).kind
    config = supervision.config(isolation=isolation, uid=host.owner(), run="cpu-test")
    async with supervision.owned(config, log=tmp_path / "supervisor.log") as here:
        await here.spawn("a", BUSY, cwd=Path("/tmp"), env=ENV, log=tmp_path / "a.log")
        await here.usage()  # what the supervisor says first has been heard
        if here.no_cpu:
            pytest.skip(here.no_cpu)
        yield here


async def held_back(here: Supervisor) -> bool:
    return (await here.cpu_seen()).get("a", {}).get("held_back", 0) > 2


def homes() -> list[Path]:
    return [home for home in cgroups.homes() if home.name.startswith("vtchaos-cpu-test.")]


@pytest.mark.parametrize("kind", ["best", host.PROCESS_GROUP])
async def test_a_program_is_held_back_as_long_as_it_is_limited(tmp_path: Path, kind: str) -> None:
    async with limiting(tmp_path, kind) as here:
        assert await here.cpu_seen() == {}
        await here.limit_cpu("a", 0.2)
        await wait.until("the kernel stops it", lambda: held_back(here), timeout_s=10)
        assert cpu.traces(await here.cpu_seen()) == ("a may use 0.2 CPUs",)
        await here.limit_cpu("a", 0)
        assert (await here.cpu_seen(), homes()) == ({}, [])
        assert list(await here.running()) == ["a"], "it lives on, where the others are"


async def test_one_that_starts_again_is_limited_again_and_nothing_stays(tmp_path: Path) -> None:
    async with limiting(tmp_path, "best") as here:
        await here.limit_cpu("a", 0.2)
        await here.signal("a", 9, ends=True)

        async def gone() -> bool:
            return not await here.running()

        await wait.until("it is gone", gone, timeout_s=10)
        before = (await here.cpu_seen())["a"]["held_back"]
        await here.spawn("a", BUSY, cwd=Path("/tmp"), env=ENV, log=tmp_path / "a.log")

        async def more() -> bool:
            return (await here.cpu_seen())["a"]["held_back"] > before + 2

        await wait.until("the kernel stops the new one", more, timeout_s=10)
        assert len(homes()) == 1
        assert "cpu-test" not in cpu.orphans(), "its supervisor lives"
    assert homes() == []


async def test_what_a_dead_supervisor_left_is_found_and_removed(tmp_path: Path) -> None:
    found = cgroups.tree()
    if found is None or not os.access(found.base, os.W_OK):
        pytest.skip("no control groups to make")
    me = this_process()
    left = found.base / f"vtchaos-cpu-test.{me.pid}.{me.started + 1}.{os.stat('/proc/self/ns/pid').st_ino}"
    try:
        (left / "vtgate-1").mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"no control groups to make: {error}")
    assert cpu.orphans()["cpu-test"] == [f"control group {left}"]
    assert cpu.removed("cpu-test") == [f"control group {left}"]
    assert cpu.removed("cpu-test") == []
    assert not left.exists()
