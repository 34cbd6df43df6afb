"""Processes that are killed, and brought back."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp

from harness.base.errors import ClusterError
from harness.contracts import Aim, Ground, SpanRecorder, Stage
from harness.model import Capability, Node, Remedy, Role
from harness.mysql.session import admin_session
from harness.vitess.debug_vars import VarsClient
from harness.vitess.vtctld import TabletRecord, vtctld_of

RUNS = "runs"
START_WITHIN_S = 25.0
SERVE_WITHIN_S = 60.0
CONNECT_WITHIN_S = 2.0
STATEMENT_WITHIN_S = 5.0
_WRITABLE = "SELECT @@global.read_only, @@global.super_read_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledVttablet:
    """kill -9 of one vttablet of a shard; its mysqld lives on. Leaving the block starts it again.

    A killed primary comes back as primary, without a reparent, as long as the shard record still names it
    (go/vt/vttablet/tabletmanager/tm_init.go, checkPrimaryShip, v0.24.3), and its mysqld was never read-only. If
    somebody promoted another tablet meanwhile it comes back as that one's replica. Healed: the vttablet says that
    it serves, and through every vtgate the shard's primary, whoever that is now, takes writes.
    """

    shard: str
    tablet_type: str = "primary"  # as the topology has it: primary | replica | rdonly
    number: int = 1  # which of the tablets of this type, in the order of their aliases
    keyspace: str = ""  # "" = the cluster's main one
    serve_within_s: float = SERVE_WITHIN_S

    @property
    def name(self) -> str:
        return "KilledVttablet"

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.SIGNAL, Capability.RESTART})

    @property
    def one_shot(self) -> bool:
        return False

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: the shard has no such tablet."""
        keyspace = self.keyspace or stage.cluster.spec.keyspace
        tablet = await tablet_of(stage, keyspace, self.shard, tablet_type=self.tablet_type, number=self.number)
        (node,) = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.tablet_alias == tablet.alias]
        return Aim(
            targets=(node.name,),
            details={"keyspace": keyspace, "shard": self.shard, "tablet_type": tablet.type, "alias": tablet.alias},
            undo=(runs_again(node.name),),
            claims=frozenset({f"process {node.name}"}),
            recover_within_s=self.serve_within_s,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        await stage.cluster.signal(_target(stage, aim), signal.SIGKILL)
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The kernel refuses connections to its web port: nobody listens there. A process that only hangs is
        connected to, and does not count."""
        host, port = stage.cluster.address(_target(stage, aim), "web")
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                _, writer = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            return True
        except (OSError, TimeoutError):
            return False
        writer.close()
        return False

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """The vttablet says that it serves; then the shard's primary takes writes through every vtgate."""
        async with VarsClient.open() as client:
            serving = await _serving(client, stage.cluster.address(_target(stage, aim), "web"))
        return serving and await _writable(stage, str(aim.details["keyspace"]), str(aim.details["shard"]))


async def tablet_of(stage: Stage, keyspace: str, shard: str, *, tablet_type: str, number: int = 1) -> TabletRecord:
    """The `number`th tablet of a type in a shard, in the order of the aliases. Raises ClusterError: there is none.

    The shard record, not the tablet's, says who the primary is: a killed primary's tablet record keeps its type.
    """
    vtctld = await stage.shared(vtctld_of)
    primary = await vtctld.shard_primary(keyspace, shard)
    tablets = sorted(await vtctld.tablets(keyspace, shard), key=lambda tablet: tablet.alias)
    if tablet_type == "primary":
        found = [tablet for tablet in tablets if tablet.alias == primary]
    else:
        found = [tablet for tablet in tablets if tablet.type == tablet_type and tablet.alias != primary]
    if not 1 <= number <= len(found):
        has = ", ".join(f"{tablet.alias} {tablet.type}" for tablet in tablets) or "no tablets"
        raise ClusterError(f"{keyspace}/{shard} has no {tablet_type} tablet number {number}: {has}")
    return found[number - 1]


def _target(stage: Stage, aim: Aim) -> Node:
    (node,) = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.name == aim.targets[0]]
    return node


def runs_again(node: str) -> Remedy:
    """A process continues if it is stopped, and is started if it does not run."""
    return Remedy(kind=RUNS, target=node)


async def _run_again(ground: Ground, remedy: Remedy) -> None:
    """Raises ClusterError: it cannot be started, or dies."""
    (node,) = [node for node in ground.cluster.nodes() if node.name == remedy.target]
    if await _runs(ground, node):
        await ground.cluster.signal(node, signal.SIGCONT)
    else:
        await ground.cluster.start(node, timeout_s=START_WITHIN_S)


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {RUNS: _run_again}


async def _runs(stage: Ground, node: Node) -> bool:
    """Signal 0 asks only whether somebody could be signalled."""
    try:
        await stage.cluster.signal(node, 0)
    except ClusterError:
        return False
    return True


class _State:
    """What was seen last; true when it is what was waited for."""

    def __init__(self, *, good: bool, seen: str) -> None:
        self._good = good
        self._seen = seen

    def __bool__(self) -> bool:
        return self._good

    def __repr__(self) -> str:
        return self._seen


async def _serving(client: VarsClient, address: tuple[str, int]) -> _State:
    try:
        variables = await client.read(address)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return _State(good=False, seen=f"no /debug/vars: {error}")
    state = str(variables.get("TabletStateName", "no TabletStateName"))
    return _State(good=state == "SERVING", seen=f"{variables.get('TabletType', '')} {state}".strip())


async def _writable(stage: Stage, keyspace: str, shard: str) -> _State:
    """A statement through every vtgate reaches the shard's primary, and its MySQL is not read-only."""
    for vtgate in stage.cluster.nodes(Role.VTGATE):
        host, port = stage.cluster.address(vtgate, "mysql")
        async with admin_session(host, port, database=f"{keyspace}:{shard}@primary") as session:
            answer = await session.query(_WRITABLE, timeout_s=STATEMENT_WITHIN_S)
        if answer.rows != ((0, 0),):
            return _State(good=False, seen=f"{vtgate.name}: {answer.message or answer.rows}")
    return _State(good=True, seen="writable")
