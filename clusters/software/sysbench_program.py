"""sysbench, for benchmarks only: the machine's own, else Debian's, unpacked into the cache like MySQL."""

from __future__ import annotations

from pathlib import Path

from clusters.software import debian, prefix, store, versions
from clusters.software.installs import SysbenchInstall
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError

SCRIPTS = "share/sysbench"
OLDEST = (1, 0)


async def sysbench(*, sources: Sources, progress: Progress | None = None) -> SysbenchInstall:
    """A sysbench 1.0 or newer with its oltp scripts. Raises SoftwareError."""
    found = await find(sources=sources)
    if found is not None:
        return found
    if not sources.install:
        raise SoftwareError("no sysbench on PATH, and installing was switched off")
    kept = sources.store
    async with kept.installing("sysbench", progress or Silent()) as staging:
        if _installed(kept) is None:
            await _unpack(kept, staging, progress or Silent())
    there = _installed(kept)
    if there is None:
        raise SoftwareError(f"sysbench in {kept.root} is not complete after its installation")
    return there


async def find(*, sources: Sources) -> SysbenchInstall | None:
    """A given folder's, PATH's, or the cache's sysbench."""
    for path, where in sources.candidates("sysbench"):
        version = await versions.of_program(path)
        if version is not None and versions.key(version) >= OLDEST and (_scripts(path) / "oltp_common.lua").is_file():
            return _described(path, version, f"{where}: {path}")
    return _installed(sources.store)


async def _unpack(kept: Store, staging: Path, progress: Progress) -> None:
    debs = await debian.download(("sysbench",), staging / "apt", progress)
    package = next(deb for deb in debs if deb.package == "sysbench")
    version = package.upstream_version.partition("+")[0]
    name = f"sysbench-{version}"
    staged = staging / "prefix"
    await debian.unpack(debs, staged, progress)
    await prefix.make_runnable(staged, kept.path(name), keep="sysbench", probe=("usr/bin/sysbench", "--version"))
    how = f"Debian {debian.SUITE}, sysbench {package.version}"
    parts = debian.parts(debs)
    kept.commit(staged, Manifest(name=name, version=version, how=how, files=store.facts(staged), parts=parts))


def _installed(kept: Store) -> SysbenchInstall | None:
    manifests = [row for row in (kept.installed(name) for name in kept.names("sysbench-")) if row is not None]
    if not manifests:
        return None
    best = max(manifests, key=lambda row: versions.key(row.version))
    return _described(kept.path(best.name) / "usr/bin/sysbench", best.version, best.how)


def _described(path: Path, version: str, source: str) -> SysbenchInstall:
    scripts = _scripts(path)
    return SysbenchInstall(
        version=version, sysbench=path, scripts=scripts, source=source, env={"LUA_PATH": f"{scripts}/?.lua;;"}
    )


def _scripts(path: Path) -> Path:
    return path.resolve().parent.parent / SCRIPTS
