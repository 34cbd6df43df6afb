"""Who is hit: a choice over roles, tablet types, shards and names, drawn from the run's seed where it leaves one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.base import rng
from harness.base.errors import ClusterError, PlanError
from harness.contracts import Aim, Ground, Stage
from harness.model import Node, Role
from harness.vitess.vtctld import vtctld_of

TABLET_ROLES = (Role.VTTABLET, Role.MYSQLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Nodes of one role, or the nodes of these names.

    `tablet_type` primary | replica | rdonly: as the topology has it when the fault begins ("" = any); the shard record,
    not the tablet's, says who the primary is. Of those that fit: all, `count` of them, or a `share` of them (at least
    one), drawn; `number` n is the nth of each shard in the order of the names, without drawing.
    """

    role: Role | None = None
    names: tuple[str, ...] = ()
    keyspace: str = ""  # "" = the cluster's main one
    shards: tuple[str, ...] = ()  # () = all
    tablet_type: str = ""
    number: int = 0  # 0 = every one
    count: int = 0  # 0 = all
    share: float = 1.0
    draw: str = "targets"  # name of the seed's child: two faults of one run should not share one

    def __post_init__(self) -> None:
        if (self.role is None) == (not self.names):
            raise PlanError("targets are either nodes of a role or named nodes")
        if not 0 < self.share <= 1:
            raise PlanError(f"a share of targets is above 0 and at most 1, not {self.share:g}")

    async def chosen(self, stage: Stage) -> tuple[Node, ...]:
        """In the order of the cluster. Raises ClusterError: nothing fits."""
        found = await self.fitting(stage)
        wanted = self.count or math.ceil(self.share * len(found))
        if not found or wanted > len(found):
            raise ClusterError(f"{self.text}: {len(found)} in this cluster" + (f", {wanted} wanted" if wanted else ""))
        if wanted == len(found):
            return found
        drawn = rng.child(stage.plan.seed, self.draw).sample(range(len(found)), wanted)
        return tuple(found[index] for index in sorted(drawn))

    async def fitting(self, ground: Ground) -> tuple[Node, ...]:
        """All that fit, before any drawing. Raises VtctldError."""
        if self.names:
            nodes = {node.name: node for node in ground.cluster.nodes()}
            missing = [name for name in self.names if name not in nodes]
            if missing:
                raise ClusterError(f"no node is called {', '.join(missing)}; there are {', '.join(nodes)}")
            return tuple(nodes[name] for name in self.names)
        nodes_of_role = ground.cluster.nodes(self.role)
        if self.role not in TABLET_ROLES:
            return nodes_of_role
        keyspace = self.keyspace or ground.cluster.spec.keyspace
        here = [n for n in nodes_of_role if n.keyspace == keyspace and (not self.shards or n.shard in self.shards)]
        return await self._of_type(ground, keyspace, here)

    async def _of_type(self, ground: Ground, keyspace: str, nodes: list[Node]) -> tuple[Node, ...]:
        fitting = []
        for shard in dict.fromkeys(node.shard for node in nodes):
            types = await types_of(ground, keyspace, shard) if self.tablet_type else {}
            mine = sorted((n for n in nodes if n.shard == shard), key=lambda node: node.tablet_uid)
            mine = [n for n in mine if not self.tablet_type or types.get(n.tablet_alias) == self.tablet_type]
            fitting += mine[self.number - 1 : self.number] if self.number else mine
        return tuple(fitting)

    @property
    def text(self) -> str:
        """For people."""
        if self.names:
            return ", ".join(self.names)
        where = f" of {', '.join(self.shards)}" if self.shards else ""
        return f"{self.tablet_type} {self.role}{where}".strip()


async def types_of(ground: Ground, keyspace: str, shard: str) -> dict[str, str]:
    """Alias → type; the primary is whom the shard record names: a killed one's own record keeps its type."""
    vtctld = await ground.shared(vtctld_of)
    primary = await vtctld.shard_primary(keyspace, shard)
    types = {tablet.alias: tablet.type for tablet in await vtctld.tablets(keyspace, shard)}
    return {
        alias: "primary" if alias == primary else ("replica" if kind == "primary" else kind)
        for alias, kind in types.items()
    }


def nodes_of(ground: Ground, aim: Aim) -> tuple[Node, ...]:
    """Whom a fault has aimed at, in the cluster's order."""
    return tuple(node for node in ground.cluster.nodes() if node.name in aim.targets)
