"""Copies of a data directory keep the content and the holes."""

from __future__ import annotations

from pathlib import Path

from clusters.local.supervisor import datadir

MIB = 1 << 20


def test_copy_has_the_same_content_and_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "mysql").mkdir(parents=True)
    (source / "#innodb_temp").mkdir()
    (source / "mysql" / "small").write_bytes(b"abc")
    (source / "empty").touch()
    with (source / "ibdata1").open("wb") as out:
        out.seek(4 * MIB)
        out.write(b"x" * 5000)
        out.truncate(12 * MIB)
    datadir.copy_tree(source, tmp_path / "copy")
    copied = {path.relative_to(tmp_path / "copy"): path for path in (tmp_path / "copy").rglob("*")}
    assert set(copied) == {path.relative_to(source) for path in source.rglob("*")}
    assert all(path.read_bytes() == (source / row).read_bytes() for row, path in copied.items() if path.is_file())
    assert copied[Path("ibdata1")].stat().st_blocks * 512 < MIB


def test_zeros_become_holes(tmp_path: Path) -> None:
    path = tmp_path / "undo_001"
    content = b"\0" * MIB + b"data" * 2000 + b"\0" * MIB
    path.write_bytes(content)
    datadir.dig_holes(tmp_path)
    assert path.read_bytes() == content
    assert path.stat().st_blocks * 512 < MIB // 2
