"""How large a cluster a Kubernetes can hold: the local backend's figures, and what pods cost besides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clusters.common.layout import nodes_of
from clusters.kubernetes.api import Api
from clusters.kubernetes.names import set_of
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.resources import NODE, Manifest, annotations_of
from clusters.kubernetes.store import CONTAINERD
from clusters.local import capacity as local
from harness.model import ClusterSpec, Placement

POD_BYTES = 16 * local.MIB  # its shim and pause, and the agents' shells
SMALLEST_LIMIT_MB = 128  # a mysqld does not start with less
_SHARE_OF_OTHERS = 0.5  # of a cluster's memory: it is there for others too
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 10**3, "M": 10**6, "G": 10**9}


def needed_bytes(spec: ClusterSpec) -> int:
    """What a cluster of this size takes, without its data."""
    return local.needed_bytes(spec) + len({set_of(node) for node in nodes_of(spec)}) * POD_BYTES


def usable_bytes(nodes: Sequence[Manifest]) -> int:
    """What a cluster of ours may take of these machines; 0 = nothing is known. A machine that is this host has its
    free memory."""
    allocatable = sum(quantity(node["status"]["allocatable"]["memory"]) for node in nodes)
    if nodes and all(Path(annotations_of(node).get(CONTAINERD, "/nowhere")).is_socket() for node in nodes):
        return min(allocatable, int(local.available_bytes() * (1 - local.SPARE_SHARE)))
    return int(allocatable * _SHARE_OF_OTHERS)


def quantity(text: str) -> int:
    """Bytes of a quantity such as 24581684Ki."""
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * factor)
    return int(float(text))


async def data_fits_in_memory(api: Api, spec: ClusterSpec, place: Placement) -> bool:
    """Not when containers have a limit: what lies in memory counts as theirs."""
    if place.storage_class or place.memory_mb:
        return False
    data = local.tablets_of(spec) * local.DATA_BYTES
    return needed_bytes(spec) + data <= usable_bytes(await _nodes(api))


async def refusals(api: Api, spec: ClusterSpec, place: Placement) -> Sequence[str]:
    """Why the cluster cannot hold it; empty when it can, or when that is not known."""
    reasons = []
    nodes = await _nodes(api)
    if nodes and needed_bytes(spec) > usable_bytes(nodes):
        sizes = " and ".join(f"{each.shards} shards x {each.tablets_per_shard} tablets" for each in spec.keyspaces)
        reasons.append(
            f"{sizes} in pods need about {needed_bytes(spec) / 1e9:.1f} GB of memory, of the machines of {api.context} "
            f"{usable_bytes(nodes) / 1e9:.1f} GB may be taken"
        )
    if 0 < place.memory_mb < SMALLEST_LIMIT_MB:
        reasons.append(f"a mysqld does not start with {place.memory_mb} MB of memory; {SMALLEST_LIMIT_MB} MB would do")
    return tuple(reasons)


async def _nodes(api: Api) -> tuple[Manifest, ...]:
    """Those that take pods; () when they may not be listed."""
    try:
        return tuple(node for node in await api.list(NODE) if not node["spec"].get("unschedulable"))
    except ApiError:
        return ()
