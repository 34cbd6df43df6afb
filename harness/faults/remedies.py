"""Taking faults back, from nothing but what the ledger says.

The stage does it when a fault is left; the watchdog and `vtchaos heal` do it for a run whose harness is dead. It
is the same code, so that what heals after `kill -9` is what every run has tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.base import wait
from harness.base.clock import now_ns
from harness.base.errors import ClusterError, HarnessError
from harness.contracts import Ground
from harness.faults import (
    broken_off,
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
from harness.model import Remedy, Role

EACH_WITHIN_S = 30.0

Undo = Callable[[Ground, Remedy], Awaitable[None]]

# First what hinders processes from the outside, and takes no time: one whose log is not taken never comes up (seen).
GIVEN: Mapping[str, Undo] = {**limits.REMEDIES, **network.REMEDIES, **pods.PLACES}
# Then the processes: a paused vttablet answers no statement.
RUNNING: Mapping[str, Undo] = {**pods.REMEDIES, **process.REMEDIES, **rollout.REMEDIES, **disk.REMEDIES}
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
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A remedy that was performed; `error` when it failed."""

    remedy: Remedy
    begin_ns: int
    end_ns: int
    error: HarnessError | None = None


async def undo(ground: Ground, remedies: Iterable[Remedy]) -> None:
    """All of them, whatever fails; the first error is raised. What is for different targets is done at once, what is
    for one target from the last to the first. Raises HarnessError."""
    failed: list[HarnessError] = []
    await tried(ground, remedies, lambda one: failed.append(one.error) if one.error else None)
    for error in failed:
        raise error


async def tried(ground: Ground, remedies: Iterable[Remedy], take: Callable[[Tried], None]) -> None:
    """The same; `take` hears of each when it is over, also of those that failed.

    A vtgate comes after the tablets, and nobody waits for it before the end: it reads once who there is, and then only
    every minute (--tablet-refresh-interval, v0.24.3), and a vttablet that was asked to end is not there until it runs
    again. It answers when it has found some of every shard, which others may still have to bring back.
    """
    backwards = list(remedies)[::-1]
    vtgates = {node.name for node in ground.cluster.nodes(Role.VTGATE)}
    running = [remedy for remedy in backwards if remedy.kind in RUNNING]
    others = [remedy for remedy in backwards if not any(remedy.kind in kinds for kinds in (GIVEN, RUNNING, LAST))]
    await _at_once(ground, [remedy for remedy in backwards if remedy.kind in GIVEN], take)
    await _at_once(ground, [remedy for remedy in running if remedy.target not in vtgates], take)
    async with asyncio.TaskGroup() as meanwhile:
        meanwhile.create_task(_at_once(ground, [remedy for remedy in running if remedy.target in vtgates], take))
        await _at_once(ground, others, take)
        await _at_once(ground, _once([remedy for remedy in backwards if remedy.kind in LAST]), take)


async def _at_once(ground: Ground, remedies: Sequence[Remedy], take: Callable[[Tried], None]) -> None:
    """Those of one target one after the other."""
    targets = dict.fromkeys(remedy.target for remedy in remedies)
    chains = ([remedy for remedy in remedies if remedy.target == target] for target in targets)
    await asyncio.gather(*(_chain(ground, chain, take) for chain in chains))


def _once(remedies: Sequence[Remedy]) -> list[Remedy]:
    """Ten reparents of one shard that failed leave one shard."""
    return [remedy for number, remedy in enumerate(remedies) if remedy not in remedies[:number]]


async def _chain(ground: Ground, remedies: Sequence[Remedy], take: Callable[[Tried], None]) -> None:
    for remedy in remedies:
        what = f"undoing {remedy.kind} on {remedy.target}"
        begin_ns, failed = now_ns(), None
        try:
            await wait.finish(what, _act(remedy)(ground, remedy), timeout_s=EACH_WITHIN_S)
        except HarnessError as error:
            failed = error
        take(Tried(remedy=remedy, begin_ns=begin_ns, end_ns=now_ns(), error=failed))


def _act(remedy: Remedy) -> Undo:
    """Raises ClusterError: the ledger is of another version."""
    if remedy.kind not in REMEDIES:
        raise ClusterError(f"this version of vtchaos does not know how to undo {remedy.kind!r} on {remedy.target}")
    return REMEDIES[remedy.kind]
