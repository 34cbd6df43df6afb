"""A sweep whose plans are refused by the real command."""

from __future__ import annotations

from pathlib import Path

from tests.unit.test_sweep_command import swept


def test_a_plan_that_is_refused_at_the_far_end_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = swept("--shards", "1..400", "--out", tmp_path / "sweep")
    assert done.exit_code == 2
    assert "at shards 400: --shards 400: a keyspace has 1 to 256 shards here" in done.stderr
