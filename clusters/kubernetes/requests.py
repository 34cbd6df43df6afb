"""Requests to one Kubernetes API server: JSON, answers without an end, WebSockets.

They go through aiohttp and not through the `kubernetes` client, which only reads the kubeconfig: a cluster of ours
holds dozens of logs and shells open at a time, which are tasks of the one loop here and would be threads there; a
cancelled task ends its request. Nothing is retried.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from clusters.kubernetes import kubeconfig
from harness.base.errors import ClusterError

CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 30.0
HEARTBEAT_S = 30.0  # what stands between us and the server may drop idle connections
Socket = aiohttp.ClientWebSocketResponse[Any]


class ApiError(ClusterError):
    """The API server refused a request, or did not answer it (`status` 0)."""

    def __init__(self, what: str, status: int, why: str) -> None:
        super().__init__(f"Kubernetes: {what}: {why}" + (f" ({status})" if status else ""))
        self.status = status
        self.why = why


class Requests:
    """What every request needs: where the server is, and who we are."""

    def __init__(self, session: aiohttp.ClientSession, configuration: Any) -> None:
        """`configuration`: of the `kubernetes` client."""
        self.server: str = configuration.host.rstrip("/")
        self._session = session
        self._configuration = configuration
        self._extra: dict[str, Any] = {"server_hostname": configuration.tls_server_name}
        self._extra["proxy"] = configuration.proxy if kubeconfig.through_proxy(configuration, self.server) else None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> dict[str, Any]:
        """One request and its JSON answer. Raises ApiError."""
        headers = {**await self.headers(), "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content
        what = f"{method} {path}"
        try:
            async with self._session.request(
                method,
                self.server + path,
                data=None if body is None else json.dumps(body),
                params=query,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                **self._extra,
            ) as response:
                data = await response.read()
                if response.status >= 400:
                    raise ApiError(what, response.status, _reason(data, response.reason))
        except TimeoutError:
            raise ApiError(what, 0, f"no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(what, 0, _words(error)) from None
        answer = json.loads(data) if data else {}
        return answer if isinstance(answer, dict) else {"answer": answer}

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer without an end. Raises ApiError."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._session.get(
                self.server + path, params=query, headers=await self.headers(), timeout=limits, **self._extra
            ) as response:
                if response.status >= 400:
                    raise ApiError(f"GET {path}", response.status, _reason(await response.read(), response.reason))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(f"GET {path}", 0, _words(error)) from None

    async def websocket(
        self, path: str, *, query: list[tuple[str, str]], protocols: tuple[str, ...], timeout_s: float
    ) -> Socket:
        """The caller closes it. Raises ApiError."""
        what = f"connect to {path}"
        try:
            async with asyncio.timeout(timeout_s):
                socket: Socket = await self._session.ws_connect(
                    self.server + path,
                    params=query,
                    protocols=protocols,
                    headers=await self.headers(),
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=0,
                    **self._extra,
                )
                return socket
        except aiohttp.WSServerHandshakeError as error:
            raise ApiError(what, error.status, error.message) from None
        except TimeoutError:
            raise ApiError(what, 0, f"no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(what, 0, _words(error)) from None

    async def headers(self) -> dict[str, str]:
        """Who we are. A login program may run for it."""
        read = self._configuration.get_api_key_with_prefix
        if self._configuration.refresh_api_key_hook is None:
            token = read("BearerToken", "authorization")
        else:
            token = await asyncio.to_thread(read, "BearerToken", "authorization")
        if token:
            return {"Authorization": token}
        if self._configuration.username:
            return {"Authorization": self._configuration.get_basic_auth_token()}
        return {}


def _reason(data: bytes, fallback: str | None) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()[:500] or fallback or "no reason given"


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
