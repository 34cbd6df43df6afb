"""What a fault of links does to those who stand at their ends, found by knocking; and when they have got over it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.base.errors import ClusterError
from harness.contracts import Ground, OffersKnocks
from harness.faults.grudge import Pair
from harness.faults.missing import Missing
from harness.model import Knock, Node, Role
from harness.mysql.session import admin_session
from harness.vitess.vtctld import VtctldError, vtctld_of

PAIRS = 6  # so many of a fault's links are knocked at, evenly spread
ANSWERED, REFUSED, SILENT = "answered", "refused", "silent"  # outcomes of clusters/local/supervisor/knock.py
WHOLE_WITHIN_S = 1.0
STATEMENT_WITHIN_S = 5.0
_PING = "SELECT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a link is knocked at: so many connections at once, each with so many kB of words."""

    times: int = 5
    kbytes: int = 0
    within_s: float = WHOLE_WITHIN_S


async def knocks(ground: Ground, pairs: Iterable[Pair], door: Door) -> Mapping[Pair, Sequence[Knock]]:
    """From the source's place at the target's door, of some of the links. Raises ClusterError."""
    cluster = ground.cluster
    if not isinstance(cluster, OffersKnocks):
        raise ClusterError("this cluster lets nobody knock from a node's place")
    nodes = {node.name: node for node in cluster.nodes()}
    rows = sorted(pairs)
    some = rows[:: max(1, -(-len(rows) // PAIRS))]
    said = await asyncio.gather(
        *(
            cluster.knock(nodes[source], nodes[target], times=door.times, kbytes=door.kbytes, within_s=door.within_s)
            for source, target in some
        )
    )
    return dict(zip(some, said, strict=True))


async def by_all(ground: Ground, pairs: Iterable[Pair], door: Door, felt: Callable[[Sequence[Knock]], bool]) -> bool:
    """Whether each of the links shows it. Raises ClusterError."""
    said = await knocks(ground, pairs, door)
    return bool(said) and all(felt(rows) for rows in said.values())


def fastest_ms(rows: Iterable[Knock]) -> float:
    """Infinite when nobody answered."""
    return min((row.took_ms for row in rows if row.outcome == ANSWERED), default=float("inf"))


def again(rows: Iterable[Knock]) -> int:
    """How many packets were sent again."""
    return sum(row.retransmits for row in rows)


# ---------------------------------------------------------------- afterwards


async def whole(ground: Ground, pairs: Sequence[Pair]) -> Missing:
    """Everybody hears everybody at once; then the shards concerned take statements through every vtgate, and their
    replicas replicate."""
    said = await knocks(ground, pairs, Door())
    deaf = [f"{source} > {target}" for (source, target), rows in said.items() if not _heard(rows)]
    if deaf:
        return Missing(f"knocks are lost on {', '.join(deaf)}")
    shards = _shards(ground, pairs)
    return Missing(*await asyncio.gather(*(_shard_missing(ground, *shard) for shard in shards)))


def _heard(rows: Iterable[Knock]) -> bool:
    return all(row.outcome == ANSWERED and not row.retransmits for row in rows)


def _shards(ground: Ground, pairs: Iterable[Pair]) -> tuple[tuple[str, str], ...]:
    names = set(itertools.chain(*pairs))
    tablets = (node for node in ground.cluster.nodes() if node.name in names and node.tablet_uid)
    return tuple(dict.fromkeys((node.keyspace, node.shard) for node in tablets))


async def _shard_missing(ground: Ground, keyspace: str, shard: str) -> str:
    vtgates = ground.cluster.nodes(Role.VTGATE)
    asked = [_unserved(ground, vtgate, keyspace, shard) for vtgate in vtgates]
    found = await asyncio.gather(*asked, _not_replicating(ground, keyspace, shard))
    return "; ".join(each for each in found if each)


async def _unserved(ground: Ground, vtgate: Node, keyspace: str, shard: str) -> str:
    host, port = ground.cluster.address(vtgate, "mysql")
    async with admin_session(host, port, database=f"{keyspace}:{shard}@primary") as session:
        answer = await session.query(_PING, timeout_s=STATEMENT_WITHIN_S)
    return "" if answer.ok else f"{vtgate.name} to {keyspace}/{shard}: {answer.message}"


async def _not_replicating(ground: Ground, keyspace: str, shard: str) -> str:
    vtctld = await ground.shared(vtctld_of)
    try:
        primary = await vtctld.shard_primary(keyspace, shard)
        aliases = [tablet.alias for tablet in await vtctld.tablets(keyspace, shard) if tablet.alias != primary]
        rows = [(alias, await vtctld.execute_as_dba(alias, "SHOW REPLICA STATUS")) for alias in aliases]
    except VtctldError as error:
        return str(error)
    return "; ".join(f"{alias} does not replicate" for alias, status in rows if not _replicates(status))


def _replicates(status: Sequence[Mapping[str, str]]) -> bool:
    return [(row["Replica_IO_Running"], row["Replica_SQL_Running"]) for row in status] == [("Yes", "Yes")]
