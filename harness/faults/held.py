"""What vtgate and a primary say to each other comes late: a link that is cut one way and made whole again.

TCP gives nothing up meanwhile. What was sent waits in the sender's kernel and is sent again when the link is whole: the
later, the longer it was cut (the pause between two tries doubles from 200 ms on, net/ipv4/tcp_timer.c).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from harness.contracts import Aim, Fault, SpanRecorder, Stage
from harness.faults.network import links_of, whole_again
from harness.faults.process import tablet_of
from harness.model import Capability, LinkRule, Node, Role
from harness.mysql.session import admin_session
from harness.vitess.debug_vars import VarsClient

UNANSWERED_S = 0.3
ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Requests of every vtgate to a shard's primary, or its answers, come only when the block is left.

    `direction` "requests": what a vtgate sends to the vttablet; "answers": what the vttablet sends, its health too.
    """

    shard: str
    direction: str = "answers"  # answers | requests

    @property
    def name(self) -> str:
        return "HeldBack"

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.LINKS})

    @property
    def one_shot(self) -> bool:
        return False

    async def aim(self, stage: Stage) -> Aim:
        keyspace = stage.cluster.spec.keyspace
        tablet = await tablet_of(stage, keyspace, self.shard, tablet_type="primary")
        (node,) = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.tablet_alias == tablet.alias]
        rules = self._rules(stage, node)
        return Aim(
            targets=(node.name,),
            details={"keyspace": keyspace, "shard": self.shard, "direction": self.direction},
            undo=whole_again(rules),
            claims=frozenset(f"link {rule.source} > {rule.target}" for rule in rules),
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        (node,) = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.name == aim.targets[0]]
        span.begin()
        await (await stage.shared(links_of)).add(self._rules(stage, node))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """The vttablet itself says that it serves, and no vtgate gets an answer from it."""
        return await _serves(stage, aim) and not any([await _answers(stage, aim, node) for node in _vtgates(stage)])

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        """Through every vtgate the shard's primary, whoever that is now, answers."""
        return all([await _answers(stage, aim, node, within_s=ANSWER_WITHIN_S) for node in _vtgates(stage)])

    def _rules(self, stage: Stage, vttablet: Node) -> tuple[LinkRule, ...]:
        there = [(node.name, vttablet.name) for node in _vtgates(stage)]
        pairs = there if self.direction == "requests" else [(target, source) for source, target in there]
        return tuple(LinkRule(source=source, target=target) for source, target in pairs)


def _vtgates(stage: Stage) -> tuple[Node, ...]:
    return stage.cluster.nodes(Role.VTGATE)


async def _serves(stage: Stage, aim: Aim) -> bool:
    (node,) = [node for node in stage.cluster.nodes(Role.VTTABLET) if node.name == aim.targets[0]]
    async with VarsClient.open() as client:
        try:
            variables = await client.read(stage.cluster.address(node, "web"))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False
    return variables.get("TabletStateName") == "SERVING"


async def _answers(stage: Stage, aim: Aim, vtgate: Node, *, within_s: float = UNANSWERED_S) -> bool:
    host, port = stage.cluster.address(vtgate, "mysql")
    database = f"{aim.details['keyspace']}:{aim.details['shard']}@primary"
    async with admin_session(host, port, database=database) as session:
        return (await session.query("SELECT 1 FROM ledger LIMIT 1", timeout_s=within_s)).ok


FAULTS: tuple[type[Fault], ...] = (HeldBack,)
