"""Rows of harness/faults/held.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.held import HeldBack
from tests.faults.rows.row import Row, the_replica_is_read_still

ROWS: Mapping[str, Row] = {"HeldBack": Row(fault=HeldBack(shard="0"), bystander=the_replica_is_read_still)}
