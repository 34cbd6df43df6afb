"""MySQL: the machine's own, else one unpacked into the cache (an own libc included, no rights needed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clusters.software import debian, maven, mysql_layout, prefix, store, versions
from clusters.software.installs import MysqlInstall
from clusters.software.progress import Progress, Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest, Store
from harness.base.errors import PlanError, SoftwareError

# Series that Vitess runs with. vttablet knows MySQL 9 from release 23 on; older ones take a 9.x server
# for 5.7 and fail (config/mycnf of the releases; measured).
SERIES = ("8.0", "8.4", "9")
SERIES_BEFORE_23 = ("8.0", "8.4")

PACKAGES = ("mysql-server-core", "mysql-client-core")
LOCK = "mysql"


def series_for(vttablet_version: str) -> tuple[str, ...]:
    """The MySQL series that a vttablet can manage."""
    return SERIES if versions.key(vttablet_version) >= (23,) else SERIES_BEFORE_23


async def mysql(
    wanted: str | Sequence[str] | None = None, *, sources: Sources, progress: Progress | None = None
) -> MysqlInstall:
    """A MySQL server of a wanted series ("9.7", or several; None: any that Vitess runs with).

    A wanted version with a slash is the folder of a MySQL of the user's own. Raises PlanError, SoftwareError.
    """
    rows = (wanted,) if isinstance(wanted, str) else tuple(wanted or SERIES)
    if len(rows) == 1 and "/" in rows[0]:
        return await _given(Path(rows[0]).absolute())
    found = await find(rows, sources=sources)
    if found is not None:
        return found
    if not obtainable(rows):
        raise PlanError(
            f"there is no MySQL {' or '.join(rows)} here, and none can be had: {maven.VERSION} and a 9 can be "
            "installed; for any other, name the folder of one that you have"
        )
    if not sources.install:
        raise SoftwareError(f"no MySQL {' or '.join(rows)} found, and installing was switched off; {debian.INSTEAD}")
    shown = progress or Silent()
    if maven_serves(rows):
        # The server comes without client programs; a newer client serves an older server.
        client = await mysql(sources=replace(sources, directories=()), progress=progress)
        return await maven.install(sources, shown, client=client)
    return await _install(rows, sources, shown)


async def find(wanted: Sequence[str], *, sources: Sources) -> MysqlInstall | None:
    """A wanted server that is there already: a given folder, PATH, then the cache."""
    for mysqld, where in sources.candidates("mysqld"):
        version = await versions.of_program(mysqld)
        if version is not None and versions.matches(version, wanted):
            install = mysql_layout.described(mysqld.resolve(), version, f"{where}: {mysqld}")
            if install is not None:
                return install
    return mysql_layout.installed(sources.store, wanted)


def obtainable(wanted: Sequence[str]) -> bool:
    """Whether one of these series can be installed. Which 9 Debian has shows only when its lists are there."""
    return versions.matches(maven.VERSION, wanted) or any(row == "9" or row.startswith("9.") for row in wanted)


def maven_serves(wanted: Sequence[str]) -> bool:
    """The archive's MySQL is newer than 8: only Maven's is left for those who cannot take that."""
    return versions.matches(maven.VERSION, wanted) and not any(row.startswith("9") for row in wanted)


async def _given(folder: Path) -> MysqlInstall:
    places = (folder, folder / "bin", folder / "sbin", folder / "usr/sbin")
    mysqld = next((place / "mysqld" for place in places if (place / "mysqld").is_file()), None)
    if mysqld is None:
        raise PlanError(f"there is no mysqld in {folder}, its bin or its sbin")
    version = await versions.of_program(mysqld)
    install = mysql_layout.described(mysqld.resolve(), version, f"given folder {folder}") if version else None
    if install is None:
        raise PlanError(
            f"{mysqld} is not a complete MySQL: it must answer --version, with lib/plugin and share beside its folder"
        )
    return install


async def _install(wanted: Sequence[str], sources: Sources, progress: Progress) -> MysqlInstall:
    kept = sources.store
    async with kept.installing(LOCK, progress) as staging:
        if mysql_layout.installed(kept, wanted) is None:
            await _unpack(wanted, kept, staging, progress)
    found = mysql_layout.installed(kept, wanted)
    if found is None:
        raise SoftwareError(f"MySQL in {kept.root} is not complete after its installation")
    return found


async def _unpack(wanted: Sequence[str], kept: Store, staging: Path, progress: Progress) -> None:
    debs = await debian.download(PACKAGES, staging / "apt", progress)
    server = next(deb for deb in debs if deb.package == PACKAGES[0])
    version = server.upstream_version
    if not versions.matches(version, wanted):
        raise SoftwareError(
            f"Debian {debian.SUITE} has MySQL {version}, wanted is {' or '.join(wanted)}; {debian.INSTEAD}"
        )
    name = f"mysql-{version}"
    staged = staging / "prefix"
    await debian.unpack(debs, staged, progress)
    progress.step(f"preparing MySQL {version}")
    probe = ("usr/sbin/mysqld", "--no-defaults", "--version")
    await prefix.make_runnable(staged, kept.path(name), keep="my", probe=probe)
    how = f"Debian {debian.SUITE}, {server.package} {server.version}"
    parts = debian.parts(debs)
    kept.commit(staged, Manifest(name=name, version=version, how=how, files=store.facts(staged), parts=parts))
