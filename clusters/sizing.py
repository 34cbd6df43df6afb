"""How many shards this machine's memory holds on each backend, when a cluster stands on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from clusters.docker import capacity as docker
from clusters.kubernetes import capacity as kubernetes
from clusters.local import capacity as local
from harness.model import ClusterSpec

NEEDS: Mapping[str, Callable[[ClusterSpec], int]] = {
    "local": local.needed_bytes,
    "docker": docker.needed_bytes,
    "kubernetes": kubernetes.needed_bytes,
}


def shards_that_fit(backend: str, spec: ClusterSpec, available_bytes: int) -> int:
    """The spec's own number if it fits, else the largest power of two that does; 0 when not even one does."""
    usable = available_bytes * (1 - local.SPARE_SHARE)
    smaller = [1 << bit for bit in reversed(range(spec.shards.bit_length())) if 1 << bit < spec.shards]
    fitting = (count for count in (spec.shards, *smaller) if NEEDS[backend](replace(spec, shards=count)) <= usable)
    return next(fitting, 0)
