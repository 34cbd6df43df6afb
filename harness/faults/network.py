"""Faults of links between processes: cut, lossy, late, narrow, reset, half-open.

A cluster knows one desired state of all its links. Several faults may be in force at once, so one table for each run
holds the rules of all of them, and each takes back its own.

A fault hits the links from every source to every target; `direction` says who is not heard: what goes "there" (from
source to target), what comes "back", or "both". Existing connections are hit too. The evidence is what a process in the
source's place finds at the target's door; without the fault it finds it open.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.base import jsonio
from harness.base.errors import ClusterError, PlanError
from harness.contracts import Aim, Cluster, Fault, Ground, SpanRecorder, Stage
from harness.faults import felt, process, service
from harness.faults.felt import Door
from harness.faults.grudge import Grudge, Pair, bridge, isolate, majorities_ring, one_way
from harness.faults.targets import Targets
from harness.faults.traits import Traits
from harness.model import Capability, Knock, LinkEffect, LinkRule, Node, Remedy, Role

LINK = "link"
RESTART_WITHIN_S = 25.0
SURE = 0.001  # chance that a lossy link loses nothing of what is knocked
MOST_KNOCKS = 200
KNOCK_KBYTES = 200
BURST_KBYTES = 128  # as clusters/common/links.py has it
VTGATES = Targets(role=Role.VTGATE)
PRIMARIES = Targets(role=Role.VTTABLET, tablet_type="primary")


class LinkTable:
    """The rules that are in force, by whoever asked for them. One that was asked for twice is gone when it was taken
    back twice. Many that are taken back at once go together: one by one, those that are left would be made anew."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rules: Counter[LinkRule] = Counter()
        self._set: frozenset[LinkRule] | None = None  # None: nobody knows
        self._turn = asyncio.Lock()

    async def add(self, rules: Iterable[LinkRule]) -> None:
        """Raises ClusterError; the rules count as in force then, until they are taken back."""
        self._rules.update(rules)
        await self._as_wanted()

    async def remove(self, rules: Iterable[LinkRule]) -> None:
        """Rules that are not in force are no error. Raises ClusterError."""
        self._rules -= Counter(rules)
        await asyncio.sleep(0)  # no pause: whoever takes back at the same time comes first
        await self._as_wanted()

    async def _as_wanted(self) -> None:
        async with self._turn:
            wanted = tuple(self._rules)
            if self._set != frozenset(wanted):
                self._set = None
                await self._cluster.set_links(wanted)
                self._set = frozenset(wanted)


@contextlib.asynccontextmanager
async def links_of(cluster: Cluster) -> AsyncIterator[LinkTable]:
    """For `Ground.shared`."""
    yield LinkTable(cluster)


def whole_again(rules: Iterable[LinkRule]) -> tuple[Remedy, ...]:
    """What takes these rules back."""
    return tuple(
        Remedy(kind=LINK, target=f"{rule.source} > {rule.target}", details=dataclasses.asdict(rule)) for rule in rules
    )


async def _whole(ground: Ground, remedy: Remedy) -> None:
    """One rule less. Whoever heals a dead run begins with an empty table: then all links are whole at once."""
    try:
        rule = jsonio.structure(dict(remedy.details), LinkRule)
    except ValueError as error:
        raise ClusterError(f"the ledger's rule for {remedy.target} cannot be read: {error}") from None
    await (await ground.shared(links_of)).remove((rule,))


REMEDIES: Mapping[str, Callable[[Ground, Remedy], Awaitable[None]]] = {LINK: _whole}


# ---------------------------------------------------------------- the faults


