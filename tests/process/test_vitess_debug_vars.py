"""/debug/vars of a process that answers, hangs or answers nonsense."""

from __future__ import annotations

import aiohttp
import pytest

from harness.vitess import debug_vars
from harness.vitess.debug_vars import VarsClient
from tests.unit.recorded import payload
from tests.unit.web_fakes import FakeWeb


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
