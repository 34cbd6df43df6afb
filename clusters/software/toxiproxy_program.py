"""toxiproxy, which delays what goes over a connection: the machine's own, else built from its Go module."""

from __future__ import annotations

from pathlib import Path

from clusters.software import gobuild, releases, store, versions
from clusters.software.installs import ToxiproxyInstall
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError

PROGRAM = "toxiproxy-server"
OLDEST = (2, 0)  # toxics are resources of their own, each with a direction
VERSION = "2.12.0"
GO = "1.26.8"
MODULE = "github.com/Shopify/toxiproxy/v2"
NAME = f"toxiproxy-{VERSION}"


async def toxiproxy(*, sources: Sources, progress: Progress | None = None) -> ToxiproxyInstall:
    """A toxiproxy of at least 2.0. Raises SoftwareError."""
    found = await find(sources=sources)
    if found is not None:
        return found
    if not sources.install:
        raise SoftwareError("no toxiproxy-server of at least 2.0 on PATH, and installing was switched off")
    return await _install(sources, progress or Silent())


async def find(*, sources: Sources) -> ToxiproxyInstall | None:
    """A given folder's, PATH's, or the cache's toxiproxy."""
    for path, where in sources.candidates(PROGRAM):
        version = await versions.of_program(path)
        if version is not None and versions.key(version) >= OLDEST:
            return ToxiproxyInstall(version=version, server=path, source=f"{where}: {path}")
    kept = sources.store
    return _described(kept) if kept.installed(NAME) else None


async def _install(sources: Sources, progress: Progress) -> ToxiproxyInstall:
    kept = sources.store
    async with kept.installing(NAME, progress) as staging:
        if kept.installed(NAME) is None:
            await _build(kept, staging, sources, progress)
    return _described(kept)


async def _build(kept: Store, staging: Path, sources: Sources, progress: Progress) -> None:
    prefix = staging / "prefix"
    program = prefix / "bin" / PROGRAM
    program.parent.mkdir(parents=True)
    await gobuild.build(
        [f"{MODULE}/cmd/server"],
        module=releases.MODULES / "toxiproxy",
        out=program,
        work=staging,
        go_version=GO,
        sources=sources,
        progress=progress,
        label=f"toxiproxy {VERSION}",
        stamps={f"{MODULE}.Version": VERSION},
    )
    reported = await versions.of_program(program)
    if reported != VERSION:
        raise SoftwareError(f"the built toxiproxy says it is version {reported}, wanted is {VERSION}")
    parts = {MODULE: f"v{VERSION}", "go": GO}
    how = f"built from the Go module v{VERSION} with Go {GO}"
    kept.commit(prefix, Manifest(name=NAME, version=VERSION, how=how, files=store.facts(prefix), parts=parts))


def _described(kept: Store) -> ToxiproxyInstall:
    manifest = kept.installed(NAME)
    if manifest is None:
        raise SoftwareError(f"toxiproxy {VERSION} in {kept.path(NAME)} is not complete after its installation")
    return ToxiproxyInstall(version=VERSION, server=kept.path(NAME) / "bin" / PROGRAM, source=manifest.how)
