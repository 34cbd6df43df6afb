"""Streams that a vttablet refused to begin, because they asked for more than it has committed.

With lossless semi-sync MySQL shows a transaction to binary log readers before it is committed. A VGTID may therefore be
ahead of `gtid_executed`, and who resumes there is refused: "GTIDSet Mismatch" (vstreamer/uvstreamer.go
`setStreamStartPosition`; counted in `VStreamerErrors`, 21.0 to 24.0.3). For vtgate it is the tablet that is wrong: it
looks for another one for 90 s (vstream_manager.go `tabletPickerContextTimeout`, PR #14224), and a shard has no other
primary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.facts.streams import vttablet_growths
from harness.history import History

MISMATCH = "GTIDSet Mismatch"


def refusals(history: History, shards: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The vttablets of these shards that refused streams for it since the first one began, and how many. One that
    was restarted meanwhile counts from anew, and is left out."""
    for node, refused in vttablet_growths(history, f"VStreamerErrors:{MISMATCH}"):
        if node.shard in shards and refused:
            yield node.name, int(refused)
