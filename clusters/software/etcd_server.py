"""etcd, the topology server: the machine's own if new enough, else built from its Go module."""

from __future__ import annotations

from clusters.software import go_program
from clusters.software.debian_program import Found
from clusters.software.go_program import ETCD
from clusters.software.installs import EtcdInstall
from clusters.software.progress import Progress
from clusters.software.sources import Sources


async def etcd(*, sources: Sources, progress: Progress | None = None) -> EtcdInstall:
    """An etcd of at least 3.4. Raises SoftwareError."""
    return _described(await go_program.program(ETCD, sources=sources, progress=progress))


async def find(*, sources: Sources) -> EtcdInstall | None:
    """A given folder's, PATH's, or the cache's etcd."""
    found = await go_program.find(ETCD, sources=sources)
    return _described(found) if found is not None else None


def _described(found: Found) -> EtcdInstall:
    return EtcdInstall(version=found.version, etcd=found.path, source=found.source)
