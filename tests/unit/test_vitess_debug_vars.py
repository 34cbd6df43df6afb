"""Goal: /debug/vars of real processes becomes flat samples: a key a label, an absent key absent, never 0."""

from __future__ import annotations

import pytest

from harness.probes.variables import TABLET_VARS, VTCTLD_VARS, VTGATE_VARS
from harness.vitess.debug_vars import flatten
from tests.unit.recorded import payload


@pytest.mark.parametrize("process, keep", [("vtgate", VTGATE_VARS), ("vttablet", TABLET_VARS), ("vtctld", VTCTLD_VARS)])
def test_a_24_has_every_variable_that_we_look_at(process: str, keep: tuple[str, ...]) -> None:
    assert set(keep) <= set(payload(f"{process}-24.0.3"))


def test_a_map_of_vtgate_becomes_a_key_a_label() -> None:
    flat = flatten(payload("vtgate-24.0.3"), VTGATE_VARS)
    assert flat["BufferStarts:ks.-80"] == 0
    assert flat["BufferStops:ks.80-.NewPrimarySeen"] == 0
    assert flat["HealthcheckConnections:ks.-80.primary"] == 1
    assert flat["BufferSize"] == 1000


def test_an_empty_map_leaves_no_key() -> None:
    flat = flatten(payload("vtgate-24.0.3"), VTGATE_VARS)
    assert payload("vtgate-24.0.3")["BufferLastFailoverDurationMs"] == {}
    assert not [key for key in flat if key.startswith("BufferLastFailoverDurationMs")]


def test_texts_and_numbers_of_a_tablet_keep_their_name() -> None:
    flat = flatten(payload("vttablet-24.0.3"), TABLET_VARS)
    assert (flat["TabletStateName"], flat["TabletType"]) == ("SERVING", "primary")


def test_a_timings_variable_keeps_count_and_time() -> None:
    flat = flatten(payload("vtctld-24.0.3"), VTCTLD_VARS)
    assert flat["ReparentShardOperationTimings:count"] == 3
    assert flat["ReparentShardOperationTimings:time_ns"] == 1514353679
    assert flat["PlannedReparentCounts:ks.-80.success"] == 2
    assert not [key for key in flat if "Histograms" in key]


def test_what_is_not_kept_or_not_there_is_absent() -> None:
    assert flatten({"A": 1, "B": 2}, ("A", "C")) == {"A": 1}
    assert flatten({"A": True, "B": None, "C": [1], "D": {"x": [1], "y": 2}}, ("A", "B", "C", "D")) == {
        "A": 1,
        "D:y": 2,
    }
