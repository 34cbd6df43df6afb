"""Where a cell's own topology server is said to be.

Vitess has a global topology server and one for each cell; where a cell's is, the global one says (CellInfo). Whoever
wants something of the cell reads that first (topo.Server.ConnForCell, go/vt/topo/server.go, v0.21 to v0.24).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.contracts import Aim, Fault, Ground, SpanRecorder, Stage
from harness.faults.missing import Missing
from harness.faults.traits import Traits
from harness.model import Remedy, Role
from harness.vitess.proto import topodata_pb2, vtctldata_pb2
from harness.vitess.topology import CALL_WITHIN_S, cell_info
from harness.vitess.vtctld import VtctldClient, VtctldError, vtctld_of

CELL_ADDRESS = "cell-address"
NOBODY = 1  # a port at which nobody listens


@dataclass(frozen=True, slots=True, kw_only=True)
class _NewAddress(Traits):
    """UpdateCellInfo: another address for a cell's topology server."""

    cell: str = ""  # "" = that of the vtgates

    async def aim(self, stage: Stage) -> Aim:
        """Raises VtctldError."""
        cell = self.cell or stage.cluster.nodes(Role.VTGATE)[0].cell
        was = await _address(await stage.shared(vtctld_of), cell)
        (etcd,) = stage.cluster.nodes(Role.ETCD)
        address = self._instead(stage, was)
        return Aim(
            targets=(etcd.name,),
            details={"cell": cell, "was": was, "address": address},
            undo=(Remedy(kind=CELL_ADDRESS, target=cell, details={"was": was}),),
            claims=frozenset({f"cell {cell}"}),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        await _say(await stage.shared(vtctld_of), str(aim.details["cell"]), str(aim.details["address"]))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The topology names the other address."""
        vtctld = await stage.shared(vtctld_of)
        return await _address(vtctld, str(aim.details["cell"])) == aim.details["address"]

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """vtctld reads from the cell."""
        request = vtctldata_pb2.GetSrvVSchemaRequest(cell=str(aim.details["cell"]))
        try:
            await (await stage.shared(vtctld_of)).call("GetSrvVSchema", request, timeout_s=CALL_WITHIN_S)
        except VtctldError as error:
            return Missing(str(error))
        return Missing()

    def _instead(self, stage: Stage, was: str) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class LostCell(_NewAddress):
    """A cell's topology server is out of reach, the global one is not: at the address that the global one names is
    nobody, or a `stranger`, who answers and is no etcd (vtctld). A connection that a process has stays until it asks
    for the cell again; a watch over it goes on."""

    stranger: bool = False

    def _instead(self, stage: Stage, was: str) -> str:
        return _of_a_stranger(stage) if self.stranger else _of_nobody(was)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamedCell(_NewAddress):
    """A cell's topology server gets another address that leads to the same server: all its endpoints are named twice.
    Nobody loses it. Who asks for the cell next closes the connection to the old address, under all who watch something
    over it (topo.Server.ConnForCell, go/vt/topo/server.go, v0.21 to v0.24; vitess#17560)."""

    def _instead(self, stage: Stage, was: str) -> str:
        return f"{was},{was}"


def _of_a_stranger(stage: Stage) -> str:
    (vtctld,) = stage.cluster.nodes(Role.VTCTLD)
    host, port = stage.cluster.address(vtctld, "grpc")
    return f"{host}:{port}"


def _of_nobody(address: str) -> str:
    return f"{address.rpartition(':')[0]}:{NOBODY}"


async def _address(vtctld: VtctldClient, cell: str) -> str:
    return str((await cell_info(vtctld, cell)).server_address)


async def _say(vtctld: VtctldClient, cell: str, address: str) -> None:
    info = topodata_pb2.CellInfo(server_address=address)
    await vtctld.call(
        "UpdateCellInfo", vtctldata_pb2.UpdateCellInfoRequest(name=cell, cell_info=info), timeout_s=CALL_WITHIN_S
    )


async def _as_before(ground: Ground, remedy: Remedy) -> None:
    await _say(await ground.shared(vtctld_of), remedy.target, str(remedy.details["was"]))


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {CELL_ADDRESS: _as_before}
FAULTS: tuple[type[Fault], ...] = (LostCell, RenamedCell)
