"""Logs and events that are followed over an engine's long lines and broken streams."""

from __future__ import annotations

from pathlib import Path

from clusters.docker.following import LogFollower, Mark
from harness.base import wait
from tests.unit.docker_fakes import Container, FakeApi

PART = 16 << 10  # the engine gives longer lines in parts, which have one stamp


def container(api: FakeApi, *entries: tuple[str, bytes]) -> Container:
    """An ended one that has written this: time of the second → text."""
    made = api.containers_by_id["c"] = Container(id="c", asked={"name": ""}, state="exited")
    made.stamped = [f"2026-11-21T08:26:57.{when}Z ".encode() + text for when, text in entries]
    return made


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
