"""A log that nobody takes: a full pipe to a collector, a journal that stands still.

Who writes a line of log holds a lock until it is written (glog; log/slog, which 24 has by default), and everybody else
who has something to say waits for it, health checks included.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from harness.base.errors import WaitTimeout
from harness.contracts import Aim, Cluster, Fault, OffersLimits, SpanRecorder, Stage
from harness.faults.limits import claim, limits_of, unlimited
from harness.faults.targets import Targets, nodes_of
from harness.faults.traits import Traits
from harness.model import Capability, Node, Role

VTGATES = Targets(role=Role.VTGATE)
FIELD = "log_bytes_per_s"
STALLED = 1
FELT_WITHIN_S = 8.0
SAID_WITHIN_S = 2.0
GREETINGS = 20
CONNECT_WITHIN_S = 1.0
NO_HANDSHAKE = b"\x05\x00\x00\x01hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowLog(Traits):
    """The logs of processes are taken at `bytes_per_s`; 1 is as good as never.

    A vtgate has to say something for it to be felt. It does, at its default level, for each client whose handshake
    makes no sense ("Cannot parse client handshake response", go/mysql/server.go, handle, v0.24.3): some twenty of them
    fill the pipe before the block begins. Other processes fill theirs with what they say by themselves.
    """

    targets: Targets = VTGATES
    bytes_per_s: int = STALLED

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.LOG_SINK})

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: nothing fits."""
        nodes = await self.targets.chosen(stage)
        return Aim(
            targets=tuple(node.name for node in nodes),
            details={"bytes_per_s": self.bytes_per_s},
            undo=tuple(unlimited(node.name, FIELD) for node in nodes),
            claims=frozenset(claim(node.name, FIELD) for node in nodes),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        limits = await stage.shared(limits_of)
        span.begin()
        for node in nodes_of(stage, aim):
            await limits.change(node, log_bytes_per_s=self.bytes_per_s)
        await self._until_felt(stage, aim)
        span.active()
        yield

    async def _until_felt(self, stage: Stage, aim: Aim) -> None:
        """That it is not felt is for the evidence to say."""

        async def felt() -> bool:
            await asyncio.gather(*(_made_to_speak(stage.cluster, node) for node in nodes_of(stage, aim)))
            return await self._waits(stage, aim)

        with contextlib.suppress(WaitTimeout):
            await stage.until("the processes wait to write their logs", felt, timeout_s=FELT_WITHIN_S)

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Threads of every target sleep in a write of their log; no log of theirs grows by what they are made to
        say, but at the rate."""
        if not await self._waits(stage, aim):
            return False
        paths = [stage.cluster.log_path(node) for node in nodes_of(stage, aim)]
        sizes = [path.stat().st_size for path in paths]
        await stage.hold(SAID_WITHIN_S)
        allowed = 2 * SAID_WITHIN_S * self.bytes_per_s + 1
        return all(path.stat().st_size - size <= allowed for path, size in zip(paths, sizes, strict=True))

    async def _waits(self, stage: Stage, aim: Aim) -> bool:
        if not isinstance(stage.cluster, OffersLimits):
            return False
        return all([(await stage.cluster.held_back(node)).writers for node in nodes_of(stage, aim)])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """What a vtgate is made to say is in its log."""
        nodes = [node for node in nodes_of(stage, aim) if node.role is Role.VTGATE]
        return all([await _heard(stage, node) for node in nodes])


async def _heard(stage: Stage, node: Node) -> bool:
    path = stage.cluster.log_path(node)
    size = path.stat().st_size
    await _made_to_speak(stage.cluster, node)

    async def grown() -> bool:
        return path.stat().st_size > size

    try:
        return await stage.until(f"{node.name} is heard", grown, timeout_s=SAID_WITHIN_S)
    except WaitTimeout:
        return False


async def _made_to_speak(cluster: Cluster, node: Node) -> None:
    """Clients that do not speak its language."""
    if node.role is not Role.VTGATE:
        return
    host, port = cluster.address(node, "mysql")
    await asyncio.gather(*(_greet(host, port) for _ in range(GREETINGS)))


async def _greet(host: str, port: int) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CONNECT_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer):
                await reader.read(1)
                writer.write(NO_HANDSHAKE)
                await reader.read()


FAULTS: tuple[type[Fault], ...] = (SlowLog,)