@dataclass(frozen=True, slots=True, kw_only=True)
class _OverLinks(Traits):
    """What the faults of this module have in common: whom they hit, and how they are taken back."""

    sources: Targets = VTGATES
    targets: Targets = PRIMARIES
    direction: str = "both"  # there | back | both
    recover_within_s: float = 60.0

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.LINKS})

    async def aim(self, stage: Stage) -> Aim:
        """Raises ClusterError: no link of this kind."""
        grudge = await self._grudge(stage)
        rules = tuple(self._rule(*pair) for pair in grudge)
        return Aim(
            targets=grudge.names,
            details={"links": _words(grudge), "shard": _shards(stage, grudge), **await self._more(stage, grudge)},
            undo=whole_again(rules),
            claims=frozenset(f"link {' - '.join(sorted(pair))}" for pair in grudge),
            recover_within_s=self.recover_within_s,
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        span.begin()
        await (await stage.shared(links_of)).add(self._rule(*pair) for pair in _pairs(aim))
        span.active()
        yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Processes in the sources' places knock at the targets' doors, and find it so."""
        return await felt.by_all(stage, _pairs(aim), self._door(), lambda rows: self._felt(rows, aim))

    async def recovered(self, stage: Stage, aim: Aim) -> object:
        return await felt.whole(stage, _pairs(aim))

    async def _grudge(self, stage: Stage) -> Grudge:
        return _over_network(stage, await self._directed(stage), self.sources.text, self.targets.text)

    async def _directed(self, stage: Stage) -> Grudge:
        sources = [node.name for node in await self.sources.chosen(stage)]
        there = one_way(sources, [node.name for node in await self.targets.chosen(stage)])
        directions = {"there": there, "back": ~there, "both": there | ~there}
        if self.direction not in directions:
            raise PlanError(f"a direction is {', '.join(directions)}, not {self.direction!r}")
        return directions[self.direction]

    async def _more(self, stage: Stage, grudge: Grudge) -> Mapping[str, str | int | float | bool]:
        return {}

    def _rule(self, source: str, target: str) -> LinkRule:
        return LinkRule(source=source, target=target)

    def _door(self) -> Door:
        return Door()

    def _felt(self, rows: Sequence[Knock], aim: Aim) -> bool:
        return all(row.outcome == felt.SILENT for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition(_OverLinks):
    """Nothing arrives, and nobody is told: a firewall's silent drop, a switch that died.

    `shape` links: from every source to every target. isolate: the sources hear each other and nobody else of the
    cluster. bridge: the first half of the sources and the second do not hear each other, the targets hear both. ring:
    each source hears a majority of the sources, and no two the same one (five or more).
    """

    shape: str = "links"

    async def _grudge(self, stage: Stage) -> Grudge:
        if self.shape == "links":
            return await _OverLinks._grudge(self, stage)
        sources = [node.name for node in await self.sources.chosen(stage)]
        half = len(sources) // 2
        match self.shape:
            case "isolate":
                grudge = isolate(sources, [node.name for node in stage.cluster.nodes()])
            case "bridge":
                over = [node.name for node in await self.targets.chosen(stage) if node.name not in sources]
                grudge = bridge(sources[:half], sources[half:], over)
            case "ring":
                grudge = majorities_ring(sources)
            case _:
                raise PlanError(f"a partition's shape is links, isolate, bridge or ring, not {self.shape!r}")
        return _over_network(stage, grudge, self.sources.text, self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossyLink(_OverLinks):
    """A share of the packets never arrives. TCP sends them again: after 0.2 s, then twice as late each time."""

    share: float = 0.3

    def _rule(self, source: str, target: str) -> LinkRule:
        return LinkRule(source=source, target=target, share=self.share)

    def _door(self) -> Door:
        if not 0 < self.share < 1:
            raise PlanError(f"a share of packets is between 0 and 1, not {self.share:g}; Partition loses all")
        wanted = math.ceil(math.log(SURE) / math.log(1 - self.share))
        return Door(times=min(MOST_KNOCKS, wanted), within_s=2.5)

    def _felt(self, rows: Sequence[Knock], aim: Aim) -> bool:
        """Their kernel has sent something again, a first packet after a second."""
        return felt.again(rows) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowLink(_OverLinks):
    """What is above a rate never arrives, as with a policer; short bursts of 128 kB do."""

    kbytes_per_s: int = 100

    def _rule(self, source: str, target: str) -> LinkRule:
        return LinkRule(source=source, target=target, effect=LinkEffect.RATE, kbytes_per_s=self.kbytes_per_s)

    def _door(self) -> Door:
        wanted = math.ceil(2 * self._room_kbytes(0.0) / KNOCK_KBYTES)
        return Door(times=min(MOST_KNOCKS, wanted), kbytes=KNOCK_KBYTES, within_s=4.0)

    def _felt(self, rows: Sequence[Knock], aim: Aim) -> bool:
        """What arrived fits through, and something was sent again: on a busy host a free link does that, too."""
        arrived = KNOCK_KBYTES * sum(row.outcome == felt.ANSWERED for row in rows)
        longest_s = max((row.took_ms for row in rows), default=0.0) / 1000
        return felt.again(rows) > 0 and arrived <= self._room_kbytes(longest_s)

    def _room_kbytes(self, seconds: float) -> float:
        """A full bucket holds a second of the rate and the burst (net/netfilter/nft_limit.c, nft_limit_init)."""
        return BURST_KBYTES + self.kbytes_per_s * (1 + seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetLink(_OverLinks):
    """Whoever sends something gets a TCP reset: connections break at their next packet, new ones are refused."""

    def _rule(self, source: str, target: str) -> LinkRule:
        return LinkRule(source=source, target=target, effect=LinkEffect.RESET)

    def _felt(self, rows: Sequence[Knock], aim: Aim) -> bool:
        return all(row.outcome == felt.REFUSED for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowLink(_OverLinks):
    """Everything arrives later, through a proxy: connections that exist are reset when it begins and when it ends, and
    made anew."""

    delay_ms: float = 100.0
    jitter_ms: float = 0.0

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.LINKS, Capability.DELAY})

    async def _more(self, stage: Stage, grudge: Grudge) -> Mapping[str, str | int | float | bool]:
        if not 0 <= self.jitter_ms < self.delay_ms:
            raise PlanError(f"a jitter is less than its delay of {self.delay_ms:g} ms, not {self.jitter_ms:g}")
        said = await felt.knocks(stage, grudge, Door())
        return {"was_ms": max((felt.fastest_ms(rows) for rows in said.values()), default=0.0)}

    def _rule(self, source: str, target: str) -> LinkRule:
        delay, jitter = self.delay_ms, self.jitter_ms
        return LinkRule(source=source, target=target, effect=LinkEffect.DELAY, delay_ms=delay, jitter_ms=jitter)

    def _door(self) -> Door:
        return Door(within_s=3.0 + 4 * self.delay_ms / 1000)

    def _felt(self, rows: Sequence[Knock], aim: Aim) -> bool:
        """The fastest answer is later than the slowest link's was before, by most of the delay."""
        late_ms = 0.8 * (self.delay_ms - self.jitter_ms)
        return float(aim.details["was_ms"]) + late_ms <= felt.fastest_ms(rows) < math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOpen(_OverLinks):
    """The target's end of every connection is gone, and the source is not told: nothing passes between them, and
    meanwhile the target is killed and started again. What a host leaves behind that lost its power and came back. When
    the links are whole again the source's next packet is answered with a reset."""

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.LINKS, Capability.SIGNAL, Capability.RESTART})

    async def aim(self, stage: Stage) -> Aim:
        if self.direction != "both":
            raise PlanError(f"a connection becomes half-open when nothing passes, so not only {self.direction!r}")
        whole = await _OverLinks.aim(self, stage)
        nodes = await self.targets.chosen(stage)
        peers = [node.name for node in nodes]
        in_service = [await service.mysql_in_service(stage, node) for node in nodes if node.role is Role.MYSQLD]
        return dataclasses.replace(
            whole,
            undo=(*in_service, *whole.undo, *(process.runs_again(name) for name in peers)),
            claims=whole.claims | {f"process {name}" for name in peers},
            details={**whole.details, "restarted": " ".join(peers), **await process.ages(stage, nodes)},
        )

    @contextlib.asynccontextmanager
    async def inject(self, stage: Stage, aim: Aim, span: SpanRecorder) -> AsyncIterator[None]:
        async with _OverLinks.inject(self, stage, aim, span):
            await asyncio.gather(*(_restarted(stage, node) for node in _restarts(stage, aim)))
            yield

    async def observed(self, stage: Stage, aim: Aim) -> bool:
        """Processes in the sources' places knock at the targets' doors and hear nothing, and every target is younger
        than the one that was there."""
        silent = await _OverLinks.observed(self, stage, aim)
        return silent and await process.all_younger(stage, aim, _restarts(stage, aim))


