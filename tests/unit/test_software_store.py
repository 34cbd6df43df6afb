"""Installations are whole or absent, whoever interrupts or competes."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from clusters.software import store
from clusters.software.progress import Silent
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError


async def put(kept: Store, name: str, files: dict[str, str]) -> None:
    async with kept.installing(name, Silent()) as staging:
        staged = staging / "prefix"
        for row, text in files.items():
            (staged / row).parent.mkdir(parents=True, exist_ok=True)
            (staged / row).write_text(text)
        kept.commit(staged, Manifest(name=name, version="1", how="by a test", files=store.facts(staged)))


async def test_an_installation_is_found_and_verifies(tmp_path: Path) -> None:
    kept = Store(tmp_path / "software")
    assert kept.installed("thing-1") is None
    assert kept.names("thing-") == ()
    await put(kept, "thing-1", {"bin/thing": "x", "share/words": "y"})
    manifest = kept.installed("thing-1")
    assert manifest is not None
    assert set(manifest.files) == {"bin/thing", "share/words"}
    assert kept.names("thing-") == ("thing-1",)
    assert kept.verify("thing-1") == []


async def test_a_missing_file_and_a_changed_file_are_told_apart_from_a_whole_installation(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    await put(kept, "thing-1", {"a": "1234", "b": "1234"})
    (kept.path("thing-1") / "a").write_text("4321")
    assert kept.installed("thing-1") is not None, "the quick look sees sizes only"
    assert [row for row in kept.verify("thing-1") if "another content" in row] != []
    (kept.path("thing-1") / "b").unlink()
    assert kept.installed("thing-1") is None
    assert len(kept.verify("thing-1")) == 2


async def test_a_damaged_installation_is_replaced(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    await put(kept, "thing-1", {"a": "1234"})
    (kept.path("thing-1") / "a").write_text("")
    await put(kept, "thing-1", {"a": "5678"})
    assert kept.verify("thing-1") == []
    assert list(tmp_path.glob(".new-*")) == []


async def test_an_unreadable_manifest_counts_as_not_installed(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    await put(kept, "thing-1", {"a": "1"})
    (kept.path("thing-1") / store.MANIFEST).write_text('{"name": ')
    assert kept.installed("thing-1") is None
    assert "no readable" in kept.verify("thing-1")[0]


async def test_a_failed_installation_leaves_nothing(tmp_path: Path) -> None:
    kept = Store(tmp_path)

    async def install() -> None:
        async with kept.installing("thing-1", Silent()) as staging:
            (staging / "half").write_text("half")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await install()
    assert kept.installed("thing-1") is None
    assert list(tmp_path.glob(".new-*")) == []


async def test_a_full_disk_is_told_as_a_failed_installation(tmp_path: Path) -> None:
    async def install() -> None:
        async with Store(tmp_path).installing("thing-1", Silent()):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SoftwareError, match=r"installing thing-1 into .* No space left"):
        await install()
    assert list(tmp_path.glob(".new-*")) == []


async def test_a_cancelled_installation_leaves_nothing(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    started = asyncio.Event()

    async def install() -> None:
        async with kept.installing("thing-1", Silent()):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(install())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.glob(".new-*")) == []


async def test_a_second_installer_waits_for_the_first(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    inside = 0
    most = 0

    async def install() -> None:
        nonlocal inside, most
        async with kept.installing("thing-1", Silent()):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(install())
    assert most == 1


async def test_programs_are_added_to_an_installation_that_grows(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    for program in ("vtgate", "vttablet"):
        async with kept.installing("vitess-1", Silent()) as staging:
            (staging / "bin").mkdir()
            (staging / "bin" / program).write_text(program)
            files = store.facts(staging, [staging / "bin" / program])
            kept.add(staging, Manifest(name="vitess-1", version="1", how="by a test", files=files))
    manifest = kept.installed("vitess-1")
    assert manifest is not None
    assert set(manifest.files) == {"bin/vtgate", "bin/vttablet"}
    assert kept.verify("vitess-1") == []


async def test_a_damaged_program_is_forgotten_when_another_is_added(tmp_path: Path) -> None:
    kept = Store(tmp_path)
    for program in ("vtgate", "vttablet"):
        async with kept.installing("vitess-1", Silent()) as staging:
            (staging / program).write_text(program)
            files = store.facts(staging, [staging / program])
            kept.add(staging, Manifest(name="vitess-1", version="1", how="by a test", files=files))
        (kept.path("vitess-1") / "vtgate").unlink(missing_ok=True)
    manifest = kept.manifest("vitess-1")
    assert manifest is not None
    assert set(manifest.files) == {"vttablet"}


async def test_others_may_run_what_was_installed_under_a_tight_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        kept = Store(tmp_path / "cache/software")
        await put(kept, "thing-1", {"bin/thing": "x"})
        (kept.path("thing-1") / "bin/thing").chmod(0o700)
        store.open_to_all(kept.path("thing-1"))
    finally:
        os.umask(old)
    place = kept.path("thing-1") / "bin/thing"
    assert place.stat().st_mode & 0o777 == 0o755
    for folder in (place.parent, kept.path("thing-1"), kept.root, kept.root.parent):
        assert folder.stat().st_mode & 0o055 == 0o055, folder


def test_read_only_folders_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "file").write_text("x")
    folder.chmod(0o500)
    store.remove(folder)
    assert not folder.exists()
