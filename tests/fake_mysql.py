"""A MySQL server of a few lines: speaks the text protocol, answers as the test scripts it, keeps what it was asked.

It accepts every user, and announces what a vtgate announces (go/mysql/server.go, writeHandshakeV10).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CAPABILITIES = 0x00000001 | 0x4 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x80000 | 0x200000 | 0x1000000
_CONNECT_WITH_DB = 0x8
_DEPRECATE_EOF = 0x1000000


@dataclass(frozen=True)
class Ok:
    affected: int = 1


@dataclass(frozen=True)
class Rows:
    rows: Sequence[Sequence[str | None]]
    names: Sequence[str] = ("id", "value")
    texts: Sequence[str] = ()  # which of them are no numbers


@dataclass(frozen=True)
class Err:
    errno: int
    message: str


@dataclass(frozen=True)
class Hang:
    """Never answer."""


@dataclass(frozen=True)
class Drop:
    """Close the connection instead of answering."""


Reply = Ok | Rows | Err | Hang | Drop
Respond = Callable[[str], Reply]


@dataclass
class FakeMysql:
    """What the test sees: the port, every query, and how many connections were made and are open."""

    respond: Respond
    host: str = "127.0.0.1"
    port: int = 0
    queries: list[str] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)  # that connections named, in order
    connects: int = 0
    open: int = 0
    refuse: bool = False  # close new connections before the handshake
    gate: asyncio.Event | None = None  # answers wait for it


def _lenenc(number: int) -> bytes:
    if number < 251:
        return bytes((number,))
    if number < 1 << 16:
        return b"\xfc" + number.to_bytes(2, "little")
    return b"\xfe" + number.to_bytes(8, "little")


def _string(text: str | None) -> bytes:
    if text is None:
        return b"\xfb"
    raw = text.encode()
    return _lenenc(len(raw)) + raw


def _frame(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes((sequence & 255,)) + payload


def _greeting(number: int) -> bytes:
    salt = b"12345678" + b"901234567890\0"
    return (
        b"\x0a8.4.0-Fake\0"
        + number.to_bytes(4, "little")
        + salt[:8]
        + b"\0"
        + (CAPABILITIES & 0xFFFF).to_bytes(2, "little")
        + b"\xff\x02\x00"
        + (CAPABILITIES >> 16).to_bytes(2, "little")
        + b"\x15"
        + bytes(10)
        + salt[8:]
        + b"mysql_native_password\0"
    )


def encode(reply: Ok | Rows | Err, deprecate_eof: bool) -> bytes:
    if isinstance(reply, Ok):
        return _frame(1, b"\0" + _lenenc(reply.affected) + b"\0\x02\x00\x00\x00")
    if isinstance(reply, Err):
        return _frame(1, b"\xff" + reply.errno.to_bytes(2, "little") + b"#HY000" + reply.message.encode())
    packets = [_lenenc(len(reply.names))]
    for name in reply.names:
        head = _string("def") + _string("ks") + _string("ledger") + _string("ledger") + _string(name) + _string(name)
        number = b"\x0c\x3f\x00\x14\x00\x00\x00\x08\x21\x00\x00\x00\x00"
        text = b"\x0c\xff\x00\x00\x10\x00\x00\xfd\x00\x00\x00\x00\x00"
        packets.append(head + (text if name in reply.texts else number))
    if not deprecate_eof:
        packets.append(b"\xfe\x00\x00\x02\x00")
    packets += [b"".join(_string(value) for value in row) for row in reply.rows]
    packets.append(b"\xfe\x00\x00\x02\x00\x00\x00" if deprecate_eof else b"\xfe\x00\x00\x02\x00")
    return b"".join(_frame(index + 1, packet) for index, packet in enumerate(packets))


async def _packet(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return await reader.readexactly(int.from_bytes(head[:3], "little"))


def _database(response: bytes) -> list[str]:
    """The database of a handshake response, if it names one."""
    if not int.from_bytes(response[:4], "little") & _CONNECT_WITH_DB:
        return []
    secret_at = response.index(b"\0", 32) + 1
    name_at = secret_at + 1 + response[secret_at]
    return [response[name_at : response.index(b"\0", name_at)].decode()]


async def _converse(fake: FakeMysql, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_frame(0, _greeting(fake.connects)))
    response = await _packet(reader)
    deprecate_eof = bool(int.from_bytes(response[:4], "little") & _DEPRECATE_EOF)
    fake.databases += _database(response)
    writer.write(_frame(2, b"\0\0\0\x02\x00\x00\x00"))
    while True:
        packet = await _packet(reader)
        if packet[0] == 1:
            return
        query = packet[1:].decode()
        fake.queries.append(query)
        reply = fake.respond(query)
        if fake.gate is not None:
            await fake.gate.wait()
        if isinstance(reply, Drop):
            return
        if isinstance(reply, Hang):
            await reader.read()
            return
        writer.write(encode(reply, deprecate_eof))


@asynccontextmanager
async def fake_mysql(respond: Respond, *, port: int = 0) -> AsyncIterator[FakeMysql]:
    """A listening server; its connections are closed on leaving."""
    fake = FakeMysql(respond)
    conversations: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        fake.connects += 1
        fake.open += 1
        try:
            if not fake.refuse:
                await _converse(fake, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            fake.open -= 1
            conversations.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, fake.host, port)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for task in list(conversations):
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await server.wait_closed()
