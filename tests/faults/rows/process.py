"""Rows of harness/faults/process.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.process import KilledVttablet
from tests.faults.rows.row import Row, the_replica_is_read

ROWS: Mapping[str, Row] = {
    "KilledVttablet": Row(fault=KilledVttablet(shard="0"), bystander=the_replica_is_read),
}
