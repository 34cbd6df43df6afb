"""A run that is read in a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.base.errors import RunDirError
from harness.model import Verdict
from harness.soak import soaking
from tests.unit import test_soaking

template = test_soaking.template


def test_a_run_is_read_in_a_process_of_its_own(template: Path, tmp_path: Path) -> None:
    found = soaking.recorded(template, template.parent)
    assert (found.verdict, found.folder, found.experiment) == (Verdict.PASS, "run", "reparent/all-at-once")
    shutil.copytree(template, tmp_path / "run")
    (tmp_path / "run" / "events.jsonl").write_text("no JSON\n")
    with pytest.raises(RunDirError, match=r"is not whole: ValueError: events\.jsonl, line 1"):
        soaking.recorded(tmp_path / "run", tmp_path)
