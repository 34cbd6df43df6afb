"""Full data folders and slow log sinks of the local backend, by a real supervisor with small programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clusters.local import host, supervision
from clusters.local.supervision import Supervisor
from clusters.local.supervisor import disks
from harness.base import wait
from harness.base.errors import ClusterError

ENV = {"PATH": "/usr/bin:/bin"}
WITHIN_S = 10.0
TALK = "while :; do echo 0123456789012345678901234567890123456789012345678; done"  # 50 bytes a line


@asynccontextmanager
async def _supervisor(tmp_path: Path, *, memory: bool = True) -> AsyncIterator[Supervisor]:
    isolation = await host.isolation()
    if not isolation.own_mounts:
        pytest.skip("no mount namespace here")
    (tmp_path / "data").mkdir()
    data = tmp_path / "data" if memory else None
    config = supervision.config(isolation=isolation.kind, uid=host.owner(), memory=data)
    async with supervision.owned(config, log=tmp_path / "supervisor.log") as here:
        yield here


async def _said(path: Path, text: str) -> None:
    async def there() -> bool:
        return path.exists() and text in path.read_text()

    await wait.until(f"{text} in {path.name}", there, timeout_s=WITHIN_S)


async def _write(here: Supervisor, name: str, folder: Path, log: Path) -> None:
    await here.spawn(name, ["sh", "-c", "echo more >> file && echo written"], cwd=folder, env=ENV, log=log)


async def test_a_full_folder_takes_nothing_and_its_neighbour_does(tmp_path: Path) -> None:
    one, two = (tmp_path / "data" / name for name in ("vt_100", "vt_101"))
    async with _supervisor(tmp_path) as here:
        for folder in (one, two):
            await here.prepare(folder, files={"file": "something\n"})
        await here.disk(one, full=True)
        free, size = (await here.limited())["disks"][str(one)]
        assert (free, size > 0) == (0, True)
        await here.spawn(
            "a", ["sh", "-c", "dd if=/dev/zero of=new bs=4k count=1"], cwd=one, env=ENV, log=tmp_path / "a.log"
        )  # a file's name needs no room, its content does
        await _said(tmp_path / "a.log", "No space left on device")
        await _write(here, "b", two, tmp_path / "b.log")
        await _said(tmp_path / "b.log", "written")
        await here.disk(one, full=False)
        await here.disk(one, full=False)
        assert (await here.limited())["disks"] == {}
        await _write(here, "c", one, tmp_path / "c.log")
        await _said(tmp_path / "c.log", "written")
    assert not one.exists(), "it is still mounted"


async def test_what_a_file_has_already_can_be_written_in_a_full_folder(tmp_path: Path) -> None:
    """A copied file has holes, which on a disk are blocks: InnoDB would die of a write that no disk refuses."""
    template = tmp_path / "template"
    template.mkdir()
    with (template / "ibdata1").open("wb") as file:
        file.truncate(1 << 20)
    folder = tmp_path / "data" / "vt_100"
    async with _supervisor(tmp_path) as here:
        await here.prepare(folder, template=template, files={})
        await here.disk(folder, full=True)
        inside = "dd if=/dev/urandom of=data/ibdata1 bs=64k count=16 conv=notrunc && echo inside"
        await here.spawn("a", ["sh", "-c", inside], cwd=folder, env=ENV, log=tmp_path / "a.log")
        await _said(tmp_path / "a.log", "inside")


async def test_no_folder_is_full_where_data_is_on_the_hosts_disk(tmp_path: Path) -> None:
    async with _supervisor(tmp_path, memory=False) as here:
        with pytest.raises(ClusterError, match="not in memory"):
            await here.disk(tmp_path, full=True)
        assert here.no_disks == disks.NO_MEMORY
        assert await here.limited() == {"disks": {}, "sinks": {}}


async def test_a_stalled_log_stops_who_writes_it(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    async with _supervisor(tmp_path) as here:
        await here.spawn("a", ["sh", "-c", TALK], cwd=Path("/tmp"), env=ENV, log=log)
        await _said(log, "0123")
        await here.sink("a", 1)

        async def blocked() -> bool:
            waiting, room, threads = (await here.limited())["sinks"]["a"]
            return (room, threads) == (4096, 1) and waiting > 4000

        await wait.until("the program waits to write", blocked, timeout_s=WITHIN_S)
        size = log.stat().st_size
        await wait.hold(0.5)
        assert log.stat().st_size - size <= 2
        await here.sink("a", 0)
        await here.sink("a", 0)
        assert (await here.limited())["sinks"] == {}
        await _grown(log, log.stat().st_size + 10_000)


async def test_a_slow_log_is_taken_at_its_rate(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    async with _supervisor(tmp_path) as here:
        await here.sink("a", 2000)  # also of its next start
        await here.spawn("a", ["sh", "-c", TALK], cwd=Path("/tmp"), env=ENV, log=log)
        await _grown(log, 1)
        await wait.hold(1.0)
        assert 1000 <= log.stat().st_size <= 6000


async def test_the_last_words_of_a_program_are_in_its_log_when_its_end_is_told(tmp_path: Path) -> None:
    ended: list[str] = []
    async with _supervisor(tmp_path) as here:
        here.on_exit(lambda end: ended.append((tmp_path / f"{end.name}.log").read_text()))
        await here.sink("slow", 1)
        for name in ("quick", "slow"):
            await here.spawn(name, ["echo", "last words"], cwd=Path("/tmp"), env=ENV, log=tmp_path / f"{name}.log")

        async def both() -> bool:
            return len(ended) == 2

        await wait.until("both ends", both, timeout_s=WITHIN_S)
    assert ended == ["last words\n", "last words\n"]


async def _grown(log: Path, to: int) -> None:
    async def there() -> bool:
        return log.stat().st_size >= to

    await wait.until(f"{to} bytes in {log.name}", there, timeout_s=WITHIN_S)
