"""Goal: the same files give the same image, byte for byte; an archive is what engines read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from clusters.images import archive, tree
from clusters.images.archive import Count, Image, Stopped
from tests.unit.images_fakes import packed, references_in, small_image


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {info.name: info for info in tar}


def test_a_layer_does_not_depend_on_times_or_order(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"\x7fELF")
    entries = [
        tree.copied("vt/bin/vtgate", file, mode=0o755),
        tree.text("etc/passwd", "root"),
        tree.link("bin", "usr/bin"),
    ]
    first = packed(tmp_path, "one", *entries)
    os.utime(file, (1, 1))
    second = packed(tmp_path, "two", *reversed(entries))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.diff_id == second.diff_id == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_another_content_is_another_layer(tmp_path: Path) -> None:
    assert packed(tmp_path, "a", tree.text("x", "1")).diff_id != packed(tmp_path, "b", tree.text("x", "2")).diff_id


def test_a_layer_holds_folders_links_modes_and_owners(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "ks").mkdir(parents=True)
    (data / "ks/t.ibd").write_bytes(b"\0" * 5000)
    (data / "link").symlink_to("ks")
    found = members(packed(tmp_path, "one", *tree.tree("vt/template/ks", data, owner=tree.USER)).path)
    assert found["vt"].isdir()
    assert found["vt/template"].uid == 0
    assert (found["vt/template/ks"].uid, found["vt/template/ks"].gid) == (999, 999)
    assert found["vt/template/ks/ks/t.ibd"].size == 5000
    assert found["vt/template/ks/link"].linkname == "ks"
    assert {info.mtime for info in found.values()} == {0}
    assert {info.uname for info in found.values()} == {""}


def test_a_compressed_layer_is_the_same_layer_in_less(tmp_path: Path) -> None:
    file = tmp_path / "ibdata1"
    file.write_bytes(b"\0" * 1_000_000)
    entry = tree.copied("vt/template/ks/ibdata1", file)
    plain, small = packed(tmp_path, "plain", entry), packed(tmp_path, "small", entry, compressed=True)
    assert small.diff_id == plain.diff_id
    assert small.path.stat().st_size < 20_000
    assert gzip.decompress(small.path.read_bytes()) == plain.path.read_bytes()
    assert packed(tmp_path, "again", entry, compressed=True).path.read_bytes() == small.path.read_bytes()


def test_an_archive_holds_a_shared_layer_once(tmp_path: Path) -> None:
    base = packed(tmp_path, "base", tree.text("etc/passwd", "root"))
    one = small_image(tmp_path, "24.0.3", base, packed(tmp_path, "new", tree.text("vt/v", "24")))
    two = small_image(tmp_path, "21.0.2", base, packed(tmp_path, "old", tree.text("vt/v", "21")))
    path = tmp_path / "all.tar"
    with path.open("wb") as out:
        archive.save([one, two], out, Count())
    assert references_in(path) == [one.reference, two.reference]
    with tarfile.open(path) as tar:
        names = tar.getnames()
        assert len(names) == len(set(names))
        assert sum(name.endswith("/layer.tar") for name in names) == 3
        config = json.load(tar.extractfile(f"{one.id}.json") or io.BytesIO())
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer.diff_id}" for layer in one.layers]
    assert config["config"]["User"] == "999:999"
    assert archive.size_of([one, two]) < path.stat().st_size < archive.size_of([one, two]) + 20_000


def test_a_reference_names_its_content(tmp_path: Path) -> None:
    layer = packed(tmp_path, "one", tree.text("vt/v", "24"))

    def image(**labels: str) -> Image:
        return Image(repository="vtchaos/vitess", version="24.0.3-mysql9.7.4", layers=(layer,), labels=labels)

    first, second, other = image(a="1", b="2"), image(b="2", a="1"), image(a="2")
    assert first.reference == second.reference
    assert first.reference == f"vtchaos/vitess:24.0.3-mysql9.7.4-{first.id[:12]}"
    assert other.reference != first.reference


def test_packing_ends_when_it_is_to_end(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        archive.pack([tree.text("x", "1")], tmp_path / "layer.tar", Count(stop=True))


def test_the_key_changes_with_a_source_and_with_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "vtgate"
    file.write_text("one")
    os.utime(file, ns=(5, 5))
    before = tree.key([tree.copied("vt/bin/vtgate", file)])
    assert tree.key([tree.copied("vt/bin/vtgate", file)]) == before
    assert tree.key([tree.copied("vt/bin/vttablet", file)]) != before
    os.utime(file, ns=(5, 6))
    assert tree.key([tree.copied("vt/bin/vtgate", file)]) != before
