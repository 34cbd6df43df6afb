"""The one table of faults under test: a fault without a row here is not merged."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.rows import churn, disk, logs, mysql, network, pods, pools, process, reparent
from tests.faults.rows.row import Row

ROWS: Mapping[str, Row] = {
    **reparent.ROWS,
    **process.ROWS,
    **mysql.ROWS,
    **disk.ROWS,
    **network.ROWS,
    **logs.ROWS,
    **churn.ROWS,
    **pods.ROWS,
    **pools.ROWS,
}
ELSEWHERE = frozenset(  # and where
    {
        "LostCell",  # a vtgate may lose its watches for good: topology/cell-strange, with a cluster of its own
        "RenamedCell",  # a vtgate loses its watches for good: topology/cell-renamed, with a cluster of its own
        "TakenAddress",  # a vtgate never gets over it: process/taken-address, with a cluster of its own
        "SwitchedTraffic",  # needs two keyspaces: tests/faults/test_switching.py
        "RollingRestart",  # makes reparents of its own: tests/faults/test_rollout.py
        "RollingUpgrade",  # needs a second release: tests/faults/test_rollout.py
    }
)
