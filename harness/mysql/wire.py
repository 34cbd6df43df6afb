"""The MySQL text protocol as a load generator needs it: one asyncio.Protocol, no task and no future a query.

Only what vtgate and mysqld need for plain statements: handshake without TLS, empty or native
password, COM_QUERY, one OK, ERR or result set. The server's default stands for everything else
(autocommit is on in vtgate and mysqld, so that no SET is sent after the handshake).

Why not a driver: docs/decisions/load-driver.md has the numbers.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Protocol, cast

from harness.mysql.outcome import CR_CONN_HOST_ERROR, CR_MALFORMED_PACKET, CR_SERVER_LOST

Row = bytes  # the payload of a row packet: length-encoded strings, see `row`

_LONG_PASSWORD, _LONG_FLAG, _CONNECT_WITH_DB, _PROTOCOL_41 = 0x1, 0x4, 0x8, 0x200
_TRANSACTIONS, _SECURE_CONNECTION, _PLUGIN_AUTH, _DEPRECATE_EOF = 0x2000, 0x8000, 0x80000, 0x1000000
_FLAGS = _LONG_PASSWORD | _LONG_FLAG | _PROTOCOL_41 | _TRANSACTIONS | _SECURE_CONNECTION | _PLUGIN_AUTH | _DEPRECATE_EOF
_UTF8MB4 = 255
_MAX_PACKET = 1 << 24
_COM_QUIT = b"\x01\0\0\0\x01"
_NO_HEAD = b"\xff" * 8  # no packet begins like this


class WireOwner(Protocol):
    """Who is told what happens. Exactly one call a query, and none after `discard`."""

    def wire_ready(self) -> None: ...
    def wire_ok(self) -> None: ...
    def wire_rows(self, rows: list[Row]) -> None: ...
    def wire_error(self, errno: int, message: str) -> None: ...  # of the server
    def wire_lost(self, errno: int, message: str) -> None: ...  # of the connection, also while connecting


class ProtocolError(ValueError):
    """Bytes that are no answer to what was asked."""


def lenenc(data: bytes, at: int) -> tuple[int, int]:
    """A length-encoded integer and the position after it; -1 stands for NULL."""
    first = data[at]
    if first < 0xFB:
        return first, at + 1
    if first == 0xFB:
        return -1, at + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    if not width:
        raise ProtocolError(f"no length-encoded integer begins with {first:#x}")
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


def row(first: int, second: int) -> Row:
    """The row that a result set of two numbers has."""
    one, two = b"%d" % first, b"%d" % second
    return b"%c%b%c%b" % (len(one), one, len(two), two)


def error_of(data: bytes, at: int, end: int) -> tuple[int, str]:
    """Number and text of an ERR packet whose payload begins at `at`."""
    errno = int.from_bytes(data[at + 1 : at + 3], "little")
    text = at + 9 if data[at + 3 : at + 4] == b"#" else at + 3
    return errno, data[text:end].decode("utf-8", "replace")


def native_password(password: str, salt: bytes) -> bytes:
    """The answer of mysql_native_password; empty for an empty password."""
    if not password:
        return b""
    once = hashlib.sha1(password.encode()).digest()
    mixed = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
    return bytes(left ^ right for left, right in zip(once, mixed, strict=True))


class Wire(asyncio.Protocol):
    """One connection. After any error of a query its owner discards it; it is never used again."""

    __slots__ = (
        "_awaiting",
        "_buffer",
        "_database",
        "_dialling",
        "_head",
        "_owner",
        "_password",
        "_salt",
        "_transport",
        "_user",
    )

    def __init__(self, owner: WireOwner, *, user: str, password: str = "", database: str = "") -> None:
        self._owner: WireOwner | None = owner
        self._user = user
        self._password = password
        self._database = database
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._head = _NO_HEAD  # the column definitions of the last result set
        self._awaiting = self._greeting
        self._salt = b""
        self._dialling: asyncio.Task[None] | None = None

    # ------------------------------------------------ what the owner calls

    def dial(self, host: str, port: int) -> None:
        """Begin to connect, in a task of the running loop; the owner hears `wire_ready` or `wire_lost`."""
        self._dialling = asyncio.get_running_loop().create_task(self._dial(host, port))

    async def _dial(self, host: str, port: int) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except OSError as error:
            self._lost(error.strerror or str(error))

    def query(self, statement: bytes) -> None:
        """Send a statement of less than 16 MB; the answer comes as one call of the owner."""
        if self._transport is None:
            self._lost("the connection is closed")
        else:
            self._transport.write((len(statement) + 1).to_bytes(3, "little") + b"\0\x03" + statement)

    def discard(self) -> None:
        """Throw the connection away at once; no call of the owner follows."""
        self._owner = None
        if self._transport is not None:
            self._transport.abort()
        elif self._dialling is not None and self._dialling is not _current_task():
            self._dialling.cancel()

    def quit(self) -> None:
        """Say goodbye and close; no call of the owner follows."""
        self._owner = None
        if self._transport is not None:
            self._transport.write(_COM_QUIT)
            self._transport.close()

    # ------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        if self._owner is None:  # discarded while connecting
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost(str(exc) if exc else "the server closed the connection")

    def data_received(self, data: bytes) -> None:
        if self._owner is None:
            return
        if self._buffer:
            data = self._buffer + data
        try:
            complete = self._awaiting(data)
        except (ProtocolError, IndexError) as error:
            self._lost(f"malformed packet: {error}", CR_MALFORMED_PACKET)
            return
        self._buffer = b"" if complete else data

    def _lost(self, why: str, errno: int = CR_SERVER_LOST) -> None:
        owner = self._owner
        self.discard()
        if owner is not None:
            connecting = self._awaiting == self._greeting or self._awaiting == self._authenticated
            if connecting:
                owner.wire_lost(CR_CONN_HOST_ERROR, f"cannot connect: {why}")
            else:
                owner.wire_lost(errno, f"connection lost: {why}")

    # ------------------------------------------------ handshake

    def _greeting(self, data: bytes) -> bool:
        if not _whole(data):
            return False
        if data[4] == 0xFF:
            self._refused(data)
            return True
        version_end = data.index(b"\0", 5)
        self._salt = data[version_end + 5 : version_end + 13] + data[version_end + 32 : version_end + 44]
        self._send(1, self._response())
        self._awaiting = self._authenticated
        return True

    def _response(self) -> bytes:
        flags = _FLAGS | (_CONNECT_WITH_DB if self._database else 0)
        secret = native_password(self._password, self._salt)
        return b"".join(
            (
                flags.to_bytes(4, "little"),
                _MAX_PACKET.to_bytes(4, "little"),
                bytes((_UTF8MB4,)),
                bytes(23),
                self._user.encode() + b"\0",
                bytes((len(secret),)) + secret,
                self._database.encode() + b"\0" if self._database else b"",
                b"mysql_native_password\0",
            )
        )

    def _authenticated(self, data: bytes) -> bool:
        while _whole(data):
            end = 4 + _length(data, 0)
            if self._settled(data[:end]):
                return True
            data = data[end:]  # "more data" and the final OK may come in one piece
            if not data:
                return True
        return False

    def _settled(self, packet: bytes) -> bool:
        """Whether this packet ends the handshake; a request for another method is answered."""
        first = packet[4]
        if first == 0xFF:
            self._refused(packet)
        elif first == 0x00:
            self._awaiting = self._reply
            assert self._owner is not None
            self._owner.wire_ready()
        elif first == 0xFE:
            name_end = packet.index(b"\0", 5)
            native = packet[5:name_end] == b"mysql_native_password"  # the only one we can answer with a password
            secret = native_password(self._password if native else "", packet[name_end + 1 : name_end + 21])
            self._send(packet[3] + 1, secret)
            return False
        elif first == 0x01:  # "more data", e.g. that a cached secret was accepted; the OK follows
            return False
        else:
            raise ProtocolError(f"handshake answered with {first:#x}")
        return True

    def _refused(self, data: bytes) -> None:
        owner = self._owner
        self.discard()
        if owner is not None:
            owner.wire_lost(*error_of(data, 4, len(data)))

    def _send(self, sequence: int, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.write(len(payload).to_bytes(3, "little") + bytes((sequence & 255,)) + payload)

    # ------------------------------------------------ the answer to a query

    def _reply(self, data: bytes) -> bool:
        """Tell the owner when the answer is complete. The short ways first: rows under the same column
        definitions as last time (byte for byte, so that they need no second reading), and OK."""
        owner = self._owner
        assert owner is not None
        head = self._head
        if data.startswith(head):
            rows = _rows(data, len(head))
        elif len(data) < 5:
            return False
        elif data[4] == 0x00 or data[4] == 0xFF:
            if not _whole(data):
                return False
            if data[4] == 0x00:
                owner.wire_ok()
            else:
                owner.wire_error(*error_of(data, 4, 4 + _length(data, 0)))
            return True
        else:
            end = _definitions(data)
            if end < 0:
                return False
            self._head = data[:end]
            rows = _rows(data, end)
        if rows is None:
            return False
        if isinstance(rows, list):
            owner.wire_rows(rows)
        else:
            owner.wire_error(*rows)
        return True


def _current_task() -> asyncio.Task[None] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop: a unit test
        return None


def _length(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16


def _whole(data: bytes) -> bool:
    return len(data) >= 4 and len(data) >= 4 + _length(data, 0)


def _definitions(data: bytes) -> int:
    """Where the rows begin; -1 when not all is there yet."""
    columns, after = lenenc(data, 4)
    if after != 4 + _length(data, 0) or columns < 1:
        raise ProtocolError("neither OK, ERR nor a number of columns")
    at = after
    for _ in range(columns):
        if len(data) < at + 4 or len(data) < at + 4 + _length(data, at):
            return -1
        at += 4 + _length(data, at)
    return at


def _rows(data: bytes, at: int) -> list[Row] | tuple[int, str] | None:
    """The rows up to the final OK; number and text when an ERR ends them; None when not all is there yet."""
    rows: list[Row] = []
    size = len(data)
    while size >= at + 5:
        body = at + 4
        at = body + (data[at] | data[at + 1] << 8 | data[at + 2] << 16)
        if size < at:
            return None
        first = data[body]
        if first < 0xFE:
            rows.append(data[body:at])
        elif first == 0xFE and at - body < 0xFFFFFF:
            return rows
        else:
            return error_of(data, body, at)
    return None
