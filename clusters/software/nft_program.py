"""nft, which cuts links: the machine's own, else Debian's."""

from __future__ import annotations

from clusters.software import debian_program
from clusters.software.debian_program import NFT, Found
from clusters.software.installs import NftInstall
from clusters.software.progress import Progress
from clusters.software.sources import Sources


async def nft(*, sources: Sources, progress: Progress | None = None) -> NftInstall:
    """An nft that can be given rules as text. Raises SoftwareError."""
    return _described(await debian_program.program(NFT, sources=sources, progress=progress))


async def find(*, sources: Sources) -> NftInstall | None:
    """A given folder's, PATH's, or the cache's nft."""
    found = await debian_program.find(NFT, sources=sources)
    return _described(found) if found is not None else None


def _described(found: Found) -> NftInstall:
    return NftInstall(version=found.version, nft=found.path, source=found.source)
