"""Rows of harness/faults/pods.py: the vtgate's pod."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.pods import EvictedPod, KilledPod
from tests.faults.rows.logs import the_tablets_are_asked
from tests.faults.rows.row import Row, clients_are_served

ROWS: Mapping[str, Row] = {
    "KilledPod": Row(fault=KilledPod(), bystander=clients_are_served),
    "EvictedPod": Row(fault=EvictedPod(cordon=True), bystander=the_tablets_are_asked),
}
