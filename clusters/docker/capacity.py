"""How large a cluster an engine's machine can hold: the local backend's figures, and what containers cost besides."""

from __future__ import annotations

from collections.abc import Sequence

from clusters.common.layout import nodes_of
from clusters.docker.boxes import name_of
from clusters.docker.engine import Facts
from clusters.local import capacity as local
from harness.model import ClusterSpec, Placement

CONTAINER_BYTES = 8 * local.MIB  # containerd's shim of each, measured; and what the engine keeps of it
SMALLEST_LIMIT_MB = 160  # a mysqld 9.7 was killed while it started with 128 (once of two times), and serves with 160


def needed_bytes(spec: ClusterSpec) -> int:
    """What a cluster of this size takes, without its data."""
    nodes = nodes_of(spec)
    containers = len(nodes) + len({name_of(node) for node in nodes})
    return local.needed_bytes(spec) + containers * CONTAINER_BYTES


def available_bytes(facts: Facts) -> int:
    """On this machine what is free; of another one only its size is known."""
    return min(local.available_bytes(), facts.memory_bytes) if facts.here else facts.memory_bytes


def data_fits_in_memory(spec: ClusterSpec, place: Placement, facts: Facts) -> bool:
    """Not with a limit: what a program writes to a file in memory counts as its own."""
    if place.memory_mb:
        return False
    data = local.tablets_of(spec) * local.DATA_BYTES
    return needed_bytes(spec) + data <= _usable(facts)


def refusals(spec: ClusterSpec, place: Placement, facts: Facts) -> Sequence[str]:
    """Why the engine's machine cannot hold the cluster; empty when it can."""
    reasons = []
    if needed_bytes(spec) > _usable(facts):
        have = available_bytes(facts)
        sizes = " and ".join(f"{each.shards} shards x {each.tablets_per_shard} tablets" for each in spec.keyspaces)
        reasons.append(
            f"{sizes} in containers need about {needed_bytes(spec) / 1e9:.1f} GB of memory, {have / 1e9:.1f} GB are "
            "available to the Docker engine"
        )
    if 0 < place.memory_mb < SMALLEST_LIMIT_MB:
        reasons.append(f"a mysqld does not start with {place.memory_mb} MB of memory; {SMALLEST_LIMIT_MB} MB would do")
    return tuple(reasons)


def _usable(facts: Facts) -> float:
    return available_bytes(facts) * (1 - local.SPARE_SHARE)
