"""Goal: a limited program has no more CPU than it may have, also when it starts again, and nothing of that stays.

Method: a supervisor for real, with a program that takes all it gets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clusters.local import cpu, host, supervision
from clusters.local.supervision import Supervisor
from clusters.local.supervisor import cgroups
from harness.base import wait

BUSY = ["sh", "-c", "while :; do :; done"]


ENV = {"PATH": "/usr/bin:/bin"}


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
