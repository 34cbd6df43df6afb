"""A sabotage in a plan: programs are asked for their versions."""

from __future__ import annotations

from click.testing import CliRunner

from harness.cli import main


def test_a_plan_says_so() -> None:
    words = ("plan", "reparent/storm-2", "--shards", "2", "--sabotage", "lost-row")
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    assert "SABOTAGED on purpose: lost-row" in told.output
