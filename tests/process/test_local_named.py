"""Kept local clusters whose start fails or is cancelled, and leftovers of others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click.testing
import pytest

from clusters import KEEPERS, kept
from clusters.common import obtained
from clusters.common.commands import Programs
from harness.base import wait
from harness.base.errors import SoftwareError
from harness.cli import main
from harness.contracts import Observer
from harness.model import ClusterSpec
from tests.unit.test_local_named import start


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
    return tmp_path / "clusters"


async def test_a_leftover_is_shown_and_removed(root: Path) -> None:
    (root / "old" / "data").mkdir(parents=True)
    (root / "old" / "state.json").write_text("{}")
    (row,) = await kept.listed(KEEPERS)
    assert row.kept is not None
    assert (row.name, row.kept.alive, row.serving, row.starting) == ("old", False, False, False)
    await kept.stop("old", keepers=KEEPERS)
    assert await kept.listed(KEEPERS) == ()


async def test_a_start_that_is_cancelled_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def programs_for(spec: ClusterSpec, *, observer: Observer) -> Programs:
        assert (root / "x").is_dir()
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    monkeypatch.setattr(obtained, "programs_for", programs_for)
    starting = asyncio.ensure_future(start("x"))
    await wait.finish("the start begins", begun.wait(), timeout_s=20)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert await kept.listed(KEEPERS) == ()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("logged", [True, False])
async def test_a_start_that_fails_leaves_its_logs_if_there_are_any(
    root: Path, monkeypatch: pytest.MonkeyPatch, logged: bool
) -> None:
    async def programs_for(spec: ClusterSpec, *, observer: Observer) -> Programs:
        if logged:
            (root / "x" / "logs").mkdir()
        raise SoftwareError("no Go here")

    monkeypatch.setattr(obtained, "programs_for", programs_for)
    with pytest.raises(SoftwareError, match="no Go here"):
        await start("x")
    assert [row.name for row in await kept.listed(KEEPERS)] == (["x"] if logged else [])


def test_a_table_for_another_program_is_not_cut(root: Path) -> None:
    for name in ("a", "b" * 31):
        (root / name).mkdir(parents=True)
    lines = click.testing.CliRunner().invoke(main, ["status"]).stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == [str(root / "a"), str(root / ("b" * 31))]
