"""Named clusters: names, leftovers and what a person is told (no cluster is started)."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters.local import named
from harness.base.errors import PlanError
from harness.model import ClusterSpec
from tests.unit.local_fakes import Recorder


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
    return tmp_path / "clusters"


@pytest.mark.parametrize("name", ["", "../x", "Name", "a" * 40, "a b"])
async def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(PlanError, match="is no name for a cluster"):
        await named.start(name, ClusterSpec(), observer=Recorder())


async def test_unknown_names_say_what_there_is() -> None:
    assert await named.listed() == ()
    with pytest.raises(PlanError, match="there is no cluster 'x'; there are none"):
        await named.stop("x")
    with pytest.raises(PlanError, match="there is no cluster 'x' that serves"):
        async with named.attached("x", observer=Recorder()):
            pass


async def test_a_leftover_is_shown_and_removed(root: Path) -> None:
    (root / "old" / "data").mkdir(parents=True)
    (root / "old" / "state.json").write_text("{}")
    (row,) = await named.listed()
    assert (row.name, row.alive, row.serving) == ("old", False, False)
    await named.stop("old")
    assert await named.listed() == ()
