"""A tablet's host that is gone, or stands still: its vttablet and its mysqld at the same moment."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp

from harness.base.errors import PlanError
from harness.contracts import Aim, Fault, SpanRecorder, Stage
from harness.faults.process import runs_again
from harness.faults.targets import Targets
from harness.model import Capability, Node, Role
from harness.vitess.debug_vars import VarsClient
from harness.vitess.vtctld import VtctldError, vtctld_of

PRIMARY_HOST = Targets(role=Role.VTTABLET, tablet_type="primary")
SIGNALS: Mapping[str, signal.Signals] = {"gone": signal.SIGKILL, "still": signal.SIGSTOP}
ANSWER_WITHIN_S = 1.5
REJOIN_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LostHost:
    """Everything of a tablet is killed (`gone`) or paused (`still`) at once; leaving the block brings it back.

    A vttablet alone that dies leaves a MySQL behind that EmergencyReparentShard cannot ask and that replicates on. Of a
    host that is gone nothing is left. One that stood still goes on where it was: its vttablet thinks that it is
    primary until it reads the shard record (tabletmanager/shard_sync.go, v0.24.3).

    Recovered: each serves again, as primary or with both replication threads running. A primary that had transactions
    which no replica got (also those that were never acknowledged: semi-sync waits after they are in the binary log)
    has errant GTIDs when it comes back. It refuses to replicate then (tm_init.go, errantGTIDDetection), and the span
    says so.
    """

    targets: Targets = PRIMARY_HOST
    how: str = "gone"  # gone | still
    rejoin_within_s: float = REJOIN_WITHIN_S

    @property
    def name(self) -> str:
        return "LostHost"

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL, Capability.RESTART})

    @property
    def one_shot(self) -> bool:
        return False

    async def aim(self, stage: Stage) -> Aim:
        """`targets` are vttablets; each one's mysqld goes with it."""
        if self.how not in SIGNALS:
            raise PlanError(f"a lost host is {' or '.join(SIGNALS)}, not {self.how}")
        vttablets = await self.targets.chosen(stage)
        uids = {node.tablet_uid for node in vttablets}
        nodes = [node for node in _tablet_nodes(stage) if node.tablet_uid in uids]
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={
                "how": self.how,
                "aliases": " ".join(node.tablet_alias for node in vttablets),
                "shard": " ".join(dict.fromkeys(node.shard for node in vttablets)),
            },
            undo=tuple(runs_again(node.name) for node in nodes),
            claims=frozenset(f"process {node.name}" for node in nodes),
            recover_within_s=self.rejoin_within_s,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        nodes = [node for node in _tablet_nodes(stage) if node.name in aim.targets]
        async with asyncio.TaskGroup() as group:
            for node in nodes:
                group.create_task(stage.cluster.signal(node, SIGNALS[self.how]))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Nobody answers at any of their ports: refused where they are gone, silence where they stand still."""
        nodes = [node for node in _tablet_nodes(stage) if node.name in aim.targets]
        silent = await asyncio.gather(*(_is_silent(stage, node) for node in nodes))
        return all(silent)

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        vttablets = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.name in aim.targets]
        missing = [what for what in [await _missing(stage, node) for node in vttablets] if what]
        return _Rejoined(missing="; ".join(missing))


class _Rejoined:
    """True when nothing is missing."""

    def __init__(self, *, missing: str) -> None:
        self._missing = missing

    def __bool__(self) -> bool:
        return not self._missing

    def __repr__(self) -> str:
        return self._missing


def _tablet_nodes(stage: Stage) -> tuple[Node, ...]:
    return (*stage.cluster.nodes(Role.VTTABLET), *stage.cluster.nodes(Role.MYSQLD))


async def _is_silent(stage: Stage, node: Node) -> bool:
    """MySQL greets who connects, vttablet answers a request. The kernel accepts connections of a paused process: that
    is no answer."""
    is_vttablet = node.role is Role.VTTABLET
    host, port = stage.cluster.address(node, "web" if is_vttablet else "mysql")
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                if is_vttablet:
                    writer.write(b"GET /debug/vars HTTP/1.0\r\n\r\n")
                return not await reader.read(1)
    except (OSError, TimeoutError):
        return True


async def _missing(stage: Stage, vttablet: Node) -> str:
    """What a tablet lacks to be one of its shard again; "" = nothing."""
    try:
        async with VarsClient.open() as client:
            variables = await client.read(stage.cluster.address(vttablet, "web"))
        if variables.get("TabletStateName") != "SERVING":
            return f"{vttablet.name} is {variables.get('TabletType')} {variables.get('TabletStateName')}"
        vtctld = await stage.shared(vtctld_of)
        if await vtctld.shard_primary(vttablet.keyspace, vttablet.shard) == vttablet.tablet_alias:
            return ""
        status = await vtctld.execute_as_dba(vttablet.tablet_alias, "SHOW REPLICA STATUS")
    except (aiohttp.ClientError, TimeoutError, ValueError, VtctldError) as error:
        return f"{vttablet.name}: {type(error).__name__}: {error}"
    threads = [(row["Replica_IO_Running"], row["Replica_SQL_Running"]) for row in status]
    if threads == [("Yes", "Yes")]:
        return ""
    said = f"{threads[0]}, {status[0]['Last_IO_Error'] or status[0]['Last_SQL_Error']}" if status else "no source"
    return f"{vttablet.name} does not replicate: {said}"


FAULTS: tuple[type[Fault], ...] = (LostHost,)
