"""Goal: /debug/vars of real processes becomes flat samples: a key a label, an absent key absent, never 0."""

from __future__ import annotations

import aiohttp
import pytest

from harness.probes.variables import TABLET_VARS, VTCTLD_VARS, VTGATE_VARS
from harness.vitess import debug_vars
from harness.vitess.debug_vars import VarsClient, flatten
from tests.unit.recorded import payload
from tests.unit.web_fakes import FakeWeb


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


async def test_reading_a_process() -> None:
    async with FakeWeb(payload("vtctld-24.0.3")).serving() as web, VarsClient.open() as client:
        assert await client.read(("127.0.0.1", web.port)) == payload("vtctld-24.0.3")


@pytest.mark.parametrize("web", [FakeWeb(status=500), FakeWeb(raw=b"not json"), FakeWeb(raw=b"[1, 2]")])
async def test_what_is_no_answer_raises_what_the_probe_expects(web: FakeWeb) -> None:
    async with web.serving(), VarsClient.open() as client:
        with pytest.raises((aiohttp.ClientError, ValueError)):
            await client.read(("127.0.0.1", web.port))


async def test_a_process_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug_vars, "ANSWER_WITHIN_S", 0.05)
    async with FakeWeb(hangs=True).serving() as web, VarsClient.open() as client:
        with pytest.raises(TimeoutError):
            await client.read(("127.0.0.1", web.port))
