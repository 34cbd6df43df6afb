"""An image store in memory, and images of a few bytes."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from clusters.images import archive, tree
from clusters.images.archive import Count, Image, Layer
from clusters.images.tree import Entry
from harness.base.errors import ClusterError
from harness.model import Event


class FakeStore:
    """Holds references. `published`: what a pull finds; `says`: what a container of an image prints."""

    def __init__(self, *held: str, published: tuple[str, ...] = (), says: Mapping[str, str] | None = None) -> None:
        self.held = set(held)
        self.published = published
        self.says = says or {}
        self.pulls: list[str] = []
        self.loads: list[list[str]] = []
        self.fails = False

    async def has(self, reference: str) -> bool:
        return reference in self.held

    async def pull(self, reference: str) -> str:
        self.pulls.append(reference)
        if reference not in self.published:
            return "no such host"
        self.held.add(reference)
        return ""

    async def load(self, archive: Path) -> None:
        if self.fails:
            raise ClusterError("the disk of the engine is full")
        self.loads.append(references_in(archive))
        self.held.update(self.loads[-1])

    async def run(self, reference: str, argv: tuple[str, ...], *, timeout_s: float) -> str:
        assert reference in self.held, f"{reference} was run before it was there"
        return self.says[reference]


class Told:
    """What a user would see."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int | None, int | None]] = []
        self.loading: list[str] = []

    def on_event(self, event: Event) -> None:
        assert event.kind == "image"
        self.loading.append(event.subject)

    def on_progress(self, what: str, done: int | None, total: int | None) -> None:
        self.steps.append((what, done, total))

    @property
    def words(self) -> str:
        return "\n".join(what for what, _, _ in self.steps)


def packed(folder: Path, name: str, *entries: Entry, compressed: bool = False) -> Layer:
    path = folder / f"{name}.tar"
    return Layer(diff_id=archive.pack(entries, path, Count(), compressed=compressed), path=path)


def small_image(folder: Path, version: str, *layers: Layer) -> Image:
    tag = version.strip("/").replace("/", "-")
    stack = layers or (packed(folder, tag, tree.text("vt/version", version)),)
    return Image(repository="vtchaos/vitess", version=tag, layers=stack)


def references_in(path: Path) -> list[str]:
    """The names in an archive, as an engine reads them; every file that they need is there."""
    with tarfile.open(path) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        rows = json.load(manifest)
        for row in rows:
            for member in (row["Config"], *row["Layers"]):
                assert tar.getmember(member).isfile()
    return [name for row in rows for name in row["RepoTags"]]
