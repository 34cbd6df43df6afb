"""Rows of harness/faults/process.py and slowness.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.process import CrashLoop, Killed, Restarted, Terminated
from harness.faults.slowness import Paused, Slowed
from harness.faults.targets import Targets
from harness.model import Role
from tests.faults.rows.row import Row, clients_are_served, the_replica_is_read

PRIMARY = Targets(role=Role.VTTABLET, tablet_type="primary")
REPLICA = Targets(role=Role.VTTABLET, tablet_type="replica")

ROWS: Mapping[str, Row] = {
    "Killed": Row(fault=Killed(targets=PRIMARY), bystander=the_replica_is_read),
    "Terminated": Row(fault=Terminated(targets=Targets(role=Role.VTCTLD)), bystander=clients_are_served),
    "Restarted": Row(fault=Restarted(targets=REPLICA), bystander=clients_are_served),
    "CrashLoop": Row(fault=CrashLoop(targets=REPLICA), bystander=clients_are_served),
    "Paused": Row(fault=Paused(targets=PRIMARY), bystander=the_replica_is_read),
    "Slowed": Row(
        fault=Slowed(targets=Targets(role=Role.VTTABLET, tablet_type="replica")), bystander=clients_are_served
    ),
}
