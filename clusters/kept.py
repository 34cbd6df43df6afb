"""Kept clusters of every backend: their names and folders, what stands, and their end.

Which keeper a cluster has is in its folder's made.json, which is written before anything is made, so that a start that
was killed can be told from one that goes on, and be removed. A cluster of an earlier version has none: it is local.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from clusters import in_use
from clusters.common.cluster import NodesCluster
from clusters.common.keeping import Keeper, Kept
from clusters.software import Sources
from harness.base import jsonio
from harness.base.errors import HarnessError, PlanError
from harness.base.owner import owner_of, this_process
from harness.contracts import Observer
from harness.model import ClusterSpec, Placement

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
MADE = "made.json"
LOGS = "logs"

Keepers = Mapping[str, Keeper]
Guarded = Callable[[int], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """made.json."""

    keeper: str  # its key in KEEPERS
    place: Placement
    owner: str = ""  # harness.base.owner: who stands it up; "" = that came to its end

    @property
    def goes_on(self) -> bool:
        """Its maker may still be at work."""
        return bool(self.owner) and not owner_of(self.owner).dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of `vtchaos status`. `kept` is None when the keeper could not look: `problem` says why."""

    name: str
    folder: Path
    keeper: str
    place: Placement
    kept: Kept | None
    problem: str = ""
    starting: bool = False  # its `up` still runs

    @property
    def serving(self) -> bool:
        return self.kept is not None and self.kept.alive and self.kept.spec is not None

    @property
    def state(self) -> str:
        """In words."""
        if self.kept is None:
            return f"unknown: {re.split(r'; |: ', self.problem)[0]}"
        if self.starting and not self.serving:
            return "starting"
        if not self.serving:
            return f"gone; `vtchaos down {self.name}` removes what is left"
        stopped = f"stopped: {', '.join(self.kept.stopped)}" if self.kept.stopped else ""
        attached = "" if self.kept.ours else "attached; `vtchaos down` leaves it standing"
        return "; ".join(filter(None, (attached, stopped))) or "serving"


# ---------------------------------------------------------------- making one


@contextlib.asynccontextmanager
async def claimed(name: str, keeper: str, place: Placement, *, keepers: Keepers) -> AsyncIterator[Path]:
    """The folder of a new cluster, empty but for made.json. A leftover of that name is removed first.

    When the block is cancelled the folder goes, when it fails only what it put there stays, for reading.
    Raises PlanError: bad name, or one of that name stands or is being started.
    """
    folder = folder_of(name)
    if folder.is_dir():
        await _make_room(name, folder, keepers)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise PlanError(f"a cluster {name!r} is being started by somebody else at this moment") from None
    made = Made(keeper=keeper, place=place, owner=this_process().text)
    jsonio.save(folder / MADE, made)
    try:
        yield folder
    except asyncio.CancelledError:
        await asyncio.to_thread(shutil.rmtree, folder)
        raise
    except BaseException:
        if not (folder / LOGS).exists():  # it failed before anything was started: there is nothing to look at
            await asyncio.to_thread(shutil.rmtree, folder)
        else:
            jsonio.save(folder / MADE, replace(made, owner=""))
        raise
    jsonio.save(folder / MADE, replace(made, owner=""))


async def start(
    name: str, spec: ClusterSpec, place: Placement, *, keeper: str, keepers: Keepers, observer: Observer
) -> None:
    """Stand up a cluster that stays. A failed start leaves only its logs, a cancelled one nothing.

    Raises PlanError (see `claimed`), ClusterError, SoftwareError.
    """
    async with claimed(name, keeper, place, keepers=keepers) as folder:
        await keepers[keeper].start(name, spec, place, folder=folder, observer=observer)


async def _make_room(name: str, folder: Path, keepers: Keepers) -> None:
    row = await _row(folder, keepers)
    if row.serving:
        raise PlanError(f"a cluster {name!r} stands already; `vtchaos down {name}` ends it")
    if row.starting:
        raise PlanError(f"a cluster {name!r} is being started; `vtchaos down {name}` ends it")
    if row.kept is None:
        raise PlanError(f"whether a cluster {name!r} stands already cannot be told: {row.problem}")
    await _remove(folder, keepers)


# ---------------------------------------------------------------- one that stands


