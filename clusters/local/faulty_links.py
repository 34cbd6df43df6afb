"""The faulty links of a local cluster: nft and toxiproxy in its own network, and knocks from where its nodes stand."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from clusters.common import knocks
from clusters.common import links as shared
from clusters.common.layout import Layout
from clusters.common.processes import Exit
from clusters.local import links, proxies
from clusters.local.proxies import Proxies
from clusters.local.supervision import Supervisor
from harness.base import wait
from harness.base.errors import ClusterError
from harness.model import Knock, LinkRule, Node

BEGINS_WITHIN_S = 10.0


class FaultyLinks:
    """What is set replaces what was there; it is told from nothing but the cluster itself."""

    def __init__(self, layout: Layout, supervisor: Supervisor) -> None:
        self._layout = layout
        self._supervisor = supervisor
        self._proxies = Proxies(next(iter(layout.hosts.values())))
        self._runs = False  # a proxy that we have started, and of which we know what it does

    async def set(self, rules: Sequence[LinkRule]) -> None:
        """Raises ClusterError. First the detours are there, then connections are led over them, then others end."""
        if self._supervisor.no_links:
            if rules:
                raise ClusterError(self._supervisor.no_links)
            return
        wanted = proxies.detours(self._layout, rules)
        if wanted:
            await self._begin()
        self._runs = False  # cut short from here on: it is begun anew, and its detours with it
        await self._proxies.add(wanted)
        ports = {detour: port for detour, port in self._proxies.ports.items() if detour in wanted}
        await self._supervisor.links(links.script(self._layout, rules, ports))
        if wanted:
            await self._proxies.keep(wanted)
            self._runs = True
        else:
            await self._end()

    async def traces(self) -> Sequence[str]:
        if self._supervisor.no_links:
            return ()
        found = shared.seen(await self._supervisor.links(links.LISTING))
        proxy = await self._supervisor.signal(proxies.PROGRAM, 0)
        return (*(f"link {each}" for each in found), *(["a proxy for delayed links runs"] if proxy else []))

    async def knock(self, source: Node, target: Node, *, times: int, kbytes: int, within_s: float) -> tuple[Knock, ...]:
        address = self._layout.address(target, knocks.port_of(target))
        says = knocks.says(target, kbytes)
        rows = await self._supervisor.knock(
            address,
            gid=links.groups(self._layout)[source.name],
            says=says.words,
            zeros=says.zeros,
            times=times,
            within_s=within_s,
        )
        return tuple(Knock(**row) for row in rows)

    def ended(self, end: Exit) -> bool:
        """Whether it was the proxy that ended."""
        if end.name != proxies.PROGRAM:
            return False
        self._runs = False
        self._proxies.forget()
        return True

    async def _begin(self) -> None:
        if self._runs:
            return
        why = self._supervisor.no_proxy
        if why:
            raise ClusterError(why)
        await self._end()  # one of an earlier harness, or of a beginning that was cut short: its detours are not known
        self._proxies.forget()
        host = next(iter(self._layout.hosts.values()))
        words = [self._supervisor.proxy, "-host", host, "-port", str(proxies.API_PORT)]
        log = self._layout.logs / f"{proxies.PROGRAM}.log"
        group = links.proxy_group(self._layout)
        await self._supervisor.spawn(proxies.PROGRAM, words, cwd=Path("/"), env={}, log=log, gid=group)
        await wait.until("toxiproxy answers", self._proxies.answers, timeout_s=BEGINS_WITHIN_S)

    async def _end(self) -> None:
        """Its connections end with it."""
        await self._supervisor.signal(proxies.PROGRAM, signal.SIGKILL, ends=True)

        async def gone() -> bool:
            return not await self._supervisor.signal(proxies.PROGRAM, 0)

        await wait.until("toxiproxy has ended", gone, timeout_s=BEGINS_WITHIN_S)
