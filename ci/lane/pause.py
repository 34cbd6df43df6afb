"""The image whose one program holds a pod's namespaces; every pod needs it, and it cannot be pulled here."""

from __future__ import annotations

from pathlib import Path

from ci.lane.place import Lane
from clusters.images import archive, tree
from clusters.images.archive import Count, Image, Layer

REPOSITORY = "vtchaos.local/pause"
PROGRAM = "pause"


def write(lane: Lane, program: Path) -> str:
    """Write the archive to `lane.pause`; returns the image's reference."""
    packed = lane.scratch / "pause-layer.tar"
    layer = Layer(diff_id=archive.pack([tree.copied(PROGRAM, program)], packed, Count()), path=packed)
    image = Image(repository=REPOSITORY, version="1", layers=(layer,), command=(f"/{PROGRAM}",))
    with lane.pause.open("wb") as out:
        archive.save([image], out, Count())
    return image.reference
