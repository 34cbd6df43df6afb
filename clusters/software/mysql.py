"""MySQL: the machine's own, else one unpacked into the cache (an own libc included, no rights needed)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from clusters.software import debian, elf, maven, store, versions
from clusters.software.installs import MysqlInstall
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base import procs
from harness.base.errors import SoftwareError

# Series that Vitess runs with. vttablet knows MySQL 9 from release 23 on; older ones take a 9.x server
# for 5.7 and fail (config/mycnf of the releases; measured).
SERIES = ("8.0", "8.4", "9")
SERIES_BEFORE_23 = ("8.0", "8.4")

PACKAGES = ("mysql-server-core", "mysql-client-core")
LOCK = "mysql"
_UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/perl", "usr/share/perl5", "usr/share/lintian", "usr/share/bug")
_PROGRAM_PREFIXES = ("my",)  # the rest of usr/bin came with dependencies: perl, iconv


def series_for(vttablet_version: str) -> tuple[str, ...]:
    """The MySQL series that a vttablet can manage."""
    return SERIES if versions.key(vttablet_version) >= (23,) else SERIES_BEFORE_23


async def mysql(
    wanted: str | Sequence[str] | None = None, *, sources: Sources, progress: Progress | None = None
) -> MysqlInstall:
    """A MySQL server of a wanted series ("9.7", or several; None: any that Vitess runs with).

    A wanted version with a slash is the folder of a MySQL of the user's own. Raises SoftwareError.
    """
    shown = progress or Silent()
    rows = (wanted,) if isinstance(wanted, str) else tuple(wanted or SERIES)
    if len(rows) == 1 and "/" in rows[0]:
        return await _given(Path(rows[0]).absolute())
    found = await find(rows, sources=sources)
    if found is not None:
        return found
    if not sources.install:
        raise SoftwareError(f"no MySQL {' or '.join(rows)} found, and installing was switched off; {debian.INSTEAD}")
    if _maven_serves(rows):
        return await maven.install(sources, shown, client=await _client(sources, shown))
    return await _install(rows, sources, shown)


async def find(rows: Iterable[str], *, sources: Sources) -> MysqlInstall | None:
    """A wanted server that is there already: a given folder, PATH, then the cache."""
    wanted = tuple(rows)
    for mysqld, where in sources.candidates("mysqld"):
        version = await versions.of_program(mysqld)
        if version is not None and versions.matches(version, wanted):
            install = described(mysqld.resolve(), version, f"{where}: {mysqld}")
            if install is not None:
                return install
    return installed(Store(sources.cache_dir / "software"), wanted)


def installed(kept: Store, wanted: tuple[str, ...]) -> MysqlInstall | None:
    """The newest wanted server in the cache."""
    manifests = (kept.installed(name) for name in kept.names("mysql-"))
    fitting = [row for row in manifests if row is not None and versions.matches(row.version, wanted)]
    if not fitting:
        return None
    best = max(fitting, key=lambda row: versions.key(row.version))
    base = kept.path(best.name)
    for mysqld in (base / "usr/sbin/mysqld", base / "bin/mysqld"):
        if mysqld.is_file():
            return described(mysqld, best.version, best.how)
    return None


def described(mysqld: Path, version: str, source: str) -> MysqlInstall | None:
    """The parts that belong to a mysqld; None when its messages or plugins cannot be found."""
    base = mysqld.parent.parent
    messages = _first(base, ("share/mysql", "share", "share/mysql-8.0"), "english/errmsg.sys")
    messages = messages or _first(base, ("share/mysql", "share", "share/mysql-8.0"), "english")
    plugins = _first(base, ("lib/mysql/plugin", "lib/plugin", "lib64/mysql/plugin"), ".")
    if messages is None or plugins is None:
        return None
    client = base / "bin/mysql"
    return MysqlInstall(
        version=version,
        flavour="mysql",
        basedir=base,
        mysqld=mysqld,
        mysql=client if client.is_file() else None,
        plugin_dir=plugins,
        messages_dir=messages,
        semi_sync=any((plugins / name).is_file() for name in ("semisync_source.so", "semisync_master.so")),
        source=source,
    )


async def _given(folder: Path) -> MysqlInstall:
    for mysqld in (folder / "mysqld", folder / "bin/mysqld", folder / "sbin/mysqld", folder / "usr/sbin/mysqld"):
        if mysqld.is_file():
            version = await versions.of_program(mysqld)
            install = described(mysqld.resolve(), version, f"given folder {folder}") if version else None
            if install is None:
                raise SoftwareError(f"{mysqld} is not a complete MySQL: `--version`, lib/plugin and share are needed")
            return install
    raise SoftwareError(f"there is no mysqld in {folder}, its bin or its sbin")


async def _install(wanted: tuple[str, ...], sources: Sources, progress: Progress) -> MysqlInstall:
    kept = Store(sources.cache_dir / "software")
    async with kept.installing(LOCK, progress) as staging:
        there = installed(kept, wanted)
        if there is not None:
            return there
        debs = await debian.download(PACKAGES, staging / "apt", progress)
        server = next(deb for deb in debs if deb.package == PACKAGES[0])
        version = server.version.rpartition(":")[2].partition("-")[0]
        if not versions.matches(version, wanted):
            raise SoftwareError(f"Debian {debian.SUITE} has MySQL {version}, wanted is {' or '.join(wanted)}")
        name = f"mysql-{version}"
        prefix = staging / "prefix"
        await debian.unpack(debs, prefix, progress)
        progress.step("preparing MySQL")
        _prune(prefix)
        await _make_runnable(prefix, kept.path(name))
        how = f"Debian {debian.SUITE}, {server.package} {server.version}"
        parts = {deb.package: f"{deb.version} sha256:{deb.sha256}" for deb in debs}
        files = store.facts(prefix)
        kept.commit(prefix, Manifest(name=name, version=version, how=how, files=files, parts=parts))
    there = installed(kept, (version,))
    if there is None:
        raise SoftwareError(f"MySQL {version} in {kept.path(name)} is not complete after its installation")
    return there


def _prune(prefix: Path) -> None:
    """Leave out what no cluster needs: documentation and perl, half of the closure."""
    for row in _UNUSED:
        shutil.rmtree(prefix / row, ignore_errors=True)
    for folder in prefix.glob("usr/lib/*/perl*"):
        shutil.rmtree(folder, ignore_errors=True)
    for program in [*prefix.glob("usr/bin/*"), *prefix.glob("usr/sbin/*")]:
        if not program.name.startswith(_PROGRAM_PREFIXES):
            program.unlink()


async def _make_runnable(staged: Path, final: Path) -> None:
    """Bind every program to the prefix's libc, and see the server run."""
    everything = [*sorted(staged.glob("usr/sbin/*")), *sorted(staged.glob("usr/bin/*"))]
    programs = [path for path in everything if not path.is_symlink() and elf.is_elf(path)]
    triplet = next(path.parent.name for path in staged.glob("usr/lib/*/libc.so.6"))
    loader = await elf.bind(
        programs, staged=staged, final=final, libraries=(f"usr/lib/{triplet}", "usr/lib/mysql/private")
    )
    await procs.run([loader, staged / "usr/sbin/mysqld", "--no-defaults", "--version"], timeout_s=60)


def _maven_serves(wanted: tuple[str, ...]) -> bool:
    """The archive's MySQL is newer than 8: only Maven's is left for those who cannot take that."""
    return versions.matches(maven.VERSION, wanted) and not any(row.startswith("9") for row in wanted)


async def _client(sources: Sources, progress: Progress) -> Path | None:
    """A client program for a server that comes without one: a newer client serves an older server."""
    newest = await mysql(sources=replace(sources, directories=()), progress=progress)
    return newest.mysql


def _first(base: Path, folders: Sequence[str], sign: str) -> Path | None:
    return next((base / folder for folder in folders if (base / folder / sign).exists()), None)
