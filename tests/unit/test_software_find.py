"""Which program counts: the right version first of all, then the user's before the machine's before the cache's."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters import software
from clusters.software import debian, gobuild, releases, sources, store, versions, vitess_release
from clusters.software.progress import Silent
from clusters.software.sources import Sources
from clusters.software.store import Manifest
from harness.base.errors import PlanError, SoftwareError

VTGATE = "vtgate version Version: {} (Git revision  branch '') built on  by @ using go1.26.8 linux/amd64"
MYSQLD = "/usr/sbin/mysqld  Ver {}-2 for Linux on x86_64 ((Debian))"


def fake(path: Path, says: str) -> Path:
    """An executable that answers `--version`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(0o755)
    return path


async def into_cache(where: Sources, version: str, *programs: str) -> None:
    name = vitess_release.store_name(version)
    async with where.store.installing(name, Silent()) as staging:
        for program in programs:
            fake(staging / "bin" / program, VTGATE.format(version))
        files = store.facts(staging, [staging / "bin" / program for program in programs])
        where.store.add(staging, Manifest(name=name, version=version, how="by a test", files=files))


@pytest.mark.parametrize(
    ("says", "version"),
    [
        (VTGATE.format("24.0.3"), "24.0.3"),
        (VTGATE.format("25.0.0-SNAPSHOT"), "25.0.0-SNAPSHOT"),
        (MYSQLD.format("9.7.4"), "9.7.4"),
        ("mysqld  Ver 8.0.15 for linux-glibc2.12 on x86_64 (MySQL Community Server - GPL)", "8.0.15"),
        ("mysqld  Ver 10.11.6-MariaDB for debian-linux-gnu on x86_64", None),
        ("etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8", "3.4.23"),
        ("go version go1.26.8 linux/amd64", "1.26.8"),
        ("sysbench 1.0.20", "1.0.20"),
        ("toxiproxy-server version 2.12.0", "2.12.0"),
        ("nftables v1.0.6 (Lester Gooch #5)", "1.0.6"),
        ("command not understood", None),
    ],
)
def test_the_version_is_read_from_what_programs_say(says: str, version: str | None) -> None:
    assert versions.parse(says) == version


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("9.7.4", (), True),
        ("9.7.4", ("9.7",), True),
        ("9.7.4", ("9",), True),
        ("9.70.4", ("9.7",), False),
        ("8.4.2", ("8.0", "9"), False),
        ("9.7.4", ("9.7.4",), True),
    ],
)
def test_a_series_takes_its_patch_releases_only(version: str, wanted: tuple[str, ...], fits: bool) -> None:
    assert versions.matches(version, wanted) is fits


def test_versions_compare_by_number() -> None:
    assert versions.key("3.10.1") > versions.key("3.9.7")
    assert versions.key("25.0.0-SNAPSHOT") == (25, 0, 0)


def test_older_vttablets_get_no_mysql_9() -> None:
    assert "9" in software.mysql_series_for("23.0.0")
    assert "9" not in software.mysql_series_for("22.0.4")


def test_an_unknown_release_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PlanError, match=r"19\.0\.1.*24\.0\.3.*21\.0\.0.*/path/to/bin"):
        releases.release("19.0.1")


def test_a_release_may_be_written_as_its_tag() -> None:
    assert releases.release("v24.0.3") is releases.RELEASES["24.0.3"]


@pytest.mark.parametrize("release", releases.RELEASES.values(), ids=lambda row: row.version)
def test_every_release_is_pinned(release: releases.Release) -> None:
    """go.mod requires that very release, and no newer compiler than the one that is fetched for it."""
    lines = (release.module_dir / "go.mod").read_text().splitlines()
    assert f"require vitess.io/vitess {release.module_version}" in lines
    wanted = next(line.split()[1] for line in lines if line.startswith("go "))
    assert versions.key(wanted) <= versions.key(release.go)
    assert versions.key(wanted)[:2] == versions.key(release.go)[:2]
    sums = (release.module_dir / "go.sum").read_text()
    assert f"vitess.io/vitess {release.module_version} h1:" in sums
    tools = (release.module_dir / "tools.go").read_text()
    assert all(f'"vitess.io/vitess/go/cmd/{program}"' in tools for program in vitess_release.PROGRAMS)


