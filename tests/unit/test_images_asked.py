"""Goal: what an image of others holds is read off what its own programs say, whatever the layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusters.images import asked
from harness.base.errors import ClusterError
from tests.unit.images_fakes import FakeStore
from tests.unit.images_transcripts import ETCD, LITE, transcript

PROGRAMS = ("vtctld", "vttablet", "vtgate")


def test_a_published_image_of_vitess() -> None:
    found = asked.read(LITE, PROGRAMS, "vitess/lite:v24.0.3")
    assert found.user == 999
    assert found.binaries["vtgate"].version == "24.0.3"
    assert found.binaries["vtgate"].knows("buffer-window")
    assert str(found.binaries["vttablet"].path) == "/vt/bin/vttablet"
    assert found.etcd is None
    assert not found.nft
    assert found.ours == frozenset()
    assert found.mysql is not None
    assert found.mysql.version == "8.4.6"
    assert found.mysql.basedir == Path("/usr")
    assert found.mysql.plugin_dir == Path("/usr/lib/mysql/plugin")
    assert found.mysql.messages_dir == Path("/usr/share/mysql-8.4")
    assert found.mysql.semi_sync


def test_an_image_with_etcd_only() -> None:
    found = asked.read(ETCD, (), "etcd")
    assert found.etcd is not None
    assert (found.etcd.version, str(found.etcd.etcd)) == ("3.6.1", "/opt/bitnami/etcd/bin/etcd")
    assert found.mysql is None


def test_a_program_that_is_not_there_is_not_found() -> None:
    found = asked.read(transcript(user="0"), PROGRAMS, "empty")
    assert found.binaries == {}
    assert (found.etcd, found.mysql, found.nft) == (None, None, False)


def test_a_complaint_of_the_shell_is_no_path() -> None:
    said = {name: f"/bin/sh: 3: {name}: not found" for name in ("nft", "path vtgate", "path etcd", "path mysqld")}
    text = "".join(f"{asked.MARK}{what}\n{answer}\n" for what, answer in said.items())
    for what in ("folders", "templates"):
        text += f"{asked.MARK}{what}\n/bin/sh: ls: not found\n"
    for name in ("etcd", "mysqld"):
        text += f"{asked.MARK}version {name}\n/bin/{name} 9.7.4: Permission denied\n"
    found = asked.read(text, ("vtgate",), "bare")
    assert (found.binaries, found.etcd, found.mysql, found.nft) == ({}, None, None, False)
    assert found.ours == frozenset()


def test_an_image_of_ours_has_templates() -> None:
    templates = "/vt/config/vtchaos_init_db.sql\n/vt/template/ks"
    found = asked.read(transcript(user="999", nft="/usr/sbin/nft", templates=templates), (), "ours")
    assert found.ours == {"/vt/config/vtchaos_init_db.sql", "/vt/template/ks"}
    assert found.nft


async def test_an_image_without_a_shell_is_told() -> None:
    class NoShell(FakeStore):
        async def run(self, reference: str, argv: tuple[str, ...], *, timeout_s: float) -> str:
            raise ClusterError("exec: /bin/sh: no such file or directory")

    with pytest.raises(ClusterError, match="the image static:1 cannot be asked: exec: /bin/sh"):
        await asked.found("static:1", (), store=NoShell("static:1"))
