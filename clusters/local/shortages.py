"""What a local node can be made short of: room for its data, and somebody who takes its log."""

from __future__ import annotations

from collections.abc import Sequence

from clusters.common.layout import Layout
from clusters.local.supervision import Supervisor
from harness.base.errors import ClusterError
from harness.model import Limits, Node, Role

MIB = 1 << 20


async def set_disk_and_log(supervisor: Supervisor, layout: Layout, node: Node, limits: Limits) -> None:
    """The whole desired state of both. Raises ClusterError."""
    if node.role is not Role.VTTABLET:
        await _set_disk(supervisor, layout, node, full=limits.disk_full)
    elif limits.disk_full:
        raise ClusterError(f"{node.name} keeps nothing on a disk; its mysqld's folder is {node.tablet_alias}'s")
    if not supervisor.no_sinks:
        await supervisor.sink(node.name, limits.log_bytes_per_s)


async def _set_disk(supervisor: Supervisor, layout: Layout, node: Node, *, full: bool) -> None:
    if not supervisor.no_disks:
        await supervisor.disk(layout.folder(node), full=full)


async def writers(supervisor: Supervisor, node: Node) -> int:
    """Threads of it that sleep in a write of its log; looked for where the log is not taken at once."""
    if supervisor.no_sinks:
        return 0
    _, _, threads = (await supervisor.limited())["sinks"].get(node.name, (0, 0, 0))
    return threads


async def limited(supervisor: Supervisor, layout: Layout) -> Sequence[str]:
    """A sentence for each limit that the kernel knows of. Raises ClusterError."""
    if supervisor.no_sinks:
        return ()
    found = await supervisor.limited()
    owners = {str(layout.folder(node)): node.name for node in layout.nodes if node.role is not Role.VTTABLET}
    return (
        *(
            f"the data directory of {owners.get(folder, folder)} has {free / MIB:.1f} of {size / MIB:.1f} MiB free"
            for folder, (free, size) in found["disks"].items()
        ),
        *(
            f"the log of {name} is not taken at once: {waiting} of {room} bytes wait, and {threads} threads to write"
            for name, (waiting, room, threads) in found["sinks"].items()
        ),
    )
