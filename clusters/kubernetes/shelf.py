"""The images of ours on the nodes whose containerd is on this host (the one-node lane): told and removed.

Nodes elsewhere pull what they run from a registry, and a kind cluster goes as a whole: nothing of ours stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clusters.common.images import Held
from clusters.kubernetes.store import of_node
from harness.base.errors import ClusterError

_OURS = "docker.io/vtchaos/"  # as containerd writes it


class NodeShelf:
    """`clusters.common.images.ImageShelf` of one node's containerd."""

    def __init__(self, node: Mapping[str, str]) -> None:
        """`node`: its annotations."""
        self._node = node

    async def ours(self) -> Sequence[Held]:
        rows = (await of_node(self._node, "images", "list", "-q")).split()
        return [Held(reference=row, purpose="", vitess="", size_bytes=0) for row in rows if row.startswith(_OURS)]

    async def remove(self, reference: str) -> str:
        """One that a container uses stays: containerd itself would not refuse. The kubelet's own name of it, its
        digest, goes with it."""
        if reference in (await of_node(self._node, "containers", "list")).split():
            return "a container uses it"
        rows = [row.split() for row in (await of_node(self._node, "images", "list")).splitlines()[1:]]
        content = {row[0]: row[2] for row in rows}  # REF TYPE DIGEST SIZE …
        names = [name for name, digest in content.items() if digest == content.get(reference)]
        if not names:
            return ""
        try:
            await of_node(self._node, "images", "remove", "--sync", *names)
        except ClusterError as error:
            return str(error)
        return ""
