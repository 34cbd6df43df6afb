"""Programs and ports inside pods: exec, shells that stay open, port-forwards. WebSockets of the Kubernetes API.

A message's first byte is its channel: 0 input, 1 output, 2 errors, 3 how it ended (a Status object); 255 (version 5 of
the protocol, Kubernetes 1.30) closes the channel that follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp

from clusters.kubernetes.requests import CONNECT_TIMEOUT_S, ApiError, Requests, Socket
from clusters.kubernetes.resources import POD

_V5, _V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
_PORT_FORWARD = "v4.channel.k8s.io"
_INPUT, _OUTPUT, _ERRORS, _END, _CLOSE = 0, 1, 2, 3, 255
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A program that ran in a container and ended."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def said(self) -> str:
        """What it printed, for people."""
        return (self.stderr + self.stdout).decode(errors="replace").strip()


class Session:
    """A program that runs in a container, with its input and output in our hands."""

    def __init__(self, socket: Socket, what: str) -> None:
        self._socket = socket
        self._what = what
        self.status: int | None = None  # known when `pieces` ended

    @property
    def closed(self) -> bool:
        return self._socket.closed

    async def send(self, data: bytes) -> None:
        """Raises ApiError when the connection is gone."""
        try:
            for at in range(0, len(data), _PIECE):
                await self._socket.send_bytes(bytes([_INPUT]) + data[at : at + _PIECE])
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(self._what, 0, f"the connection is gone ({error})") from None

    async def end_input(self) -> None:
        """Raises ApiError where the cluster cannot."""
        if self._socket.protocol != _V5:
            raise ApiError(self._what, 0, "this cluster's exec cannot end a program's input (Kubernetes before 1.30)")
        await self._socket.send_bytes(bytes([_CLOSE, _INPUT]))

    async def pieces(self) -> AsyncIterator[tuple[int, bytes]]:
        """(1 output | 2 errors, bytes) until the program ends. Raises ApiError: not begun, or the connection broke."""
        async for message in self._socket:
            if message.type != aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel in (_OUTPUT, _ERRORS) and data:
                yield channel, data
            elif channel == _END and data:
                self.status = _status(self._what, data)
        if self.status is None:
            raise ApiError(self._what, 0, "the connection broke before the program ended")


@contextlib.asynccontextmanager
async def session(
    requests: Requests, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool
) -> AsyncIterator[Session]:
    """A program in a container; when the block is left its connection is closed. Raises ApiError."""
    query = [("command", word) for word in argv]
    query += [("container", container), ("stdout", "true"), ("stderr", "true"), ("stdin", str(stdin).lower())]
    path = POD.path(namespace=namespace, name=pod, subresource="exec")
    socket = await requests.websocket(path, query=query, protocols=(_V5, _V4), timeout_s=CONNECT_TIMEOUT_S)
    try:
        yield Session(socket, f"{argv[0]} in {pod}/{container}")
    finally:
        await socket.close()


async def run(
    requests: Requests,
    namespace: str,
    pod: str,
    container: str,
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout_s: float,
) -> Ran:
    """A program's whole run. A bad exit status is no error. Raises ApiError."""
    parts: dict[int, list[bytes]] = {_OUTPUT: [], _ERRORS: []}
    try:
        async with (
            asyncio.timeout(timeout_s),
            session(requests, namespace, pod, container, argv, stdin=stdin is not None) as program,
        ):
            if stdin is not None:
                await program.send(stdin)
                await program.end_input()
            async for channel, data in program.pieces():
                parts[channel].append(data)
    except TimeoutError:
        raise ApiError(f"{argv[0]} in {pod}/{container}", 0, f"not finished within {timeout_s:g} s") from None
    assert program.status is not None
    return Ran(status=program.status, stdout=b"".join(parts[_OUTPUT]), stderr=b"".join(parts[_ERRORS]))


def _status(what: str, data: bytes) -> int:
    """The exit status in a Status object. Raises ApiError when the program was never run."""
    told = json.loads(data)
    if told.get("status") == "Success":
        return 0
    for cause in (told.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ApiError(what, int(told.get("code") or 0), str(told.get("message") or told))


# ---------------------------------------------------------------- port-forward


@contextlib.asynccontextmanager
async def forwarded(requests: Requests, namespace: str, pod: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """A port on this host (127.0.0.1) behind which a pod's port is; each connection is a WebSocket of its own, so that
    a pod that was replaced under its name is reached again."""
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_connected(requests, namespace, pod, port, reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _connected(
    requests: Requests, namespace: str, pod: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection. When the pod cannot be reached the client sees it closed, as if nobody listened."""
    path = POD.path(namespace=namespace, name=pod, subresource="portforward")
    try:
        with contextlib.suppress(ApiError, aiohttp.ClientError, OSError):
            query = [("ports", str(port))]
            socket = await requests.websocket(
                path, query=query, protocols=(_PORT_FORWARD,), timeout_s=CONNECT_TIMEOUT_S
            )
            both = {asyncio.ensure_future(_upwards(reader, socket)), asyncio.ensure_future(_downwards(socket, writer))}
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
                await socket.close()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _upwards(reader: asyncio.StreamReader, socket: Socket) -> None:
    while data := await reader.read(_PIECE):
        await socket.send_bytes(b"\0" + data)


async def _downwards(socket: Socket, writer: asyncio.StreamWriter) -> None:
    """Channel 0 is the data, 1 an error; the first message of each is only the port's number."""
    begun: set[int] = set()
    async for message in socket:
        if message.type != aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel = message.data[0]
        if channel not in begun:
            begun.add(channel)
        elif channel == 0:
            writer.write(message.data[1:])
            await writer.drain()
        else:
            return
