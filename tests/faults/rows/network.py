"""Rows of harness/faults/network.py: the link between the vtgate and the shard's replica."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.network import HalfOpen, LossyLink, NarrowLink, Partition, ResetLink, SlowLink
from harness.faults.targets import Targets
from harness.model import Role
from tests.faults.rows.row import Row, clients_are_served

REPLICA = Targets(role=Role.VTTABLET, tablet_type="replica")

ROWS: Mapping[str, Row] = {
    "Partition": Row(fault=Partition(targets=REPLICA), bystander=clients_are_served),
    "LossyLink": Row(fault=LossyLink(targets=REPLICA), bystander=clients_are_served),
    "NarrowLink": Row(fault=NarrowLink(targets=REPLICA), bystander=clients_are_served),
    "ResetLink": Row(fault=ResetLink(targets=REPLICA), bystander=clients_are_served),
    "SlowLink": Row(fault=SlowLink(targets=REPLICA), bystander=clients_are_served),
    "HalfOpen": Row(fault=HalfOpen(targets=REPLICA), bystander=clients_are_served),
}
