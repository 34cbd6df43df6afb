"""Single programs in Go: the machine's own if new enough, else built from their module and kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clusters.software import gobuild, releases, store, versions
from clusters.software.debian_program import Found
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import SoftwareError


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """`version` of `module` is built with `go` when none of at least `oldest` is found. `pins`: the folder of
    `releases.MODULES` that pins all it needs; `stamps`: as in `gobuild.build`."""

    name: str
    program: str
    oldest: tuple[int, int]
    version: str
    go: str
    module: str
    package: str
    pins: str
    stamps: Mapping[str, str] = field(default_factory=dict)

    @property
    def stored(self) -> str:
        return f"{self.name}-{self.version}"


ETCD = GoProgram(
    name="etcd",
    program="etcd",
    oldest=(3, 4),  # the v3 API without the v2 store that Vitess no longer speaks
    version="3.6.10",
    go="1.26.8",
    module="go.etcd.io/etcd/server/v3",
    package="go.etcd.io/etcd/server/v3",
    pins="etcd",
)
TOXIPROXY = GoProgram(
    name="toxiproxy",
    program="toxiproxy-server",
    oldest=(2, 0),  # toxics are resources of their own, each with a direction
    version="2.12.0",
    go="1.26.8",
    module="github.com/Shopify/toxiproxy/v2",
    package="github.com/Shopify/toxiproxy/v2/cmd/server",
    pins="toxiproxy",
    stamps={"github.com/Shopify/toxiproxy/v2.Version": "2.12.0"},
)


async def program(wanted: GoProgram, *, sources: Sources, progress: Progress | None = None) -> Found:
    """Where it is; built now if it is nowhere. Raises SoftwareError."""
    found = await find(wanted, sources=sources)
    if found is not None:
        return found
    if not sources.install:
        oldest = ".".join(str(number) for number in wanted.oldest)
        raise SoftwareError(f"no {wanted.program} of at least {oldest} on PATH, and installing was switched off")
    return await _install(wanted, sources, progress or Silent())


async def find(wanted: GoProgram, *, sources: Sources) -> Found | None:
    """A given folder's, PATH's, or the cache's."""
    for path, where in sources.candidates(wanted.program):
        version = await versions.of_program(path)
        if version is not None and versions.key(version) >= wanted.oldest:
            return Found(version=version, path=path, source=f"{where}: {path}")
    kept = sources.store
    return _described(wanted, kept) if kept.installed(wanted.stored) else None


async def _install(wanted: GoProgram, sources: Sources, progress: Progress) -> Found:
    kept = sources.store
    async with kept.installing(wanted.stored, progress) as staging:
        if kept.installed(wanted.stored) is None:
            await _build(wanted, kept, staging, sources, progress)
    return _described(wanted, kept)


async def _build(wanted: GoProgram, kept: Store, staging: Path, sources: Sources, progress: Progress) -> None:
    prefix = staging / "prefix"
    program = prefix / "bin" / wanted.program
    program.parent.mkdir(parents=True)
    await gobuild.build(
        [wanted.package],
        module=releases.MODULES / wanted.pins,
        out=program,
        work=staging,
        go_version=wanted.go,
        sources=sources,
        progress=progress,
        label=f"{wanted.name} {wanted.version}",
        stamps=wanted.stamps,
    )
    reported = await versions.of_program(program)
    if reported != wanted.version:
        raise SoftwareError(f"the built {wanted.name} says it is version {reported}, wanted is {wanted.version}")
    parts = {wanted.module: f"v{wanted.version}", "go": wanted.go}
    how = f"built from the Go module v{wanted.version} with Go {wanted.go}"
    files = store.facts(prefix)
    kept.commit(prefix, Manifest(name=wanted.stored, version=wanted.version, how=how, files=files, parts=parts))


def _described(wanted: GoProgram, kept: Store) -> Found:
    manifest = kept.installed(wanted.stored)
    if manifest is None:
        where = kept.path(wanted.stored)
        raise SoftwareError(f"{wanted.name} {wanted.version} in {where} is not complete after its installation")
    path = kept.path(wanted.stored) / "bin" / wanted.program
    return Found(version=wanted.version, path=path, source=manifest.how)
