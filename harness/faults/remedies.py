"""Taking faults back, from nothing but what the ledger says.

The stage does it when a fault is left; the watchdog and `vtchaos heal` do it for a run whose harness is dead. It
is the same code, so that what heals after `kill -9` is what every run has tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from harness.base.clock import now_ns
from harness.base.errors import ClusterError, HarnessError
from harness.contracts import Ground
from harness.faults import (
    addresses,
    broken_off,
    cells,
    churn,
    disk,
    emergency,
    limits,
    mysql,
    network,
    pods,
    process,
    reparent,
    rollout,
    service,
    tablet_types,
)
from harness.faults.missing import Missing
from harness.model import Remedy, Role

EACH_WITHIN_S = 60.0  # two faults after each other may have what it needs, vtctld and then the tablet (seen in a soak)
LAST_WITHIN_S = broken_off.WITHIN_S + 5.0

Undo = Callable[[Ground, Remedy], Awaitable[None]]

# First what hinders processes from the outside, and takes no time: one whose log is not taken never comes up (seen).
GIVEN: Mapping[str, Undo] = {**limits.REMEDIES, **network.REMEDIES, **pods.PLACES}
# Then the processes: a paused vttablet answers no statement.
RUNNING: Mapping[str, Undo] = {
    **pods.REMEDIES,
    **process.REMEDIES,
    **rollout.REMEDIES,
    **disk.REMEDIES,
    **addresses.REMEDIES,
}
# Last what needs all of a shard's tablets.
LAST: Mapping[str, Undo] = {**broken_off.REMEDIES}
REMEDIES: Mapping[str, Undo] = {
    **GIVEN,
    **RUNNING,
    **LAST,
    **mysql.REMEDIES,
    **service.REMEDIES,
    **reparent.REMEDIES,
    **emergency.REMEDIES,
    **tablet_types.REMEDIES,
    **churn.REMEDIES,
    **cells.REMEDIES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A remedy that was performed; `error` when it failed."""

    remedy: Remedy
    begin_ns: int
    end_ns: int
    error: HarnessError | None = None


Take = Callable[[Tried], None]


async def undo(ground: Ground, remedies: Iterable[Remedy]) -> None:
    """All of them, whatever fails; the first error is raised. What is for different targets is done at once, what is
    for one target from the last to the first. Raises HarnessError."""
    failed: list[HarnessError] = []
    await tried(ground, remedies, lambda one: failed.append(one.error) if one.error else None)
    for error in failed:
        raise error


async def tried(ground: Ground, remedies: Iterable[Remedy], take: Take) -> None:
    """The same; `take` hears of each when it is over, also of those that failed.

    A vtgate comes after the tablets, and nobody waits for it before the end: it reads once who there is, and then only
    every minute (--tablet-refresh-interval, v0.24.3), and a vttablet that was asked to end is not there until it runs
    again. It answers when it has found some of every shard, which others may still have to bring back.
    """
    backwards = list(remedies)[::-1]
    vtgates = {node.name for node in ground.cluster.nodes(Role.VTGATE)}
    known = (GIVEN, RUNNING, tablet_types.REMEDIES, LAST)
    running = [remedy for remedy in backwards if remedy.kind in RUNNING]
    others = [remedy for remedy in backwards if not any(remedy.kind in kinds for kinds in known)]
    await _at_once(ground, [remedy for remedy in backwards if remedy.kind in GIVEN], take)
    await _at_once(ground, [remedy for remedy in running if remedy.target not in vtgates], take)
    async with asyncio.TaskGroup() as meanwhile:
        meanwhile.create_task(_at_once(ground, [remedy for remedy in running if remedy.target in vtgates], take))
        # A spare one's replication would be started without semi-sync, and what it receives then is never acknowledged.
        await _at_once(ground, [remedy for remedy in backwards if remedy.kind in tablet_types.REMEDIES], take)
        await _at_once(ground, others, take, of=partial(_tablet, ground))
        await _at_once(ground, _once([remedy for remedy in backwards if remedy.kind in LAST]), take)


async def _at_once(
    ground: Ground, remedies: Sequence[Remedy], take: Take, *, of: Callable[[str], str] = lambda target: target
) -> None:
    """Those of one target one after the other; `of`: what a target is a part of."""
    places = dict.fromkeys(of(remedy.target) for remedy in remedies)
    chains = ([remedy for remedy in remedies if of(remedy.target) == place] for place in places)
    await asyncio.gather(*(_chain(ground, chain, take) for chain in chains))


def _tablet(ground: Ground, target: str) -> str:
    """A vttablet and its mysqld are told things by several names: one START REPLICA spoils the other's CHANGE."""
    return next((node.tablet_alias for node in ground.cluster.nodes() if node.name == target), "") or target


def _once(remedies: Sequence[Remedy]) -> list[Remedy]:
    """Ten reparents of one shard that failed leave one shard."""
    return [remedy for number, remedy in enumerate(remedies) if remedy not in remedies[:number]]


async def _chain(ground: Ground, remedies: Sequence[Remedy], take: Take) -> None:
    for remedy in remedies:
        what = f"undoing {remedy.kind} on {remedy.target}"
        within_s = LAST_WITHIN_S if remedy.kind in LAST else EACH_WITHIN_S
        begin_ns, failed = now_ns(), None
        try:
            await ground.until(what, partial(_performed, ground, remedy), timeout_s=within_s)
        except HarnessError as error:
            failed = error
        take(Tried(remedy=remedy, begin_ns=begin_ns, end_ns=now_ns(), error=failed))


async def _performed(ground: Ground, remedy: Remedy) -> Missing:
    """While another fault is in force it may be in the way of this one's remedy: then it is tried again."""
    quiet = ground.quiet
    try:
        await _act(remedy)(ground, remedy)
    except HarnessError as error:
        if quiet:
            raise
        return Missing(str(error))
    return Missing()


def _act(remedy: Remedy) -> Undo:
    """Raises ClusterError: the ledger is of another version."""
    if remedy.kind not in REMEDIES:
        raise ClusterError(f"this version of vtchaos does not know how to undo {remedy.kind!r} on {remedy.target}")
    return REMEDIES[remedy.kind]
