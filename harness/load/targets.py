"""The MySQL endpoints of a cluster's vtgates."""

from __future__ import annotations

from harness.contracts import Cluster
from harness.load.config import Target
from harness.model import Role


def targets_of(cluster: Cluster) -> list[Target]:
    """One target a vtgate, in their order."""
    targets = []
    for node in cluster.nodes(Role.VTGATE):
        host, port = cluster.address(node, "mysql")
        targets.append(Target(vtgate=node.name, host=host, port=port))
    return targets
