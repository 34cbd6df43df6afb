"""Rows of harness/faults/churn.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.churn import RoutingRule, RoutingRulesChurn, VSchemaChurn
from tests.faults.rows.row import Row, clients_are_served

ROWS: Mapping[str, Row] = {
    "VSchemaChurn": Row(fault=VSchemaChurn(every_s=0.5), bystander=clients_are_served),
    "RoutingRulesChurn": Row(fault=RoutingRulesChurn(every_s=0.5), bystander=clients_are_served),
    "RoutingRule": Row(fault=RoutingRule(), bystander=clients_are_served),
}
