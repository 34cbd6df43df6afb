"""Goal: what is left of #17629 shows on old and new vtgates alike, with its cause; and not where nothing is late.

Method: the two experiments as a user runs them, two shards each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model import Verdict
from tests.cluster.command import RUN_WITHIN_S, results, verdict_of, vtchaos

pytestmark = pytest.mark.cluster
VTGATES = ("21.0.2", "24.0.3")


def test_a_late_request_holds_two_shards_long_after_all_is_well(tmp_path: Path) -> None:
    folder = tmp_path / "late"
    words = ("run", "health/late-request", "--vtgate", ",".join(VTGATES), "--plain", "--out", folder)
    ran = vtchaos(*words, within_s=RUN_WITHIN_S)
    verdict = verdict_of(folder)
    assert verdict.reproduced == ("vitess#17629 (late)",), ran.output
    found = results(verdict, "buffering/promotions")
    assert [result.subject for result in found] == ["vtgate-1", "vtgate-2"]
    for result in found:
        assert result.figures["cause_late-error"] == 1
        assert float(result.figures["longest_s"]) > 8.0


def test_without_anything_late_buffering_ends_with_the_last_promotion(tmp_path: Path) -> None:
    folder = tmp_path / "control"
    ran = vtchaos("run", "health/control", "--plain", "--out", folder, within_s=RUN_WITHIN_S)
    (found,) = results(verdict_of(folder), "buffering/promotions")
    assert (found.verdict, found.figures["late"]) == (Verdict.PASS, 0), ran.output
    assert int(found.figures["ends"]) == 2
