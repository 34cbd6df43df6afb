"""Single programs in C: the machine's own if new enough, else Debian's, unpacked into the cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clusters.software import debian, prefix, store, versions
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base import procs
from harness.base.errors import ProcessError, SoftwareError


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianProgram:
    """`path` is the program's in its package; `fixed` as in `elf.bind`; `says` finds its version in its answer."""

    name: str
    package: str = ""  # "" = of the program's name
    path: str
    ask: str
    says: re.Pattern[str]
    oldest: tuple[int, ...] = ()  # () = any
    fixed: bool = False

    @property
    def instead(self) -> str:
        if not self.oldest:
            return f"install the package {self.package or self.name} yourself and have {self.name} on PATH"
        oldest = ".".join(str(number) for number in self.oldest)
        return f"install {self.name} {oldest} or newer yourself and have it on PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A program, where it is, and where it came from."""

    version: str
    path: Path
    source: str


# 1.1 is the first that knows cgroup v2 well. It starts a copy of itself from memory, which has no folder.
RUNC = DebianProgram(
    name="runc",
    path="usr/sbin/runc",
    ask="--version",
    says=re.compile(r"^runc version (\d+\.\d+\.\d+)", re.MULTILINE),
    oldest=(1, 1),
    fixed=True,
)

# 3.0 is the first whose `req` signs with another certificate.
OPENSSL = DebianProgram(
    name="openssl",
    path="usr/bin/openssl",
    ask="version",
    says=re.compile(r"^OpenSSL (\d+\.\d+\.\d+)"),
    oldest=(3, 0),
)


# 1.0.6 and 1.1.7 were tried. Whether one takes the rules, and the kernel with it, shows when it is given them.
NFT = DebianProgram(
    name="nft",
    package="nftables",
    path="usr/sbin/nft",
    ask="--version",
    says=re.compile(r"^\w+ v?(\d+\.\d+\.\d+)"),
)


async def program(wanted: DebianProgram, *, sources: Sources, progress: Progress | None = None) -> Found:
    """Where it is; obtained now if it is nowhere. Raises SoftwareError."""
    found = await find(wanted, sources=sources)
    if found is not None:
        return found
    if not sources.install:
        raise SoftwareError(f"no {wanted.name} on PATH, and installing was switched off; {wanted.instead}")
    kept, shown = sources.store, progress or Silent()
    async with kept.installing(wanted.name, shown) as staging:
        if _installed(wanted, kept) is None:
            await _unpack(wanted, kept, staging, shown)
    there = _installed(wanted, kept)
    if there is None:
        raise SoftwareError(f"{wanted.name} in {kept.root} is not complete after its installation")
    return there


async def find(wanted: DebianProgram, *, sources: Sources) -> Found | None:
    """A given folder's, PATH's, or the cache's."""
    for path, where in sources.candidates(wanted.name):
        version = await _version(wanted, path)
        if version is not None and versions.key(version) >= wanted.oldest:
            return Found(version=version, path=path, source=f"{where}: {path}")
    return _installed(wanted, sources.store)


async def _version(wanted: DebianProgram, path: Path) -> str | None:
    try:
        done = await procs.run([path, wanted.ask], timeout_s=versions.VERSION_TIMEOUT_S, check=False)
    except (ProcessError, OSError):
        return None
    found = wanted.says.search(done.output)
    return found[1] if found and done.returncode == 0 else None


async def _unpack(wanted: DebianProgram, kept: Store, staging: Path, progress: Progress) -> None:
    wanted_package = wanted.package or wanted.name
    debs = await debian.download((wanted_package,), staging / "apt", progress, instead=wanted.instead)
    package = next(deb for deb in debs if deb.package == wanted_package)
    version = versions.parse(f"{wanted.name} {package.upstream_version}") or package.upstream_version
    entry, staged = f"{wanted.name}-{version}", staging / "prefix"
    await debian.unpack(debs, staged, progress)
    await prefix.make_runnable(
        staged, kept.path(entry), keep=wanted.name, probe=(wanted.path, wanted.ask), fixed=wanted.fixed
    )
    how = f"Debian {debian.SUITE}, {wanted_package} {package.version}"
    facts = store.facts(staged)
    manifest = Manifest(name=entry, version=version, how=how, files=facts, parts=debian.parts(debs))
    kept.commit(staged, manifest)


def _installed(wanted: DebianProgram, kept: Store) -> Found | None:
    manifests = [row for row in (kept.installed(name) for name in kept.names(f"{wanted.name}-")) if row is not None]
    if not manifests:
        return None
    best = max(manifests, key=lambda row: versions.key(row.version))
    return Found(version=best.version, path=kept.path(best.name) / wanted.path, source=best.how)
