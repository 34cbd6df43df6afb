"""nft, which cuts links: the machine's own, else Debian's, unpacked into the cache like MySQL.

1.0.6 and 1.1.7 were tried. Whether one takes the rules, and the kernel with it, shows when it is given them.
"""

from __future__ import annotations

from pathlib import Path

from clusters.software import debian, prefix, store, versions
from clusters.software.installs import NftInstall
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError

PACKAGE = "nftables"
INSTEAD = "install the package nftables yourself and have nft on PATH"


async def nft(*, sources: Sources, progress: Progress | None = None) -> NftInstall:
    """An nft that can be given rules as text. Raises SoftwareError."""
    found = await find(sources=sources)
    if found is not None:
        return found
    if not sources.install:
        raise SoftwareError(f"no nft on PATH, and installing was switched off; {INSTEAD}")
    kept = sources.store
    async with kept.installing("nft", progress or Silent()) as staging:
        if _installed(kept) is None:
            await _unpack(kept, staging, progress or Silent())
    there = _installed(kept)
    if there is None:
        raise SoftwareError(f"nft in {kept.root} is not complete after its installation")
    return there


async def find(*, sources: Sources) -> NftInstall | None:
    """A given folder's, PATH's, or the cache's nft."""
    for path, where in sources.candidates("nft"):
        version = await versions.of_program(path)
        if version is not None:
            return NftInstall(version=version, nft=path, source=f"{where}: {path}")
    return _installed(sources.store)


async def _unpack(kept: Store, staging: Path, progress: Progress) -> None:
    debs = await debian.download((PACKAGE,), staging / "apt", progress, instead=INSTEAD)
    package = next(deb for deb in debs if deb.package == PACKAGE)
    name = f"nft-{package.upstream_version}"
    staged = staging / "prefix"
    await debian.unpack(debs, staged, progress)
    await prefix.make_runnable(staged, kept.path(name), keep="nft", probe=("usr/sbin/nft", "--version"))
    how = f"Debian {debian.SUITE}, {PACKAGE} {package.version}"
    kept.commit(
        staged,
        Manifest(
            name=name,
            version=package.upstream_version,
            how=how,
            files=store.facts(staged),
            parts=debian.parts(debs),
        ),
    )


def _installed(kept: Store) -> NftInstall | None:
    manifests = [row for row in (kept.installed(name) for name in kept.names("nft-")) if row is not None]
    if not manifests:
        return None
    best = max(manifests, key=lambda row: versions.key(row.version))
    return NftInstall(version=best.version, nft=kept.path(best.name) / "usr/sbin/nft", source=best.how)
