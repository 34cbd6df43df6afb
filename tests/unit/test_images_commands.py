"""Goal: `vtchaos image` refuses in one sentence what it cannot do, and removes only what is ours."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import click.testing
import pytest

from clusters.common.images import Held
from clusters.docker import engine
from clusters.images import layers, published, removal, tree
from clusters.software import Sources
from clusters.software.progress import Silent
from harness import image_commands
from harness.base.errors import ClusterError
from harness.cli import main
from harness.model import VtgateSpec


def vtchaos(*words: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["image", *words])


class FakeShelf:
    """Three images, of which one is in use."""

    def __init__(self) -> None:
        names = ("vtchaos/load:1", "vtchaos/vitess:1", "vtchaos/vitess:2")
        self.rows = [Held(reference=name, purpose="cluster", vitess="24.0.3", size_bytes=1) for name in names]

    async def ours(self) -> list[Held]:
        return list(self.rows)

    async def remove(self, reference: str) -> str:
        if reference == "vtchaos/vitess:1":
            return "a container uses it"
        self.rows = [row for row in self.rows if row.reference != reference]
        return ""


async def test_all_images_go_but_those_in_use() -> None:
    shelf = FakeShelf()
    removed = await removal.remove_all(shelf)
    assert removed.gone == ("vtchaos/load:1", "vtchaos/vitess:2")
    assert removed.kept == {"vtchaos/vitess:1": "a container uses it"}
    assert (await removal.remove_all(shelf)).gone == ()


async def test_the_cache_is_cleared_of_layers_and_of_what_is_remembered(tmp_path: Path) -> None:
    sources = Sources(cache_dir=tmp_path)
    kept = layers.kept_at(sources)
    await layers.ready(layers.plain("base", [tree.text("etc/passwd", "root")]), kept, Silent())
    (kept.root / published.FILE).write_text("{}")
    (kept.root / ".new-archive@x1y2").mkdir()  # of a harness that was killed
    (kept.root / ".new-archive@x1y2/images.tar").write_text("half")
    size = removal.cached_bytes(sources)
    assert size > 0
    assert await removal.clear_cache(sources) == size
    assert removal.cached_bytes(sources) == 0
    assert [path.name for path in kept.root.iterdir() if not path.name.startswith(".lock")] == []
    assert await removal.clear_cache(sources) == 0


@pytest.mark.parametrize("words", [("remove",), ("remove", "vtchaos/vitess:1", "--all")])
def test_remove_wants_names_or_all(words: tuple[str, ...]) -> None:
    done = vtchaos(*words)
    assert done.exit_code == 2
    assert done.stderr == "vtchaos: name the images to remove, or say --all; `vtchaos image list` shows them\n"


@pytest.mark.parametrize("words", [("list",), ("remove", "vtchaos/vitess:1")])
def test_without_an_engine_it_says_what_to_type(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def connected() -> AsyncIterator[object]:
        raise ClusterError("no Docker engine answers at unix:///x: start one (`dockerd`)")
        yield

    monkeypatch.setattr(engine, "connected", connected)
    done = vtchaos(*words)
    assert done.exit_code == 4
    assert done.stderr == "vtchaos: no Docker engine answers at unix:///x: start one (`dockerd`)\n"


def test_a_folder_that_is_none_is_refused() -> None:
    done = vtchaos("build", "--vitess", "./no/such")
    assert done.exit_code == 2
    assert "./no/such is not a folder of Vitess binaries" in done.stderr


def test_an_image_is_for_any_cluster_of_its_releases() -> None:
    spec = image_commands.wanted("23.0.5", None, "21.0.2, 22.0.4", ("ks", "target"))
    assert spec.vitess == "23.0.5"
    assert spec.vtgates == (VtgateSpec(), VtgateSpec(version="21.0.2"), VtgateSpec(version="22.0.4"))
    assert [keyspace.name for keyspace in spec.keyspaces] == ["ks", "target"]
    assert spec.durability_policy == "none"  # a MySQL without semi-sync can be put into an image, too
