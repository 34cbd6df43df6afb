"""Kept local clusters: names, leftovers and what a person is told (no cluster is started)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clusters import KEEPERS, kept
from clusters.local import keeper
from harness.base.errors import PlanError
from harness.model import ClusterSpec, Placement
from tests.unit.local_fakes import Recorder


async def start(name: str) -> None:
    await kept.start(name, ClusterSpec(), Placement(), keeper="local", keepers=KEEPERS, observer=Recorder())


@pytest.mark.parametrize("name", ["", "../x", "Name", "a" * 40, "a b"])
async def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(PlanError, match="is no name for a cluster"):
        await start(name)


async def test_unknown_names_say_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTCHAOS_CACHE", str(tmp_path))  # where this machine's own clusters are not
    assert await kept.listed(KEEPERS) == ()
    with pytest.raises(PlanError, match="there is no cluster 'x'; there are none"):
        await kept.stop("x", keepers=KEEPERS)
    with pytest.raises(PlanError, match="there is no cluster 'x' that serves"):
        async with kept.attached("x", keepers=KEEPERS, observer=Recorder()):
            pass


# ---------------------------------------------------------------- starts that come to nothing


async def test_what_must_not_be_cut_short_ends_before_the_cancellation_does() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    ended = []

    async def work() -> None:
        begun.set()
        await may_end.wait()
        ended.append(True)

    task = asyncio.ensure_future(keeper._to_its_end(work()))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


# ---------------------------------------------------------------- what a pipe gets
