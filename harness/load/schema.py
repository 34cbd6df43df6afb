"""The ledger table that every write goes to, and where its keys live.

`seq` is the primary key and `id` is not unique on purpose: a write that is applied twice leaves two
rows instead of a duplicate-key error. The `numeric` vindex makes the keyspace id of a row the
big-endian bytes of `id` (go/vt/vtgate/vindexes/numeric.go), so a lane chooses its shard by choosing
the first byte of its ids.
"""

from __future__ import annotations

import json

LEDGER_SQL = (
    "CREATE TABLE ledger ("
    " seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
    " id BIGINT UNSIGNED NOT NULL,"
    " value BIGINT UNSIGNED NOT NULL,"
    " KEY (id))"
)

LEDGER_VSCHEMA = json.dumps(
    {
        "sharded": True,
        "vindexes": {"by_number": {"type": "numeric"}},
        "tables": {"ledger": {"column_vindexes": [{"column": "id", "name": "by_number"}]}},
    }
)


def first_id(shard: str, lane: int) -> int:
    """The first ledger id of a lane in a shard: shard start (8 bits), lane (16 bits), counter (40 bits)."""
    start = shard.split("-")[0] if "-" in shard else ""
    return (int(start or "0", 16) << 56) | (lane << 40)


def value_of(seed: int, ledger_id: int) -> int:
    """The value written under an id: a function of both, so that a wrong value shows (splitmix64)."""
    mixed = (ledger_id + seed * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return mixed ^ (mixed >> 31)
