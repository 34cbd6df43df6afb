"""Rows of harness/faults/logs.py."""

from __future__ import annotations

from collections.abc import Mapping

from harness.contracts import Aim, Cluster
from harness.faults.logs import SlowLog
from harness.vitess.vtctld import vtctld_of
from tests.faults.rows.row import Row


async def the_tablets_are_asked(cluster: Cluster, _: Aim) -> None:
    """Every vttablet answers vtctld, and says so in a log that is taken."""
    async with vtctld_of(cluster) as vtctld:
        for tablet in await vtctld.tablets(cluster.spec.keyspace):
            assert await vtctld.execute_as_dba(tablet.alias, "SELECT 1 AS one") == [{"one": "1"}]


ROWS: Mapping[str, Row] = {"SlowLog": Row(fault=SlowLog(), bystander=the_tablets_are_asked)}
