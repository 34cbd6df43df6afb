"""Programs that are asked for their versions: the right version first of all, then the user's before the machine's
before the cache's."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters import software
from clusters.software import mysql_server
from clusters.software.sources import Sources
from harness.base.errors import PlanError, SoftwareError
from tests.unit.test_software_find import MYSQLD, VTGATE, fake, into_cache


def vitess_at(folder: Path, version: str, *programs: str) -> Path:
    for program in programs:
        fake(folder / program, VTGATE.format(version).replace("vtgate", program))
    return folder


def mysql_at(base: Path, version: str) -> Path:
    fake(base / "sbin/mysqld", MYSQLD.format(version))
    fake(base / "bin/mysql", "mysql  Ver 9.7.1")
    (base / "share/mysql/english").mkdir(parents=True)
    (base / "share/mysql/english/errmsg.sys").write_text("")
    (base / "lib/mysql/plugin").mkdir(parents=True)
    return base


async def test_the_users_folders_come_before_vtroot_before_path_before_the_cache(tmp_path: Path) -> None:
    given = vitess_at(tmp_path / "given", "24.0.3", "vtgate")
    vtroot = vitess_at(tmp_path / "vtroot/bin", "24.0.3", "vtgate", "vttablet")
    path = vitess_at(tmp_path / "path", "24.0.3", "vtgate", "vttablet", "vtctld")
    everywhere = Sources(
        cache_dir=tmp_path / "cache",
        directories=(given,),
        vtroot=tmp_path / "vtroot",
        search_path=(path,),
        install=False,
    )
    await into_cache(everywhere, "24.0.3", "vtgate", "vttablet", "vtctld", "vtorc")
    install = await software.vitess("24.0.3", ("vtgate", "vttablet", "vtctld", "vtorc"), sources=everywhere)
    assert install.programs["vtgate"] == given / "vtgate"
    assert install.programs["vttablet"] == vtroot / "vttablet"
    assert install.programs["vtctld"] == path / "vtctld"
    assert tmp_path / "cache" in install.programs["vtorc"].parents
    assert install.source == f"PATH; VTROOT; cache; given folder {given}"


async def test_another_version_on_path_does_not_count_and_is_named(tmp_path: Path) -> None:
    path = vitess_at(tmp_path / "path", "23.0.0", "vtgate")
    where = Sources(cache_dir=tmp_path / "cache", search_path=(path,), install=False)
    with pytest.raises(SoftwareError, match=r"vtgate of Vitess 24\.0\.3 not found.*\n.*\(PATH\) is 23\.0\.0"):
        await software.vitess("24.0.3", ("vtgate",), sources=where)


async def test_a_program_that_cannot_run_does_not_count(tmp_path: Path) -> None:
    broken = fake(tmp_path / "path/vtgate", "")
    broken.write_text("no program at all")
    where = Sources(cache_dir=tmp_path / "cache", search_path=(broken.parent,), install=False)
    with pytest.raises(SoftwareError, match="unknown version"):
        await software.vitess("24.0.3", ("vtgate",), sources=where)


async def test_a_folder_of_ones_own_build_is_taken_at_its_word(tmp_path: Path) -> None:
    folder = vitess_at(tmp_path / "mine/bin", "25.0.0-SNAPSHOT", "vtgate", "vttablet").parent
    nowhere = Sources(cache_dir=tmp_path / "cache", install=False)
    install = await software.vitess(str(folder), ("vtgate", "vttablet"), sources=nowhere)
    assert install.version == "25.0.0-SNAPSHOT"
    assert install.programs["vttablet"] == folder / "bin/vttablet"


async def test_a_folder_that_lacks_a_program_or_mixes_versions_is_refused(tmp_path: Path) -> None:
    nowhere = Sources(cache_dir=tmp_path / "cache")
    folder = vitess_at(tmp_path / "mine", "24.0.3", "vtgate")
    with pytest.raises(PlanError, match="has no vtorc"):
        await software.vitess(str(folder), ("vtgate", "vtorc"), sources=nowhere)
    vitess_at(folder, "23.0.5", "vtorc")
    with pytest.raises(PlanError, match=r"vtgate 24\.0\.3, vtorc 23\.0\.5"):
        await software.vitess(str(folder), ("vtgate", "vtorc"), sources=nowhere)
    with pytest.raises(PlanError, match="is not a folder"):
        await software.vitess(str(tmp_path / "none"), ("vtgate",), sources=nowhere)


async def test_a_mysql_is_found_with_its_parts(tmp_path: Path) -> None:
    base = mysql_at(tmp_path / "usr", "8.4.3")
    where = Sources(cache_dir=tmp_path / "cache", search_path=(base / "sbin",), install=False)
    install = await software.mysql(sources=where)
    assert (install.version, install.basedir, install.semi_sync) == ("8.4.3", base, False)
    assert install.messages_dir == base / "share/mysql"
    (base / "lib/mysql/plugin/semisync_source.so").write_text("")
    assert (await software.mysql("8.4", sources=where)).semi_sync


async def test_a_mysql_of_another_series_does_not_count(tmp_path: Path) -> None:
    base = mysql_at(tmp_path / "usr", "9.7.4")
    where = Sources(cache_dir=tmp_path / "cache", search_path=(base / "sbin",), install=False)
    with pytest.raises(SoftwareError, match=r"no MySQL 8\.0 or 8\.4 found"):
        await software.mysql(software.mysql_series_for("22.0.4"), sources=where)
    assert mysql_server.maven_serves(software.mysql_series_for("22.0.4"))
    assert not mysql_server.maven_serves(software.mysql_series_for("24.0.3"))


async def test_a_mysql_that_is_there_need_not_be_one_that_can_be_had(tmp_path: Path) -> None:
    base = mysql_at(tmp_path / "usr", "8.3.0")
    where = Sources(cache_dir=tmp_path / "cache", search_path=(base / "sbin",), install=False)
    assert (await software.mysql("8.3", sources=where)).version == "8.3.0"


async def test_an_old_etcd_does_not_count(tmp_path: Path) -> None:
    fake(tmp_path / "path/etcd", "etcd Version: 3.3.25")
    where = Sources(cache_dir=tmp_path / "cache", search_path=(tmp_path / "path",), install=False)
    with pytest.raises(SoftwareError, match=r"no etcd of at least 3\.4"):
        await software.etcd(sources=where)
    fake(tmp_path / "path/etcd", "etcd Version: 3.5.16")
    assert (await software.etcd(sources=where)).version == "3.5.16"


async def test_nft_is_the_machines_own_where_it_has_one(tmp_path: Path) -> None:
    where = Sources(cache_dir=tmp_path / "cache", search_path=(tmp_path / "path",), install=False)
    fake(tmp_path / "path/nft", "no nft at all")
    with pytest.raises(SoftwareError, match=r"no nft on PATH.*; install the package nftables yourself"):
        await software.nft(sources=where)
    path = fake(tmp_path / "path/nft", "nftables v1.0.6 (Lester Gooch #5)")
    found = await software.nft(sources=where)
    assert (found.version, found.nft) == ("1.0.6", path)


async def test_the_inventory_says_what_is_there_and_how_the_rest_would_come(tmp_path: Path) -> None:
    path = vitess_at(tmp_path / "path", "24.0.3", "vtgate")
    vitess_at(path, "23.0.0", "vtorc")
    where = Sources(cache_dir=tmp_path / "cache", search_path=(path,), install=False)
    rows = {row.name: row for row in await software.inventory(programs=("vtgate", "vtorc"), sources=where)}
    assert (rows["vtgate"].state, rows["vtgate"].where) == ("found", str(path / "vtgate"))
    assert rows["vtorc"].state == "missing"
    assert "would be built" in rows["vtorc"].where
    assert "(PATH) is 23.0.0" in rows["vtorc"].where
    assert {rows[name].state for name in ("mysqld", "etcd", "nft", "toxiproxy-server", "sysbench")} == {"missing"}
    assert software.verify(where) == []
    assert not where.cache_dir.exists(), "looking must not create anything"
