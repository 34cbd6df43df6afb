"""Sockets and addresses of an engine at which nobody, or somebody else, listens."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from clusters.docker import engine, network
from clusters.docker.backend import DockerBackend
from harness.base import wait
from harness.base.errors import ClusterError
from harness.model import ClusterSpec, Placement


async def test_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    said = await engine.refusal()
    assert said.startswith(f"no Docker engine answers at unix://{tmp_path}/none.sock (there is no such socket): ")
    assert "`apt-get install docker.io`, then `dockerd`; or Docker Desktop" in said
    spec = ClusterSpec(shards=1)
    assert await DockerBackend().refusals(spec, Placement()) == (said,)
    with pytest.raises(ClusterError, match="no Docker engine answers"):
        await DockerBackend().heal("r1")


async def test_nobody_listens_at_the_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert "(nobody listens there)" in await engine.refusal()


async def test_an_address_is_reached_when_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(network, "_PROBED_PORT", taken.getsockname()[1])
        assert await network.reaches("127.0.0.1")
    assert await network.reaches("127.0.0.1")  # now nobody listens
    monkeypatch.setattr(network, "PROBE_TIMEOUT_S", 0.1)

    async def silent(*_: object) -> None:
        await wait.hold(10)

    monkeypatch.setattr(asyncio, "open_connection", silent)
    assert not await network.reaches("198.18.1.1")
