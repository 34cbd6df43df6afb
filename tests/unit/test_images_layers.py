"""Goal: a layer is packed once, again when its sources change, and never half."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from clusters.images import layers, tree
from clusters.images.archive import Count
from clusters.images.layers import Recipe
from clusters.images.tree import Entry
from clusters.software.progress import Silent
from clusters.software.store import Store
from harness.base.errors import SoftwareError


class Steps:
    def __init__(self) -> None:
        self.rows: list[tuple[str, int | None, int | None]] = []

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        self.rows.append((what, done, total))


def program(folder: Path, text: str, at: int = 1) -> Path:
    path = folder / "vtgate"
    path.write_text(text)
    os.utime(path, (at, at))
    return path


async def test_a_layer_is_packed_once(tmp_path: Path) -> None:
    kept = Store(tmp_path / "images")
    entry = tree.copied("vt/bin/vtgate", program(tmp_path, "one"))
    recipe, steps = layers.plain("vitess-24.0.3-vtgate", [entry]), Steps()
    assert layers.known(recipe, kept) is None
    first = await layers.ready(recipe, kept, steps)
    assert "packing vitess-24.0.3-vtgate" in [what for what, _, _ in steps.rows]
    steps.rows.clear()
    assert await layers.ready(recipe, kept, steps) == first == layers.known(recipe, kept)
    assert steps.rows == []


async def test_another_source_makes_another_layer_and_the_old_one_goes(tmp_path: Path) -> None:
    kept = Store(tmp_path / "images")
    path = program(tmp_path, "one")
    name = "vitess-24.0.3-vtgate"
    old = await layers.ready(layers.plain(name, [tree.copied("vt/bin/vtgate", path)]), kept, Silent())
    longer = await layers.ready(layers.plain(f"{name}-0badcafe", [tree.text("x", "y")]), kept, Silent())
    program(tmp_path, "two", at=2)
    new = await layers.ready(layers.plain(name, [tree.copied("vt/bin/vtgate", path)]), kept, Silent())
    assert new.diff_id != old.diff_id
    assert not old.path.exists()
    assert longer.path.exists()  # of another name that begins alike


async def test_a_damaged_layer_is_packed_again(tmp_path: Path) -> None:
    kept = Store(tmp_path / "images")
    recipe = layers.plain("base", [tree.text("etc/passwd", "root")])
    layer = await layers.ready(recipe, kept, Silent())
    layer.path.write_bytes(b"short")
    assert layers.known(recipe, kept) is None
    assert (await layers.ready(recipe, kept, Silent())).path.stat().st_size > 5


async def test_a_layer_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    kept = Store(tmp_path / "images")

    async def entries(work: Path) -> Iterable[Entry]:
        (work / "half").write_text("half")
        raise SoftwareError("libaio.so.1 is not there")

    with pytest.raises(SoftwareError, match="libaio"):
        await layers.ready(Recipe(name="mysql", sources=(), entries=entries), kept, Silent())
    assert [path.name for path in kept.root.iterdir() if not path.name.startswith(".lock")] == []


async def test_work_in_a_thread_shows_how_far_it_is_and_ends_when_cancelled() -> None:
    steps, running = Steps(), asyncio.Event()
    loop = asyncio.get_running_loop()
    counts: list[Count] = []

    def endless(count: Count) -> None:
        counts.append(count)
        loop.call_soon_threadsafe(running.set)
        while True:
            count.add(1)

    task = asyncio.create_task(layers.counted("packing (MB)", 100 * layers.MIB, endless, steps))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = counts[0].done
    await asyncio.sleep(0)
    assert counts[0].done == done  # the thread has ended
    assert steps.rows[0][0] == "packing (MB)"
    assert steps.rows[0][2] == 100


async def test_an_error_in_the_thread_is_the_error() -> None:
    def fails(_: Count) -> None:
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        await layers.counted("packing", 1, fails, Silent())
