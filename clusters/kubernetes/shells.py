"""A shell in a container that stays open: an order costs milliseconds, where starting a program there costs a tenth of
a second of processor time (exec: API server, kubelet, container runtime)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path

from clusters.kubernetes.api import Api
from clusters.kubernetes.names import Box
from clusters.kubernetes.requests import ApiError
from clusters.kubernetes.sockets import Session
from harness.base.errors import ClusterError

ORDER_TIMEOUT_S = 10.0
_MARK = b"\x1e"


class Shell:
    """One container's shell, opened with the first order and again after its connection was lost. One order at a
    time; an order that outlives its bound loses the shell, and what it does is not known then."""

    def __init__(self, api: Api, namespace: str, box: Box) -> None:
        self._api = api
        self._namespace = namespace
        self._box = box
        self._turn = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._open = contextlib.AsyncExitStack()
        self._session: Session | None = None
        self._pieces: AsyncIterator[tuple[int, bytes]] | None = None

    async def ask(self, script: str, *, timeout_s: float = ORDER_TIMEOUT_S) -> tuple[int, str]:
        """Run some lines of shell in a subshell without input; its exit status and what it printed (both streams).

        Raises ClusterError: the container cannot be reached, or the bound passed.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._asked(script)
            except TimeoutError:
                await self._lost()
                raise ClusterError(f"{self._name}: no answer within {timeout_s:g} s") from None
            except BaseException:
                await self._lost()
                raise

    async def order(self, script: str, *, timeout_s: float = ORDER_TIMEOUT_S) -> str:
        """As `ask`, and raises ClusterError for a bad exit status, with what was printed."""
        status, said = await self.ask(script, timeout_s=timeout_s)
        if status:
            raise ClusterError(f"{self._name}: {said.strip() or f'exit status {status}'}")
        return said

    async def close(self) -> None:
        async with self._turn:
            await self._lost()

    def kubectl(self) -> tuple[str, ...]:
        """The words with which a person's kubectl looks at the same namespace."""
        theirs = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        where = ("--kubeconfig", self._api.kubeconfig) if self._api.kubeconfig not in ("", theirs) else ()
        return ("kubectl", *where, "--context", self._api.context, "--namespace", self._namespace)

    @property
    def _name(self) -> str:
        return f"{self._box.pod}/{self._box.container}"

    async def _asked(self, script: str) -> tuple[int, str]:
        if self._session is None or self._session.closed:
            await self._lost()
            shell = self._api.session(self._namespace, self._box.pod, self._box.container, ("/bin/sh",))
            self._session = await self._open.enter_async_context(shell)
            self._pieces = self._session.pieces()
        assert self._pieces is not None
        number = next(self._numbers)
        framed = f"(\n{script}\n) </dev/null 2>&1\nprintf '\\036%d %d\\n' {number} $?\n"
        await self._session.send(framed.encode())
        said = b""
        async for _, data in self._pieces:
            said += data
            text, mark, end = said.rpartition(_MARK)
            if mark and end.endswith(b"\n"):
                status = int(end.split()[1])
                return status, text.decode(errors="replace")
        raise ApiError(self._name, 0, "the shell ended")

    async def _lost(self) -> None:
        self._session = self._pieces = None
        with contextlib.suppress(ClusterError):
            await self._open.aclose()
        self._open = contextlib.AsyncExitStack()
