"""Does a node answer? Small, cheap questions over plain sockets: dozens of nodes are asked many times a second."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

QUESTION_TIMEOUT_S = 2.0


async def greets(address: tuple[str, int]) -> str:
    """The MySQL server's version if it greets a new connection, else ""."""
    try:
        async with asyncio.timeout(QUESTION_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*address)
            try:
                header = await reader.readexactly(4)
                packet = await reader.readexactly(int.from_bytes(header[:3], "little"))
            finally:
                await _close(writer)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return ""
    return packet[1:].split(b"\0")[0].decode(errors="replace") if packet[:1] == b"\x0a" else ""


async def get(address: tuple[str, int], path: str) -> bytes | None:
    """The body of a page; None while it does not answer with 200."""
    try:
        async with asyncio.timeout(QUESTION_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*address, limit=1 << 24)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {address[0]}\r\n\r\n".encode())
                answer = await reader.read(-1)
            finally:
                await _close(writer)
    except (OSError, TimeoutError):
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if b" 200 " in head.split(b"\r\n")[0] + b" " else None


async def variables(address: tuple[str, int]) -> dict[str, Any]:
    """/debug/vars; empty while it does not answer."""
    body = await get(address, "/debug/vars")
    return dict(json.loads(body)) if body else {}


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
