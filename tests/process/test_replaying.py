"""A recorded run, replayed in words: its programs are asked for their versions."""

from __future__ import annotations

from pathlib import Path

import click.testing

from harness.checks.judge import judge
from harness.cli import main
from harness.history import load
from harness.many.records import record
from harness.replay.command import source_of
from tests.golden.record import FOLDER, unpack


def test_a_recorded_run_is_a_source_and_its_plan_can_be_printed(tmp_path: Path) -> None:
    run = unpack(FOLDER / "own-reparent.tar.zst", tmp_path)
    found = source_of(run.path)
    assert found.plan == load(run).plan
    assert found.then == record(load(run), judge(load(run)), run.path.name)
    told = click.testing.CliRunner().invoke(main, ["replay", str(run.path), "--json"])
    assert told.exit_code == 0, told.output
    (tmp_path / "changed.json").write_text(told.stdout)
    assert source_of(tmp_path / "changed.json").plan == found.plan
