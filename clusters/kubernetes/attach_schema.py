"""The load's own table in a keyspace that is not ours: made at `attach`, dropped at `down`, and nothing else touched.

The keyspace's vschema is theirs. Ours is merged into it, and taken out of it again; it is read anew each time, because
they may change it meanwhile. A table of that name that we did not make is never used: runs empty it.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusters.kubernetes.discovery_topology import vschema_of
from harness.base.errors import ClusterError, PlanError
from harness.vitess.vtctld import VtctldClient

MARK = "made by vtchaos attach"  # all that an earlier version wrote
_BY = " as "
SCHEMA_TIMEOUT_S = 120.0
_LONGEST_COMMENT = 2048  # of a table in MySQL


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTable:
    """What the load needs. `vschema`: of a sharded keyspace with just this table."""

    name: str
    sql: str  # CREATE TABLE
    vschema: str
    mark: str = MARK  # the table's comment: whose it is (`mark_of`)

    @property
    def marked_sql(self) -> str:
        """So that it can be told from a table of theirs."""
        return f"{self.sql} COMMENT = '{self.mark}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What we put into the keyspace."""

    table: str
    vindexes: tuple[str, ...] = ()
    sharded: bool = False  # the vschema was empty, and we said that the keyspace is sharded
    mark: str = MARK


def mark_of(name: str, folder: Path) -> str:
    """What tells the table of this attachment from another's: its name, host and folder."""
    words = f"{MARK}{_BY}{name} on {socket.gethostname()} in {folder}"
    return re.sub(r"[^\w./@: -]", "_", words, flags=re.ASCII)[:_LONGEST_COMMENT]


def merged(existing: str, table: LoadTable, *, keyspace: str, shards: int) -> tuple[str, Added]:
    """The keyspace's vschema with the table in it. Raises PlanError: it cannot be added to this one."""
    theirs: dict[str, Any] = json.loads(existing or "{}")
    ours: dict[str, Any] = json.loads(table.vschema)
    tables, vindexes = dict(theirs.get("tables") or {}), dict(theirs.get("vindexes") or {})
    sharded, says_sharded = bool(theirs.get("sharded")), False
    if table.name in tables and not _left_over(tables[table.name], ours["tables"][table.name]):
        raise PlanError(f"the vschema of {keyspace} has a table {table.name} that vtchaos did not put there")
    if not sharded and shards > 1:
        if tables:
            raise PlanError(
                f"the vschema of {keyspace} has tables and says that it is not sharded, over {shards} shards"
            )
        sharded = says_sharded = True
    if not sharded:
        tables[table.name] = {}
        return _text(theirs, tables, vindexes, sharded=False), Added(table=table.name, mark=table.mark)
    entry, needed = _named_apart(ours["tables"][table.name], ours["vindexes"], vindexes)
    tables[table.name] = entry
    added = Added(table=table.name, vindexes=tuple(set(needed) - set(vindexes)), sharded=says_sharded, mark=table.mark)
    return _text(theirs, tables, {**vindexes, **needed}, sharded=True), added


def without(existing: str, added: Added) -> str:
    """The keyspace's vschema as it is now, less what we added; what they use meanwhile stays."""
    now: dict[str, Any] = json.loads(existing or "{}")
    tables = {name: each for name, each in (now.get("tables") or {}).items() if name != added.table}
    used = {column.get("name") for each in tables.values() for column in each.get("column_vindexes") or ()}
    vindexes = {
        name: each for name, each in (now.get("vindexes") or {}).items() if name not in added.vindexes or name in used
    }
    sharded = bool(now.get("sharded")) and not (added.sharded and not tables)
    return _text(now, tables, vindexes, sharded=sharded)


