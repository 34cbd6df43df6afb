"""Rows of harness/faults/mysql.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.mysql import PurgedBinlogs, StatementTimeLimit
from tests.faults.rows.row import Row, clients_are_served, the_replica_is_not_limited

ROWS: Mapping[str, Row] = {
    "PurgedBinlogs": Row(fault=PurgedBinlogs(shard="0"), bystander=clients_are_served),
    "StatementTimeLimit": Row(fault=StatementTimeLimit(shard="0", limit_ms=5000), bystander=the_replica_is_not_limited),
}
