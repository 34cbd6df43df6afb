"""What a cluster answers when nobody listens."""

from __future__ import annotations

from clusters.common import answers


async def test_nobody_there_is_no_answer() -> None:
    nowhere = ("127.0.0.1", 1)
    assert await answers.greets(nowhere) == ""
    assert await answers.get(nowhere, "/") is None
    assert await answers.variables(nowhere) == {}
