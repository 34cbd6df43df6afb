"""Delayed links of a local cluster: connections are led through toxiproxy, which runs in the cluster's own network.

netem is not in every kernel, and nftables can neither hold packets back nor (without a program at its queue) send them
later. A proxy can, for connections: so nft leads new ones of a delayed link there, and resets those that exist.
Loss and congestion are none of this: a proxy's two connections have the loopback's round-trip time, only data waits.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from clusters.common.layout import Layout
from clusters.common.links import ends
from harness.base.errors import ClusterError
from harness.model import LinkEffect, LinkRule

PROGRAM = "toxiproxy"  # its name among the cluster's programs
API_PORT = 29999
PROXY_PORTS = range(30000, 32768)  # beyond those of the nodes, below those of outgoing connections
CALL_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How late one direction is."""

    delay_ms: float
    jitter_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """Connections that `client` opens to one port of `server` go through a proxy."""

    client: str
    server: str
    port: int
    questions: Lag | None = None
    answers: Lag | None = None

    @property
    def name(self) -> str:
        return f"{self.client}.{self.server}.{self.port}"


def detours(layout: Layout, rules: Sequence[LinkRule]) -> tuple[Detour, ...]:
    """What a connection's two ends say to each other is delayed by the rules of the two directions, whoever opened it.

    Raises ClusterError: no such link.
    """
    lags: dict[tuple[str, str], Lag] = {}
    for rule in rules:
        if rule.effect is LinkEffect.DELAY:
            ends(layout, rule)
            lags[rule.source, rule.target] = Lag(delay_ms=rule.delay_ms, jitter_ms=rule.jitter_ms)
    pairs = dict.fromkeys(pair for link in lags for pair in (link, link[::-1]))
    return tuple(
        Detour(client=here, server=there, port=port, questions=lags.get((here, there)), answers=lags.get((there, here)))
        for here, there in pairs
        for port in sorted(layout.ports[there].values())
    )


class Proxies:
    """What toxiproxy does at present, over its API. Every call raises ClusterError."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._listening: dict[Detour, int] = {}
        self._numbers = itertools.cycle(PROXY_PORTS)

    @property
    def ports(self) -> Mapping[Detour, int]:
        """Where each detour begins."""
        return dict(self._listening)

    def forget(self) -> None:
        """The program is gone, and all detours with it."""
        self._listening.clear()

    async def answers(self) -> bool:
        try:
            await self._call("GET", "version")
        except ClusterError:
            return False
        return True

    async def add(self, wanted: Sequence[Detour]) -> None:
        """Those that are there already stay, with their connections."""
        for detour in wanted:
            if detour not in self._listening:
                await self._add(detour)

    async def keep(self, wanted: Sequence[Detour]) -> None:
        """All others end, and the connections that go over them."""
        for detour in [each for each in self._listening if each not in wanted]:
            await self._call("DELETE", f"proxies/{_key(detour)}")
            del self._listening[detour]

    async def _add(self, detour: Detour) -> None:
        taken = set(self._listening.values())
        port = next(number for number in self._numbers if number not in taken)
        listen, upstream = f"{self._host}:{port}", f"{self._host}:{detour.port}"
        proxy = {"name": _key(detour), "listen": listen, "upstream": upstream, "enabled": True}
        await self._call("POST", "proxies", proxy)
        self._listening[detour] = port
        for stream, lag in (("upstream", detour.questions), ("downstream", detour.answers)):
            if lag is not None:
                attributes = {"latency": round(lag.delay_ms), "jitter": round(lag.jitter_ms)}
                toxic = {"name": stream, "type": "latency", "stream": stream, "attributes": attributes}
                await self._call("POST", f"proxies/{_key(detour)}/toxics", toxic)

    async def _call(self, method: str, path: str, body: object = None) -> None:
        url = f"http://{self._host}:{API_PORT}/{path}"
        try:
            async with (
                asyncio.timeout(CALL_TIMEOUT_S),
                aiohttp.ClientSession() as session,
                session.request(method, url, json=body) as answer,
            ):
                said = await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterError(f"toxiproxy does not answer: {type(error).__name__} {error}") from None
        if answer.status >= 400:
            raise ClusterError(f"toxiproxy refuses {method} {path}: {said.strip()}")


def _key(detour: Detour) -> str:
    """A proxy whose lags change is another one: the new one is there before the old one ends."""
    lags = (f"{lag.delay_ms:g}-{lag.jitter_ms:g}" if lag else "0" for lag in (detour.questions, detour.answers))
    return ".".join((detour.name, *lags))
