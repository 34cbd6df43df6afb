"""/debug/vars of any Vitess process: Go's expvar JSON over HTTP, flattened to what a probe keeps.

A map variable becomes one key a label, `Var:label` (labels joined by "." as Vitess writes them,
go/stats/export.go); a timings variable keeps its total count and time; scalars keep their name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from harness.contracts import Cluster
from harness.model import Scalar

ANSWER_WITHIN_S = 2.0


class VarsClient:
    """Keeps one connection to each process alive."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[VarsClient]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            yield cls(session)

    async def read(self, address: tuple[str, int]) -> Mapping[str, Any]:
        """All variables of one process. Raises aiohttp.ClientError, TimeoutError, ValueError."""
        async with self._session.get(f"http://{address[0]}:{address[1]}/debug/vars") as answer:
            answer.raise_for_status()
            found = orjson.loads(await answer.read())
        if not isinstance(found, dict):
            raise ValueError(f"/debug/vars is a {type(found).__name__}, not an object")
        return found


@asynccontextmanager
async def vars_of(_: Cluster) -> AsyncIterator[VarsClient]:
    """For `Ground.shared`."""
    async with VarsClient.open() as client:
        yield client


def flatten(variables: Mapping[str, Any], keep: Collection[str]) -> dict[str, Scalar]:
    """The kept variables, one key a label. What is absent stays absent: an absent key is not 0."""
    found: dict[str, Scalar] = {}
    for name in keep:
        value = variables.get(name)
        if isinstance(value, dict):
            found.update(_labels(name, value))
        elif isinstance(value, bool):
            found[name] = int(value)
        elif isinstance(value, int | float | str):
            found[name] = value
    return found


def _labels(name: str, value: Mapping[str, Any]) -> dict[str, Scalar]:
    if "Histograms" in value:  # a timings variable
        own = {f"{name}:{label}.count": one["Count"] for label, one in value["Histograms"].items()}
        return {f"{name}:count": value["TotalCount"], f"{name}:time_ns": value["TotalTime"], **own}
    return {f"{name}:{label}": number for label, number in value.items() if isinstance(number, int | float | str)}