def _restarts(stage: Stage, aim: Aim) -> tuple[Node, ...]:
    return tuple(node for node in stage.cluster.nodes() if node.name in str(aim.details["restarted"]).split())


async def _restarted(stage: Stage, node: Node) -> None:
    await stage.cluster.signal(node, signal.SIGKILL)
    await stage.cluster.start(node, timeout_s=RESTART_WITHIN_S)


def _over_network(stage: Stage, grudge: Grudge, source: str, target: str) -> Grudge:
    """Without what is no link of a network: a tablet's vttablet and mysqld talk over a unix socket.
    Raises ClusterError: nothing is left."""
    over_tcp = stage.cluster.spec.mysql_over_tcp
    tablets = {node.name: node.tablet_uid for node in stage.cluster.nodes() if node.tablet_uid and not over_tcp}
    inside = {pair for pair in grudge if pair[0] in tablets and tablets[pair[0]] == tablets.get(pair[1])}
    left = grudge - Grudge(frozenset(inside))
    if not left:
        raise ClusterError(f"there is no link between {source} and {target} that goes over a network")
    return left


def _words(grudge: Grudge) -> str:
    return ", ".join(f"{source} > {target}" for source, target in grudge)


def _pairs(aim: Aim) -> list[Pair]:
    rows = (row.split(" > ") for row in str(aim.details["links"]).split(", "))
    return [(source, target) for source, target in rows]


def _shards(stage: Stage, grudge: Grudge) -> str:
    concerned = [node.shard for node in stage.cluster.nodes() if node.name in grudge.names and node.shard]
    return " ".join(dict.fromkeys(concerned))


FAULTS: tuple[type[Fault], ...] = (Partition, LossyLink, NarrowLink, ResetLink, SlowLink, HalfOpen)