@contextlib.asynccontextmanager
async def attached(name: str, *, keepers: Keepers, observer: Observer) -> AsyncIterator[NodesCluster]:
    """A cluster that stands already; leaving the block leaves it standing. Raises PlanError when there is none."""
    row = await standing(name, keepers=keepers)
    async with keepers[row.keeper].attached(row.folder, observer=observer) as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def used(
    name: str, *, keepers: Keepers, observer: Observer, guarded: Guarded = lambda _: contextlib.nullcontext()
) -> AsyncIterator[NodesCluster]:
    """`attached` for whoever changes something there: nobody else does, and nobody removes it, as long as the block
    lasts. `guarded` is entered with the lock's open file, before anything is changed. Raises PlanError also when it is
    in use."""
    row = await standing(name, keepers=keepers)
    with in_use.using(row.folder) as lock:
        async with guarded(lock), keepers[row.keeper].attached(row.folder, observer=observer) as cluster:
            yield cluster


async def standing(name: str, *, keepers: Keepers) -> Row:
    """A row whose `kept` has a spec. Raises PlanError when no cluster of that name serves."""
    folder = folder_of(name)
    if not folder.is_dir():
        raise PlanError(f"there is no cluster {name!r} that serves; {await _known(keepers)}")
    row = await _row(folder, keepers)
    if row.kept is None:
        raise PlanError(f"whether the cluster {name!r} stands cannot be told: {row.problem}")
    if row.kept.spec is None:
        raise PlanError(f"there is no cluster {name!r} that serves; {await _known(keepers)}")
    if not row.kept.alive:
        raise PlanError(f"the cluster {name!r} is gone (only its folder {folder} is left); {await _known(keepers)}")
    return row


async def listed(keepers: Keepers) -> tuple[Row, ...]:
    """All kept clusters, leftovers included."""
    root = _root()
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return tuple(await asyncio.gather(*(_row(folder, keepers) for folder in folders)))


# ---------------------------------------------------------------- its end


async def stop(name: str, *, keepers: Keepers) -> bool:
    """End a cluster and remove its folder; also a leftover's. False: it was not ours, and stands on.

    Raises PlanError when there is none or a run works on it, HarnessError when it cannot be ended (its folder stays
    then).
    """
    folder = folder_of(name)
    if not folder.is_dir():
        raise PlanError(f"there is no cluster {name!r}; {await _known(keepers)}")
    row = await _row(folder, keepers)
    await _remove(folder, keepers)
    return row.kept is None or row.kept.ours


async def _remove(folder: Path, keepers: Keepers) -> None:
    with in_use.using(folder):
        await _keeper(folder, keepers).stop(folder)
        await asyncio.to_thread(shutil.rmtree, folder)


# ---------------------------------------------------------------- folders


def folder_of(name: str) -> Path:
    """Raises PlanError for what is no name."""
    if not NAME.fullmatch(name):
        raise PlanError(f"{name!r} is no name for a cluster: lower-case letters, digits and dashes, at most 31")
    return _root() / name


def _root() -> Path:
    return Sources.of_environment().cache_dir / "clusters"


def _made(folder: Path) -> Made | None:
    return jsonio.load_if_whole(folder / MADE, Made)


def _keeper(folder: Path, keepers: Keepers) -> Keeper:
    made = _made(folder)
    name = made.keeper if made else "local"
    if name not in keepers:
        raise PlanError(f"{folder} is a cluster of {name}, which this version of vtchaos does not know")
    return keepers[name]


async def _row(folder: Path, keepers: Keepers) -> Row:
    made = _made(folder)
    keeper, place = (made.keeper, made.place) if made else ("local", Placement())
    starting = made is not None and made.goes_on
    try:
        kept = await _keeper(folder, keepers).look(folder)
    except (HarnessError, PlanError) as error:  # e.g. its engine does not answer
        return Row(name=folder.name, folder=folder, keeper=keeper, place=place, kept=None, problem=str(error))
    return Row(name=folder.name, folder=folder, keeper=keeper, place=place, kept=kept, starting=starting)


async def _known(keepers: Keepers) -> str:
    names = [row.name for row in await listed(keepers) if row.serving]
    return f"there are: {', '.join(names)}" if names else "there are none: `vtchaos up NAME` stands one up"
