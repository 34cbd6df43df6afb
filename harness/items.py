"""The item tables: what VStream experiments copy, and why a wrong row in a stream shows without a second copy.

A row is `(id, version, txn, pad)`. `pad` is a function of id and version, so that a value that does not belong
to its row is seen at once; `version` grows by one with every committed change of the row, so that a change that
is lost, doubled or out of order shows as a gap, a repetition or a step back; `txn` is unique to its transaction
and says how many rows the transaction wrote, so that a torn one shows.

    id    shard's first byte (8 bits) | number of the table (8) | n (48)
          n counts from 1 for seeded rows; `INSERTED` | lane (16 bits) | counter (24) for rows of the load
    txn   lane + 1 (20 bits) | counter (40) | rows (4); 0 for seeded rows

The vindex is `numeric` (go/vt/vtgate/vindexes/numeric.go): the keyspace id is the id's own bytes.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

INSERTED = 1 << 47
ROWS_MASK = 0xF
MARK_TABLE = "stream_mark"
MAX_TABLES = 200
TABLE_BITS, SHARD_BITS = 48, 56


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsSpec:
    """Tables that are filled before the load starts: `rows` of each table, evenly over the shards."""

    tables: int = 1
    rows: int = 200_000

    @property
    def names(self) -> tuple[str, ...]:
        return item_tables(self.tables)


def item_tables(tables: int) -> tuple[str, ...]:
    """item_1 …, zero-padded so that Vitess, which copies tables in the order of their names, keeps this order."""
    digits = len(str(tables))
    return tuple(f"item_{number:0{digits}d}" for number in range(1, tables + 1))


def create_table(name: str) -> str:
    return (
        f"CREATE TABLE {name} ("
        " id BIGINT UNSIGNED NOT NULL PRIMARY KEY,"
        " version INT UNSIGNED NOT NULL,"
        " txn BIGINT UNSIGNED NOT NULL,"
        " pad VARCHAR(128) CHARACTER SET ascii NOT NULL)"
    )


def create_mark_table() -> str:
    """One row a shard, written when the load has ended: a stream that has seen it has seen everything before it."""
    return f"CREATE TABLE {MARK_TABLE} (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, value BIGINT UNSIGNED NOT NULL)"


def vschema(tables: Sequence[str], *, also: str = "") -> str:
    """The vschema of the item tables and the mark table, beside the tables of the vschema `also` (JSON)."""
    base: dict[str, Any] = json.loads(also) if also else {"sharded": True, "vindexes": {}, "tables": {}}
    base["vindexes"]["by_number"] = {"type": "numeric"}
    for name in (*tables, MARK_TABLE):
        base["tables"][name] = {"column_vindexes": [{"column": "id", "name": "by_number"}]}
    return json.dumps(base)


def shard_start(shard: str) -> int:
    """The first byte of a shard's key range: 0x80 of "80-" and "80-c0", 0 of "-80" and "0"."""
    start = shard.split("-")[0] if "-" in shard else ""
    return int(start[:2] or "0", 16)


def first_id(shard: str, table: int) -> int:
    """Seeded rows of a table (0 = the first) in a shard have the ids after this one."""
    return (shard_start(shard) << SHARD_BITS) | (table << TABLE_BITS)


def seeded_rows(rows: int, shards: Sequence[str]) -> dict[str, int]:
    """How many of a table's rows each shard gets: evenly, the first shards one more."""
    least, more = divmod(rows, len(shards))
    return {shard: least + (index < more) for index, shard in enumerate(shards)}


def txn_id(lane: int, counter: int, rows: int) -> int:
    return ((lane + 1) << 44) | (counter << 4) | rows


def pad_of(item_id: int, version: int) -> str:
    """What MySQL computes as SHA2(CONCAT(id, ':', version), 512)."""
    return hashlib.sha512(b"%d:%d" % (item_id, version)).hexdigest()


def pad_sql(item_id: str, version: str) -> str:
    return f"SHA2(CONCAT({item_id}, ':', {version}), 512)"


def digest_of(pad: bytes) -> int:
    """What a recorded event keeps of a pad."""
    return zlib.crc32(pad)


def expected_digest(item_id: int, version: int) -> int:
    return zlib.crc32(hashlib.sha512(b"%d:%d" % (item_id, version)).hexdigest().encode())
