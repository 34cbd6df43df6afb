"""etcd's own API, as far as Vitess leaves it to others: the history that an etcd keeps, and records nobody can read.

Over its JSON gateway (etcd 3.4 and later: /v3/kv/…), keys and values in base64.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from harness.base.errors import ClusterError

ANSWER_WITHIN_S = 5.0


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()


KEY = _base64(b"/vtchaos/compaction")  # beside everything that Vitess reads
NO_MESSAGE = _base64(b"\xff")  # protobuf: a number that goes on, and ends


async def compact(address: tuple[str, int]) -> int:
    """Throw all history away but the present, as --auto-compaction-retention does; the revision that is left.

    A watch that is in force goes on. One that is resumed on a new connection, from a revision before this one, is
    refused ("required revision has been compacted"). Raises ClusterError.
    """
    async with _calls(address, "etcd was not compacted") as call:
        revision = 0
        for _ in range(2):  # so that the present is later than what anybody has seen
            revision = int((await call("put", {"key": KEY, "value": KEY}))["header"]["revision"])
        await call("compaction", {"revision": str(revision), "physical": True})
        return revision


async def unreadable_for_a_moment(address: tuple[str, int], record: str) -> None:
    """A record becomes one that nobody can parse, and at once what it was.

    Who watches it is told of both, in this order, and gives the watch up at the first ("proto: cannot parse"). Raises
    ClusterError.
    """
    key = _base64(record.encode())
    async with _calls(address, f"{record} was not made unreadable") as call:
        was = (await call("range", {"key": key}))["kvs"][0]["value"]
        for value in (NO_MESSAGE, was):
            await call("put", {"key": key, "value": value})


Call = Callable[[str, Mapping[str, object]], Awaitable[dict[str, Any]]]


@contextlib.asynccontextmanager
async def _calls(address: tuple[str, int], failed: str) -> AsyncIterator[Call]:
    """Calls of etcd's key-value service. Raises ClusterError that begins with `failed`."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    url = f"http://{address[0]}:{address[1]}/v3/kv"
    try:
        async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:

            async def call(method: str, request: Mapping[str, object]) -> dict[str, Any]:
                async with session.post(f"{url}/{method}", json=request) as answer:
                    return dict(await answer.json())

            yield call
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, IndexError) as error:
        raise ClusterError(f"{failed}: {type(error).__name__} {error}") from None
