"""Packed layers in the cache, so that images of several releases share them and a second image is quick.

images/layer-NAME-KEY/layer.tar    KEY: of the files that it was packed from (`clusters.images.tree.key`)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from clusters.images import archive, tree
from clusters.images.archive import Count, Layer
from clusters.images.tree import Entry
from clusters.software import Progress, Sources
from clusters.software import store as stores
from clusters.software.store import FileFact, Manifest, Store
from harness.base import wait
from harness.contracts import Observer

T = TypeVar("T")

FILE = "layer.tar"
WORK_TIMEOUT_S = 900.0  # a gigabyte on a slow disk
SHOW_S = 0.2
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a layer is made. `sources` stand for its content in the key; `entries` makes it, in an empty folder."""

    name: str
    sources: tuple[Entry, ...]
    entries: Callable[[Path], Awaitable[Iterable[Entry]]]
    compressed: bool = False


def plain(name: str, entries: Iterable[Entry], *, compressed: bool = False) -> Recipe:
    """A layer of files as they are."""
    rows = tuple(entries)

    async def as_they_are(_: Path) -> Iterable[Entry]:
        return rows

    return Recipe(name=name, sources=rows, entries=as_they_are, compressed=compressed)


def kept_at(sources: Sources) -> Store:
    return Store(sources.cache_dir / "images")


def known(recipe: Recipe, kept: Store) -> Layer | None:
    """A layer that is packed already."""
    name = _name(recipe)
    manifest = kept.installed(name)
    return _layer(kept, manifest) if manifest is not None else None


async def ready(recipe: Recipe, kept: Store, progress: Progress) -> Layer:
    """A layer, packed now if it is not there. Raises SoftwareError."""
    name = _name(recipe)
    manifest = kept.installed(name)
    if manifest is None:
        async with kept.installing(name, progress) as staging:
            manifest = kept.installed(name) or await _pack(recipe, name, kept, staging, progress)
    return _layer(kept, manifest)


def _name(recipe: Recipe) -> str:
    return f"layer-{recipe.name}-{tree.key(recipe.sources)}"


def _layer(kept: Store, manifest: Manifest) -> Layer:
    return Layer(diff_id=manifest.parts["diff_id"], path=kept.path(manifest.name) / FILE)


async def _pack(recipe: Recipe, name: str, kept: Store, staging: Path, progress: Progress) -> Manifest:
    work, staged = staging / "work", staging / "layer"
    work.mkdir()
    staged.mkdir()
    progress.step(f"packing {recipe.name}")
    entries = list(await recipe.entries(work))
    total = sum(entry.size for entry in entries)
    path = staged / FILE

    def pack(count: Count) -> str:
        return archive.pack(entries, path, count, compressed=recipe.compressed)

    diff_id = await counted(f"packing {recipe.name} (MB)", total, pack, progress)
    facts = FileFact(size=path.stat().st_size, sha256=stores.sha256(path) if recipe.compressed else diff_id)
    manifest = Manifest(name=name, version="", how="packed by vtchaos", files={FILE: facts}, parts={"diff_id": diff_id})
    kept.commit(staged, manifest)
    for old in outdated(kept, recipe.name, name):
        stores.remove(kept.path(old))
    return manifest


def outdated(kept: Store, recipe: str, newest: str) -> list[str]:
    """Layers of the same name from files that have changed since."""
    of_recipe = re.compile(rf"layer-{re.escape(recipe)}-[0-9a-f]{{12}}")
    return [name for name in kept.names("layer-") if of_recipe.fullmatch(name) and name != newest]


async def counted(what: str, total: int, work: Callable[[Count], T], progress: Progress) -> T:
    """Run `work` in a thread and show how far it is; cancelled, it ends at its next block, and is awaited."""
    count = Count()
    task = asyncio.create_task(asyncio.to_thread(work, count), name=what)

    async def done() -> bool:
        progress.step(what, min(count.done, total) // MIB, max(1, total // MIB))
        await asyncio.wait({task}, timeout=SHOW_S)
        return task.done()

    try:
        await wait.until(what, done, timeout_s=WORK_TIMEOUT_S, poll_s=0)
        progress.step(what, max(1, total // MIB), max(1, total // MIB))
    finally:
        count.stop = True
        await asyncio.wait({task})
    return task.result()


def remove(path: Path) -> None:
    """A file or a folder, whether it is there or not."""
    if path.exists():
        stores.remove(path)


class Shown:
    """An installer's steps as progress of a run."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def step(self, what: str, done: int | None = None, total: int | None = None) -> None:
        self._observer.on_progress(what, done, total)
