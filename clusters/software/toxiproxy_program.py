"""toxiproxy, which delays what goes over a connection: the machine's own, else built from its Go module."""

from __future__ import annotations

from clusters.software import go_program
from clusters.software.debian_program import Found
from clusters.software.go_program import TOXIPROXY
from clusters.software.installs import ToxiproxyInstall
from clusters.software.progress import Progress
from clusters.software.sources import Sources


async def toxiproxy(*, sources: Sources, progress: Progress | None = None) -> ToxiproxyInstall:
    """A toxiproxy of at least 2.0. Raises SoftwareError."""
    return _described(await go_program.program(TOXIPROXY, sources=sources, progress=progress))


async def find(*, sources: Sources) -> ToxiproxyInstall | None:
    """A given folder's, PATH's, or the cache's toxiproxy."""
    found = await go_program.find(TOXIPROXY, sources=sources)
    return _described(found) if found is not None else None


def _described(found: Found) -> ToxiproxyInstall:
    return ToxiproxyInstall(version=found.version, server=found.path, source=found.source)
