"""Goal: a run that goes on is left alone by whoever wants its place.
Method: records of a process that lives, and of one that does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.base import jsonio
from harness.base.errors import RunDirError
from harness.base.owner import this_process
from harness.base.rundir import RunDir
from harness.many.children import set_aside


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path / "001")


def test_a_run_that_goes_on_is_not_set_aside(run: RunDir) -> None:
    jsonio.save(run.owner, this_process())
    with pytest.raises(RunDirError, match=r"001 goes on \(process \d+\)"):
        set_aside(run.path)
    assert run.path.is_dir()


def test_a_run_that_was_broken_off_keeps_what_it_has_under_another_name(run: RunDir) -> None:
    jsonio.save(run.owner, dataclasses.replace(this_process(), started=1))
    set_aside(run.path)
    set_aside(run.path)  # nothing is there any more
    assert [path.name for path in run.path.parent.iterdir()] == ["001-broken-off-1"]
