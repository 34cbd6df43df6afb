"""The text protocol over a real socket."""

from __future__ import annotations

from harness.mysql.wire import Wire
from tests.fake_mysql import Drop, Err, Hang, Ok, Reply, Rows, fake_mysql
from tests.unit.test_mysql_wire import Owner

REPLIES: dict[str, Reply] = {
    "ok": Ok(),
    "rows": Rows([("1", "2"), (None, "x" * 300)]),
    "none": Rows([]),
    "error": Err(1105, "primary is not serving"),
    "drop": Drop(),
}


LONG_ROW = b"\xfb\xfc\x2c\x01" + b"x" * 300


async def _connected(owner: Owner, port: int) -> Wire:
    wire = Wire(owner, user="u", password="p", database="ks")
    wire.dial("127.0.0.1", port)
    assert await owner.next() == ("ready", None)
    return wire


async def test_a_conversation() -> None:
    owner = Owner()
    async with fake_mysql(lambda query: REPLIES[query]) as server:
        wire = await _connected(owner, server.port)
        for query, expected in (
            ("ok", ("ok", None)),
            ("rows", ("rows", [b"\x011\x012", LONG_ROW])),
            ("rows", ("rows", [b"\x011\x012", LONG_ROW])),  # the short way: the same definitions again
            ("none", ("rows", [])),
            ("error", ("error", (1105, "primary is not serving"))),
        ):
            wire.query(query.encode())
            assert await owner.next() == expected
        wire.quit()
    assert len(owner.told) == 6


async def test_a_dropped_connection_is_lost_and_a_refused_one_never_was() -> None:
    owner = Owner()
    async with fake_mysql(lambda query: REPLIES[query]) as server:
        wire = await _connected(owner, server.port)
        wire.query(b"drop")
        assert await owner.next() == ("lost", 2013)
        server.refuse = True
        Wire(owner, user="u").dial("127.0.0.1", server.port)
        assert await owner.next() == ("lost", 2003)
    Wire(owner, user="u").dial("127.0.0.1", server.port)
    assert await owner.next() == ("lost", 2003)


async def test_a_discarded_connection_says_nothing_more() -> None:
    owner = Owner()
    async with fake_mysql(lambda query: Hang()) as server:
        wire = await _connected(owner, server.port)
        wire.query(b"anything")
        wire.discard()
        early = Wire(owner, user="u")
        early.dial("127.0.0.1", server.port)
        early.discard()  # while connecting
        other = Owner()
        await _connected(other, server.port)  # a round trip later
    assert owner.told == [("ready", None)]
