"""What vtctld writes to the topology, and where in a cell's topology server it is."""

from __future__ import annotations

from harness.vitess.proto import vtctldata_pb2
from harness.vitess.vtctld import VtctldClient

CALL_WITHIN_S = 15.0
SRV_VSCHEMA = "SrvVSchema"  # go/vt/topo/server.go, v0.21 to v0.24


async def rebuild_vschema(vtctld: VtctldClient) -> None:
    """Every cell's SrvVSchema is written anew, with what it has: who watches it is told. Raises VtctldError."""
    await vtctld.call("RebuildVSchemaGraph", vtctldata_pb2.RebuildVSchemaGraphRequest(), timeout_s=CALL_WITHIN_S)


async def srv_vschema_record(vtctld: VtctldClient, cell: str) -> str:
    """The path of a cell's SrvVSchema in the cell's own topology server. Raises VtctldError."""
    answer = await vtctld.call("GetCellInfo", vtctldata_pb2.GetCellInfoRequest(cell=cell), timeout_s=CALL_WITHIN_S)
    return f"{answer.cell_info.root}/{SRV_VSCHEMA}"
