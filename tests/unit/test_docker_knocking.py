"""Goal: nobody knocks from the place of a process that is not the container's own.

Method: an engine that tells a number, and a folder that stands for /proc.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clusters.docker.engine import Engine
from clusters.docker.knocking import place_of
from harness.base.errors import ClusterError

ID = "cc3f1997321296422463bd46981a9e2e95a8dbb16002a24fa826832ada7c24d5"
OTHER = ID[::-1]
MOUNT = "700 695 254:1 /var/lib/docker/containers/{}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n"


@dataclass
class Api:
    """One container, whose first process is number `pid` for the engine."""

    pid: int = 7
    kernel: str = os.uname().release

    def info(self) -> dict[str, Any]:
        return {"KernelVersion": self.kernel}

    def inspect_container(self, container: str) -> dict[str, Any]:
        assert container == ID
        return {"State": {"Pid": self.pid}}

    def close(self) -> None:
        return


async def place(proc: Path, api: Api, *, where: str = "unix:///run/docker.sock", holds: str = ID) -> int:
    (proc / "7").mkdir()
    (proc / "7" / "mountinfo").write_text(MOUNT.format(holds))
    engine = Engine(api, where=where)
    try:
        return await place_of(engine, ID, proc=proc)
    finally:
        engine.close()


async def test_the_containers_own_process(tmp_path: Path) -> None:
    assert await place(tmp_path, Api()) == 7


async def test_the_number_is_of_another_container_here(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"process 7, as the engine .* is not the container's here"):
        await place(tmp_path, Api(), holds=OTHER)


async def test_the_number_is_nobodys_here(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="in another pid namespace"):
        await place(tmp_path, Api(pid=8))


async def test_an_engine_that_is_reached_over_a_network(tmp_path: Path) -> None:
    """Its machine may have a kernel of the same release."""
    with pytest.raises(ClusterError, match="the engine at tcp://far:2375 is not on this machine"):
        await place(tmp_path, Api(), where="tcp://far:2375")


async def test_an_engine_in_a_virtual_machine(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="does not run on this machine's kernel"):
        await place(tmp_path, Api(kernel="6.6-linuxkit"))


async def test_a_container_that_has_ended(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="container cc3f19973212 does not run"):
        await place(tmp_path, Api(pid=0))
