"""The MySQL endpoints of a cluster's vtgates."""

from __future__ import annotations

from harness.contracts import Cluster, LoadPlace
from harness.load.config import Target
from harness.model import Role


def targets_of(cluster: Cluster, place: LoadPlace | None = None) -> list[Target]:
    """One target a vtgate, in their order; as they are reached from here, or from a place beside the cluster."""
    targets = []
    for node in cluster.nodes(Role.VTGATE):
        host, port = (place or cluster).address(node, "mysql")
        targets.append(Target(vtgate=node.name, host=host, port=port))
    return targets
