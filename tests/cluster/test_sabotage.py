"""Goal: a buffer that is off behind the plan's back is noticed, by what a real vtgate without one shows.

The other kinds need no real cluster: they spoil recorded runs (tests/golden/test_sabotage.py), and that no fault shows
evidence without its act is tested fault by fault (tests/faults).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import history
from harness.base.rundir import RunDir
from harness.canaries.sabotage import SABOTAGES
from harness.many.records import record
from harness.model import Verdict
from tests.cluster.command import RUN_WITHIN_S, verdict_of, vtchaos

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(RUN_WITHIN_S + 100)]


def test_a_buffer_that_is_off_is_noticed(tmp_path: Path) -> None:
    phases = ("--set", "baseline_s=2", "--set", "recovery_s=1", "--set", "quiet_s=1")
    words = ("run", "reparent/storm-1", "--plain", *phases, "--sabotage", "no-buffer", "--out", tmp_path / "run")
    done = vtchaos(*words, within_s=RUN_WITHIN_S)
    assert done.returncode == 3, done.output
    assert "SABOTAGED on purpose (no-buffer)" in done.output
    verdict = verdict_of(tmp_path / "run")
    assert verdict.verdict is Verdict.UNKNOWN
    assert SABOTAGES["no-buffer"].caught(record(history.load(RunDir(tmp_path / "run")), verdict, "run"))
