"""Goal: a file is replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.base.files import replaced


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report"
    with replaced(path) as part:
        part.write_text("first")
        assert not path.exists()
    with pytest.raises(RuntimeError):
        _half(path)
    assert path.read_text() == "first"


def _half(path: Path) -> None:
    with replaced(path) as part:
        part.write_text("half")
        raise RuntimeError
