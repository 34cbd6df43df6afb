"""Rows of harness/faults/{reparent,emergency,candidates,tablet_types,hosts}.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.candidates import WrongCandidate
from harness.faults.emergency import EmergencyReparent, TabletExternallyReparented
from harness.faults.hosts import LostHost
from harness.faults.reparent import HeldTransaction, LaggingReplicas, PlannedReparent
from harness.faults.tablet_types import ChangedTabletType
from tests.faults.rows.row import (
    Row,
    clients_are_served,
    clients_are_served_soon,
    the_other_tablet_answers,
    the_primary_is_not_delayed,
    the_primary_is_read,
)

ROWS: Mapping[str, Row] = {
    "PlannedReparent": Row(fault=PlannedReparent(shard="0"), bystander=clients_are_served),
    "LaggingReplicas": Row(fault=LaggingReplicas(shard="0", delay_s=3), bystander=the_primary_is_not_delayed),
    "HeldTransaction": Row(fault=HeldTransaction(shard="0"), bystander=clients_are_served),
    "EmergencyReparent": Row(
        fault=EmergencyReparent(shard="0", wait_for_all_tablets=True), bystander=clients_are_served_soon
    ),
    "TabletExternallyReparented": Row(fault=TabletExternallyReparented(shard="0"), bystander=clients_are_served_soon),
    "WrongCandidate": Row(
        fault=WrongCandidate(shard="0"),
        bystander=clients_are_served,
        says="cannot find a tablet to reparent to",
    ),
    "ChangedTabletType": Row(fault=ChangedTabletType(), bystander=the_primary_is_read),
    "LostHost": Row(fault=LostHost(), bystander=the_other_tablet_answers),
}
