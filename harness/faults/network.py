"""Links between processes: what is cut, and by whom.

A cluster knows one desired state of all its links. Several faults may be in force at once, so one table for each run
holds the rules of all of them, and each takes back its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

from harness.base import jsonio
from harness.base.errors import ClusterError
from harness.contracts import Cluster, Ground
from harness.model import LinkRule, Remedy

LINK = "link"


class LinkTable:
    """The rules that are in force, by whoever asked for them. One that was asked for twice is gone when it was taken
    back twice."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rules: Counter[LinkRule] = Counter()
        self._turn = asyncio.Lock()

    async def add(self, rules: Iterable[LinkRule]) -> None:
        """Raises ClusterError; the rules count as in force then, until they are taken back."""
        async with self._turn:
            self._rules.update(rules)
            await self._cluster.set_links(tuple(self._rules))

    async def remove(self, rules: Iterable[LinkRule]) -> None:
        """Rules that are not in force are no error. Raises ClusterError."""
        async with self._turn:
            self._rules -= Counter(rules)
            await self._cluster.set_links(tuple(self._rules))


@contextlib.asynccontextmanager
async def links_of(cluster: Cluster) -> AsyncIterator[LinkTable]:
    """For `Ground.shared`."""
    yield LinkTable(cluster)


def whole_again(rules: Iterable[LinkRule]) -> tuple[Remedy, ...]:
    """What takes these rules back."""
    return tuple(
        Remedy(kind=LINK, target=f"{rule.source} > {rule.target}", details=dataclasses.asdict(rule)) for rule in rules
    )


async def _whole(ground: Ground, remedy: Remedy) -> None:
    """One rule less. Whoever heals a dead run begins with an empty table: then all links are whole at once."""
    try:
        rule = jsonio.structure(dict(remedy.details), LinkRule)
    except ValueError as error:
        raise ClusterError(f"the ledger's rule for {remedy.target} cannot be read: {error}") from None
    await (await ground.shared(links_of)).remove((rule,))


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {LINK: _whole}
