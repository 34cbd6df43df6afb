"""Backends: ways to stand up real Vitess clusters; and the software they are made of."""

from __future__ import annotations

from collections.abc import Mapping

from clusters.common.keeping import Keeper
from clusters.docker.backend import DockerBackend
from clusters.docker.keeper import DockerKeeper
from clusters.kubernetes.attach_keeper import AttachedKeeper
from clusters.kubernetes.backend import KubernetesBackend
from clusters.kubernetes.keeper import KubernetesKeeper
from clusters.local.backend import LocalBackend
from clusters.local.keeper import LocalKeeper
from harness.contracts import Backend

BACKENDS: Mapping[str, Backend] = {
    "local": LocalBackend(),
    "docker": DockerBackend(),
    "kubernetes": KubernetesBackend(),
}
"""Name → backend."""

KEEPERS: Mapping[str, Keeper] = {
    "local": LocalKeeper(),
    "docker": DockerKeeper(),
    "kubernetes": KubernetesKeeper(),
    "attached": AttachedKeeper(),
}
"""Name → how clusters of it outlive `vtchaos up`; a backend's own name, or another way to come to one (attached)."""
