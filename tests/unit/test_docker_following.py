"""Logs and events that are followed over an engine's long lines and broken streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clusters.docker import following
from clusters.docker.following import LogFollower, Mark
from harness.base import wait
from tests.unit.docker_fakes import Container, FakeApi

PART = 16 << 10  # the engine gives longer lines in parts, which have one stamp


def container(api: FakeApi, *entries: tuple[str, bytes]) -> Container:
    """An ended one that has written this: time of the second → text."""
    made = api.containers_by_id["c"] = Container(id="c", asked={"name": ""}, state="exited")
    made.stamped = container_entries(*entries)
    return made


def container_entries(*entries: tuple[str, bytes]) -> list[bytes]:
    return [f"2026-11-21T08:26:57.{when}Z ".encode() + text for when, text in entries]


async def followed(api: FakeApi, path: Path, mark: Mark) -> Mark:
    follower = LogFollower(api, path, mark)
    await wait.finish("its end", follower.ended.wait(), timeout_s=10)
    return follower.mark


LONG = (
    ("100000001", b"before\n"),
    ("100000002", b"a" * PART),
    ("100000002", b"b" * PART),
    ("100000002", b"c\n"),
    ("100000003", b"after\n"),
)


async def test_no_part_of_a_long_line_is_lost(tmp_path: Path) -> None:
    api, path = FakeApi(), tmp_path / "log"
    container(api, *LONG)
    await followed(api, path, Mark(container="c"))
    assert path.read_bytes() == b"".join(text for _, text in LONG)


async def test_wherever_it_stops_it_goes_on_with_the_next_part(tmp_path: Path) -> None:
    for first in range(len(LONG) + 1):
        api, path = FakeApi(), tmp_path / f"log-{first}"
        container(api, *LONG[:first])
        mark = await followed(api, path, Mark(container="c"))
        container(api, *LONG)
        await followed(api, path, mark)
        assert path.read_bytes() == b"".join(text for _, text in LONG), first


async def test_a_part_that_is_older_than_what_the_other_output_wrote(tmp_path: Path) -> None:
    api, path = FakeApi(), tmp_path / "log"
    container(api, ("100000001", b"a" * PART), ("300000000", b"other\n"), ("100000001", b"rest\n"))
    mark = await followed(api, path, Mark(container="c"))
    assert path.read_bytes() == b"a" * PART + b"other\nrest\n"
    await followed(api, path, mark)
    assert path.read_bytes() == b"a" * PART + b"other\nrest\n"


async def test_a_stream_that_breaks_is_opened_again_where_it_stopped(tmp_path: Path) -> None:
    """The SDK ends a broken stream like a whole one."""
    api, path = FakeApi(), tmp_path / "log"
    made = container(api, *LONG[:3])
    made.state = "running"
    follower = LogFollower(api, path, Mark(container="c"))
    await wait.until("it follows", _read(made), timeout_s=10)
    made.readers.pop().close()
    made.stamped += container_entries(*LONG[3:])
    await wait.until("it follows again", _read(made), timeout_s=10)
    made.state = "exited"
    made.readers.pop().close()
    await wait.finish("its end", follower.ended.wait(), timeout_s=10)
    assert path.read_bytes() == b"".join(text for _, text in LONG)


async def test_a_log_that_is_lost_for_good_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "AGAIN_AFTER_S", (0.01, 0.01))
    api, path, why = FakeApi(), tmp_path / "log", list[str]()
    container(api)
    api.fails["logs"] = [ValueError("not this one")] * 3
    follower = LogFollower(api, path, Mark(container="c"), lost=why.append)
    await wait.finish("its end", follower.ended.wait(), timeout_s=10)
    assert why == ["not this one"]
    assert "not this one" in path.read_text()


def _read(made: Container) -> Callable[[], Awaitable[bool]]:
    async def read() -> bool:
        return bool(made.readers)

    return read