def _left_over(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """What an attach that was cut short may have left: the same columns, or nothing in an unsharded keyspace."""
    columns = [[each.get("column") for each in entry.get("column_vindexes") or ()] for entry in (theirs, ours)]
    return columns[0] == columns[1] or theirs == {}


def _named_apart(
    entry: dict[str, Any], wanted: dict[str, Any], theirs: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our vindexes under names that mean nothing else to them."""
    names = {name: name if theirs.get(name, each) == each else f"vtchaos_{name}" for name, each in wanted.items()}
    columns = [{**column, "name": names[column["name"]]} for column in entry["column_vindexes"]]
    return {**entry, "column_vindexes": columns}, {names[name]: each for name, each in wanted.items()}


def _text(base: dict[str, Any], tables: dict[str, Any], vindexes: dict[str, Any], *, sharded: bool) -> str:
    made = {key: value for key, value in base.items() if key not in ("sharded", "tables", "vindexes")}
    filled = {"tables": tables, "vindexes": vindexes, "sharded": sharded}
    return json.dumps({**made, **{key: value for key, value in filled.items() if value}}, sort_keys=True)


# ---------------------------------------------------------------- through vtctld


async def refuse_theirs(vtctld: VtctldClient, keyspace: str, shards: Sequence[str], table: LoadTable) -> None:
    """Raises PlanError when a table of that name is there that this attachment did not make."""
    for shard in shards:
        comment = await _comment(vtctld, keyspace, shard, table.name)
        if comment is None or comment in (MARK, table.mark):
            continue
        if comment.startswith(MARK + _BY):
            raise PlanError(
                f"{keyspace} is attached to already{comment.removeprefix(MARK)}: two would empty each other's table "
                f"{table.name}; `vtchaos down` there takes it back (where that is lost, drop the table by hand)"
            )
        raise PlanError(
            f"{keyspace}/{shard} has a table {table.name} that vtchaos did not make; runs would empty it, so that "
            "this keyspace cannot be used"
        )


async def would_add(vtctld: VtctldClient, keyspace: str, shards: Sequence[str], table: LoadTable) -> Added:
    """What `create` would put there now. Raises PlanError, VtctldError."""
    return merged(await vschema_of(vtctld, keyspace), table, keyspace=keyspace, shards=len(shards))[1]


async def create(vtctld: VtctldClient, keyspace: str, shards: Sequence[str], table: LoadTable) -> Added:
    """Make the table where it is not there and merge its vschema. Raises PlanError, VtctldError."""
    await refuse_theirs(vtctld, keyspace, shards, table)
    text, added = merged(await vschema_of(vtctld, keyspace), table, keyspace=keyspace, shards=len(shards))
    there = [await _comment(vtctld, keyspace, shard, table.name) is not None for shard in shards]
    if any(there):  # of an attach that was cut short
        await vtctld.apply_schema(keyspace, [f"DROP TABLE IF EXISTS `{table.name}`"], timeout_s=SCHEMA_TIMEOUT_S)
    await vtctld.apply_schema(keyspace, [table.marked_sql], timeout_s=SCHEMA_TIMEOUT_S)
    await vtctld.apply_vschema(keyspace, text)
    return added


async def require_ours(vtctld: VtctldClient, keyspace: str, shards: Sequence[str], added: Added) -> None:
    """Raises ClusterError when the table that we made is gone or is another."""
    for shard in shards:
        if await _comment(vtctld, keyspace, shard, added.table) != added.mark:
            raise ClusterError(
                f"the table {added.table} that vtchaos made in {keyspace}/{shard} is not there any more; attach again"
            )


async def drop(vtctld: VtctldClient, keyspace: str, shards: Sequence[str], added: Added) -> None:
    """Take back what `create` did. A table of that name that is not ours stays. Raises VtctldError."""
    comments = [await _comment(vtctld, keyspace, shard, added.table) for shard in shards]
    if any(comment not in (None, added.mark) for comment in comments):
        return
    await vtctld.apply_vschema(keyspace, without(await vschema_of(vtctld, keyspace), added))
    await vtctld.apply_schema(keyspace, [f"DROP TABLE IF EXISTS `{added.table}`"], timeout_s=SCHEMA_TIMEOUT_S)


async def _comment(vtctld: VtctldClient, keyspace: str, shard: str, table: str) -> str | None:
    """The table's comment on the shard's primary; None when there is no such table."""
    primary = await vtctld.shard_primary(keyspace, shard)
    if not primary:
        raise ClusterError(f"{keyspace}/{shard} has no primary")
    rows = await vtctld.execute_as_dba(
        primary,
        "SELECT table_comment AS words FROM information_schema.tables "
        f"WHERE table_schema = DATABASE() AND table_name = '{table}'",
    )
    return rows[0]["words"] if rows else None
