"""Goal: a limited program has no more CPU than it may have, also when it starts again, and nothing of that stays.

Method: a supervisor for real, with a program that takes all it gets; the kernel's own words for what is mounted.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusters.local import cpu
from clusters.local.supervisor import cgroups
from harness.base.owner import this_process

V1 = "28 26 0:25 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
V1_MEMORY = "29 26 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"


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
