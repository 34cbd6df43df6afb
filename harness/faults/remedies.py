"""Taking faults back, from nothing but what the ledger says.

The stage does it when a fault is left; the watchdog and `vtchaos heal` do it for a run whose harness is dead. It
is the same code, so that what heals after `kill -9` is what every run has tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from harness.base import wait
from harness.base.errors import ClusterError, HarnessError
from harness.contracts import Ground
from harness.faults import (
    broken_off,
    disk,
    emergency,
    limits,
    mysql,
    network,
    process,
    reparent,
    service,
    tablet_types,
)
from harness.model import Remedy

EACH_WITHIN_S = 30.0

Undo = Callable[[Ground, Remedy], Awaitable[None]]

# First what others need: a paused vttablet answers no statement.
FIRST: Mapping[str, Undo] = {
    **process.REMEDIES,
    **limits.REMEDIES,
    **disk.REMEDIES,
    **network.REMEDIES,
}
# Last what needs all of a shard's tablets.
LAST: Mapping[str, Undo] = {**broken_off.REMEDIES}
REMEDIES: Mapping[str, Undo] = {
    **FIRST,
    **LAST,
    **mysql.REMEDIES,
    **service.REMEDIES,
    **reparent.REMEDIES,
    **emergency.REMEDIES,
    **tablet_types.REMEDIES,
}


async def undo(ground: Ground, remedies: Iterable[Remedy]) -> None:
    """All of them, whatever fails; the first error is raised. What is for different targets is done at once, what is
    for one target from the last to the first. Raises HarnessError."""
    for _, error in await tried(ground, remedies):
        raise error


async def tried(ground: Ground, remedies: Iterable[Remedy]) -> list[tuple[Remedy, HarnessError]]:
    """The same; which ones failed, and why."""
    backwards = list(remedies)[::-1]
    errors: list[tuple[Remedy, HarnessError]] = []
    for group in (
        [remedy for remedy in backwards if remedy.kind in FIRST],
        [remedy for remedy in backwards if remedy.kind not in FIRST and remedy.kind not in LAST],
        [remedy for remedy in backwards if remedy.kind in LAST],
    ):
        targets = dict.fromkeys(remedy.target for remedy in group)
        chains = [[remedy for remedy in group if remedy.target == target] for target in targets]
        for found in await asyncio.gather(*(_chain(ground, chain) for chain in chains)):
            errors += found
    return errors


async def _chain(ground: Ground, remedies: Sequence[Remedy]) -> list[tuple[Remedy, HarnessError]]:
    errors = []
    for remedy in remedies:
        what = f"undoing {remedy.kind} on {remedy.target}"
        try:
            await wait.finish(what, _act(remedy)(ground, remedy), timeout_s=EACH_WITHIN_S)
        except HarnessError as error:
            errors.append((remedy, error))
    return errors


def _act(remedy: Remedy) -> Undo:
    """Raises ClusterError: the ledger is of another version."""
    if remedy.kind not in REMEDIES:
        raise ClusterError(f"this version of vtchaos does not know how to undo {remedy.kind!r} on {remedy.target}")
    return REMEDIES[remedy.kind]
