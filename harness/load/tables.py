"""The item tables after the run: (id, version) of every row of every shard's primary, and how many pads are wrong.

MySQL itself compares each pad with what id and version say, in the statement that reads them, so that a table's
content is known without its content being read. It also puts forty rows into one, as hexadecimal digits: the
driver needs 9 µs for a row, and a million item rows would take it 9 s instead of 2 (both measured).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base import jsonio
from harness.base.rundir import RunDir
from harness.items import pad_sql
from harness.load.config import Target
from harness.load.readback import OLAP, Progress, Reading, Unreadable, all_within, read_into, shard_target
from harness.model import ROW_DTYPE

GROUP = 40  # rows in one: 960 digits, below group_concat_max_len's default of 1024, which cuts off without an error
_DIGITS = 24  # of a row: an id of 16, a version of 8
_PACKED = np.dtype([("id", ">u8"), ("version", ">u4")])
_PIECE = 1000  # groups read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a shard's tables are read, and under which database name."""

    target: Target
    database: str


async def read_tables(
    target: Target,
    *,
    keyspaces: Mapping[str, Sequence[str]],
    tables: Sequence[str],
    run: RunDir,
    timeout_s: float,
    progress: Progress | None = None,
    name_of: Callable[[str, str], str] = shard_target,
    prepare: Sequence[str] = OLAP,
    direct: Mapping[tuple[str, str], Server] | None = None,
) -> dict[str, str]:
    """Read the tables in all shards of some keyspaces (name → shards) within `timeout_s`, into
    `table-KEYSPACE.TABLE.SHARD.bin`; at last `tables.json` says which were read. Returns those that were not,
    as KEYSPACE.TABLE.SHARD, with the reason.

    `progress` is called with ("item tables read", done, in all). `name_of` and `prepare` are for endpoints that
    are no vtgate. `direct`: (keyspace, shard) that are read from a MySQL server itself (`harness.load.primaries`).
    """
    places = [
        (keyspace, table, shard) for keyspace, shards in keyspaces.items() for table in tables for shard in shards
    ]
    packers = {place: _Packer() for place in places}

    def reading(keyspace: str, table: str, shard: str) -> Reading:
        server = (direct or {}).get((keyspace, shard), Server(target=target, database=name_of(keyspace, shard)))
        statements = prepare if server.target is target else ()
        path, pack = run.table(keyspace, table, shard), packers[keyspace, table, shard]
        return lambda left_s: read_into(
            path,
            server.target,
            server.database,
            _select(table),
            pack,
            timeout_s=left_s,
            prepare=statements,
            size=_PIECE,
        )

    readings = {".".join(place): reading(*place) for place in places}
    failed = await all_within("item tables read", readings, timeout_s=timeout_s, progress=progress)
    jsonio.save(
        run.tables,
        [
            {"keyspace": keyspace, "table": table, "shard": shard, "wrong": packers[keyspace, table, shard].wrong}
            for keyspace, table, shard in places
            if f"{keyspace}.{table}.{shard}" not in failed
        ],
    )
    return failed


def _select(table: str) -> str:
    return (
        "SELECT GROUP_CONCAT(LPAD(HEX(id), 16, '0'), LPAD(HEX(version), 8, '0') SEPARATOR ''), COUNT(*),"
        f" SUM(pad <> {pad_sql('id', 'version')}) FROM {table} GROUP BY id DIV {GROUP}"
    )


class _Packer:
    """Unpacks the groups of one table; counts its wrong pads."""

    def __init__(self) -> None:
        self.wrong = 0

    def __call__(self, groups: Sequence[tuple[Any, ...]]) -> bytes:
        for digits, rows, wrong in groups:
            if len(digits) != _DIGITS * rows:
                raise Unreadable(f"{rows} rows have {len(digits)} digits, not {_DIGITS} each")
            self.wrong += int(wrong)
        packed = np.frombuffer(bytes.fromhex("".join(digits for digits, _, _ in groups)), dtype=_PACKED)
        rows_read = np.empty(len(packed), dtype=ROW_DTYPE)
        rows_read["id"], rows_read["value"] = packed["id"], packed["version"]
        return rows_read.tobytes()
