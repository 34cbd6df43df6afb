"""Goal: programs become independent of this machine; the packages of the base and of Python are what they must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters.images import binding, mysql_parts, parts, python_image, tree, wheels
from clusters.software import base_root
from clusters.software.installs import MysqlInstall, VitessInstall
from clusters.software.sources import Sources
from harness.base.errors import SoftwareError

OWN = Path("/vt/lib/true")


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ---------------------------------------------------------------- programs


async def test_a_script_is_refused(tmp_path: Path) -> None:
    script = put(tmp_path / "vtgate", "#!/bin/sh\n")
    with pytest.raises(SoftwareError, match="vtgate is a script"):
        await binding.bound([tree.copied("vt/bin/vtgate", script)], OWN, tmp_path)


def mysql(base: Path) -> MysqlInstall:
    elf_file = b"\x7fELF"
    for name in ("sbin/mysqld", "bin/mysql"):
        put(base / name).write_bytes(elf_file)
    put(base / "bin/mysqladmin", "#!/bin/sh\n")
    for name in ("semisync_source.so", "authentication_kerberos_client.so"):
        put(base / "lib/mysql/plugin" / name).write_bytes(elf_file)
    put(base / "share/mysql/english/errmsg.sys")
    put(base / "share/mysql/german/errmsg.sys")
    return MysqlInstall(
        version="9.7.4",
        flavour="mysql",
        basedir=base,
        mysqld=base / "sbin/mysqld",
        mysql=base / "bin/mysql",
        plugin_dir=base / "lib/mysql/plugin",
        messages_dir=base / "share/mysql",
        semi_sync=True,
        source="made up",
    )


def test_a_mysql_keeps_its_layout_below_another_folder(tmp_path: Path) -> None:
    install = mysql(tmp_path / "usr")
    inside = mysql_parts.inside(install)
    assert str(inside.mysqld) == "/vt/mysql/sbin/mysqld"
    assert str(inside.plugin_dir) == "/vt/mysql/lib/mysql/plugin"
    assert str(inside.messages_dir) == "/vt/mysql/share/mysql"
    assert str(inside.mysql) == "/vt/mysql/bin/mysql"
    paths = {entry.path for entry in mysql_parts.recipe(install).sources}
    assert "vt/mysql/share/mysql/english/errmsg.sys" in paths
    assert "vt/mysql/lib/mysql/plugin/semisync_source.so" in paths
    absent = ("german", "kerberos", "mysqladmin")  # nobody's language, nobody's plugin, a wrapper
    assert not [path for path in paths for word in absent if word in path]


def test_own_builds_of_one_version_have_layers_of_their_own(tmp_path: Path) -> None:
    sources = Sources(cache_dir=tmp_path / "cache")
    names = set()
    for folder in ("cache/software/vitess-24.0.3/bin", "one", "two"):
        path = put(tmp_path / folder / "vtgate")
        install = VitessInstall(version="24.0.3", programs={"vtgate": path}, source="")
        names.add(parts.vitess(install, "vtgate", sources).name)
    assert len(names) == 3
    assert "vitess-24.0.3-vtgate" in names


async def test_the_base_has_the_user_and_not_the_manifest(tmp_path: Path) -> None:
    put(tmp_path / "manifest.json")
    put(tmp_path / "usr/bin/sh")
    rows = {entry.path: entry for entry in await parts.base(tmp_path).entries(tmp_path)}
    assert "manifest.json" not in rows
    assert rows["bin"].target == "usr/bin"
    assert b"vitess:x:999:999:" in rows["etc/passwd"].data
    assert rows["vt/vtdataroot"].owner == 999
    assert rows["tmp"].mode == 0o1777
    assert "usr/bin/sh" in rows


# ---------------------------------------------------------------- the base's packages


def test_the_base_loses_what_no_container_needs(tmp_path: Path) -> None:
    kept = ("usr/bin/sh", "usr/sbin/nft", "usr/lib/x/libc.so.6", "usr/share/iproute2/a", "usr/lib/python3.14/os.py")
    gone = (
        *("usr/bin/openssl", "usr/bin/su", "usr/lib/x/gconv/a.so", "usr/share/doc/a", "usr/share/locale/de/a"),
        *("etc/pam.d/x", "var/lib/x", "usr/lib/python3.14/test/a.py", "usr/bin/debconf-show"),
    )
    for row in (*kept, *gone):
        put(tmp_path / row)
    base_root.trim(tmp_path)
    assert [row for row in kept if not (tmp_path / row).exists()] == []
    assert [row for row in gone if (tmp_path / row).exists()] == []


def test_certificates_are_bundled_one_after_the_other(tmp_path: Path) -> None:
    put(tmp_path / "usr/share/ca-certificates/mozilla/b.crt", "B\n\n")
    put(tmp_path / "usr/share/ca-certificates/mozilla/a.crt", "A")
    base_root.bundle_certificates(tmp_path)
    assert (tmp_path / base_root.BUNDLE).read_text() == "A\nB\n"


async def test_without_permission_nothing_is_installed(tmp_path: Path) -> None:
    with pytest.raises(SoftwareError, match="installing was switched off"):
        await base_root.base_root(sources=Sources(cache_dir=tmp_path, install=False))


# ---------------------------------------------------------------- Python's packages


LOCK = """attrs==26.1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:cc
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
uvloop==0.23.0 ; sys_platform != 'win32' \\
    --hash=sha256:ee
"""


@pytest.mark.parametrize(
    ("python", "version", "digest"), [("3.14", "2.5.5", "dd"), ("3.11", "2.4.6", "cc"), ("3.12", "2.5.5", "dd")]
)
def test_the_lock_is_read_for_the_images_python(python: str, version: str, digest: str) -> None:
    text = wheels.requirements(["numpy", "attrs", "uvloop"], python, LOCK)
    assert f"numpy=={version} \\\n    --hash=sha256:{digest}\n" in text
    assert text.startswith("attrs==26.1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n")
    assert "uvloop==0.23.0 \\\n    --hash=sha256:ee\n" in text


def test_a_package_without_a_row_is_told() -> None:
    with pytest.raises(SoftwareError, match=r"0 rows for grpcio with Python 3\.14"):
        wheels.requirements(["grpcio"], "3.14", LOCK)


def test_the_real_lock_has_every_package_of_the_load_image() -> None:
    text = wheels.locked()
    assert text is not None
    rows = wheels.requirements(python_image.PACKAGES, "3.14", text)
    assert rows.count("==") == len(python_image.PACKAGES)
    assert all(line.startswith("    --hash=sha256:") or "==" in line for line in rows.splitlines())


def test_without_a_lock_the_versions_are_our_own() -> None:
    rows = wheels.requirements(["numpy"], "3.14", None)
    import numpy as np

    assert rows == f"numpy=={np.__version__}\n"


def test_the_load_image_has_our_sources_and_no_bytecode() -> None:
    paths = {entry.path for entry in python_image.code()}
    assert "opt/vtchaos/code/harness/load/worker.py" in paths
    assert "opt/vtchaos/code/experiments/__init__.py" in paths
    assert not [path for path in paths if "__pycache__" in path]
