"""Rows of harness/faults/reparent.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.reparent import HeldTransaction, LaggingReplicas, PlannedReparent
from tests.faults.rows.row import Row, clients_are_served, the_primary_is_not_delayed

ROWS: Mapping[str, Row] = {
    "PlannedReparent": Row(fault=PlannedReparent(shard="0"), bystander=clients_are_served),
    "LaggingReplicas": Row(fault=LaggingReplicas(shard="0", delay_s=3), bystander=the_primary_is_not_delayed),
    "HeldTransaction": Row(fault=HeldTransaction(shard="0"), bystander=clients_are_served),
}
