"""What dead harnesses left, of every backend, and its removal (`status`, `down --all`, and for one run `heal`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clusters.images import removal, shelves
from harness.base import wait
from harness.base.errors import ClusterError, HarnessError, PlanError
from harness.contracts import Backend
from harness.model import Placement

HEAL_TIMEOUT_S = 300.0
LOOK_TIMEOUT_S = 30.0

Backends = Mapping[str, Backend]


async def removed(run: str, backend: Backend) -> list[str]:
    """What of a run was removed, a line each. Raises ClusterError, PlanError, WaitTimeout."""
    what = await wait.finish(f"removing what {run} left", backend.heal(run), timeout_s=HEAL_TIMEOUT_S)
    return [f"removed: {each}" for each in what]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """What dead harnesses left with one backend: run → things. `problem`: it could not be asked, and why."""

    backend: str
    runs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problem: str = ""


async def orphans_of(backends: Backends) -> tuple[Orphans, ...]:
    """Of every backend; one that is not there is no error."""
    return tuple(await asyncio.gather(*(_orphans(name, backend) for name, backend in backends.items())))


async def _orphans(name: str, backend: Backend) -> Orphans:
    try:
        runs = await wait.finish(f"looking for what {name} has", backend.orphans(), timeout_s=LOOK_TIMEOUT_S)
    except (HarnessError, PlanError) as error:
        return Orphans(backend=name, problem=str(error))
    return Orphans(backend=name, runs=runs)


def told(found: Sequence[Orphans]) -> Iterator[str]:
    """For people; nothing when nothing is left. That a backend could not be asked is told only by what is to remove
    everything: most people use one backend."""
    for each in found:
        for run, things in each.runs.items():
            yield (
                f"left by {run}, whose harness is dead ({each.backend}): {_few(things)}; "
                "`vtchaos down --all` removes it"
            )


def _few(things: Sequence[str]) -> str:
    """The first ones, and how many more."""
    shown = ", ".join(things[:3])
    return shown if len(things) <= 3 else f"{shown} and {len(things) - 3} more"


async def healed_orphans(backends: Backends, *, say: Callable[[str], None]) -> list[HarnessError]:
    """Remove what dead harnesses left, everywhere, whatever fails; what could not be removed."""
    errors: list[HarnessError] = []
    for each in await orphans_of(backends):
        if each.problem:
            say(f"{each.backend} was not looked at: {each.problem}")
        for run in each.runs:
            try:
                for line in await removed(run, backends[each.backend]):
                    say(f"{run}: {line}")
            except HarnessError as error:
                say(f"{run}: not removed: {error}")
                errors.append(error)
    return errors


# ---------------------------------------------------------------- images


async def images_removed(
    backend: str, place: Placement, *, only: Sequence[str] | None = None, tell_used: bool = False
) -> list[str]:
    """Those of ours (`only`: of these) that no container uses, wherever runs of this backend put them; a line each.
    One in use stays, which is told when `tell_used`."""
    lines: list[str] = []
    if only is not None and not only:
        return lines
    try:
        async with shelves.opened(backend, place) as found:
            for shelf in found:
                done = await removal.remove_all(shelf, only=only)
                lines += [f"removed: image {reference}" for reference in done.gone]
                used = done.kept if tell_used else {}
                lines += [f"the image {reference} stays: {why_not}" for reference, why_not in used.items()]
    except (ClusterError, PlanError) as error:
        lines.append(f"images: {backend} was not looked at: {error}")
    return lines