def test_the_bootstrap_compiler_is_pinned_by_hash() -> None:
    assert "--hash=sha256:" in gobuild.REQUIREMENTS.read_text()
    assert gobuild.bootstrap_name().startswith("go-1.")


@pytest.mark.parametrize(
    ("environ", "root", "folder"),
    [
        ({"HOME": "/home/ann"}, False, "/home/ann/.cache/vitess-chaos"),
        ({"HOME": "/root"}, True, "/var/cache/vitess-chaos"),
        ({"HOME": "/root", "XDG_CACHE_HOME": "/x"}, True, "/x/vitess-chaos"),
        ({"HOME": "/home/ann", "XDG_CACHE_HOME": "/x", "VTCHAOS_CACHE": "/y"}, False, "/y"),
    ],
)
def test_the_cache_is_where_the_programs_can_be_run(environ: dict[str, str], root: bool, folder: str) -> None:
    assert sources.default_cache_dir(environ, root=root) == Path(folder)


async def test_a_damaged_program_in_the_cache_counts_as_missing(tmp_path: Path) -> None:
    where = Sources(cache_dir=tmp_path / "cache", install=False)
    await into_cache(where, "24.0.3", "vtgate", "vttablet")
    (await software.vitess("24.0.3", ("vtgate",), sources=where)).programs["vtgate"].write_text("")
    assert set(vitess_release.installed(where.store, "24.0.3")) == {"vttablet"}
    with pytest.raises(SoftwareError, match="vtgate of Vitess"):
        await software.vitess("24.0.3", ("vtgate", "vttablet"), sources=where)


async def test_a_misspelt_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no Vitess program named vtgaet"):
        await software.vitess("24.0.3", ("vtgaet",), sources=Sources(cache_dir=tmp_path))


@pytest.mark.parametrize("install", [True, False])
async def test_a_mysql_that_cannot_be_had_is_refused_before_anything_is_fetched(tmp_path: Path, install: bool) -> None:
    nowhere = Sources(cache_dir=tmp_path / "cache", install=install)
    with pytest.raises(PlanError, match=r"there is no MySQL 7\.7 here, and none can be had: 8\.0\.15 and a 9 can be"):
        await software.mysql("7.7", sources=nowhere)
    assert not nowhere.cache_dir.exists()


@pytest.mark.parametrize("series", ["8", "8.0", "9", "9.7"])
async def test_a_mysql_that_can_be_had_is_only_missing(tmp_path: Path, series: str) -> None:
    with pytest.raises(SoftwareError, match="installing was switched off"):
        await software.mysql(series, sources=Sources(cache_dir=tmp_path / "cache", install=False))


async def test_a_folder_without_a_mysql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no mysqld in"):
        await software.mysql(f"{tmp_path}/", sources=Sources(cache_dir=tmp_path))


def test_the_mirror_is_the_machines_own_debian_main() -> None:
    def stanza(**row: str) -> str:
        return "\n".join(f"{key.replace('_', '-')}: {value}" for key, value in row.items())

    security = stanza(
        Repo_URI="http://mirror.example/security/", Origin="Debian", Component="main", Release="bookworm-security"
    )
    other = stanza(Repo_URI="http://other.example/", Origin="Node Source", Component="main", Release="nodistro")
    main = stanza(Repo_URI="http://mirror.example/debian/", Origin="Debian", Component="main", Release="bookworm")
    assert debian.mirror_of("\n\n".join([security, other, main])) == "http://mirror.example/debian/"
    assert debian.mirror_of("\n\n".join([security, other])) is None


def test_of_the_machines_apt_settings_only_the_way_to_the_mirror_is_kept(tmp_path: Path) -> None:
    machine = "\n".join(
        [
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::AllowInsecureRepositories "true";',
            'APT::Update::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";',
            'Dir::State "/var/lib/apt";',
        ]
    )
    settings = debian.apt_settings(tmp_path, machine)
    assert "proxy.example" in settings
    assert 'AllowInsecureRepositories "true"' not in settings
    assert "Post-Invoke" not in settings
    assert f'Dir::State "{tmp_path}/state";' in settings


def test_the_upstream_version_of_a_package() -> None:
    package = debian.Deb(package="mysql", version="1:9.7.4-2", path=Path("x"), sha256="")
    assert package.upstream_version == "9.7.4"
