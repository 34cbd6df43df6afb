"""What an attach puts into a keyspace can be taken back from whatever moment on it is cut short."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from clusters import kept
from clusters.common.keeping import STATE
from clusters.kubernetes import attach_schema
from clusters.kubernetes.attach import Asked, State, attach
from clusters.kubernetes.attach_keeper import AttachedKeeper
from harness.base import jsonio
from harness.base.errors import ClusterError, PlanError
from harness.model import Placement
from tests.unit.attach_fakes import LEDGER, FakeVtctld, seen
from tests.unit.test_kubernetes_safety import TARGET

KEEPERS = {"attached": AttachedKeeper()}


@pytest.fixture
def vtctld(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeVtctld:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))
    made = FakeVtctld()
    made.stands_in(monkeypatch)
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of an attachment, and no other beside it."""
    folder = tmp_path / "clusters" / "theirs"
    folder.mkdir(parents=True)
    return folder


def attached(folder: Path) -> Awaitable[State]:
    asked = Asked(name=folder.name, namespace=TARGET.namespace)
    return attach(None, asked, seen(), LEDGER, folder=folder)  # type: ignore[arg-type]


async def claimed_and_attached(name: str) -> None:
    async with kept.claimed(name, "attached", Placement(), keepers=KEEPERS) as folder:
        await attached(folder)


async def test_what_would_be_made_is_written_down_before_any_of_it_is(vtctld: FakeVtctld, home: Path) -> None:
    begun: list[State] = []
    vtctld.before = lambda _: begun.append(jsonio.load(home / STATE, State))
    state = await attached(home)
    assert [(each.done, each.added) for each in begun] == [(False, state.added)] * 2
    assert jsonio.load(home / STATE, State) == state
    assert state.done
    assert json.loads(vtctld.vschema)["vindexes"]
    # a `down` after a kill does this with what it reads:
    await attach_schema.drop(vtctld, "shop", state.spec.shard_names, begun[0].added)  # type: ignore[arg-type]
    assert (vtctld.tables, json.loads(vtctld.vschema)) == ({}, {})


async def test_one_that_was_cut_short_does_not_serve(
    vtctld: FakeVtctld, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = await attached(home)
    text = jsonio.dumps(state).decode().replace('"done": true', '"done": false')
    (home / STATE).write_text(text)
    (home / "x").touch()
    with pytest.raises(ClusterError, match="does not say what was attached to"):
        async with AttachedKeeper().attached(home, observer=None):  # type: ignore[arg-type]
            pass


@pytest.mark.parametrize("how", [ClusterError("vtctld is away"), asyncio.CancelledError()])
async def test_a_failure_takes_everything_back_and_leaves_no_folder(vtctld: FakeVtctld, how: BaseException) -> None:
    def fails(what: str) -> None:
        if what == "vschema":
            vtctld.before = lambda _: None
            raise how

    vtctld.before = fails
    with pytest.raises(type(how)):
        await claimed_and_attached("theirs")
    assert vtctld.tables == {}
    assert not kept.folder_of("theirs").exists()


@pytest.mark.parametrize("how", [ClusterError("vtctld is away"), asyncio.CancelledError()])
async def test_what_cannot_be_taken_back_is_left_to_down(vtctld: FakeVtctld, how: BaseException) -> None:
    def fails(what: str) -> None:
        if what == "vschema":
            raise how

    vtctld.before = fails
    with pytest.raises(ClusterError, match="`vtchaos down theirs` does that"):
        await claimed_and_attached("theirs")
    state: Any = jsonio.load(kept.folder_of("theirs") / STATE, State)
    assert not state.done
    assert state.added.table in vtctld.tables


# ---------------------------------------------------------------- two of them


async def test_a_second_attachment_of_another_host_or_folder_is_refused(vtctld: FakeVtctld, tmp_path: Path) -> None:
    (tmp_path / "here" / "one").mkdir(parents=True)
    (tmp_path / "there" / "two").mkdir(parents=True)
    await attached(tmp_path / "here" / "one")
    before = dict(vtctld.tables), vtctld.vschema
    with pytest.raises(PlanError, match=r"attached to already as one on .* in .*/here/one: two would empty"):
        await attached(tmp_path / "there" / "two")
    assert (vtctld.tables, vtctld.vschema) == before
    assert not (tmp_path / "there" / "two" / STATE).exists()


async def test_a_second_attachment_under_another_name_is_refused(vtctld: FakeVtctld, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    await attached(tmp_path / "one")
    vtctld.tables["ledger"] = attach_schema.MARK  # as an earlier version marked it
    with pytest.raises(PlanError, match="attached to already, as one: two would"):
        await attached(tmp_path / "two")
    assert vtctld.tables == {"ledger": attach_schema.MARK}


async def test_the_same_attachment_takes_over_what_it_left(vtctld: FakeVtctld, home: Path) -> None:
    state = await attached(home)
    (home / STATE).unlink()
    assert (await attached(home)).added.mark == state.added.mark == vtctld.tables["ledger"]


async def test_a_table_that_another_attachment_made_meanwhile_is_neither_used_nor_dropped(
    vtctld: FakeVtctld, home: Path
) -> None:
    state = await attached(home)
    vtctld.tables["ledger"] = attach_schema.mark_of("two", home)
    with pytest.raises(ClusterError, match="not there any more"):
        await attach_schema.require_ours(vtctld, "shop", state.spec.shard_names, state.added)  # type: ignore[arg-type]
    await attach_schema.drop(vtctld, "shop", state.spec.shard_names, state.added)  # type: ignore[arg-type]
    assert "ledger" in vtctld.tables


def test_a_mark_is_a_word_of_sql() -> None:
    mark = attach_schema.mark_of("one", Path("/home/o'brien\\x/\u00e9" + "y" * 3000))
    assert not set(mark) & set("'\\\"\u00e9")
    assert len(mark) == 2048
