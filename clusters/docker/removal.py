"""What a run has made on an engine, found by its labels, and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clusters.docker.engine import Engine, Refused
from clusters.docker.labels import NODE, OWNER, RUN, abandoned
from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import WaitTimeout

TIMEOUT_S = 90.0
QUIET_S = 2.0  # after the death of a harness: what it has asked of the engine may still be under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something on an engine. `key` is what the engine removes it by."""

    key: str
    name: str
    labels: Mapping[str, str]
    runs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What carries a label."""

    containers: tuple[Thing, ...] = ()
    networks: tuple[Thing, ...] = ()
    volumes: tuple[Thing, ...] = ()

    @property
    def all(self) -> tuple[Thing, ...]:
        return (*self.containers, *self.networks, *self.volumes)

    def words(self) -> tuple[str, ...]:
        kinds = (("container", self.containers), ("network", self.networks), ("volume", self.volumes))
        return tuple(f"{kind} {thing.name}" for kind, things in kinds for thing in things)


async def labelled(engine: Engine, label: str) -> Left:
    """Everything with a label, given as KEY or KEY=VALUE. Raises ClusterError."""
    api, wanted = engine.api, {"label": label}
    containers, networks, volumes = await asyncio.gather(
        engine.call("list containers", api.containers, all=True, filters=wanted),
        engine.call("list networks", api.networks, filters=wanted),
        engine.call("list volumes", api.volumes, filters=wanted),
    )
    return Left(
        containers=tuple(_container(row) for row in containers),
        networks=tuple(Thing(key=row["Id"], name=row["Name"], labels=row.get("Labels") or {}) for row in networks),
        volumes=tuple(
            Thing(key=row["Name"], name=row["Name"], labels=row.get("Labels") or {}) for row in volumes["Volumes"] or ()
        ),
    )


async def removed(engine: Engine, label: str, *, quiet_s: float = 0.0) -> tuple[str, ...]:
    """Remove everything with a label until nothing of it is there, and nothing has come for `quiet_s` seconds.

    Returns what it was, in words. Raises ClusterError, WaitTimeout with what cannot be removed.
    """
    work = _Removal(engine, label, int(quiet_s * 1e9))
    what = f"nothing of {label} is left on the Docker engine"
    try:
        await wait.until(what, work.done, timeout_s=TIMEOUT_S)
    except WaitTimeout as error:
        if not work.stays:
            raise
        raise WaitTimeout(what, TIMEOUT_S, "; ".join(work.stays)) from error
    return tuple(work.found)


@dataclass(slots=True)
class _Removal:
    engine: Engine
    label: str
    quiet_ns: int
    found: dict[str, None] = field(default_factory=dict)
    stays: list[str] = field(default_factory=list)  # what could not be removed the last time, and why
    last_ns: int = field(default_factory=now_ns)  # when something was there

    async def done(self) -> Sequence[str] | bool:
        left = await labelled(self.engine, self.label)
        if not left.all:
            return now_ns() - self.last_ns >= self.quiet_ns
        self.found |= dict.fromkeys(left.words())
        self.stays = await _remove(self.engine, left)
        self.last_ns = now_ns()
        return False


async def _remove(engine: Engine, left: Left) -> list[str]:
    """In reverse: programs, boxes, then what they have used. What is still in use is told, and
    there at the next look."""
    api = engine.api
    for wave in (True, False):
        ids = [thing.key for thing in left.containers if (NODE in thing.labels) is wave]
        await asyncio.gather(*(engine.remove_container(each) for each in ids))
    rest = [("network", api.remove_network, thing) for thing in left.networks]
    rest += [("volume", api.remove_volume, thing) for thing in left.volumes]
    stays = await asyncio.gather(*(_tried(engine, *each) for each in rest))
    return [why_not for why_not in stays if why_not]


async def _tried(engine: Engine, kind: str, function: Any, thing: Thing) -> str:
    """Why it stays for now; "" when it is gone."""
    try:
        await engine.call(f"remove a {kind}", function, thing.key)
    except Refused as refused:
        if refused.gone:
            return ""
        if not (refused.unfitting or "active endpoints" in str(refused)):
            raise
        users = await engine.call("list containers", engine.api.containers, all=True, filters={kind: thing.name})
        names = ", ".join(sorted(_container(row).name for row in users))
        used = f"is used by the container {names}" if names else f"cannot be removed: {refused}"
        return f"the {kind} {thing.name} {used}"
    return ""


async def orphans(engine: Engine, *, state: str) -> dict[str, tuple[str, ...]]:
    """Run → what is there of it though its maker is dead, in words. `state`: see `labels.abandoned`."""
    everything = await labelled(engine, OWNER)
    runs = dict.fromkeys(thing.labels[RUN] for thing in everything.all if RUN in thing.labels)
    of_run = {run: _part(everything, run) for run in runs}
    return {
        run: left.words()
        for run, left in of_run.items()
        if all(abandoned(thing.labels, state=state) for thing in left.all)
    }


def _part(left: Left, run: str) -> Left:
    def of_run(things: Sequence[Thing]) -> tuple[Thing, ...]:
        return tuple(thing for thing in things if thing.labels.get(RUN) == run)

    return Left(containers=of_run(left.containers), networks=of_run(left.networks), volumes=of_run(left.volumes))


def _container(row: Mapping[str, Any]) -> Thing:
    name = next(iter(row.get("Names") or ()), row["Id"]).lstrip("/")
    return Thing(key=row["Id"], name=name, labels=row.get("Labels") or {}, runs=row.get("State") == "running")
