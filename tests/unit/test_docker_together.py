"""A tablet's two programs in one container: over an engine in memory."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from clusters.common.commands import Command
from clusters.common.images import DATA
from clusters.docker import programs, together
from clusters.docker.programs import Found
from harness.base.errors import ClusterError
from harness.model import Placement
from tests.unit.test_docker_processes import GROUND, Site, opened

TOGETHER = replace(GROUND, place=Placement(together=True, memory_mb=512))
COMMAND = Command(argv=("/vt/bin/vttablet", "--x"), cwd=DATA / "vt_0000000100" / "data", env={"A": "b"})


def key_of(site: Site, name: str) -> str:
    """What the engine calls the program of a node that was started last."""
    return [key for key, each in site.api.programs.items() if each.argv[2] == together.RUN and each.argv[6] == name][-1]


def number_of_containers(site: Site) -> int:
    return len(site.api.containers_by_id)


async def test_both_run_in_the_box_and_others_in_their_own_containers(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=TOGETHER) as site:
        for name in ("mysqld-100", "vttablet-100", "vtgate-1"):
            await site.processes.spawn(site.node(name), COMMAND)
        box = site.api.node("tablet-100", "vtchaos.box")
        assert number_of_containers(site) == 3
        assert (box.asked["user"], box.asked["host_config"]["Memory"]) == ("999:999", 512 << 20)
        gate = site.api.node("vtgate-1", "vtchaos.box")
        assert "Memory" not in gate.asked["host_config"]
        program = site.api.programs[key_of(site, "vttablet-100")]
        assert (program.container, program.workdir, program.env) == (box.id, str(COMMAND.cwd), {"A": "b"})
        assert program.argv[4:] == [
            "2",
            "/vt/vtdataroot/vt_0000000100/vttablet-100.process",
            "vttablet-100",
            *COMMAND.argv,
        ]
        assert site.api.programs[key_of(site, "mysqld-100")].argv[4] == "1"


async def test_an_end_is_told_when_all_before_it_is_in_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "LOG_END_TIMEOUT_S", 60.0)  # the sign comes at once, and is not missed
    async with opened(tmp_path, ground=TOGETHER) as site:
        node = site.node("mysqld-100")
        await site.processes.spawn(node, COMMAND)
        box = site.api.node("tablet-100", "vtchaos.box")
        site.api.say(box, b"cut in the mid")
        site.api.program_ends(key_of(site, "mysqld-100"), 137)
        end = await site.exit_of("mysqld-100")
        assert (end.status, end.asked) == (-9, False)
        assert site.layout.log(node).read_bytes() == b"cut in the mid"
        assert not await site.processes.signal(node, signal.SIGCONT)


async def test_it_comes_back_in_the_same_container(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=TOGETHER) as site:
        node = site.node("mysqld-100")
        await site.processes.spawn(node, COMMAND)
        with pytest.raises(ClusterError, match="mysqld-100 is already running"):
            await site.processes.spawn(node, COMMAND)
        assert await site.processes.signal(node, signal.SIGTERM, ends=True)
        container, argv, user = site.api.execs[-1]
        assert (container, user) == (site.api.node("tablet-100", "vtchaos.box").id, "0:0")
        assert argv[4:] == ["15", "/vt/vtdataroot/vt_0000000100/mysqld-100.process"]
        site.api.program_ends(key_of(site, "mysqld-100"), 0)
        assert (await site.exit_of("mysqld-100")).asked
        site.exits.clear()
        await site.processes.spawn(node, COMMAND)
        assert number_of_containers(site) == 1
        site.api.program_ends(key_of(site, "mysqld-100"), 1)
        assert not (await site.exit_of("mysqld-100")).asked


async def test_a_program_that_has_just_ended_is_not_running(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=TOGETHER) as site:
        node = site.node("mysqld-100")
        await site.processes.spawn(node, COMMAND)
        site.api.exec_answer = (together.NOT_RUNNING, b"")
        assert not await site.processes.signal(node, signal.SIGCONT)
        site.api.exec_answer = (1, b"no rights")
        with pytest.raises(ClusterError, match="mysqld-100 cannot be sent a signal: no rights"):
            await site.processes.signal(node, signal.SIGCONT)
        site.api.exec_answer = (0, b"")


async def test_who_attaches_finds_what_runs(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=TOGETHER) as first:
        for name in ("mysqld-100", "vttablet-100"):
            await first.processes.spawn(first.node(name), COMMAND)
        first.api.programs[key_of(first, "vttablet-100")].runs = False
        box = first.api.node("tablet-100", "vtchaos.box").id
        async with opened(tmp_path, ground=TOGETHER, api=first.api) as second:
            both = {name: Found(key=box, runs=True) for name in ("mysqld-100", "vttablet-100")}
            assert await second.processes.adopt(both) == ("mysqld-100",)
            first.api.program_ends(key_of(first, "mysqld-100"), 143)
            assert (await second.exit_of("mysqld-100")).status == -15


async def test_a_box_that_is_gone_does_not_hide_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=TOGETHER) as site:
        await site.processes.spawn(site.node("mysqld-100"), COMMAND)
        key, box = key_of(site, "mysqld-100"), site.api.node("tablet-100", "vtchaos.box")
        del site.api.containers_by_id[box.id]
        site.api.event(box, "exec_die", execID=key, exitCode="137")
        assert (await site.exit_of("mysqld-100")).status == -9


async def test_an_end_in_a_box_while_the_events_were_broken(tmp_path: Path) -> None:
    async with opened(tmp_path, ground=TOGETHER) as site:
        for name in ("mysqld-100", "vttablet-100"):
            await site.processes.spawn(site.node(name), COMMAND)
        key = key_of(site, "mysqld-100")
        site.api.listeners.pop().close()
        site.api.programs[key].runs = False
        assert (await site.exit_of("mysqld-100")).asked is False
        assert [end.name for end in site.exits] == ["mysqld-100"]
