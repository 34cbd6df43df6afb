"""What vtctld writes to the topology, and where in a cell's topology server it is."""

from __future__ import annotations

from typing import Any

from harness.vitess.proto import vtctldata_pb2
from harness.vitess.vtctld import VtctldClient

CALL_WITHIN_S = 15.0
SRV_VSCHEMA = "SrvVSchema"  # go/vt/topo/server.go, v0.21 to v0.24


async def rebuild_vschema(vtctld: VtctldClient) -> None:
    """Every cell's SrvVSchema is written anew, with what it has: who watches it is told. Raises VtctldError."""
    await vtctld.call("RebuildVSchemaGraph", vtctldata_pb2.RebuildVSchemaGraphRequest(), timeout_s=CALL_WITHIN_S)


async def cell_info(vtctld: VtctldClient, cell: str) -> Any:
    """Where a cell's own topology server is said to be: topodata.CellInfo. Raises VtctldError."""
    request = vtctldata_pb2.GetCellInfoRequest(cell=cell)
    return (await vtctld.call("GetCellInfo", request, timeout_s=CALL_WITHIN_S)).cell_info


async def srv_vschema_record(vtctld: VtctldClient, cell: str) -> str:
    """The path of a cell's SrvVSchema in the cell's own topology server. Raises VtctldError."""
    return f"{(await cell_info(vtctld, cell)).root}/{SRV_VSCHEMA}"
