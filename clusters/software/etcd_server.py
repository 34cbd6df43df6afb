"""etcd, the topology server: the machine's own if new enough, else built from its Go module."""

from __future__ import annotations

from pathlib import Path

from clusters.software import gobuild, releases, store, versions
from clusters.software.installs import EtcdInstall
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError

OLDEST = (3, 4)  # the v3 API without the v2 store that Vitess no longer speaks
VERSION = "3.6.10"
GO = "1.26.8"
PACKAGE = "go.etcd.io/etcd/server/v3"
NAME = f"etcd-{VERSION}"


async def etcd(*, sources: Sources, progress: Progress | None = None) -> EtcdInstall:
    """An etcd of at least 3.4. Raises SoftwareError."""
    found = await find(sources=sources)
    if found is not None:
        return found
    if not sources.install:
        raise SoftwareError("no etcd of at least 3.4 on PATH, and installing was switched off")
    return await _install(sources, progress or Silent())


async def find(*, sources: Sources) -> EtcdInstall | None:
    """A given folder's, PATH's, or the cache's etcd."""
    for path, where in sources.candidates("etcd"):
        version = await versions.of_program(path)
        if version is not None and versions.key(version) >= OLDEST:
            return EtcdInstall(version=version, etcd=path, source=f"{where}: {path}")
    kept = sources.store
    return _described(kept) if kept.installed(NAME) else None


async def _install(sources: Sources, progress: Progress) -> EtcdInstall:
    kept = sources.store
    async with kept.installing(NAME, progress) as staging:
        if kept.installed(NAME) is None:
            await _build(kept, staging, sources, progress)
    return _described(kept)


async def _build(kept: Store, staging: Path, sources: Sources, progress: Progress) -> None:
    prefix = staging / "prefix"
    program = prefix / "bin/etcd"
    program.parent.mkdir(parents=True)
    await gobuild.build(
        [PACKAGE],
        module=releases.MODULES / "etcd",
        out=program,
        work=staging,
        go_version=GO,
        sources=sources,
        progress=progress,
        label=f"etcd {VERSION}",
    )
    reported = await versions.of_program(program)
    if reported != VERSION:
        raise SoftwareError(f"the built etcd says it is version {reported}, wanted is {VERSION}")
    parts = {PACKAGE: f"v{VERSION}", "go": GO}
    how = f"built from the Go module v{VERSION} with Go {GO}"
    kept.commit(prefix, Manifest(name=NAME, version=VERSION, how=how, files=store.facts(prefix), parts=parts))


def _described(kept: Store) -> EtcdInstall:
    manifest = kept.installed(NAME)
    if manifest is None:
        raise SoftwareError(f"etcd {VERSION} in {kept.path(NAME)} is not complete after its installation")
    return EtcdInstall(version=VERSION, etcd=kept.path(NAME) / "bin/etcd", source=manifest.how)
