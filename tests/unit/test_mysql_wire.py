"""The text protocol against bytes: whole, in pieces, and wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from harness.mysql.wire import Row, Wire, lenenc, native_password, row
from tests.fake_mysql import Rows, encode


@dataclass
class Owner:
    """Keeps what it is told."""

    told: list[tuple[str, object]] = field(default_factory=list)
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def _tell(self, what: str, value: object = None) -> None:
        self.told.append((what, value))
        self.event.set()

    def wire_ready(self) -> None:
        self._tell("ready")

    def wire_ok(self) -> None:
        self._tell("ok")

    def wire_rows(self, rows: list[Row]) -> None:
        self._tell("rows", rows)

    def wire_error(self, errno: int, message: str) -> None:
        self._tell("error", (errno, message))

    def wire_lost(self, errno: int, message: str) -> None:
        self._tell("lost", errno)

    async def next(self) -> tuple[str, object]:
        await self.event.wait()
        self.event.clear()
        return self.told[-1]


class _Transport(asyncio.Transport):
    """Takes bytes and keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


GREETING = bytes.fromhex("4a0000000a") + b"8.4.0\0" + bytes(4) + b"12345678\0" + bytes(18) + b"901234567890\0"
OK_PACKET = b"\x07\0\0\x02\0\0\0\x02\0\0\0"


def _ready(owner: Owner) -> tuple[Wire, _Transport]:
    wire, transport = Wire(owner, user="u"), _Transport()
    wire.connection_made(transport)
    greeting = GREETING[4:]
    wire.data_received(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
    wire.data_received(OK_PACKET)
    assert owner.told.pop() == ("ready", None)
    return wire, transport


async def test_answers_may_come_in_any_pieces() -> None:
    answer = encode(Rows([("12", "34"), ("56", None)]), True)
    for cut in range(1, len(answer)):
        owner = Owner()
        wire, _ = _ready(owner)
        for _ in range(2):  # the second time by the short way
            wire.query(b"SELECT")
            wire.data_received(answer[:cut])
            assert owner.told == []
            wire.data_received(answer[cut:])
            assert owner.told.pop() == ("rows", [row(12, 34), b"\x0256\xfb"])


async def test_an_error_may_come_instead_of_a_row() -> None:
    answer = encode(Rows([("12", "34")]), True)
    failed = b"\x0f\0\0\x06\xff" + (1317).to_bytes(2, "little") + b"#70100killed"
    owner = Owner()
    wire, _ = _ready(owner)
    wire.query(b"SELECT")
    wire.data_received(answer[:-11] + failed)  # the final OK is 11 bytes
    assert owner.told == [("error", (1317, "killed"))]


@pytest.mark.parametrize("answer", [b"\x01\0\0\x01\xfb", b"\x02\0\0\x01\x02\x03", b"\x01\0\0\x01\xff"])
async def test_what_is_no_answer_ends_the_connection(answer: bytes) -> None:
    owner = Owner()
    wire, transport = _ready(owner)
    wire.query(b"SELECT")
    wire.data_received(answer)
    assert owner.told[0][0] in ("lost", "error")
    assert len(owner.told) == 1
    assert transport.aborted == (owner.told[0][0] == "lost")


async def test_another_authentication_method_is_answered_once_and_more_data_is_waited_out() -> None:
    owner = Owner()
    wire, transport = Wire(owner, user="u"), _Transport()
    wire.connection_made(transport)
    greeting = GREETING[4:]
    wire.data_received(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
    switch = b"\xfemysql_native_password\0" + b"s" * 20 + b"\0"
    wire.data_received(len(switch).to_bytes(3, "little") + b"\x02" + switch)
    assert transport.sent[-1] == b"\0\0\0\x03"  # an empty password
    wire.data_received(b"\x02\0\0\x04\x01\x03" + b"\x07\0\0\x05\0\0\0\x02\0\0\0")
    assert owner.told == [("ready", None)]


def test_native_password() -> None:
    assert native_password("", b"salt") == b""
    assert native_password("secret", b"12345678901234567890").hex() == _expected("secret", b"12345678901234567890")


def _expected(password: str, salt: bytes) -> str:
    """SHA1(password) xor SHA1(salt + SHA1(SHA1(password))), as the manual writes it."""
    from hashlib import sha1

    left = int.from_bytes(sha1(password.encode()).digest(), "big")
    right = int.from_bytes(sha1(salt + sha1(sha1(password.encode()).digest()).digest()).digest(), "big")
    return (left ^ right).to_bytes(20, "big").hex()


@pytest.mark.parametrize(
    ("data", "number", "after"),
    [
        (b"\xfa", 250, 1),
        (b"\xfb", -1, 1),
        (b"\xfc\x01\x02", 513, 3),
        (b"\xfd\1\0\0", 1, 4),
        (b"\xfe" + b"\1" * 8, 0, 9),
    ],
)
def test_lenenc(data: bytes, number: int, after: int) -> None:
    found, at = lenenc(data, 0)
    assert at == after
    assert found == (number or 0x0101010101010101)
