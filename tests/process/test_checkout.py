"""The commit that runs is told, and nobody is troubled where there is none."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.base import checkout


def test_the_commit_has_seven_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    for words in (("init", "-q"), (*me, "commit", "-q", "--allow-empty", "-m", "so it begins")):
        subprocess.run(("git", "-C", tmp_path, *words), check=True)
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    assert re.fullmatch(r"[0-9a-f]{7}", checkout.commit())


def test_outside_of_a_repository_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    assert checkout.commit() == ""
